//! Conformance tests for any backend.
//!
//! A property is a function on a [`Subject`]. It panics if the backend misbehaves, and reports that it is skipped if
//! the backend does not declare the capability. [`conformance_tests!`] makes a test of each.
//!
#![cfg_attr(feature = "file", doc = "```")]
#![cfg_attr(not(feature = "file"), doc = "```ignore")]
//! use std::sync::Arc;
//! use cachier_backends::conformance::{Property, Subject};
//! # use cachier_backends::{Blocking, file::FileBackend};
//!
//! /// Runs one property on a fresh store, on whatever executor the backend needs.
//! fn run(property: Property) {
//!     let dir = tempfile::tempdir().expect("a folder");
//!     let subject = Subject::new(|| Arc::new(Blocking::new(FileBackend::new(dir.path()))));
//!     futures_lite::future::block_on(property(&subject));
//! }
//!
//! cachier_backends::conformance_tests!(run);
//! # run(cachier_backends::conformance::PROPERTIES[0].1);
//! ```
//!
//! [`conformance_tests!`]: crate::conformance_tests

mod entries;
mod leases;
mod limits;
mod properties;
mod subject;
mod support;

pub use properties::{PROPERTIES, Property, property};
pub use subject::Subject;

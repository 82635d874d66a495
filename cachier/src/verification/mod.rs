//! Verifies that keys and stored values stand for the arguments and values they were made of.
//!
//! A store sees what serde shows. If serde leaves something out, or shows two things alike, unequal arguments share a key,
//! or a value comes back as another. So the first arguments and values of each function are checked, many more in debug
//! builds, and all of them after a finding.

mod allowance;
mod finding;
mod fingerprints;
mod verifier;

pub use self::finding::Finding;
pub(crate) use self::verifier::Verification;

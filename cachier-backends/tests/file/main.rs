//! Tests specific to the file backend.
#![allow(clippy::unwrap_used)]

#[path = "../first_format/mod.rs"]
mod first_format;
#[cfg(unix)]
mod hostile;
mod layout;
mod leases;
#[path = "../support/mod.rs"]
mod support;
mod trouble;
mod usage;

//! What is particular to the file backend.
#![allow(clippy::unwrap_used)]

mod layout;
mod leases;
#[path = "../support/mod.rs"]
mod support;
mod trouble;
mod usage;

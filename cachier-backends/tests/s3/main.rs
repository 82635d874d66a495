//! The S3 backend: conformance, costs and failures.
#![allow(clippy::unwrap_used)]

mod conflicts;
mod conformance;
mod contents;
mod cost;
#[path = "../first_format/mod.rs"]
mod first_format;
mod leases;
#[path = "../program_client/mod.rs"]
mod program_client;
#[path = "../server_support/mod.rs"]
mod server_support;
mod support;
mod trouble;

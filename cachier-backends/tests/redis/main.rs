//! The Redis backend on real servers: a single one, one with Sentinel, a cluster.
#![allow(clippy::unwrap_used)]

mod conformance;
mod contents;
mod cost;
#[path = "../first_format/mod.rs"]
mod first_format;
mod notifications;
#[path = "../program_client/mod.rs"]
mod program_client;
#[path = "../server_support/mod.rs"]
mod server_support;
mod support;
mod together;
mod topology;
mod trouble;

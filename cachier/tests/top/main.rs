//! `cachier top` in a real pseudo-terminal, and in pipes, on the endpoint of a program in use.
#![cfg(unix)]
#![allow(clippy::unwrap_used, missing_docs)]

mod pictures;
mod pipes;
mod program;
mod screens;
#[cfg(feature = "file")]
mod stats;
#[cfg(feature = "file")]
mod stores;
mod terminal;
mod tls;

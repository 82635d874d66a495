//! Programs of several packages, built by cargo as anybody would, and where each keeps what it computes.
#![allow(clippy::unwrap_used)]

mod folders;
mod one_process;
mod program;

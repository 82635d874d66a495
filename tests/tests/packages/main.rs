//! Programs of several packages, built by cargo as usual, and the folders of their caches.
#![allow(clippy::unwrap_used)]

mod folders;
mod one_process;
mod program;

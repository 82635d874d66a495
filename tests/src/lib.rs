//! Shared by the end-to-end tests: concurrent callers, gates, deep lists, folders, processes, listeners, a faulty backend, and
//! layers in front of backends.

pub mod backend;
pub mod callers;
#[cfg(unix)]
pub mod forked;
mod functions;
pub mod gate;
pub mod layer;
pub mod list;
pub mod listener;
pub mod sandbox;
pub mod wait;

pub use cachier_servers::process;

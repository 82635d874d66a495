//! Shared by the end-to-end tests: concurrent callers, gates, deep lists, folders, processes, a faulty backend, and layers in front
//! of backends.

pub mod backend;
pub mod callers;
#[cfg(unix)]
pub mod forked;
pub mod gate;
pub mod layer;
pub mod list;
pub mod process;
pub mod sandbox;
pub mod wait;

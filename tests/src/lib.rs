//! Shared by the end-to-end tests: concurrent callers, gates, deep lists, folders, processes, and a faulty backend.

pub mod backend;
pub mod callers;
#[cfg(unix)]
pub mod forked;
pub mod gate;
pub mod list;
pub mod process;
pub mod sandbox;
pub mod wait;

//! What the end-to-end tests share: many callers at once, bodies that wait to be told, deep lists, folders, processes, and a
//! backend that fails on demand.

pub mod backend;
pub mod callers;
#[cfg(unix)]
pub mod forked;
pub mod gate;
pub mod list;
pub mod process;
pub mod sandbox;
pub mod wait;

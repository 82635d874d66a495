//! Figures over restarts: each process keeps its own in a file of a folder, and finds those of ended processes there.

mod folder;
mod keeper;
mod process;

pub(crate) use self::process::{is_on, keep_on_flush, tick};

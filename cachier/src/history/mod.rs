//! Figures over restarts: each process keeps its own in a file of a folder, and finds those of ended processes there.

mod folder;
mod keeper;
mod process;

#[cfg(feature = "persistent")]
pub(crate) use self::process::failure;
pub(crate) use self::process::{is_on, keep_on_flush, tick};

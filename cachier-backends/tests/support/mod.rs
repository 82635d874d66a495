//! Shared by several tests.

#![allow(dead_code, unreachable_pub, reason = "each test uses a part")]
#![allow(clippy::unwrap_used)]

pub mod data;
#[cfg(feature = "file")]
pub mod files;
pub mod golden;
pub mod hostile;
pub mod random;

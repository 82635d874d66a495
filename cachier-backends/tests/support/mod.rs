//! What several tests use.

#![allow(dead_code, unreachable_pub, reason = "each test uses a part")]

pub mod data;
pub mod golden;
pub mod random;

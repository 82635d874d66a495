//! Numbers that nobody else draws.

use std::hash::{BuildHasher, RandomState};
use std::process;
use std::time::Instant;

/// 64 random bits, unlike all others that are drawn: in other processes, on other machines, after a restart too.
pub(crate) fn unique() -> u64 {
    // Processes that one was forked into share its randomness.
    RandomState::new().hash_one((process::id(), Instant::now()))
}

//! The cached functions: ours and those of the peers, side by side for each kind of call.
//!
//! Ours state their metrics setting; `hits` means that a peer counts hits and misses, `none` that it counts nothing.
//! All maps hash with what their library hashes with by default, but for the floor.

pub mod asynchronous;
pub mod files;
pub mod numbers;
pub mod pairs;
pub mod sizes;
pub mod words;

use std::sync::atomic::{AtomicU64, Ordering};

/// The bound of bounded caches: room for all keys, so that every measured call is a hit in whatever cache.
pub const CAPACITY: usize = 20_000;

static COMPUTED: AtomicU64 = AtomicU64::new(0);

/// How often the bodies of all functions have run.
pub fn computed() -> u64 {
    COMPUTED.load(Ordering::Relaxed)
}

/// What all functions do when they run.
fn compute(id: u64) -> u64 {
    COMPUTED.fetch_add(1, Ordering::Relaxed);
    id.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// A subject: what the table calls it, what it counts, and one call of it.
macro_rules! subject {
    ($name:literal, $metrics:literal, |$argument:ident| $call:expr) => {
        $crate::harness::Subject {
            name: $name,
            metrics: $metrics,
            run: |arguments| arguments.iter().fold(0, |sum, &$argument| sum ^ $call),
        }
    };
}
use subject;

/// Names for the numbers below `n`, as long as names tend to be.
fn names(n: usize) -> Vec<&'static str> {
    let name = |number| format!("customers/eu-north/{number:06}");
    (0..n).map(|number| &*name(number).leak()).collect()
}

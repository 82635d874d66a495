//! The body, the capacity and the macros of all subjects.

use std::sync::atomic::{AtomicU64, Ordering};

/// The capacity of bounded caches: room for all keys, so that every measured call is a hit in any cache.
pub const CAPACITY: usize = 20_000;

static COMPUTED: AtomicU64 = AtomicU64::new(0);

/// How often function bodies have run.
pub fn computed() -> u64 {
    COMPUTED.load(Ordering::Relaxed)
}

/// The body of all functions.
pub(super) fn compute(id: u64) -> u64 {
    COMPUTED.fetch_add(1, Ordering::Relaxed);
    id.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// A subject: its name in the table, its metrics, and one call.
macro_rules! subject {
    ($name:literal, $metrics:literal, $function:path) => {
        subject!($name, $metrics, |argument| $function(argument))
    };
    ($name:literal, $metrics:literal, |$argument:ident| $call:expr) => {
        $crate::harness::Subject {
            name: $name,
            metrics: $metrics,
            run: |arguments| arguments.iter().fold(0, |sum, &$argument| sum ^ $call),
        }
    };
}
pub(super) use subject;

/// Functions that differ only in how they are cached, each with its attribute.
macro_rules! functions {
    (
        fn $arguments:tt -> $value:ident $body:tt
        $(#[$($attribute:tt)+] $name:ident)+
    ) => {$(
        #[$($attribute)+]
        fn $name $arguments -> $value $body
    )+};
}
pub(super) use functions;

/// Names for the numbers below `n`, of typical length.
pub(super) fn names(n: usize) -> Vec<&'static str> {
    let name = |number| format!("customers/eu-north/{number:06}");
    (0..n).map(|number| &*name(number).leak()).collect()
}

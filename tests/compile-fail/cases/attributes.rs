//! Attributes that a cached function cannot keep.

use cachier::cachier;

#[cachier]
#[track_caller]
fn located(id: u64) -> u64 {
    id
}

#[cachier]
#[target_feature(enable = "sse2")]
fn vectorized(id: u64) -> u64 {
    id
}

#[cachier]
#[unsafe(no_mangle)]
fn exported(id: u64) -> u64 {
    id
}

#[cachier]
#[test]
fn tested() {}

trait Lookup {
    fn lookup(&self, id: u64) -> u64;
}

struct Service;

impl Lookup for Service {
    #[cachier(companion = false, skip(self))]
    #[allow(unused)]
    #[inline]
    fn lookup(&self, id: u64) -> u64 {
        id
    }
}

#[cachier::methods]
impl Service {
    #[cachier]
    #[cfg_attr(all(), inline, track_caller)]
    fn conditionally_located(id: u64) -> u64 {
        id
    }

    #[cachier(companion = false)]
    #[cfg_attr(all(), tracing::instrument)]
    fn conditionally_instrumented(id: u64) -> u64 {
        id
    }
}

fn main() {}

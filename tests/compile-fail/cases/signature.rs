//! Functions that cannot be cached as they are.

use cachier::cachier;

#[cachier]
const fn constant(id: u64) -> u64 {
    id
}

#[cachier]
unsafe fn not_safe(id: u64) -> u64 {
    id
}

#[cachier]
extern "C" fn foreign(id: u64) -> u64 {
    id
}

#[cachier]
fn under_cfg(id: u64, #[cfg(all())] day: u64) -> u64 {
    id + day
}

#[cachier]
fn variadic(id: u64, ...) -> u64 {
    id
}

fn main() {}

//! Values in the memory of the process, alone or in front of a persistent backend.

use cachier::cachier;

#[cachier(near_cache = 10_000)]
fn near(id: u64) -> u64 {
    id
}

#[cachier(backend = "memory")]
fn in_memory(id: u64) -> u64 {
    id
}

fn main() {}

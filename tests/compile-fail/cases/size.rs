//! Sizes have units, or are bytes; counts are plain numbers.

use cachier::cachier;

#[cachier(backend = "memory", entry_size_limit = "10kb", capacity_bytes = 1.5, capacity = "10KB")]
fn three_faults(id: u64) -> u64 {
    id
}

#[cachier(backend = "memory", entry_size_limit = "10", capacity_bytes = "MB", capacity = -1)]
fn three_more(id: u64) -> u64 {
    id
}

#[cachier(entry_size_limit = "99999999999999TB", capacity_bytes = "99999999999999999999B", near_cache = 99999999999999999999)]
fn too_large(id: u64) -> u64 {
    id
}

const FEW: u32 = 100;

#[cachier(backend = "memory", capacity = FEW, capacity_bytes = FEW)]
fn of_other_types(id: u64) -> u64 {
    id
}

fn main() {}

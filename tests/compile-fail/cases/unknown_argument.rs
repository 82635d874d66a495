//! An argument that does not exist is answered with the nearest name.

use cachier::cachier;

#[cachier(stale_affter = "10m")]
fn misspelt(id: u64) -> u64 {
    id
}

#[cachier(ttl = "10m")]
fn of_another_library(id: u64) -> u64 {
    id
}

#[cachier(colour = "red")]
fn like_none(id: u64) -> u64 {
    id
}

#[cachier(result = true, sync_writes = "by_key")]
fn of_cached(id: u64) -> Result<u64, ()> {
    Ok(id)
}

#[cachier(ty = "UnboundCache<u64, u64>", create = "{ UnboundCache::new() }")]
fn made_by_hand(id: u64) -> u64 {
    id
}

#[cachier(mongetter = collection, allow_non_static_methods)]
fn of_python(id: u64) -> u64 {
    id
}

#[cachier(disk, timeout = "10s")]
fn guessed(id: u64) -> u64 {
    id
}

#[cachier(maxsize = 128, typed, cache_none)]
fn of_functools(id: u64) -> Option<u64> {
    Some(id)
}

fn main() {}

//! Arguments that cannot be read; the others still count.

use cachier::cachier;

#[cachier("redis")]
fn positional(id: u64) -> u64 {
    id
}

#[cachier(stale_after =, next_time = 3)]
fn without_a_value(id: u64) -> u64 {
    id
}

#[cachier(next_time allow_none)]
fn without_a_comma(id: u64) -> Option<u64> {
    Some(id)
}

fn main() {}

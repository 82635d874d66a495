//! A flag stands alone or takes a bool.

use cachier::cachier;

#[cachier(next_time = "yes")]
fn string(id: u64) -> u64 {
    id
}

#[cachier(allow_none(true))]
fn list(id: u64) -> Option<u64> {
    Some(id)
}

#[cachier(verify = 0)]
fn number(id: u64) -> u64 {
    id
}

fn main() {}

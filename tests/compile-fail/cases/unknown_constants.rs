//! Constants that do not exist: one error for each.

use cachier::cachier;

#[cachier(stale_after = MINUTE)]
fn stale_after_an_unknown_time(id: u64) -> u64 {
    id
}

#[cachier(refresh_after = MINUTE)]
fn refreshed_after_an_unknown_time(id: u64) -> u64 {
    id
}

#[cachier(jitter = TENTH)]
fn jittered_by_an_unknown_share(id: u64) -> u64 {
    id
}

fn main() {}

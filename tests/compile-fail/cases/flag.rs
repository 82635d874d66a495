//! A flag stands alone or takes a bool; `auto` leaves a switch to the parameters of the program.

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

#[cachier(cleanup_stale = auto)]
fn auto(id: u64) -> u64 {
    id
}

#[cachier(allow_none(true))]
fn in_parentheses(id: u64) -> Option<u64> {
    Some(id)
}

fn main() {}

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

fn main() {}

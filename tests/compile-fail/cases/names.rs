//! Names in the attribute are names of arguments.

use cachier::cachier;

#[cachier(skip(conection, self, id, id))]
fn skipped(id: u64, connection: u64) -> u64 {
    id + connection
}

#[cachier(key = |idd, (id, _)| id)]
fn keyed(id: u64, connection: u64, (day, _): (u64, u64)) -> u64 {
    id + connection + day
}

#[cachier(skip(left))]
fn taken_apart((left, right): (u64, u64)) -> u64 {
    left + right
}

#[cachier(key = |(left, _), right @ (left, _)| left)]
fn bound_twice(pair: (u64, u64), right: (u64, u64)) -> u64 {
    pair.0 + right.1
}

fn main() {}

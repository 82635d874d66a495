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

fn main() {}

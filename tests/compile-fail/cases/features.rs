//! Backends that are built only when asked for.

use cachier::cachier;

#[cachier(backend = "redis")]
fn on_redis(id: u64) -> u64 {
    id
}

#[cachier(backend = "sql")]
fn on_sql(id: u64) -> u64 {
    id
}

fn main() {}

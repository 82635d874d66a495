//! Arguments that neither a stored key nor the near tier can hold: one error for each, at its type.

use cachier::cachier;

struct Pool;

#[cachier(near_cache = 100)]
fn pool(pool: &Pool, id: u64) -> u64 {
    let Pool = pool;
    id
}

#[cachier(near_cache = 100)]
async fn trait_object_async(show: &Box<dyn Fn() -> u64 + Sync>) -> u64 {
    show()
}

#[cachier(near_cache = 100)]
fn generic<T>(value: T) -> u64 {
    let _ = value;
    1
}

fn main() {}

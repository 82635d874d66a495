//! Only what can be serialized is measured in bytes.

use cachier::cachier;

#[derive(Clone)]
struct Bare(u64);

#[cachier(backend = "memory", capacity_bytes = "1MB")]
fn bounded(id: u64) -> Bare {
    Bare(id)
}

#[cachier(backend = "memory", entry_size_limit = "1KB")]
fn limited(id: u64) -> Option<Bare> {
    Some(Bare(id))
}

fn main() {
    assert_eq!(bounded(1).0, 1);
}

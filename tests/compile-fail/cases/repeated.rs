//! Two functions of one name.

use cachier::cachier;

#[cachier(backend = "memory")]
fn copied(id: u64) -> u64 {
    id
}

#[cachier(backend = "memory")]
pub async fn copied(id: u64, other: u64) -> u64 {
    id + other
}

struct Service;

impl Service {
    #[cachier(backend = "memory", skip(self))]
    fn method(&self, id: u64) -> u64 {
        id
    }

    #[cachier(backend = "memory", skip(self))]
    fn method(&self, id: u64, other: u64) -> u64 {
        id + other
    }
}

/// Only one of them is there.
#[cfg(all())]
#[cachier(backend = "memory")]
fn chosen(id: u64) -> u64 {
    id
}

#[cfg(not(all()))]
#[cachier(backend = "memory")]
fn chosen(id: u64) -> u64 {
    id + 1
}

fn main() {
    let _ = chosen::clear_cache();
}

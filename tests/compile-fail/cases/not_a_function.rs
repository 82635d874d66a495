//! The attribute goes on functions with bodies.

use cachier::cachier;

#[cachier]
struct Data;

struct Service;

#[cachier]
impl Service {}

trait Lookup {
    #[cachier(companion = false, skip(self))]
    fn lookup(&self, id: u64) -> u64;
}

fn main() {}

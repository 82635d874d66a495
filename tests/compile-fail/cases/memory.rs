//! What the memory of the process asks of arguments and values.

use std::rc::Rc;

use cachier::cachier;

struct Bare(u64);

#[cachier(backend = "memory")]
fn argument(bare: Bare) -> u64 {
    bare.0
}

#[cachier(backend = "memory")]
fn value(id: u64) -> Rc<u64> {
    Rc::new(id)
}

fn main() {}

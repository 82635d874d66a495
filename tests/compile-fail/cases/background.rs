//! What goes to the background must be able to.

use std::cell::Cell;
use std::rc::Rc;

use cachier::cachier;

#[cachier(backend = "memory", next_time)]
async fn future(id: u64) -> u64 {
    let cell = Rc::new(Cell::new(id));
    std::future::ready(()).await;
    cell.get()
}

#[cachier(backend = "memory", next_time, skip(rc))]
fn argument(id: u64, rc: Rc<u64>) -> u64 {
    id + *rc
}

fn main() {}

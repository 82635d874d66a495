//! What cannot go to the background, where `next_time` and `refresh_after` recompute: one error for each, at its type, or at what
//! asks for it.

use std::cell::Cell;
use std::rc::Rc;

use cachier::cachier;

struct Pool;

struct Guard<'a>(&'a u64);

trait Source {
    fn number(&self) -> u64;
}

#[cachier(backend = "memory", next_time, skip(rc))]
fn of_one_thread(id: u64, rc: Rc<u64>) -> u64 {
    id + *rc
}

#[cachier(backend = "file", next_time, skip(rc))]
fn behind_a_reference(id: u64, rc: &Rc<u64>) -> u64 {
    id + **rc
}

#[cachier(backend = "memory", next_time, skip(pool))]
fn without_a_clone(pool: &Pool, id: u64) -> u64 {
    let Pool = pool;
    id
}

#[cachier(backend = "file", next_time = auto, skip(pool))]
async fn without_a_clone_async(pool: &Pool, id: u64) -> u64 {
    let Pool = pool;
    id
}

#[cachier(backend = "memory", next_time, skip(pool))]
fn optional(pool: Option<&Pool>, id: u64) -> u64 {
    id + u64::from(pool.is_some())
}

#[cachier(backend = "memory", refresh_after = early, skip(cell))]
async fn lent_to_a_task(cell: &Cell<u64>, id: u64) -> u64 {
    id + cell.get()
}

#[cachier(backend = "memory", refresh_after = "8m", skip(source))]
fn trait_object(source: &dyn Source, id: u64) -> u64 {
    id + source.number()
}

#[cachier(backend = "memory", next_time, skip(compute))]
fn closure(compute: impl Fn(u64) -> u64, id: u64) -> u64 {
    compute(id)
}

#[cachier(backend = "file", near_cache = 10, next_time, skip(value))]
fn generic<T>(value: T, id: u64) -> u64 {
    let _ = value;
    id
}

#[cachier(backend = "file", next_time, skip(value))]
fn borrowing_parameter<T: Clone + Send>(value: &T, id: u64) -> u64 {
    let _ = value;
    id
}

#[cachier(backend = "file", next_time)]
async fn borrowing_words(words: &[&str]) -> usize {
    words.len()
}

#[cachier(backend = "memory", next_time, skip(guard))]
fn borrowing_guard(guard: Guard<'_>, id: u64) -> u64 {
    id + guard.0
}

#[cachier(backend = "memory", next_time)]
async fn future(id: u64) -> u64 {
    let cell = Rc::new(Cell::new(id));
    std::future::ready(()).await;
    cell.get()
}

#[cachier(backend = "memory", next_time, companion = false, skip(pool))]
fn alone(pool: &Pool, id: u64) -> u64 {
    let Pool = pool;
    id
}

impl Pool {
    #[cachier(backend = "memory", next_time, skip(self))]
    fn method(&self, id: u64) -> u64 {
        id
    }

    #[cachier(backend = "memory", next_time, skip(self))]
    fn by_value(self: Rc<Self>, id: u64) -> u64 {
        id
    }
}

#[cachier::methods]
impl Source for Pool {
    #[cachier(backend = "memory", next_time, skip(self))]
    fn number(&self) -> u64 {
        1
    }
}

fn main() {}

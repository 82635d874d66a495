//! Arguments that no stored key can hold: one error for each, at its type.

use std::rc::Rc;
use std::sync::MutexGuard;

use cachier::cachier;

struct Pool;

struct Point {
    x: f64,
}

trait Source {
    fn number(&self) -> u64;
}

#[cachier(backend = "file")]
fn trait_object(source: &dyn Source) -> u64 {
    source.number()
}

#[cachier(backend = "file")]
async fn trait_object_async(source: &(dyn Source + Sync + 'static)) -> u64 {
    source.number()
}

#[cachier(backend = "file")]
fn boxed_trait_object(source: Box<dyn Source>) -> u64 {
    source.number()
}

#[cachier(backend = "file")]
fn pool(pool: &Pool, id: u64) -> u64 {
    let Pool = pool;
    id
}

#[cachier(backend = "file")]
async fn pool_async(pool: &Pool, id: u64) -> u64 {
    let Pool = pool;
    id
}

#[cachier(backend = "file")]
fn optional_pool(pool: Option<&Pool>, id: u64) -> u64 {
    id + u64::from(pool.is_some())
}

#[cachier(backend = "file")]
fn floats(point: Point) -> f64 {
    point.x
}

#[cachier(backend = "file")]
fn list(points: &[Point]) -> usize {
    points.len()
}

#[cachier(backend = "file")]
fn generic<T>(value: T) -> u64 {
    let _ = value;
    1
}

#[cachier(backend = "file")]
async fn generic_async<T: Send>(value: T) -> u64 {
    let _ = value;
    1
}

#[cachier(backend = "file")]
fn opaque(name: impl Into<String>) -> String {
    name.into()
}

#[cachier(backend = "file")]
fn closure(compute: impl Fn(u64) -> u64) -> u64 {
    compute(1)
}

#[cachier(backend = "file")]
fn boxed_closure(compute: &dyn Fn(u64) -> u64) -> u64 {
    compute(1)
}

#[cachier(backend = "file")]
fn pointer(address: *const u8) -> usize {
    address as usize
}

#[cachier(backend = "file")]
fn of_one_thread(text: Rc<Pool>) -> usize {
    Rc::strong_count(&text)
}

#[cachier(backend = "file")]
fn guard(log: MutexGuard<'_, Vec<u64>>) -> usize {
    log.len()
}

#[cachier(backend = "file", key = |pool| pool)]
fn own_key(pool: &'static Pool, id: u64) -> u64 {
    let Pool = pool;
    id
}

#[cachier(backend = "file", companion = false)]
fn alone(pool: &Pool) -> u64 {
    let Pool = pool;
    1
}

struct Service<T>(T);

impl<T: Send + Sync> Service<T> {
    #[cachier(backend = "file", skip(self))]
    fn method(&self, pool: &Pool) -> u64 {
        let Pool = pool;
        1
    }

    #[cachier(backend = "file", skip(self))]
    async fn method_async(&self, value: T) -> u64 {
        let _ = value;
        1
    }
}

impl Source for Service<u64> {
    #[cachier(backend = "file", companion = false, key = |self| Pool)]
    fn number(&self) -> u64 {
        self.0
    }
}

fn main() {}

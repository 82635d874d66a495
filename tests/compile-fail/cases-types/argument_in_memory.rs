//! Arguments that no key in memory can hold: one error for each, at its type.

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

#[cachier(backend = "memory")]
fn trait_object(source: &dyn Source) -> u64 {
    source.number()
}

#[cachier(backend = "memory")]
async fn trait_object_async(source: &(dyn Source + Sync + 'static)) -> u64 {
    source.number()
}

#[cachier(backend = "memory")]
fn boxed_trait_object(source: Box<dyn Source>) -> u64 {
    source.number()
}

#[cachier(backend = "memory")]
fn pool(pool: &Pool, id: u64) -> u64 {
    let Pool = pool;
    id
}

#[cachier(backend = "memory")]
async fn pool_async(pool: &Pool, id: u64) -> u64 {
    let Pool = pool;
    id
}

#[cachier(backend = "memory")]
fn optional_pool(pool: Option<&Pool>, id: u64) -> u64 {
    id + u64::from(pool.is_some())
}

#[cachier(backend = "memory")]
fn floats(point: Point) -> f64 {
    point.x
}

#[cachier(backend = "memory")]
fn list(points: &[Point]) -> usize {
    points.len()
}

#[cachier(backend = "memory")]
fn generic<T>(value: T) -> u64 {
    let _ = value;
    1
}

#[cachier(backend = "memory")]
async fn generic_async<T: Send>(value: T) -> u64 {
    let _ = value;
    1
}

#[cachier(backend = "memory")]
fn opaque(name: impl Into<String>) -> String {
    name.into()
}

#[cachier(backend = "memory")]
fn closure(compute: impl Fn(u64) -> u64) -> u64 {
    compute(1)
}

#[cachier(backend = "memory")]
fn boxed_closure(compute: &dyn Fn(u64) -> u64) -> u64 {
    compute(1)
}

#[cachier(backend = "memory")]
fn pointer(address: *const u8) -> usize {
    address as usize
}

#[cachier(backend = "memory")]
fn of_one_thread(text: Rc<Pool>) -> usize {
    Rc::strong_count(&text)
}

#[cachier(backend = "memory")]
fn guard(log: MutexGuard<'_, Vec<u64>>) -> usize {
    log.len()
}

#[cachier(backend = "memory", key = |pool| pool)]
fn own_key(pool: &'static Pool, id: u64) -> u64 {
    let Pool = pool;
    id
}

#[cachier(backend = "memory", companion = false)]
fn alone(pool: &Pool) -> u64 {
    let Pool = pool;
    1
}

struct Service<T>(T);

impl<T: Send + Sync> Service<T> {
    #[cachier(backend = "memory", skip(self))]
    fn method(&self, pool: &Pool) -> u64 {
        let Pool = pool;
        1
    }

    #[cachier(backend = "memory", skip(self))]
    async fn method_async(&self, value: T) -> u64 {
        let _ = value;
        1
    }
}

impl Source for Service<u64> {
    #[cachier(backend = "memory", companion = false, key = |self| Pool)]
    fn number(&self) -> u64 {
        self.0
    }
}

fn main() {}

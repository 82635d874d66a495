//! The attribute on what is no function, and on functions that give nothing to keep.

use std::pin::Pin;

use cachier::cachier;

#[cachier(backend = "memory")]
enum Kind {}

#[cachier(backend = "memory")]
mod module {}

#[cachier(backend = "memory")]
const NUMBER: u64 = 3;

#[cachier(backend = "memory")]
trait Lookup {
    fn lookup(&self);
}

#[cachier(backend = "memory")]
fn future(id: u64) -> impl Future<Output = u64> {
    async move { id }
}

#[cachier(backend = "memory")]
fn boxed(id: u64) -> Pin<Box<dyn Future<Output = u64> + Send>> {
    Box::pin(async move { id })
}

#[cachier(on_backend_error = "propagate")]
fn without_an_error(id: u64) -> Option<u64> {
    Some(id)
}

#[cachier(backend = "memory")]
fn main() {}

//! Type parameters without a bound that is asked for: one error for each, at the parameter.

use std::fmt::Display;
use std::hash::Hash;

use cachier::cachier;

#[cachier(backend = "memory")]
fn argument<T: Hash + Eq + Clone + Send + Sync>(value: T) -> u64 {
    let _ = value;
    1
}

#[cachier(backend = "memory")]
async fn argument_async<T>(values: &[T]) -> usize
where
    T: Hash + Ord + Clone + Send + Sync,
{
    values.len()
}

#[cachier(backend = "memory")]
fn opaque(value: impl Display + Hash + Eq + Clone + Send + Sync) -> String {
    value.to_string()
}

#[cachier(backend = "memory")]
fn result<T: Default + Clone + Send + Sync>(id: u64) -> Option<Vec<T>> {
    let _ = id;
    None
}

#[cachier(near_cache = 100)]
async fn result_async<T>(id: u64) -> Result<T, std::fmt::Error>
where
    T: serde::Serialize + serde::de::DeserializeOwned + Default + Clone + Send + Sync,
{
    let _ = id;
    Ok(T::default())
}

#[cachier(backend = "memory")]
fn both<T: Hash + Eq + Copy + Send + Sync>(value: T) -> T {
    value
}

#[cachier(backend = "memory", stale_after = "1m", next_time)]
fn in_background<T: Hash + Eq + Clone + Send + Sync>(value: T) -> u64 {
    let _ = value;
    1
}

#[cachier(backend = "memory", companion = false)]
fn alone<T: Hash + Eq + Clone + Send + Sync>(value: T) -> u64 {
    let _ = value;
    1
}

struct Service<T>(T);

impl<T: Hash + Eq + Clone + Send + Sync> Service<T> {
    #[cachier(backend = "memory", skip(self))]
    fn method(&self, value: T) -> u64 {
        let _ = value;
        1
    }

    #[cachier(backend = "memory", skip(self))]
    async fn method_async(&self, value: T) -> u64 {
        let _ = value;
        1
    }
}

trait Source<T> {
    fn number(&self, value: T) -> u64;
}

#[cachier::methods]
impl<T: Hash + Eq + Clone + Send + Sync> Source<T> for Service<T> {
    #[cachier(backend = "memory", skip(self))]
    fn number(&self, value: T) -> u64 {
        let _ = value;
        1
    }
}

#[cachier(backend = "memory")]
fn without_eq<T: Hash + Clone + Send + Sync + 'static>(value: T) -> u64 {
    let _ = value;
    1
}

#[cachier(backend = "memory")]
async fn without_send<T: Hash + Eq + Clone + Sync + 'static>(value: T) -> u64 {
    let _ = value;
    1
}

#[cachier]
fn without_serialize<T: Hash + Eq + Clone + Send + Sync + 'static>(value: T) -> u64 {
    let _ = value;
    1
}

#[cachier]
async fn without_deserialize<T: serde::Serialize + Default>(id: u64) -> T {
    let _ = id;
    T::default()
}

fn main() {}

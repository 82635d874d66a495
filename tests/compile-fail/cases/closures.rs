//! `key` and `cache_if` take closures, `skip` takes names.

use cachier::cachier;

#[cachier(key = id)]
fn key_name(id: u64) -> u64 {
    id
}

#[cachier(key = async |id| id)]
fn key_async(id: u64) -> u64 {
    id
}

#[cachier(cache_if = |value, age| value > age)]
fn two_parameters(id: u64) -> u64 {
    id
}

#[cachier(cache_if = |value| *value + 1)]
fn not_a_bool(id: u64) -> u64 {
    id
}

#[cachier(skip = id)]
fn skip_value(id: u64) -> u64 {
    id
}

#[cachier(skip())]
fn skip_nothing(id: u64) -> u64 {
    id
}

#[cachier(backend = "memory", key = |name: String| name)]
fn key_of_another_type(name: &str) -> usize {
    name.len()
}

#[cachier(backend = "memory", cache_if = |result| result.is_ok())]
fn cache_if_of_the_result(id: u64) -> Result<u64, String> {
    Ok(id)
}

fn main() {}

//! `key`, `cache_if` and `stale_after` take closures, `skip` takes names.

use std::time::Duration;

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

#[cachier(stale_after = || "10m")]
fn limit_of_no_value(id: u64) -> u64 {
    id
}

#[cachier(stale_after = |value| value * 60)]
fn no_duration_of_a_value(id: u64) -> u64 {
    id
}

#[cachier(backend = "memory", stale_after = |value| value.age)]
fn no_age_of_a_value(id: u64) -> u64 {
    id
}

#[cachier(stale_after = |value| age_of(id, *value), next_time)]
fn limit_by_an_argument(id: u64) -> u64 {
    id
}

#[cachier(backend = "memory", cache_if = |value| { let limit = 3; *value > limit && id > limit })]
fn kept_by_an_argument((id, _): (u64, u64), limit: u64) -> u64 {
    id + limit
}

#[cachier(backend = "memory", cache_if = |value| matches!(value, found if *found == id))]
fn kept_by_an_argument_in_a_macro(id: u64) -> u64 {
    id
}

struct Service {
    limit: u64,
}

impl Service {
    #[cachier(backend = "memory", skip(self), cache_if = |value| *value < self.limit)]
    fn kept_by_self(&self, id: u64) -> u64 {
        id
    }
}

#[cachier(backend = "memory", stale_after = (|id| Duration::from_secs(*id)))]
fn own_names_are_fine(id: u64) -> u64 {
    id
}

fn age_of(id: u64, value: u64) -> Duration {
    Duration::from_secs(id + value)
}

fn main() {}

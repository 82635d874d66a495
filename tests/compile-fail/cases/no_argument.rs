//! Ways to write arguments that another library, or another language, has.

use cachier::cachier;

#[cachier(memory)]
fn backend_alone(id: u64) -> u64 {
    id
}

#[cachier("memory")]
fn backend_as_text(id: u64) -> u64 {
    id
}

#[cachier(stale_after: "10m")]
fn colon(id: u64) -> u64 {
    id
}

#[cachier(stale_after("10m"))]
fn parentheses(id: u64) -> u64 {
    id
}

#[cachier(stale_after = 10m)]
fn without_quotes(id: u64) -> u64 {
    id
}

#[cachier(backend = "Memory")]
fn capital(id: u64) -> u64 {
    id
}

#[cachier(backend("memory"))]
fn backend_in_parentheses(id: u64) -> u64 {
    id
}

#[cachier(cache_if = true)]
fn condition(id: u64) -> u64 {
    id
}

#[cachier(key = "id")]
fn key_as_text(id: u64) -> u64 {
    id
}

#[cachier(skip("id"))]
fn skip_as_text(id: u64) -> u64 {
    id
}

#[cachier(name = price)]
fn name_without_quotes(id: u64) -> u64 {
    id
}

#[cachier(enable_metrics, sampling_rate = "10%")]
fn rate(id: u64) -> u64 {
    id
}

#[cachier(in_trait)]
fn in_trait(id: u64) -> u64 {
    id
}

fn main() {}

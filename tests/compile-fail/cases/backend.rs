//! A backend is one of six, or a registered one.

use cachier::cachier;

#[cachier(backend = "rediss")]
fn misspelt(id: u64) -> u64 {
    id
}

#[cachier(backend = "cassandra")]
fn unknown(id: u64) -> u64 {
    id
}

#[cachier(backend = memory)]
fn without_quotes(id: u64) -> u64 {
    id
}

#[cachier(backend = registered(""))]
fn without_a_name(id: u64) -> u64 {
    id
}

#[cachier(on_backend_error = "propogate")]
fn reaction(id: u64) -> u64 {
    id
}

#[cachier(backend = "postgres")]
fn product(id: u64) -> u64 {
    id
}

#[cachier(backend = "disk", on_backend_error = "raise")]
fn other_words(id: u64) -> u64 {
    id
}

fn main() {}

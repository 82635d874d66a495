//! Arguments that exclude each other, or that do nothing without another.

use cachier::cachier;

#[cachier(key = |id| id, skip(connection))]
fn key_and_skip(id: u64, connection: u64) -> u64 {
    id + connection
}

#[cachier(sampling_rate = 0.1)]
fn rate_without_metrics(id: u64) -> u64 {
    id
}

#[cachier(cleanup_stale = false, cleanup_interval = "1d")]
fn interval_without_cleanup(id: u64) -> u64 {
    id
}

#[cachier(backend = "memory", near_cache = 10_000)]
fn near_memory(id: u64) -> u64 {
    id
}

#[cachier(near_stale_after = "1m")]
fn age_without_near_tier(id: u64) -> u64 {
    id
}

#[cachier(backend = "memory", cache_dir = "/var/cache")]
fn folder_without_files(id: u64) -> u64 {
    id
}

#[cachier(capacity = 10_000)]
fn capacity_of_a_persistent_backend(id: u64) -> u64 {
    id
}

#[cachier(backend = registered("sessions"), capacity_bytes = "1GB")]
fn bytes_of_a_registered_backend(id: u64) -> u64 {
    id
}

fn main() {}

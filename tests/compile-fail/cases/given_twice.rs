//! An argument is given once, under whatever name.

use cachier::cachier;

#[cachier(next_time, stale_after = "1m", next_time = false)]
fn the_same(id: u64) -> u64 {
    id
}

#[cachier(enable_metrics, sampling_rate = 0.1, metrics_sampling_rate = 0.2)]
fn an_alias(id: u64) -> u64 {
    id
}

#[cachier(stale_after = "1m")]
#[cachier(next_time)]
fn two_attributes(id: u64) -> u64 {
    id
}

fn main() {}

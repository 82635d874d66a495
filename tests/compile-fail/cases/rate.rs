//! A rate is a share between 0 and 1.

use cachier::cachier;

#[cachier(enable_metrics, sampling_rate = 1.1)]
fn above(id: u64) -> u64 {
    id
}

#[cachier(enable_metrics, sampling_rate = -0.5)]
fn below(id: u64) -> u64 {
    id
}

#[cachier(enable_metrics, metrics_sampling_rate = "10%")]
fn percent(id: u64) -> u64 {
    id
}

const RATE: f64 = 1.5;

#[cachier(enable_metrics, sampling_rate = RATE)]
fn never_called(id: u64) -> u64 {
    id
}

fn main() {}

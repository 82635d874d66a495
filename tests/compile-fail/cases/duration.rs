//! Durations have units, the larger ones first; shares are percentages, and constant.

use cachier::cachier;

#[cachier(
    stale_after = 10,
    max_stale = "10",
    stale_on_error = "3 days",
    wait_for_calc_timeout = "1.5h",
    operation_timeout = "30m1h"
)]
fn five_faults(id: u64) -> u64 {
    id
}

#[cachier(stale_after = "", max_stale = "h", stale_on_error)]
fn three_faults(id: u64) -> u64 {
    id
}

#[cachier(stale_after = "99999999999999999999s", max_stale = "999999999999999d")]
fn too_long(id: u64) -> u64 {
    id
}

#[cachier(jitter = 0.1)]
fn no_percentage(id: u64) -> u64 {
    id
}

#[cachier(jitter = "110%")]
fn more_than_all(id: u64) -> u64 {
    id
}

#[cachier(backend = "memory", jitter = 10 * 2)]
fn not_a_share(id: u64) -> u64 {
    id
}

#[cachier(stale_after = 60 * 10)]
fn not_a_duration(id: u64) -> u64 {
    id
}

#[cachier(refresh_after = 0.8)]
fn no_part_of_the_limit(id: u64) -> u64 {
    id
}

#[cachier(refresh_after)]
fn refreshed_at_some_time(id: u64) -> u64 {
    id
}

#[cachier(refresh_after = "110%")]
fn refreshed_past_the_limit(id: u64) -> u64 {
    id
}

#[cachier(refresh_after = soon)]
fn refreshed_soon(id: u64) -> u64 {
    id
}

#[cachier(policy = "")]
fn of_no_policy(id: u64) -> u64 {
    id
}

#[cachier(stale_after = -5, max_stale = (60) * 10, jitter = -0.1)]
fn negative(id: u64) -> u64 {
    id
}

const SECONDS: u64 = 60;

#[cachier(stale_after = SECONDS, retry_after = SECONDS * 2)]
fn no_durations(id: u64) -> u64 {
    id
}

#[cachier(backend = "memory", jitter = SECONDS)]
fn no_share(id: u64) -> u64 {
    id
}

#[cachier(backend = "memory", jitter = cachier::Share::percent(150.0))]
fn never_called(id: u64) -> u64 {
    id
}

#[cachier(refresh_after = 60 * 8)]
fn refreshed_after_a_number(id: u64) -> u64 {
    id
}

#[cachier(refresh_after = SECONDS)]
fn refreshed_after_seconds(id: u64) -> u64 {
    id
}

#[cachier(backend = "memory", refresh_after = cachier::Share::percent(150.0))]
fn refreshed_after_more_than_all(id: u64) -> u64 {
    id
}

#[cachier(stale_after = "10m", refresh_after = "20m")]
fn refreshed_when_stale(id: u64) -> u64 {
    id
}

#[cachier(refresh_after = "100%")]
fn refreshed_at_the_limit(id: u64) -> u64 {
    id
}

#[cachier(stale_after = "10m", refresh_after = "0s")]
fn refreshed_at_each_hit(id: u64) -> u64 {
    id
}

fn seconds() -> std::time::Duration {
    std::time::Duration::from_secs(60)
}

#[cachier(refresh_after = seconds())]
fn refreshed_after_no_constant(id: u64) -> u64 {
    id
}

fn main() {}

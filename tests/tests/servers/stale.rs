//! Values too old for a call: counted as stale on every store.

use std::time::Duration;

use cachier::testing::Clock;
use cachier::{Call, CallOptions, Outcome, cachier};
use cachier_metrics::{Reason, Snapshot, StaleUse};
use cachier_tests::gate::{Counter, once};
use futures_lite::future::block_on;

use crate::store::Subject;

crate::on_every_store! {
    a_younger_value_wanted_finds_a_stale_one
}
mod on_a_server {
    use super::{near_copies_past_max_stale_are_recomputed, values_past_max_stale_hide_no_failure};

    // One that does not drop expired entries by itself, by another clock than the test's.
    crate::on_stores!([postgres: Postgres] {
        near_copies_past_max_stale_are_recomputed
        values_past_max_stale_hide_no_failure
    });
}

#[cachier(backend = registered("store"), stale_after = "1h", enable_metrics)]
fn double(number: u64) -> u64 {
    number * 2
}

#[cachier(backend = registered("store"), stale_after = "1h", enable_metrics)]
async fn double_later(number: u64) -> u64 {
    number * 2
}

/// A function with its figures.
type Function = (fn(CallOptions) -> Call<u64>, fn() -> Snapshot);

const FUNCTIONS: [Function; 2] = [
    (
        |options| double::call_detailed(options, 1),
        || double::metrics().snapshot(),
    ),
    (
        |options| block_on(double_later::call_detailed(options, 1)),
        || double_later::metrics().snapshot(),
    ),
];

fn a_younger_value_wanted_finds_a_stale_one(_: &Subject) {
    for (call, snapshot) in FUNCTIONS {
        let younger = || CallOptions::new().max_age(Duration::from_secs(60));
        assert_eq!(call(CallOptions::new()).outcome, Outcome::Miss);
        assert_eq!(call(younger()).outcome, Outcome::Hit);
        assert_eq!(snapshot().stale_hits.values().sum::<u64>(), 0);
        Clock::advance(Duration::from_secs(61));
        assert_eq!(call(CallOptions::new()).outcome, Outcome::Hit);
        let again = call(younger());
        assert_eq!((again.value, again.outcome), (2, Outcome::Miss), "{again}");
        let figures = snapshot();
        assert_eq!(figures.stale_hits[StaleUse::NotServed], 1);
        assert_eq!(figures.stale_hits[StaleUse::Served], 0);
        assert_eq!(figures.recalculations[Reason::Stale], 1);
    }
}

#[cachier(
    backend = registered("store"), near_cache = 10, near_stale_after = "1d", stale_after = "1m", max_stale = "1h", next_time
)]
fn aging(number: u64) -> u64 {
    number + AGED.next()
}

static AGED: Counter = Counter::new();

fn near_copies_past_max_stale_are_recomputed(_: &Subject) {
    let call = || {
        let call = aging::call_detailed(CallOptions::new(), 10);
        (call.value, call.outcome)
    };
    assert_eq!(call(), (11, Outcome::Miss));
    assert_eq!(call(), (11, Outcome::Hit));
    Clock::advance(Duration::from_secs(30 * 60));
    assert_eq!(call(), (11, Outcome::Stale));
    cachier::flush();
    assert_eq!(call(), (12, Outcome::Hit));
    Clock::advance(Duration::from_secs(2 * 60 * 60));
    assert_eq!(call(), (13, Outcome::Miss));
}

#[cachier(backend = registered("store"), stale_after = "1m", max_stale = "1h", stale_on_error = "1d")]
fn failing(_number: u64) -> Result<u64, String> {
    once(&FAILED)
}

static FAILED: Counter = Counter::new();

fn values_past_max_stale_hide_no_failure(_: &Subject) {
    assert_eq!(failing(1), Ok(1));
    Clock::advance(Duration::from_secs(30 * 60));
    assert_eq!(failing(1), Ok(1));
    Clock::advance(Duration::from_secs(2 * 60 * 60));
    assert_eq!(failing(1), Err("down".to_owned()));
}

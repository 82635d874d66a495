//! Values too old for a call: counted as stale on every store.

use std::time::Duration;

use cachier::testing::Clock;
use cachier::{Call, CallOptions, Outcome, cachier, global_params, set_global_params};
use cachier_metrics::{Reason, Snapshot, StaleUse};
use futures_lite::future::block_on;

use crate::gated::{functions, number};
use crate::store::Subject;

crate::on_every_store! {
    a_younger_value_wanted_finds_a_stale_one
    a_max_stale_set_later_bounds_what_is_stored
    a_max_stale_set_later_bounds_what_hides_failures
}

/// Redis and MongoDB drop what has expired by their own clock, and the test's is long past.
mod expiring {
    use super::{near_copies_past_max_stale_are_recomputed, values_past_max_stale_hide_no_failure};

    crate::on_stores!([
        file: File, sqlite: Sqlite, postgres: Postgres, mariadb: MariaDb, s3: S3, moto: Moto
    ] {
        near_copies_past_max_stale_are_recomputed
        values_past_max_stale_hide_no_failure
    });
}

const HOUR: Duration = Duration::from_secs(3600);

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

fn near_copies_past_max_stale_are_recomputed(subject: &Subject) {
    for count in functions!(
        subject,
        [near_cache = 10, near_stale_after = "1d", stale_after = "1m", max_stale = "1h", next_time] 0,
        number => u64
    ) {
        assert_eq!([count.value(), count.value()], [1, 1]);
        Clock::advance(HOUR / 2);
        assert_eq!(count.value(), 1, "stale, and refreshed");
        cachier::flush();
        assert_eq!(count.value(), 2);
        Clock::advance(2 * HOUR);
        assert_eq!(count.value(), 3);
    }
}

fn fails_later(run: u64) -> Result<u64, String> {
    match run {
        1 => Ok(1),
        _ => Err("down".to_owned()),
    }
}

fn values_past_max_stale_hide_no_failure(subject: &Subject) {
    for count in functions!(
        subject,
        [stale_after = "1m", max_stale = "1h", stale_on_error = "1d", retry_after = "0s"] 0,
        fails_later => Result<u64, String>
    ) {
        assert_eq!(count.value(), Ok(1));
        Clock::advance(HOUR / 2);
        assert_eq!(count.value(), Ok(1));
        Clock::advance(2 * HOUR);
        assert_eq!(count.value(), Err("down".to_owned()));
    }
}

/// Entries that were stored without an expiry: the decision alone tells how old they are.
fn a_max_stale_set_later_bounds_what_is_stored(subject: &Subject) {
    for count in functions!(subject, [stale_after = "1m", next_time] 0, number => u64) {
        let params = global_params();
        assert_eq!(count.value(), 1);
        set_global_params(params.clone().max_stale(HOUR));
        Clock::advance(2 * HOUR);
        assert_eq!(count.value(), 2);
        set_global_params(params);
    }
}

fn a_max_stale_set_later_bounds_what_hides_failures(subject: &Subject) {
    for count in functions!(
        subject,
        [stale_after = "1m", stale_on_error = "1d", retry_after = "0s"] 0,
        fails_later => Result<u64, String>
    ) {
        let params = global_params();
        assert_eq!(count.value(), Ok(1));
        set_global_params(params.clone().max_stale(HOUR));
        Clock::advance(2 * HOUR);
        assert_eq!(count.value(), Err("down".to_owned()));
        set_global_params(params);
    }
}

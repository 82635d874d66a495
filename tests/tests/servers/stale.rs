//! Values too old for a call: counted as stale on every store.

use std::time::Duration;

use cachier::testing::Clock;
use cachier::{Call, CallOptions, Outcome, cachier};
use cachier_metrics::{Reason, Snapshot, StaleUse};
use futures_lite::future::block_on;

use crate::store::Subject;

crate::on_every_store! {
    a_younger_value_wanted_finds_a_stale_one
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

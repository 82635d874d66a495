//! A failing source is left alone for a while, as long as stale values can be served from the store.

use std::convert::identity;
use std::time::Duration;

use cachier::testing::Clock;
use cachier::{Call, CallOptions, Outcome, cachier};
use cachier_tests::callers::runtime;
use cachier_tests::gate::{Counter, once};

use crate::store::Subject;

const PAUSE: Duration = Duration::from_secs(60);

/// Serves a stale value for three pauses, in each of which one call or refresh fails.
fn makes_one_attempt_per_pause(runs: &Counter, call: impl Fn() -> Call<Result<u64, String>>) {
    assert_eq!(call().value, Ok(1));
    Clock::advance(Duration::from_secs(7200));
    for attempts in 1..=3 {
        for _ in 0..10 {
            let call = call();
            assert_eq!((call.value, call.outcome), (Ok(1), Outcome::Stale));
        }
        assert_eq!(runs.get(), 1 + attempts);
        Clock::advance(PAUSE);
    }
}

fn wait<F: Future>(future: F) -> F::Output {
    runtime().block_on(future)
}

macro_rules! pauses {
    ($($name:ident: {$($function:tt)*}, $finish:ident, $flush:expr;)*) => {$(
        mod $name {
            use super::*;

            crate::on_every_store! {
                stale_on_error_makes_one_attempt_per_pause
                next_time_makes_one_attempt_per_pause
            }

            #[cachier(backend = registered("store"), stale_after = "1h", stale_on_error = "1d", retry_after = "1m", skip(runs))]
            $($function)* served(_id: u8, runs: &'static Counter) -> Result<u64, String> {
                once(runs)
            }

            #[cachier(backend = registered("store"), stale_after = "1h", next_time, retry_after = PAUSE, skip(runs))]
            $($function)* refreshed(_id: u8, runs: &'static Counter) -> Result<u64, String> {
                once(runs)
            }

            fn stale_on_error_makes_one_attempt_per_pause(_: &Subject) {
                let runs: &Counter = Box::leak(Box::default());
                makes_one_attempt_per_pause(runs, || {
                    $finish(served::call_detailed(CallOptions::new(), 1, runs))
                });
            }

            fn next_time_makes_one_attempt_per_pause(_: &Subject) {
                let runs: &Counter = Box::leak(Box::default());
                makes_one_attempt_per_pause(runs, || {
                    let call = $finish(refreshed::call_detailed(CallOptions::new(), 1, runs));
                    $flush;
                    call
                });
            }
        }
    )*};
}

pauses! {
    of_sync_functions: {fn}, identity, cachier::flush();
    of_async_functions: {async fn}, wait, wait(cachier::flush_async());
}

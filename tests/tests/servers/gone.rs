//! A recomputation without a storable result removes the old value, in any store.

use std::convert::identity;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cachier::testing::Clock;
use cachier::{CallOptions, Outcome, cachier};
use cachier_metrics::RemovalCause;
use cachier_tests::callers::runtime;

use crate::store::Subject;

const TWO_MINUTES: Duration = Duration::from_secs(120);

/// The source of a cached value.
#[derive(Clone)]
struct Source(Arc<Mutex<Option<u64>>>);

impl Source {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(Some(1))))
    }

    fn becomes(&self, value: Option<u64>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = value;
    }

    fn get(&self) -> Option<u64> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn wait<F: Future>(future: F) -> F::Output {
    runtime().block_on(future)
}

macro_rules! gone {
    ($($name:ident: {$($function:tt)*}, $finish:ident, $flush:expr;)*) => {$(
        mod $name {
            use super::*;

            crate::on_every_store! {
                a_refresh_that_finds_nothing_removes_the_value
                an_uncacheable_refresh_removes_the_value
                an_overwrite_that_finds_nothing_removes_the_value
                an_uncacheable_overwrite_removes_the_value
            }

            #[cachier(backend = registered("store"), stale_after = "1m", next_time, skip(source), enable_metrics)]
            $($function)* user(_id: u8, source: Source) -> Option<u64> {
                source.get()
            }

            #[cachier(backend = registered("store"), stale_after = "1m", next_time, skip(source), enable_metrics,
                cache_if = |number| *number == 1)]
            $($function)* number(_id: u8, source: Source) -> u64 {
                source.get().unwrap_or_default()
            }

            fn a_refresh_that_finds_nothing_removes_the_value(_: &Subject) {
                let source = Source::new();
                let call = || $finish(user(1, source.clone()));
                assert_eq!(call(), Some(1));
                source.becomes(None);
                Clock::advance(TWO_MINUTES);
                assert_eq!(call(), Some(1));
                $flush;
                assert_eq!($finish(user::peek(1, source.clone())).unwrap(), None);
                assert_eq!(call(), None);
                assert_eq!(user::metrics().snapshot().removals[RemovalCause::Gone], 1);
            }

            fn an_uncacheable_refresh_removes_the_value(_: &Subject) {
                let source = Source::new();
                let call = || $finish(number(1, source.clone()));
                assert_eq!(call(), 1);
                source.becomes(Some(2));
                Clock::advance(TWO_MINUTES);
                assert_eq!(call(), 1);
                $flush;
                assert_eq!($finish(number::peek(1, source.clone())).unwrap(), None);
                assert_eq!(call(), 2);
                assert_eq!(number::metrics().snapshot().removals[RemovalCause::Gone], 1);
            }

            fn an_overwrite_that_finds_nothing_removes_the_value(_: &Subject) {
                let source = Source::new();
                assert_eq!($finish(user(1, source.clone())), Some(1));
                source.becomes(None);
                for _ in 0..2 {
                    let overwrite = CallOptions::new().overwrite_cache();
                    assert_eq!($finish(user::call_with(overwrite, 1, source.clone())), None);
                    assert_eq!($finish(user::peek(1, source.clone())).unwrap(), None);
                }
                source.becomes(Some(3));
                let call = $finish(user::call_detailed(CallOptions::new(), 1, source.clone()));
                assert_eq!((call.value, call.outcome), (Some(3), Outcome::Miss));
                assert_eq!(user::metrics().snapshot().removals[RemovalCause::Gone], 1);
            }

            fn an_uncacheable_overwrite_removes_the_value(_: &Subject) {
                let source = Source::new();
                assert_eq!($finish(number(1, source.clone())), 1);
                source.becomes(Some(2));
                let overwrite = CallOptions::new().overwrite_cache();
                assert_eq!($finish(number::call_with(overwrite, 1, source.clone())), 2);
                assert_eq!($finish(number::peek(1, source.clone())).unwrap(), None);
                assert_eq!(number::metrics().snapshot().removals[RemovalCause::Gone], 1);
            }
        }
    )*};
}

gone! {
    of_sync_functions: {fn}, identity, cachier::flush();
    of_async_functions: {async fn}, wait, wait(cachier::flush_async());
}

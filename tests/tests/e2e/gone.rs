//! A recomputation without a storable result removes the old value.

use std::convert::identity;
use std::time::Duration;

use cachier::testing::Clock;
use cachier::{CallOptions, cachier};
use cachier_metrics::RemovalCause;
use cachier_tests::gate::Counter;
use cachier_tests::sandbox::in_folder;
use smol::block_on;

const TWO_MINUTES: Duration = Duration::from_secs(120);

macro_rules! gone {
    ($($name:ident: ($($argument:tt)*), {$($function:tt)*}, $finish:ident, $flush:expr;)*) => {$(
        mod $name {
            use super::*;

            #[test]
            fn a_refresh_that_finds_nothing_removes_the_value() {
                static RUNS: Counter = Counter::new();

                #[cachier($($argument)*, stale_after = "1m", next_time, enable_metrics)]
                $($function)* user(_id: u8) -> Option<u64> {
                    Some(RUNS.next()).filter(|run| *run == 1)
                }

                in_folder(|_| {
                    assert_eq!($finish(user(1)), Some(1));
                    Clock::advance(TWO_MINUTES);
                    assert_eq!($finish(user(1)), Some(1));
                    $flush;
                    assert_eq!(RUNS.get(), 2);
                    assert_eq!($finish(user::peek(1)).unwrap(), None);
                    assert_eq!($finish(user(1)), None);
                    let removals = user::metrics().snapshot().removals;
                    assert_eq!(removals[RemovalCause::Gone], 1);
                });
            }

            #[test]
            fn an_overwrite_that_finds_nothing_removes_the_value() {
                static RUNS: Counter = Counter::new();

                #[cachier($($argument)*, enable_metrics)]
                $($function)* user(_id: u8) -> Option<u64> {
                    Some(RUNS.next()).filter(|run| *run == 1)
                }

                in_folder(|_| {
                    let overwrite = || $finish(user::call_with(CallOptions::new().overwrite_cache(), 1));
                    assert_eq!($finish(user(1)), Some(1));
                    assert_eq!(overwrite(), None);
                    assert_eq!($finish(user::peek(1)).unwrap(), None);
                    assert_eq!($finish(user(1)), None, "it is computed again");
                    assert_eq!(overwrite(), None);
                    let removals = user::metrics().snapshot().removals;
                    assert_eq!(removals[RemovalCause::Gone], 1);
                });
            }

            #[test]
            fn an_uncacheable_value_removes_the_stale_one() {
                static RUNS: Counter = Counter::new();

                #[cachier($($argument)*, stale_after = "1m", cache_if = |run| *run == 1)]
                $($function)* count(_id: u8) -> u64 {
                    RUNS.next()
                }

                in_folder(|_| {
                    assert_eq!($finish(count(1)), 1);
                    Clock::advance(TWO_MINUTES);
                    assert_eq!($finish(count(1)), 2);
                    assert_eq!($finish(count::peek(1)).unwrap(), None);
                });
            }

            #[test]
            fn an_oversized_value_removes_the_old_one() {
                static RUNS: Counter = Counter::new();

                #[cachier($($argument)*, entry_size_limit = 100)]
                $($function)* text(_id: u8) -> String {
                    "7".repeat(if RUNS.next() == 1 { 10 } else { 1000 })
                }

                in_folder(|_| {
                    let recent = CallOptions::new().max_age(Duration::ZERO);
                    assert_eq!($finish(text(1)).len(), 10);
                    assert_eq!($finish(text::call_with(recent, 1)).len(), 1000);
                    assert_eq!($finish(text::peek(1)).unwrap(), None);
                });
            }

            #[test]
            fn a_refresh_without_room_removes_the_value() {
                static RUNS: Counter = Counter::new();

                // Large enough to be stored in the background.
                #[cachier($($argument)*, stale_after = "1m", next_time, capacity_bytes = "2MB")]
                $($function)* text(_id: u8) -> String {
                    "7".repeat(if RUNS.next() == 1 { 10 } else { 3 << 20 })
                }

                in_folder(|_| {
                    assert_eq!($finish(text(1)).len(), 10);
                    Clock::advance(TWO_MINUTES);
                    assert_eq!($finish(text(1)).len(), 10);
                    $flush;
                    assert_eq!($finish(text::peek(1)).unwrap(), None);
                    assert_eq!($finish(text(1)).len(), 3 << 20);
                });
            }
        }
    )*};
}

gone! {
    sync_in_memory: (backend = "memory"), {fn}, identity, cachier::flush();
    sync_on_file: (backend = "file"), {fn}, identity, cachier::flush();
    sync_on_near: (backend = "file", near_cache = 9), {fn}, identity, cachier::flush();
    async_in_memory: (backend = "memory"), {async fn}, block_on, block_on(cachier::flush_async());
    async_on_file: (backend = "file"), {async fn}, block_on, block_on(cachier::flush_async());
    async_on_near: (backend = "file", near_cache = 9), {async fn}, block_on, block_on(cachier::flush_async());
}

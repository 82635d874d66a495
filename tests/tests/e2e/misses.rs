//! Misses in memory, however they end: each is one call, with one run of the function.

use cachier::{Outcome, cachier};
use cachier_metrics::Reason;
use cachier_tests::sandbox::in_folder;
use smol::block_on;
use std::convert::identity;

/// What a text of this length is: an error, not wanted, too large, or kept.
const LENGTHS: [usize; 4] = [0, 1, 5_000, 10];

fn text_of(length: usize) -> Result<String, String> {
    match length {
        0 => Err("nothing".to_owned()),
        _ => Ok("x".repeat(length)),
    }
}

macro_rules! misses {
    ($($name:ident: ($($limit:tt)*), {$($function:tt)*}, $finish:ident;)*) => {$(
        #[test]
        fn $name() {
            #[cachier(
                backend = "memory", enable_metrics, sampling_rate = 1.0, cache_if = |text: &String| text.len() > 1, $($limit)*
            )]
            $($function)* text(length: usize) -> Result<String, String> {
                text_of(length)
            }

            in_folder(|_| {
                for length in LENGTHS {
                    assert_eq!($finish(text(length)), text_of(length));
                }
                let snapshot = text::metrics().snapshot();
                assert_eq!(snapshot.calls[Outcome::Miss], 4);
                assert_eq!(snapshot.calls.values().sum::<u64>(), 4);
                assert_eq!(snapshot.call_duration[Outcome::Miss].samples, 4);
                assert_eq!(snapshot.compute_duration.samples, 4);
                assert_eq!(snapshot.recalculations[Reason::Absent], 4);
                assert_eq!(snapshot.recalculations.values().sum::<u64>(), 4);
                assert_eq!(snapshot.size_limit_rejections, 1);
                assert_eq!((snapshot.activity.inflight_calls, snapshot.activity.inflight_computations), (0, 0));
                assert_eq!($finish(text::usage()).unwrap().entries, Some(1));
            });
        }
    )*};
}

misses! {
    sync_misses_within_a_limit_of_entries_count_once: (entry_size_limit = 1_000), {fn}, identity;
    async_misses_within_a_limit_of_entries_count_once: (entry_size_limit = 1_000), {async fn}, block_on;
    sync_misses_within_a_limit_of_bytes_count_once: (capacity_bytes = 4_000), {fn}, identity;
    async_misses_within_a_limit_of_bytes_count_once: (capacity_bytes = 4_000), {async fn}, block_on;
}

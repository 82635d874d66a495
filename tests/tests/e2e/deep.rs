//! Deeply nested arguments and results in memory, where measuring them has a limit.

use cachier::metrics::{ErrorLabel, Operation};
use cachier::testing::{isolated, isolated_async};
use cachier::{Call, CallOptions, ErrorKind, Outcome, cachier, global_params, set_global_params};
use cachier_tests::callers::one_thread;
use cachier_tests::list::{DEEP, List, MAX_LEVELS, on_thread};

const STACK: usize = 2 * 1024 * 1024;

#[track_caller]
fn plain(call: Call<List>) -> (usize, Outcome) {
    assert!(call.backend_error.is_none(), "{:?}", call.backend_error);
    (call.value.len(), call.outcome)
}

#[track_caller]
fn too_deep(call: Call<List>) -> (usize, Outcome) {
    let error = call.backend_error.expect("something is too deep");
    assert_eq!(error.kind(), ErrorKind::Codec, "{error:#}");
    assert!(format!("{error:#}").contains("128 levels"), "{error:#}");
    (call.value.len(), call.outcome)
}

macro_rules! bounded {
    ($($bound:ident: ($($argument:tt)*);)*) => {$(
        mod $bound {
            use super::*;

            #[cachier(backend = "memory", enable_metrics, $($argument)*)]
            fn numbers(levels: usize) -> List {
                List::of(levels)
            }

            #[cachier(backend = "memory", $($argument)*)]
            async fn numbers_later(levels: usize) -> List {
                List::of(levels)
            }

            fn call(levels: usize) -> Call<List> {
                numbers::call_detailed(CallOptions::new(), levels)
            }

            #[test]
            fn deep_results_are_returned_and_not_kept() {
                on_thread(STACK, || isolated(|| {
                    for _ in 0..2 {
                        assert_eq!(too_deep(call(DEEP)), (DEEP, Outcome::Miss));
                    }
                    assert_eq!(numbers(DEEP).len(), DEEP);
                    assert_eq!(numbers::peek(DEEP).unwrap(), None);
                    let counted = numbers::metrics().snapshot().backend_errors;
                    assert_eq!(counted[Operation::Store][ErrorLabel::Codec], 3);
                    let error = numbers::precache_value(1, List::of(DEEP)).unwrap_err();
                    assert_eq!(error.kind(), ErrorKind::Codec);
                }));
            }

            #[test]
            fn deep_async_results_are_returned_and_not_kept() {
                on_thread(STACK, || {
                    one_thread().block_on(isolated_async(async {
                        for _ in 0..2 {
                            let call = numbers_later::call_detailed(CallOptions::new(), DEEP).await;
                            assert_eq!(too_deep(call), (DEEP, Outcome::Miss));
                        }
                        assert_eq!(numbers_later(DEEP).await.len(), DEEP);
                    }));
                });
            }

            #[test]
            fn results_at_the_limit_are_kept() {
                on_thread(STACK, || isolated(|| {
                    assert_eq!(plain(call(MAX_LEVELS)), (MAX_LEVELS, Outcome::Miss));
                    assert_eq!(plain(call(MAX_LEVELS)), (MAX_LEVELS, Outcome::Hit));
                    assert_eq!(too_deep(call(MAX_LEVELS + 1)), (MAX_LEVELS + 1, Outcome::Miss));
                }));
            }
        }
    )*};
}

bounded! {
    by_capacity: (capacity_bytes = 100_000_000);
    by_entry_size: (entry_size_limit = 100_000_000);
}

#[cachier(backend = "memory", enable_metrics, sampling_rate = 1.0)]
fn unbounded(levels: usize) -> List {
    List::of(levels)
}

#[test]
fn unbounded_deep_results_are_kept_unmeasured() {
    on_thread(STACK, || {
        isolated(|| {
            let call = || unbounded::call_detailed(CallOptions::new(), DEEP);
            assert_eq!(plain(call()), (DEEP, Outcome::Miss));
            assert_eq!(plain(call()), (DEEP, Outcome::Hit));
            assert_eq!(unbounded(DEEP).len(), DEEP);
        });
    });
}

#[test]
fn deep_results_are_not_kept_under_limits() {
    on_thread(STACK, || {
        isolated(|| {
            set_global_params(global_params().entry_size_limit(100_000_000));
            let call = || unbounded::call_detailed(CallOptions::new(), DEEP);
            assert_eq!(too_deep(call()), (DEEP, Outcome::Miss));
            assert_eq!(too_deep(call()), (DEEP, Outcome::Miss));
        });
    });
}

#[cachier(backend = "memory")]
fn length(list: &List) -> usize {
    list.len()
}

#[test]
fn deep_arguments_are_cached_by_their_hash() {
    on_thread(STACK, || {
        isolated(|| {
            let list = List::of(DEEP);
            let call = || length::call_detailed(CallOptions::new(), &list);
            assert_eq!(call().outcome, Outcome::Miss);
            assert_eq!((call().value, call().outcome), (DEEP, Outcome::Hit));
            assert_eq!(length(&list), DEEP);
        });
    });
}

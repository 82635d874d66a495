//! Deeply nested arguments and results overflow no stack: the program goes on as without a cache, and the error is
//! reported.

use cachier::metrics::{ErrorLabel, Operation};
use cachier::testing::IsolatedContext;
use cachier::{Call, CallOptions, ErrorKind, Outcome, cachier};
use cachier_tests::callers::{in_context, one_thread};
use cachier_tests::list::{DEEP, List, MAX_LEVELS, on_thread};

use crate::store::Subject;

crate::on_every_store! {
    calls_with_deep_arguments_bypass_the_store
    async_calls_with_deep_arguments_bypass_the_store
    deep_arguments_bypass_the_near_tier
    deep_results_are_returned_and_not_stored
    deep_async_results_are_returned_and_not_stored
    deep_results_are_kept_in_neither_tier
    arguments_at_the_limit_are_cached
    results_at_the_limit_are_stored
}

#[track_caller]
fn plain<R>(call: Call<R>) -> (R, Outcome) {
    assert!(call.backend_error.is_none(), "{:?}", call.backend_error);
    (call.value, call.outcome)
}

/// The result of a call whose error about excessive depth contains these words.
#[track_caller]
fn too_deep<R>(call: Call<R>, words: &[&str]) -> (R, Outcome) {
    let error = call.backend_error.expect("something is too deep");
    assert_eq!(error.kind(), ErrorKind::Codec, "{error:#}");
    assert!(!error.is_transient());
    let message = format!("{error:#}");
    for words in [&["128 levels"], words].concat() {
        assert!(message.contains(words), "{message}");
    }
    (call.value, call.outcome)
}

/// Words in the error of an argument.
const ARGUMENT: &[&str] = &["the argument `list`", "`key`", "`skip`"];

/// Runs something on a thread with the default stack size.
fn on_small_stack(run: impl FnOnce() + Send) {
    let context = IsolatedContext::current();
    on_thread(2 * 1024 * 1024, || context.run(run));
}

/// Runs tasks on such a thread.
fn in_task<F: Future<Output = ()>>(task: impl FnOnce() -> F + Send) {
    on_small_stack(|| {
        one_thread().block_on(in_context(IsolatedContext::current(), task()));
    });
}

#[cachier(backend = registered("store"), enable_metrics)]
fn length(_first: u8, list: &List) -> usize {
    list.len()
}

#[cachier(backend = registered("store"))]
fn length_of_owned(list: List) -> usize {
    list.len()
}

fn calls_with_deep_arguments_bypass_the_store(_: &Subject) {
    on_small_stack(|| {
        let (list, options) = (List::of(DEEP), CallOptions::new);
        for _ in 0..2 {
            let call = length::call_detailed(options(), 1, &list);
            assert_eq!(too_deep(call, ARGUMENT), (DEEP, Outcome::Bypass));
        }
        assert_eq!(length(1, &list), DEEP);
        assert_eq!(length_of_owned(List::of(DEEP)), DEEP);
        let counted = length::metrics().snapshot().backend_errors;
        assert_eq!(counted[Operation::Load][ErrorLabel::Codec], 3);
        let error = length::invalidate(1, &list).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Codec);
        assert!(format!("{error:#}").contains("`list`"), "{error:#}");
        assert!(length::peek(1, &list).is_err());
        assert!(length::precache_value(1, &list, 1).is_err());
        // The store still works.
        assert_eq!(length(1, &List::of(3)), 3);
        let call = length::call_detailed(options(), 1, &List::of(3));
        assert_eq!(plain(call), (3, Outcome::Hit));
    });
}

#[cachier(backend = registered("store"), stale_after = "1h", next_time)]
async fn length_later(list: List) -> usize {
    list.len()
}

fn async_calls_with_deep_arguments_bypass_the_store(_: &Subject) {
    in_task(|| async {
        for _ in 0..2 {
            let call = length_later::call_detailed(CallOptions::new(), List::of(DEEP)).await;
            assert_eq!(too_deep(call, ARGUMENT), (DEEP, Outcome::Bypass));
        }
        assert_eq!(length_later(List::of(DEEP)).await, DEEP);
        assert!(length_later::invalidate(List::of(DEEP)).await.is_err());
    });
}

#[cachier(backend = registered("store"), near_cache = 10)]
fn length_nearby(list: &List) -> usize {
    list.len()
}

fn deep_arguments_bypass_the_near_tier(_: &Subject) {
    on_small_stack(|| {
        let list = List::of(DEEP);
        let call = length_nearby::call_detailed(CallOptions::new(), &list);
        assert_eq!(too_deep(call, ARGUMENT), (DEEP, Outcome::Bypass));
    });
}

#[cachier(backend = registered("store"), enable_metrics)]
fn numbers(levels: usize) -> List {
    List::of(levels)
}

fn deep_results_are_returned_and_not_stored(_: &Subject) {
    on_small_stack(|| {
        for _ in 0..2 {
            let call = numbers::call_detailed(CallOptions::new(), DEEP);
            let (list, outcome) = too_deep(call, &[]);
            assert_eq!((list.len(), outcome), (DEEP, Outcome::Miss));
        }
        assert!(numbers::peek(DEEP).unwrap().is_none());
        let counted = numbers::metrics().snapshot().backend_errors;
        assert_eq!(counted[Operation::Store][ErrorLabel::Codec], 2);
        let error = numbers::precache_value(1, List::of(DEEP)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Codec);
    });
}

#[cachier(backend = registered("store"))]
async fn numbers_later(levels: usize) -> Result<List, String> {
    Ok(List::of(levels))
}

fn deep_async_results_are_returned_and_not_stored(_: &Subject) {
    in_task(|| async {
        for _ in 0..2 {
            let call = numbers_later::call_detailed(CallOptions::new(), DEEP).await;
            let (list, outcome) = too_deep(call, &[]);
            assert_eq!((list.unwrap().len(), outcome), (DEEP, Outcome::Miss));
        }
        assert!(numbers_later::peek(DEEP).await.unwrap().is_none());
    });
}

#[cachier(backend = registered("store"), near_cache = 10, near_stale_after = "1d")]
fn numbers_nearby(levels: usize) -> List {
    List::of(levels)
}

fn deep_results_are_kept_in_neither_tier(_: &Subject) {
    on_small_stack(|| {
        for _ in 0..2 {
            let call = numbers_nearby::call_detailed(CallOptions::new(), DEEP);
            let (list, outcome) = too_deep(call, &[]);
            assert_eq!((list.len(), outcome), (DEEP, Outcome::Miss));
        }
        assert!(numbers_nearby::peek(DEEP).unwrap().is_none());
    });
}

fn arguments_at_the_limit_are_cached(_: &Subject) {
    on_small_stack(|| {
        let call = |levels| length::call_detailed(CallOptions::new(), 1, &List::of(levels));
        assert_eq!(plain(call(MAX_LEVELS)), (MAX_LEVELS, Outcome::Miss));
        assert_eq!(plain(call(MAX_LEVELS)), (MAX_LEVELS, Outcome::Hit));
        let beyond = (MAX_LEVELS + 1, Outcome::Bypass);
        assert_eq!(too_deep(call(MAX_LEVELS + 1), ARGUMENT), beyond);
    });
}

fn results_at_the_limit_are_stored(_: &Subject) {
    on_small_stack(|| {
        let call = |levels| numbers::call_detailed(CallOptions::new(), levels);
        assert_eq!(plain(call(MAX_LEVELS)).1, Outcome::Miss);
        let (list, outcome) = plain(call(MAX_LEVELS));
        assert_eq!((list.len(), outcome), (MAX_LEVELS, Outcome::Hit));
        let (list, outcome) = too_deep(call(MAX_LEVELS + 1), &[]);
        assert_eq!((list.len(), outcome), (MAX_LEVELS + 1, Outcome::Miss));
    });
}

//! All operations of companions: on every backend, sync and async, with caching on and off.

use std::convert::identity;
use std::pin::pin;

use cachier::testing::{Clock, IsolatedContext};
use cachier::{CallOptions, ErrorKind, Outcome, Usage, cachier};
use cachier_metrics::RemovalCause;
use cachier_tests::backend::{Fault, with_map};
use cachier_tests::callers::{Callers, in_context, one_thread};
use cachier_tests::double;
use cachier_tests::sandbox::in_folder;
use futures_lite::future::{block_on, poll_once};
use tokio::task::yield_now;

/// Without a limit, the size of an entry in memory is unknown; elsewhere it is known.
fn holds(usage: Usage, entries: u64) {
    assert_eq!(usage.entries, Some(entries));
    assert!(usage.bytes.is_none_or(|bytes| (bytes > 0) == (entries > 0)));
}

macro_rules! companions {
    ($($name:ident: ($($argument:tt)*), {$($function:tt)*}, $finish:ident, {$($pause:tt)*};)*) => {$(
        #[test]
        fn $name() {
            #[cachier($($argument)*, enable_metrics)]
            $($function)* join(text: &str, times: usize) -> Result<String, u8> {
                $($pause)*
                if times == 0 { Err(7) } else { Ok(text.repeat(times)) }
            }

            let use_all = || {
                let peek = |text: &str, times| $finish(join::peek(text, times)).unwrap();
                let precache = |text: &str, times, value: &str| {
                    $finish(join::precache_value(text, times, value.to_owned())).unwrap();
                };
                let stored = |text: &str| Some(text.to_owned());
                assert_eq!(peek("ab", 2), None);
                assert!(!$finish(join::invalidate("ab", 2)).unwrap());
                precache("ab", 2, "given");
                assert_eq!(peek("ab", 2), stored("given"));
                precache("cd", 1, "other");
                holds($finish(join::usage()).unwrap(), 2);
                assert!($finish(join::invalidate("ab", 2)).unwrap());
                assert_eq!(peek("ab", 2), None);
                assert_eq!(peek("cd", 1), stored("other"));
                $finish(join::clear_being_calculated()).unwrap();
                assert_eq!(peek("cd", 1), stored("other"));
                assert_eq!($finish(join::clear_cache()).unwrap(), Some(1));
                holds($finish(join::usage()).unwrap(), 0);
            };

            in_folder(|_| {
                let is = |value: &str| Ok::<_, u8>(value.to_owned());
                let call = |times| $finish(join("ab", times));
                let give = || $finish(join::precache_value("ab", 2, "given".to_owned())).unwrap();
                use_all();
                assert_eq!(join::metrics().stats().calls, 0, "no operation is a call");
                assert_eq!(call(2), is("abab"));
                let found = $finish(join::call_detailed(CallOptions::new(), "ab", 2));
                assert_eq!((found.value, found.outcome), (is("abab"), Outcome::Hit));
                give();
                assert_eq!(call(2), is("given"));
                let fresh = CallOptions::new().overwrite_cache();
                assert_eq!($finish(join::call_with(fresh, "ab", 2)), is("abab"));
                assert_eq!(call(0), Err(7));
                let removals = join::metrics().snapshot().removals;
                assert_eq!(removals[RemovalCause::Invalidated], 1);
                assert_eq!(removals[RemovalCause::Cleared], 1);

                $finish(join::clear_cache()).unwrap();
                cachier::disable_caching();
                use_all();
                give();
                assert_eq!(call(2), is("abab"));
                cachier::enable_caching();
                assert_eq!(call(2), is("given"));
            });
        }
    )*};
}

/// The output of a task, on a runtime of its own.
fn in_task<F: Future>(task: F) -> F::Output {
    one_thread().block_on(in_context(IsolatedContext::current(), task))
}

companions! {
    of_a_function_on_memory: (backend = "memory"), {fn}, identity, {};
    of_a_function_on_memory_bounded_in_bytes: (backend = "memory", capacity_bytes = "10KB"), {fn}, identity, {};
    of_a_function_on_file: (backend = "file"), {fn}, identity, {};
    of_a_function_on_file_bounded_in_bytes: (backend = "file", capacity_bytes = "10KB"), {fn}, identity, {};
    of_a_function_on_near: (backend = "file", near_cache = 10), {fn}, identity, {};
    of_a_function_on_near_bounded_in_bytes: (backend = "file", near_cache = 10, capacity_bytes = "10KB"), {fn}, identity, {};
    of_an_async_function_on_memory: (backend = "memory"), {async fn}, in_task, {yield_now().await;};
    of_async_on_memory_bounded_in_bytes:
        (backend = "memory", capacity_bytes = "10KB"), {async fn}, in_task, {yield_now().await;};
    of_an_async_function_on_file: (backend = "file"), {async fn}, in_task, {yield_now().await;};
    of_an_async_function_on_near: (backend = "file", near_cache = 10), {async fn}, in_task, {yield_now().await;};
}

macro_rules! too_large_values {
    ($($name:ident: ($($argument:tt)*);)*) => {$(
        #[test]
        fn $name() {
            #[cachier($($argument)*, enable_metrics)]
            fn repeat(times: usize) -> String {
                "x".repeat(times)
            }

            in_folder(|_| {
                assert_eq!(repeat(2), "xx");
                let error = repeat::precache_value(1, "x".repeat(2000)).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Full, "{error}");
                assert_eq!(repeat::peek(1).unwrap(), None);
                assert_eq!(repeat::metrics().stats().backend_errors, 0, "the backend did not fail");
            });
        }
    )*};
}

too_large_values! {
    unstorable_values_are_not_reported_stored_memory: (backend = "memory", capacity_bytes = "1KB");
    unstorable_values_are_not_reported_stored_files: (backend = "file", capacity_bytes = "1KB");
    unstorable_values_are_not_reported_stored_near: (backend = "file", near_cache = 10, capacity_bytes = "1KB");
    oversized_values_are_not_reported_stored_memory: (backend = "memory", entry_size_limit = "1KB");
    oversized_values_are_not_reported_stored_files: (backend = "file", entry_size_limit = "1KB");
}

#[test]
fn a_precached_value_counts_towards_the_size() {
    double!(backend = "memory", enable_metrics);

    in_folder(|_| {
        double(1);
        let one = double::usage().unwrap().bytes.unwrap();
        double::precache_value(2, 4).unwrap();
        assert_eq!(double::usage().unwrap().bytes, Some(2 * one));
        assert_eq!(double::metrics().stats().size_bytes, Some(2 * one));
    });
}

#[test]
fn the_folder_of_a_function_is_known() {
    double!(backend = "file");

    in_folder(|folder| assert_eq!(double::cache_dir(), folder));
}

#[test]
fn a_call_explains_itself_in_one_line() {
    double!(backend = "memory");

    in_folder(|_| {
        let explain = || double::call_detailed(CallOptions::new(), 1).to_string();
        assert_eq!(explain(), "miss, in 0.0ns");
        cachier::testing::Clock::advance(std::time::Duration::from_secs(90));
        assert_eq!(explain(), "hit from the backend, 90.0s old, in 0.0ns");
    });
}

/// A call is the probe of a breaker, and is given up; what waits for its answer asks itself.
#[test]
fn it_waits_for_no_abandoned_probe() {
    #[cachier(backend = registered("map"))]
    async fn double(number: u64) -> u64 {
        number * 2
    }

    with_map(|map| {
        map.set(Fault::Fails(ErrorKind::Io));
        for number in 0..u64::from(cachier::global_params().breaker_threshold) {
            block_on(async { double(number).await });
        }
        map.set(Fault::Hangs);
        Clock::advance(cachier::global_params().breaker_pause);
        let mut probe = Box::pin(async { double(21).await });
        let asked = map.asked();
        assert_eq!(block_on(poll_once(pin!(&mut probe))), None);
        assert_eq!(map.asked(), asked + 1);
        map.set(Fault::None);
        let waits = Callers::new().on_threads(1, || block_on(double::clear_cache()).is_ok());
        drop(probe);
        assert_eq!(waits.values(), [true]);
    });
}

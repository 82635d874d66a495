//! All operations of companions: on every backend, sync and async, with caching on and off.

use std::pin::pin;

use cachier::testing::Clock;
use cachier::{CallOptions, ErrorKind, Outcome, Usage, cachier};
use cachier_metrics::RemovalCause;
use cachier_tests::backend::{Fault, with_map};
use cachier_tests::callers::Callers;
use cachier_tests::sandbox::{in_folder, in_folder_async};
use futures_lite::future::{block_on, poll_once};

/// Without a limit, the size of an entry in memory is unknown; elsewhere it is known.
fn holds(usage: Usage, entries: u64) {
    assert_eq!(usage.entries, Some(entries));
    assert!(usage.bytes.is_none_or(|bytes| (bytes > 0) == (entries > 0)));
}

macro_rules! sync_companions {
    ($($name:ident: ($($argument:tt)*);)*) => {$(
        #[test]
        fn $name() {
            #[cachier($($argument)*, enable_metrics)]
            fn join(text: &str, times: usize) -> Result<String, u8> {
                if times == 0 { Err(7) } else { Ok(text.repeat(times)) }
            }

            let use_all = || {
                let stored = |text: &str| Some(text.to_owned());
                assert_eq!(join::peek("ab", 2).unwrap(), None);
                assert!(!join::invalidate("ab", 2).unwrap());
                join::precache_value("ab", 2, "given".to_owned()).unwrap();
                assert_eq!(join::peek("ab", 2).unwrap(), stored("given"));
                join::precache_value("cd", 1, "other".to_owned()).unwrap();
                holds(join::usage().unwrap(), 2);
                assert!(join::invalidate("ab", 2).unwrap());
                assert_eq!(join::peek("ab", 2).unwrap(), None);
                assert_eq!(join::peek("cd", 1).unwrap(), stored("other"));
                join::clear_being_calculated().unwrap();
                assert_eq!(join::peek("cd", 1).unwrap(), stored("other"));
                assert_eq!(join::clear_cache().unwrap(), Some(1));
                holds(join::usage().unwrap(), 0);
            };

            in_folder(|_| {
                use_all();
                assert_eq!(join::metrics().stats().calls, 0, "no operation is a call");
                assert_eq!(join("ab", 2).as_deref(), Ok("abab"));
                let call = join::call_detailed(CallOptions::new(), "ab", 2);
                assert_eq!((call.value.as_deref(), call.outcome), (Ok("abab"), Outcome::Hit));
                join::precache_value("ab", 2, "given".to_owned()).unwrap();
                assert_eq!(join("ab", 2).as_deref(), Ok("given"));
                let fresh = CallOptions::new().overwrite_cache();
                assert_eq!(join::call_with(fresh, "ab", 2).as_deref(), Ok("abab"));
                assert_eq!(join("ab", 0), Err(7));
                let removals = join::metrics().snapshot().removals;
                assert_eq!(removals[RemovalCause::Invalidated], 1);
                assert_eq!(removals[RemovalCause::Cleared], 1);

                join::clear_cache().unwrap();
                cachier::disable_caching();
                use_all();
                join::precache_value("ab", 2, "given".to_owned()).unwrap();
                assert_eq!(join("ab", 2).as_deref(), Ok("abab"));
                cachier::enable_caching();
                assert_eq!(join("ab", 2).as_deref(), Ok("given"));
            });
        }
    )*};
}

sync_companions! {
    of_a_function_on_memory: (backend = "memory");
    of_a_function_on_memory_bounded_in_bytes: (backend = "memory", capacity_bytes = "10KB");
    of_a_function_on_file: (backend = "file");
    of_a_function_on_file_bounded_in_bytes: (backend = "file", capacity_bytes = "10KB");
    of_a_function_on_near: (backend = "file", near_cache = 10);
    of_a_function_on_near_bounded_in_bytes: (backend = "file", near_cache = 10, capacity_bytes = "10KB");
}

macro_rules! async_companions {
    ($($name:ident: ($($argument:tt)*);)*) => {$(
        #[tokio::test]
        async fn $name() {
            #[cachier($($argument)*, enable_metrics)]
            async fn join(text: &str, times: usize) -> Option<String> {
                tokio::task::yield_now().await;
                (times > 0).then(|| text.repeat(times))
            }

            let use_all = async || {
                let stored = |text: &str| Some(text.to_owned());
                assert_eq!(join::peek("ab", 2).await.unwrap(), None);
                assert!(!join::invalidate("ab", 2).await.unwrap());
                join::precache_value("ab", 2, "given".to_owned()).await.unwrap();
                assert_eq!(join::peek("ab", 2).await.unwrap(), stored("given"));
                join::precache_value("cd", 1, "other".to_owned()).await.unwrap();
                holds(join::usage().await.unwrap(), 2);
                assert!(join::invalidate("ab", 2).await.unwrap());
                assert_eq!(join::peek("cd", 1).await.unwrap(), stored("other"));
                join::clear_being_calculated().await.unwrap();
                assert_eq!(join::clear_cache().await.unwrap(), Some(1));
                holds(join::usage().await.unwrap(), 0);
            };

            in_folder_async(async |_| {
                use_all().await;
                assert_eq!(join::metrics().stats().calls, 0, "no operation is a call");
                assert_eq!(join("ab", 2).await.as_deref(), Some("abab"));
                let call = join::call_detailed(CallOptions::new(), "ab", 2).await;
                assert_eq!((call.value.as_deref(), call.outcome), (Some("abab"), Outcome::Hit));
                join::precache_value("ab", 2, "given".to_owned()).await.unwrap();
                assert_eq!(join("ab", 2).await.as_deref(), Some("given"));
                let fresh = CallOptions::new().overwrite_cache();
                assert_eq!(join::call_with(fresh, "ab", 2).await.as_deref(), Some("abab"));

                join::clear_cache().await.unwrap();
                cachier::disable_caching();
                use_all().await;
                join::precache_value("ab", 2, "given".to_owned()).await.unwrap();
                assert_eq!(join("ab", 2).await.as_deref(), Some("abab"));
                cachier::enable_caching();
                assert_eq!(join("ab", 2).await.as_deref(), Some("given"));
            })
            .await;
        }
    )*};
}

async_companions! {
    of_an_async_function_on_memory: (backend = "memory");
    of_an_async_function_on_memory_bounded_in_bytes: (backend = "memory", capacity_bytes = "10KB");
    of_an_async_function_on_file: (backend = "file");
    of_an_async_function_on_near: (backend = "file", near_cache = 10);
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
    what_memory_has_no_room_for_is_not_said_to_be_stored: (backend = "memory", capacity_bytes = "1KB");
    what_files_have_no_room_for_is_not_said_to_be_stored: (backend = "file", capacity_bytes = "1KB");
    what_near_has_no_room_for_is_not_said_to_be_stored: (backend = "file", near_cache = 10, capacity_bytes = "1KB");
    what_is_over_the_limit_in_memory_is_not_said_to_be_stored: (backend = "memory", entry_size_limit = "1KB");
    what_is_over_the_limit_in_files_is_not_said_to_be_stored: (backend = "file", entry_size_limit = "1KB");
}

#[test]
fn a_precached_value_counts_towards_the_size() {
    #[cachier(backend = "memory", enable_metrics)]
    fn double(number: u64) -> u64 {
        number * 2
    }

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
    #[cachier(backend = "file")]
    fn double(number: u64) -> u64 {
        number * 2
    }

    in_folder(|folder| assert_eq!(double::cache_dir(), folder));
}

#[test]
fn a_call_explains_itself_in_one_line() {
    #[cachier(backend = "memory")]
    fn double(number: u64) -> u64 {
        number * 2
    }

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

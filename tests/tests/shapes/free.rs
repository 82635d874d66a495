//! Free functions and their companions: sync and async, top-level and nested.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use cachier::{CallOptions, Outcome, cachier};
use cachier_tests::sandbox::{in_folder, in_folder_async};

/// Twice a number, and how often it was computed.
#[cachier(backend = "memory", enable_metrics)]
pub(crate) fn twice(n: u64) -> (u64, u32) {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    (n * 2, RUNS.fetch_add(1, Ordering::Relaxed))
}

#[test]
fn a_sync_function_and_all_of_its_companion() {
    in_folder(|_| {
        let first = twice(4);
        assert_eq!(twice(4), first);
        assert_eq!(twice::peek(4).unwrap(), Some(first));
        assert_eq!(twice::usage().unwrap().entries, Some(1));
        assert!(twice::invalidate(4).unwrap());
        assert!(!twice::invalidate(4).unwrap());
        assert_ne!(twice(4), first);
        twice::precache_value(5, (0, 0)).unwrap();
        assert_eq!(twice(5), (0, 0));
        let call = twice::call_detailed(CallOptions::new().overwrite_cache(), 5);
        assert_eq!((call.outcome, call.value.0), (Outcome::Miss, 10));
        assert_eq!(twice::call_with(CallOptions::new().skip_cache(), 6).0, 12);
        assert_eq!(twice::peek(6).unwrap(), None);
        twice::clear_being_calculated().unwrap();
        assert_eq!(twice::clear_cache().unwrap(), Some(2));
        let stats = twice::metrics().stats();
        assert_eq!((stats.hits, stats.misses, stats.bypassed), (2, 3, 1));
    });
}

/// A folder for this test, removed by `cargo clean`.
fn own_folder() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("thrice")
}

#[cachier(cache_dir = own_folder())]
async fn thrice(n: u64) -> Result<u64, String> {
    tokio::task::yield_now().await;
    n.checked_mul(3).ok_or_else(|| "too much".to_owned())
}

#[tokio::test]
async fn an_async_function_and_all_of_its_companion() {
    in_folder_async(async |_| {
        assert_eq!(thrice(4).await, Ok(12));
        let call = thrice::call_detailed(CallOptions::new(), 4).await;
        assert_eq!((call.outcome, call.value), (Outcome::Hit, Ok(12)));
        assert_eq!(thrice(u64::MAX).await, Err("too much".to_owned()));
        assert_eq!(thrice::peek(4).await.unwrap(), Some(12));
        assert!(thrice::invalidate(4).await.unwrap());
        thrice::precache_value(4, 13).await.unwrap();
        assert_eq!(
            thrice::call_with(CallOptions::new().max_age(Duration::from_secs(60)), 4).await,
            Ok(13)
        );
        thrice::clear_being_calculated().await.unwrap();
        assert!(thrice::clear_cache().await.is_ok());
        assert_eq!(thrice::usage().await.unwrap().entries, Some(0));
        assert_eq!(thrice::cache_dir(), own_folder());
        std::fs::remove_dir_all(own_folder()).unwrap();
    })
    .await;
}

#[test]
fn futures_of_cached_functions_are_send() {
    fn is_send(_: &impl Send) {}
    is_send(&thrice(1));
    is_send(&thrice::peek(1));
    is_send(&thrice::call_with(CallOptions::new(), 1));
    is_send(&in_memory("text"));
    is_send(&in_memory::call_detailed(CallOptions::new(), "text"));
    is_send(&in_memory::invalidate("text"));
    is_send(&in_front("text"));
    is_send(&in_front::precache_value("text", 4));
    is_send(&in_front::clear_cache());
}

#[cachier(backend = "memory", stale_after = "1h", next_time)]
async fn in_memory(text: &str) -> usize {
    text.len()
}

#[cachier(backend = "file", near_cache = 10, stale_after = "1h", next_time)]
async fn in_front(text: &str) -> usize {
    text.len()
}

#[test]
fn an_inner_function_with_its_own_type() {
    #[derive(Clone, Copy, PartialEq, Eq, Hash)]
    struct Local(u8);

    #[cachier(backend = "memory")]
    fn doubled(local: Local) -> u16 {
        u16::from(local.0) * 2
    }

    in_folder(|_| {
        assert_eq!(doubled(Local(200)), 400);
        assert_eq!(doubled::peek(Local(200)).unwrap(), Some(400));
    });
}

#[cachier(backend = "memory")]
fn fibonacci(n: u32) -> u64 {
    if n < 2 {
        return n.into();
    }
    fibonacci(n - 1) + fibonacci(n - 2)
}

#[test]
fn recursion_is_cached_at_every_step() {
    in_folder(|_| {
        assert_eq!(fibonacci(80), 23_416_728_348_467_685);
        assert_eq!(fibonacci::usage().unwrap().entries, Some(81));
    });
}

#[cachier(backend = "memory")]
async fn fibonacci_async(n: u32) -> u64 {
    match n {
        0 | 1 => n.into(),
        _ => Box::pin(fibonacci_async(n - 1)).await + Box::pin(fibonacci_async(n - 2)).await,
    }
}

#[tokio::test]
async fn async_recursion_is_cached_at_every_step() {
    in_folder_async(async |_| {
        assert_eq!(fibonacci_async(80).await, 23_416_728_348_467_685);
        assert_eq!(fibonacci_async::usage().await.unwrap().entries, Some(81));
    })
    .await;
}

#[cachier(backend = "memory")]
fn nothing() {
    RUNS.set(RUNS.get() + 1);
}

thread_local! {
    static RUNS: Cell<u32> = const { Cell::new(0) };
}

#[test]
fn a_function_without_arguments_and_result() {
    in_folder(|_| {
        nothing();
        nothing();
        assert_eq!(RUNS.get(), 1);
        assert_eq!(nothing::peek().unwrap(), Some(()));
    });
}

#[cachier(backend = "memory")]
fn sum(text: &str) -> Result<u32, std::num::ParseIntError> {
    let mut sum = 0;
    for number in text.split('+') {
        sum += number.parse::<u32>()?;
    }
    Ok(sum)
}

#[test]
fn question_marks_leave_the_body_only() {
    in_folder(|_| {
        assert_eq!(sum("1+2"), Ok(3));
        assert!(sum("1+x").is_err());
        assert_eq!(sum::peek("1+x").unwrap(), None);
    });
}

mod named {
    use cachier::cachier;

    /// A module has the same name, so the companion takes another one.
    #[cachier(backend = "memory", companion = user_cache)]
    pub(crate) fn user(id: u64) -> u64 {
        id
    }

    pub(crate) mod user {
        pub(crate) const GUEST: u64 = 0;
    }

    #[cachier(backend = "memory", companion = false)]
    pub(super) fn alone(id: u64) -> u64 {
        id + 1
    }

    #[cachier(backend = "memory", companion = false, stale_after = "0s", next_time)]
    pub(super) fn alone_next_time(id: u64, name: &str) -> String {
        format!("{name}{id}")
    }

    #[cachier(backend = "memory", companion = false, stale_after = "0s", next_time)]
    pub(super) async fn alone_async(id: u64, name: &str) -> String {
        tokio::task::yield_now().await;
        format!("{name}{id}")
    }
}

#[test]
fn a_companion_has_another_name_or_is_missing() {
    in_folder(|_| {
        assert_eq!(named::user(named::user::GUEST), 0);
        assert_eq!(named::user_cache::peek(0).unwrap(), Some(0));
        assert_eq!(named::alone(1), 2);
        let alone = cachier::functions()
            .into_iter()
            .find(|function| function.name().ends_with("named::alone"));
        assert_eq!(alone.unwrap().usage().unwrap().entries, Some(1));
        assert!(
            cachier::functions()
                .iter()
                .any(|function| function.name().ends_with("named::user"))
        );
    });
}

#[tokio::test]
async fn functions_without_companions_run_in_the_background_too() {
    in_folder_async(async |_| {
        assert_eq!(named::alone_next_time(1, "a"), "a1");
        assert_eq!(named::alone_next_time(1, "a"), "a1");
        assert_eq!(named::alone_async(1, "b").await, "b1");
        assert_eq!(named::alone_async(1, "b").await, "b1");
        cachier::flush_async().await;
    })
    .await;
}

#[cachier(backend = "memory")]
#[cfg(not(test))]
fn compiled_elsewhere(id: Missing) -> u64 {
    id
}

#[cachier(backend = "memory")]
#[cfg(test)]
#[inline]
#[must_use]
#[expect(unused_variables, reason = "to see that it arrives")]
fn decorated(unused: u64) -> u64 {
    7
}

#[test]
fn attributes_go_where_they_belong() {
    in_folder(|_| assert_eq!(decorated(1), 7));
}

macro_rules! cached {
    ($name:ident, $age:literal, $body:expr) => {
        #[cachier(backend = "memory", stale_after = $age)]
        fn $name(n: u64) -> u64 {
            $body + n
        }
    };
}

cached!(made_by_a_macro, "10m", 5);

#[test]
fn a_function_made_by_a_macro() {
    in_folder(|_| assert_eq!(made_by_a_macro(1), 6));
}

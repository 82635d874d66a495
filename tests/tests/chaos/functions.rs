//! The cached functions: one for each way of caching, sync and async.

use std::thread;
use std::time::Duration;

use cachier::{BoxFuture, CacheMetrics, Call, CallOptions, cachier};

use crate::settings::{MAX_BODY_TIME, NEAR_STALE_AFTER};
use crate::shared::truth;
use crate::store::Store;
use crate::truth::Cell;
use crate::value::Value;

/// A random failure of the source.
#[derive(Clone, Debug)]
pub(crate) struct SourceFailed;

pub(crate) type Result = std::result::Result<Value, SourceFailed>;

/// A cached function with its companion. The futures of sync ones complete in their first poll.
pub(crate) struct Function {
    pub(crate) name: &'static str,
    pub(crate) mode: CallMode,
    pub(crate) promise: Promise,
    /// The longest wait for another's computation, if bounded by anything but the owner's life.
    pub(crate) waits: Option<Duration>,
    /// As in ordinary calls.
    pub(crate) bare: fn(u32) -> BoxedFuture<Result>,
    pub(crate) call: fn(CallOptions, u32) -> BoxedFuture<Call<Result>>,
    pub(crate) peek: fn(u32) -> BoxFuture<'static, Option<Value>>,
    pub(crate) invalidate: fn(u32) -> BoxFuture<'static, bool>,
    pub(crate) precache: fn(u32, Value) -> BoxFuture<'static, ()>,
    pub(crate) clear: fn() -> BoxFuture<'static, Option<u64>>,
    pub(crate) clear_being_calculated: fn() -> BoxFuture<'static, ()>,
    pub(crate) metrics: fn() -> &'static CacheMetrics,
}

pub(crate) type BoxedFuture<T> = std::pin::Pin<Box<dyn Future<Output = T> + Send>>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallMode {
    Sync,
    Async,
}

/// The callers that an invalidation has reached when it returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Promise {
    Everybody,
    /// This process; near tiers of others when their copies expire.
    ThisProcessAndOthersLater,
    ThisProcess,
}

const NO_TIMEOUT: Option<Duration> = None;
const SHORT_TIMEOUT: Option<Duration> = Some(CALL_TIMEOUT);
const CALL_TIMEOUT: Duration = Duration::from_millis(50);

/// Frequencies of failing sources and panicking bodies.
const FAILS_ONCE_IN: u32 = 8;
const PANICS_ONCE_IN: u32 = 300;

/// A run of a function: its duration and result.
struct Run {
    value: Value,
    takes: Duration,
}

impl Run {
    /// Reads the truth at the beginning of a run.
    fn begin(function: u32, key: u32) -> Self {
        let cell = Cell { function, key };
        let value = Value::of(cell, truth().version(cell));
        let takes = match fastrand::u32(..20) {
            0 => MAX_BODY_TIME,
            1..4 => Duration::ZERO,
            _ => Duration::from_micros(fastrand::u64(..6000)),
        };
        Self { value, takes }
    }

    fn end(self, fails: Fails) -> Result {
        match fails {
            Fails::Never => {}
            Fails::ByPanic if fastrand::u32(..PANICS_ONCE_IN) == 0 => {
                cachier_tests::gate::panic_silently()
            }
            Fails::ByError if fastrand::u32(..FAILS_ONCE_IN) == 0 => return Err(SourceFailed),
            Fails::ByPanic | Fails::ByError => {}
        }
        Ok(self.value)
    }
}

/// How a run may fail.
enum Fails {
    Never,
    ByPanic,
    ByError,
}

macro_rules! function {
    ($all:ident, sync $name:ident = $number:literal, $fails:expr, $promise:expr, $waits:expr, [$($options:tt)*]) => {
        #[cachier($($options)*, enable_metrics)]
        fn $name(key: u32) -> Result {
            let run = Run::begin($number, key);
            thread::sleep(run.takes);
            run.end($fails)
        }
        assert_eq!($all.len(), $number);
        $all.push(Function {
            name: stringify!($name),
            mode: CallMode::Sync,
            promise: $promise,
            waits: $waits,
            bare: |key| Box::pin(async move { $name(key) }),
            call: |options, key| Box::pin(async move { $name::call_detailed(options, key) }),
            peek: |key| Box::pin(async move { $name::peek(key) }),
            invalidate: |key| Box::pin(async move { $name::invalidate(key) }),
            precache: |key, value| Box::pin(async move { $name::precache_value(key, value) }),
            clear: || Box::pin(async { $name::clear_cache() }),
            clear_being_calculated: || Box::pin(async { $name::clear_being_calculated() }),
            metrics: $name::metrics,
        });
    };
    ($all:ident, async $name:ident = $number:literal, $fails:expr, $promise:expr, $waits:expr, [$($options:tt)*]) => {
        #[cachier($($options)*, enable_metrics)]
        async fn $name(key: u32) -> Result {
            let run = Run::begin($number, key);
            tokio::time::sleep(run.takes).await;
            run.end($fails)
        }
        assert_eq!($all.len(), $number);
        $all.push(Function {
            name: stringify!($name),
            mode: CallMode::Async,
            promise: $promise,
            waits: $waits,
            bare: |key| Box::pin($name(key)),
            call: |options, key| Box::pin($name::call_detailed(options, key)),
            peek: |key| Box::pin($name::peek(key)),
            invalidate: |key| Box::pin($name::invalidate(key)),
            precache: |key, value| Box::pin($name::precache_value(key, value)),
            clear: || Box::pin($name::clear_cache()),
            clear_being_calculated: || Box::pin($name::clear_being_calculated()),
            metrics: $name::metrics,
        });
    };
}

macro_rules! functions {
    ($([$mode:ident $name:ident = $number:literal, $fails:ident, $promise:ident, $waits:ident, $options:tt])*) => {{
        let mut all = Vec::new();
        $(function!(all, $mode $name = $number, Fails::$fails, Promise::$promise, $waits, $options);)*
        all
    }};
}

/// The functions cached in a store.
pub(crate) fn functions(store: Store) -> Vec<Function> {
    match store {
        Store::Memory => in_memory(),
        _ => on_a_store(),
    }
}

fn on_a_store() -> Vec<Function> {
    functions! {
        [sync plain = 0, ByPanic, Everybody, NO_TIMEOUT, [backend = registered("store")]]
        [async plain_async = 1, ByPanic, Everybody, NO_TIMEOUT, [backend = registered("store")]]
        [sync refreshed = 2, ByError, Everybody, NO_TIMEOUT,
            [backend = registered("store"), stale_after = "100ms", next_time, retry_after = "50ms"]]
        [async refreshed_async = 3, ByError, Everybody, NO_TIMEOUT,
            [backend = registered("store"), stale_after = "100ms", jitter = "20%", next_time, retry_after = "50ms"]]
        [sync stale = 4, ByError, Everybody, NO_TIMEOUT,
            [backend = registered("store"), stale_after = "100ms", stale_on_error = "1h", retry_after = "50ms"]]
        [async stale_async = 5, ByError, Everybody, NO_TIMEOUT,
            [backend = registered("store"), stale_after = |_| Duration::from_millis(100), stale_on_error = "1h", retry_after = "50ms"]]
        [sync near = 6, Never, ThisProcessAndOthersLater, NO_TIMEOUT,
            [backend = registered("store"), near_cache = 3, near_stale_after = NEAR_STALE_AFTER]]
        [async near_async = 7, Never, ThisProcessAndOthersLater, NO_TIMEOUT,
            [backend = registered("store"), near_cache = 3, near_stale_after = NEAR_STALE_AFTER]]
        [sync impatient = 8, ByPanic, Everybody, SHORT_TIMEOUT,
            [backend = registered("store"), wait_for_calc_timeout = CALL_TIMEOUT]]
        [async impatient_async = 9, ByPanic, Everybody, SHORT_TIMEOUT,
            [backend = registered("store"), wait_for_calc_timeout = CALL_TIMEOUT]]
    }
}

fn in_memory() -> Vec<Function> {
    functions! {
        [sync plain = 0, ByPanic, ThisProcess, NO_TIMEOUT, [backend = "memory"]]
        [async plain_async = 1, ByPanic, ThisProcess, NO_TIMEOUT, [backend = "memory"]]
        [sync refreshed = 2, ByError, ThisProcess, NO_TIMEOUT, [backend = "memory", stale_after = "100ms", next_time, retry_after = "50ms"]]
        [async refreshed_async = 3, ByError, ThisProcess, NO_TIMEOUT,
            [backend = "memory", stale_after = "100ms", jitter = "20%", next_time, retry_after = "50ms"]]
        [sync stale = 4, ByError, ThisProcess, NO_TIMEOUT,
            [backend = "memory", stale_after = "100ms", stale_on_error = "1h", retry_after = "50ms"]]
        [async stale_async = 5, ByError, ThisProcess, NO_TIMEOUT,
            [backend = "memory", stale_after = |_| Duration::from_millis(100), stale_on_error = "1h", retry_after = "50ms"]]
        [sync few = 6, Never, ThisProcess, NO_TIMEOUT, [backend = "memory", capacity = 3]]
        [async few_async = 7, Never, ThisProcess, NO_TIMEOUT, [backend = "memory", capacity = 3]]
        [sync impatient = 8, ByPanic, ThisProcess, SHORT_TIMEOUT, [backend = "memory", wait_for_calc_timeout = CALL_TIMEOUT]]
        [async impatient_async = 9, ByPanic, ThisProcess, SHORT_TIMEOUT, [backend = "memory", wait_for_calc_timeout = CALL_TIMEOUT]]
    }
}

//! Cached functions of which one run waits at a gate, sync and async, and other processes that forget what they have stored.

use cachier::{CacheMetrics, CallOptions};
use cachier_tests::callers::Callers;
use cachier_tests::gate::{Counter, Gate};
use cachier_tests::wait::until;
use futures_lite::future::block_on;

use crate::store::Subject;

/// Invalidates as another process.
pub(crate) fn invalidate_elsewhere(subject: &Subject) {
    block_on(subject.bare().remove(&subject.last_key())).unwrap();
}

/// Clears as another process.
pub(crate) fn clear_elsewhere(subject: &Subject) {
    block_on(subject.bare().clear(subject.last_key().scope())).unwrap();
}

/// A cached function on the store of a test, sync or async.
pub(crate) struct Function<R: 'static, S> {
    pub(crate) store: u8,
    pub(crate) call: fn(u8) -> Callers<R>,
    pub(crate) call_with: fn(CallOptions, u8) -> Callers<R>,
    pub(crate) peek: fn(u8) -> Option<S>,
    pub(crate) precache: fn(u8, S),
    pub(crate) metrics: &'static CacheMetrics,
    /// Where one of its runs waits.
    pub(crate) gate: &'static Gate,
    pub(crate) runs: &'static Counter,
}

/// Both kinds of a function, by its arguments, the run that waits at the gate, and what each run returns.
macro_rules! functions {
    ($subject:ident, [$($argument:tt)*] $gated:literal, $value:expr => $returned:ty) => {
        [
            $crate::gated::function!($subject, [$($argument)*] $gated, $value => $returned,
                count, [] on_threads, std::convert::identity, [wait()]),
            $crate::gated::function!($subject, [$($argument)*] $gated, $value => $returned,
                count_later, [async] in_tasks, futures_lite::future::block_on, [wait_async().await]),
        ]
    };
}
pub(crate) use functions;

/// Tests of both kinds of a function, by what others forget: the entry, or all.
macro_rules! forgotten {
    ($($invalidated:ident $cleared:ident: $test:ident($($functions:tt)*);)*) => {$(
        fn $invalidated(subject: &Subject) {
            let functions = $crate::gated::functions!(subject, $($functions)*);
            $test(subject, functions, $crate::gated::invalidate_elsewhere);
        }

        fn $cleared(subject: &Subject) {
            let functions = $crate::gated::functions!(subject, $($functions)*);
            $test(subject, functions, $crate::gated::clear_elsewhere);
        }
    )*};
}
pub(crate) use forgotten;

macro_rules! function {
    (
        $subject:ident, [$($argument:tt)*] $gated:literal, $value:expr => $returned:ty,
        $name:ident, [$($async:ident)?] $begin:ident, $done:path, [$($wait:tt)*]
    ) => {{
        use cachier_tests::callers::Callers;
        use cachier_tests::gate::{Counter, Gate};

        static GATES: [Gate; 16] = [const { Gate::new() }; 16];
        static RUNS: [Counter; 16] = [const { Counter::new() }; 16];

        #[cachier::cachier(backend = registered("store"), operation_timeout = "60s", enable_metrics, $($argument)*)]
        $($async)? fn $name(store: u8) -> $returned {
            let run = RUNS[usize::from(store)].next();
            if run == $gated {
                GATES[usize::from(store)].$($wait)*;
            }
            $value(run)
        }

        let store = $subject.store as u8;
        $crate::gated::Function {
            store,
            call: |store| Callers::new().$begin(1, move || $name(store)),
            call_with: |options, store| {
                Callers::new().$begin(1, move || $name::call_with(options.clone(), store))
            },
            peek: |store| $done($name::peek(store)).unwrap(),
            precache: |store, value| $done($name::precache_value(store, value)).unwrap(),
            metrics: $name::metrics(),
            gate: &GATES[usize::from(store)],
            runs: &RUNS[usize::from(store)],
        }
    }};
}
pub(crate) use function;

impl<R: Send, S> Function<R, S> {
    pub(crate) fn begin(&self) -> Callers<R> {
        (self.call)(self.store)
    }

    pub(crate) fn begin_with(&self, options: CallOptions) -> Callers<R> {
        (self.call_with)(options, self.store)
    }

    pub(crate) fn begin_to_overwrite(&self) -> Callers<R> {
        self.begin_with(CallOptions::new().overwrite_cache())
    }

    pub(crate) fn value(&self) -> R {
        self.begin().values().remove(0)
    }

    pub(crate) fn peek(&self) -> Option<S> {
        (self.peek)(self.store)
    }

    pub(crate) fn precache(&self, value: S) {
        (self.precache)(self.store, value);
    }

    /// Waits until a caller has joined the flight, or has begun the run of this number: where the store notifies, the
    /// flight may have ended.
    pub(crate) fn until_joined(&self, run: u64) {
        until("the caller waits or computes", || {
            self.metrics.snapshot().activity.waiting_calls == 1 || self.runs.get() == run
        });
    }
}

pub(crate) fn number(run: u64) -> u64 {
    run
}

/// Stored in the background.
pub(crate) fn large(run: u64) -> String {
    run.to_string().repeat(2 << 20)
}

/// The second run finds nothing, and removes what it was to replace.
pub(crate) fn finds_nothing_then(run: u64) -> Option<u64> {
    (run != 2).then_some(run)
}

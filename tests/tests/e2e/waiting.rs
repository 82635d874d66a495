//! Waits that could never end are not begun, and long ones time out.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::time::Duration;

use cachier::testing::{Clock, isolated};
use cachier::{CallOptions, Outcome, cachier};
use cachier_metrics::Reason;
use cachier_tests::callers::Callers;
use cachier_tests::gate::{Counter, Gate};
use cachier_tests::sandbox::in_folder;
use cachier_tests::wait::until_waiting;
use futures_lite::future::{block_on, poll_once, yield_now};

macro_rules! recursion {
    ($($name:ident: ($($argument:tt)*);)*) => {$(
        #[test]
        fn $name() {
            static RUNS: Counter = Counter::new();

            #[cachier($($argument)*, enable_metrics)]
            fn itself(number: u64) -> u64 {
                match RUNS.next() {
                    1 => itself(number) + 1,
                    _ => number,
                }
            }

            in_folder(|_| {
                assert_eq!(Callers::new().on_threads(1, || itself(7)).values(), [8]);
                let snapshot = itself::metrics().snapshot();
                assert_eq!(snapshot.recalculations[Reason::Reentrant], 1);
                assert_eq!(snapshot.recalculations[Reason::Absent], 1);
            });
        }
    )*};
}

recursion! {
    needing_its_own_key_computes_again_memory: (backend = "memory");
    needing_its_own_key_computes_again_file: (backend = "file");
}

#[test]
fn a_reentrant_async_call_computes_again() {
    static RUNS: Counter = Counter::new();

    #[cachier(backend = "memory", enable_metrics)]
    async fn itself(number: u64) -> u64 {
        match RUNS.next() {
            1 => Box::pin(itself(number)).await + 1,
            _ => number,
        }
    }

    isolated(|| {
        assert_eq!(Callers::new().in_tasks(1, || itself(7)).values(), [8]);
        let snapshot = itself::metrics().snapshot();
        assert_eq!(snapshot.recalculations[Reason::Reentrant], 1);
    });
}

#[test]
fn a_bypass_does_not_hide_reentrancy() {
    static RUNS: Counter = Counter::new();

    #[cachier(backend = "memory", enable_metrics)]
    fn outer(number: u64) -> u64 {
        match RUNS.next() {
            1 => inner::call_with(CallOptions::new().skip_cache(), number) + 1,
            _ => number,
        }
    }

    #[cachier(backend = "memory")]
    fn inner(number: u64) -> u64 {
        outer(number)
    }

    isolated(|| {
        assert_eq!(Callers::new().on_threads(1, || outer(7)).values(), [8]);
        let snapshot = outer::metrics().snapshot();
        assert_eq!(snapshot.recalculations[Reason::Reentrant], 1);
    });
}

/// The bypassed call is first polled outside any computation, and awaited in one.
#[test]
fn an_async_bypass_belongs_to_its_awaiter() {
    static RUNS: Counter = Counter::new();

    #[cachier(backend = "memory", enable_metrics)]
    async fn outer(number: u64) -> u64 {
        match RUNS.next() {
            1 => {
                let begun = BEGUN.with(|begun| begun.borrow_mut().take());
                begun.expect("the test has begun it").await + 1
            }
            _ => number,
        }
    }

    #[cachier(backend = "memory")]
    async fn inner(number: u64) -> u64 {
        yield_now().await;
        Box::pin(outer(number)).await
    }

    type Begun = Pin<Box<dyn Future<Output = u64>>>;
    thread_local! {
        static BEGUN: RefCell<Option<Begun>> = const { RefCell::new(None) };
    }

    isolated(|| {
        let value = block_on(async {
            let mut bypassed: Begun =
                Box::pin(inner::call_with(CallOptions::new().skip_cache(), 7));
            assert!(poll_once(&mut bypassed).await.is_none());
            BEGUN.with(|begun| *begun.borrow_mut() = Some(bypassed));
            outer(7).await
        });
        assert_eq!(value, 8);
        let snapshot = outer::metrics().snapshot();
        assert_eq!(snapshot.recalculations[Reason::Reentrant], 1);
    });
}

#[test]
fn recursion_over_other_keys_is_cached() {
    #[cachier(backend = "memory", enable_metrics)]
    fn fibonacci(n: u64) -> u64 {
        if n < 2 {
            n
        } else {
            fibonacci(n - 1) + fibonacci(n - 2)
        }
    }

    isolated(|| {
        assert_eq!(fibonacci(50), 12_586_269_025);
        assert_eq!(fibonacci::metrics().stats().recalculations, 51);
    });
}

thread_local! {
    /// Whether this thread computes for somebody who waits for it: then it must end by itself.
    static IS_NESTED: Cell<bool> = const { Cell::new(false) };
}

/// Whether this is the thread's first computation.
fn begins() -> bool {
    !IS_NESTED.replace(true)
}

#[test]
fn mutually_dependent_functions_do_not_deadlock() {
    static BOTH: Gate = Gate::new();

    #[cachier(backend = "memory", enable_metrics)]
    fn hen(number: u64) -> u64 {
        if !begins() {
            return number;
        }
        BOTH.wait();
        egg(number) + 1
    }

    #[cachier(backend = "memory", enable_metrics)]
    fn egg(number: u64) -> u64 {
        if !begins() {
            return number;
        }
        BOTH.wait();
        hen(number) + 1
    }

    isolated(|| {
        let callers = Callers::new()
            .on_threads(1, || hen(5))
            .on_threads(1, || egg(5));
        BOTH.until_arrived(2);
        BOTH.open();
        let mut values = callers.values();
        values.sort_unstable();
        // One needs the other, which has computed the first one's value itself.
        assert_eq!(values, [6, 7]);
        let [hens, eggs] = [hen::metrics(), egg::metrics()].map(|metrics| metrics.snapshot());
        let reentrant =
            hens.recalculations[Reason::Reentrant] + eggs.recalculations[Reason::Reentrant];
        assert_eq!(reentrant, 1);
    });
}

#[test]
fn whoever_waits_longer_than_the_timeout_computes() {
    static GATE: Gate = Gate::new();
    static RUNS: Counter = Counter::new();

    #[cachier(backend = "memory", wait_for_calc_timeout = "5s", enable_metrics)]
    fn double(number: u64) -> u64 {
        if RUNS.next() == 1 {
            GATE.wait();
        }
        number * 2
    }

    isolated(|| {
        let owner = Callers::new().on_threads(1, || double(21));
        GATE.until_arrived(1);
        let waiter = Callers::new().on_threads(1, || double::call_detailed(CallOptions::new(), 21));
        until_waiting(double::metrics(), 1);
        Clock::advance(Duration::from_secs(4));
        until_waiting(double::metrics(), 1);
        Clock::advance(Duration::from_secs(1));
        let call = waiter.values().remove(0);
        assert_eq!((call.value, call.outcome), (42, Outcome::Miss));
        assert_eq!(call.elapsed, Duration::from_secs(5));
        let snapshot = double::metrics().snapshot();
        assert_eq!(snapshot.wait_timeouts, 1);
        assert_eq!(snapshot.recalculations[Reason::WaitTimeout], 1);
        GATE.open();
        assert_eq!(owner.values(), [42]);
    });
}

#[test]
fn the_programs_timeout_is_the_default() {
    static GATE: Gate = Gate::new();
    static RUNS: Counter = Counter::new();

    #[cachier(backend = "file", enable_metrics)]
    async fn double(number: u64) -> u64 {
        if RUNS.next() == 1 {
            GATE.wait_async().await;
        }
        number * 2
    }

    in_folder(|_| {
        let timeout = Duration::from_secs(5);
        cachier::set_global_params(cachier::global_params().wait_for_calc_timeout(timeout));
        let owner = Callers::new().in_tasks(1, || double(21));
        GATE.until_arrived(1);
        let waiter = Callers::new().in_tasks(1, || double(21));
        until_waiting(double::metrics(), 1);
        Clock::advance(timeout);
        assert_eq!(waiter.values(), [42]);
        assert_eq!(double::metrics().stats().wait_timeouts, 1);
        GATE.open();
        assert_eq!(owner.values(), [42]);
    });
}

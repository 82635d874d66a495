//! Values over 1 MiB, which are stored in the background.

use std::thread;
use std::time::Duration;

use cachier::testing::{Clock, IsolatedContext};
use cachier::{CallOptions, ErrorKind, Outcome, cachier};
use cachier_tests::backend::{Fault, with_map};
use cachier_tests::gate::{Counter, Gate};
use cachier_tests::outcome;
use cachier_tests::sandbox::in_folder;
use cachier_tests::wait::{until, until_waiting};

const LARGE: usize = 2 << 20;

#[test]
fn waiters_get_one_before_it_is_stored() {
    /// The number of background threads.
    const WORKERS: u64 = 8;
    static GATE: Gate = Gate::new();
    static IS_GATED: Counter = Counter::new();

    #[cachier(backend = "file", enable_metrics)]
    fn data() -> String {
        if IS_GATED.get() > 0 {
            GATE.wait();
        }
        "7".repeat(LARGE)
    }

    #[cachier(backend = "memory", stale_after = "1h", next_time)]
    fn report(number: u64) -> u64 {
        number + data().len() as u64
    }

    in_folder(|_| {
        let numbers = 0..2 * WORKERS;
        numbers.clone().for_each(|number| _ = report(number));
        cachier::flush();
        assert!(data::invalidate().unwrap());
        IS_GATED.next();
        Clock::advance(Duration::from_secs(7200));
        // Each thread refreshes a report. One computes the data while the others wait for it, and more reports are
        // queued before the data's store.
        numbers.clone().for_each(|number| _ = report(number));
        GATE.until_arrived(1);
        until_waiting(data::metrics(), WORKERS - 1);
        GATE.open();
        let context = IsolatedContext::current();
        let flushed = thread::spawn(move || context.run(cachier::flush));
        until("all work is done", || flushed.is_finished());
        let fresh = |number| outcome!(report(number));
        assert!(numbers.clone().all(|number| fresh(number) == Outcome::Hit));
        assert_eq!(data::usage().unwrap().entries, Some(1));
    });
}

#[test]
fn an_overwritten_one_is_not_served() {
    static RUNS: Counter = Counter::new();

    #[cachier(backend = registered("map"), near_cache = 10)]
    fn data() -> String {
        RUNS.next().to_string().repeat(LARGE)
    }

    with_map(|map| {
        assert!(data().starts_with('1'));
        cachier::flush();
        assert!(data().starts_with('1'), "in the backend, and now before it");
        map.set(Fault::FailsToStore(ErrorKind::Full));
        let overwritten = data::call_with(CallOptions::new().overwrite_cache());
        assert!(overwritten.starts_with('2'));
        // Until the store has failed, new callers share the flight's value.
        cachier::flush();
        assert!(data().starts_with('3'));
        cachier::flush();
        map.set(Fault::None);
        assert!(data().starts_with('4'));
        cachier::flush();
        map.set(Fault::FailsToStore(ErrorKind::Full));
        let recent = data::call_with(CallOptions::new().max_age(Duration::ZERO));
        assert!(recent.starts_with('5'));
        cachier::flush();
        assert!(data().starts_with('6'));
    });
}

#[test]
fn slow_stores_are_shared_only_while_fresh() {
    static GATE: Gate = Gate::new();
    static RUNS: Counter = Counter::new();

    #[cachier(backend = registered("map"), stale_after = "1h")]
    fn data() -> String {
        RUNS.next().to_string().repeat(LARGE)
    }

    with_map(|map| {
        map.before_storing(|| GATE.wait());
        assert!(data().starts_with('1'));
        GATE.until_arrived(1);
        let call = |options: CallOptions| data::call_detailed(options);
        assert_eq!(call(CallOptions::new()).outcome, Outcome::Coalesced);
        Clock::advance(Duration::from_secs(60));
        let recent = call(CallOptions::new().max_age(Duration::from_secs(1)));
        assert!(recent.value.starts_with('2'), "{recent}");
        Clock::advance(Duration::from_secs(7200));
        let fresh = call(CallOptions::new());
        assert_eq!(fresh.outcome, Outcome::Miss);
        GATE.open();
        cachier::flush();
    });
}

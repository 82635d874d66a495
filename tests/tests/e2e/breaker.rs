//! Calls to a backend whose breaker is open.

use std::pin::pin;
use std::time::Duration;

use cachier::testing::Clock;
use cachier::{CallOptions, ErrorKind, Outcome, cachier};
use cachier_tests::backend::{Fault, MapBackend, with_map};
use cachier_tests::callers::Callers;
use cachier_tests::gate::{Counter, Gate};
use cachier_tests::{double, outcome};
use futures_lite::future::{block_on, poll_once};

#[test]
fn the_breaker_answers_until_a_probe_succeeds() {
    double!(backend = registered("map"), enable_metrics);

    with_map(|map| {
        map.set(Fault::Fails(ErrorKind::Io));
        let threshold = u64::from(cachier::global_params().breaker_threshold);
        for number in 0..threshold {
            double(number);
        }
        let asked = map.asked();
        let call = double::call_detailed(CallOptions::new(), 21);
        assert_eq!((call.value, call.outcome), (42, Outcome::Unavailable));
        assert_eq!(call.backend_error.unwrap().kind(), ErrorKind::BreakerOpen);
        assert_eq!(map.asked(), asked);

        map.set(Fault::None);
        Clock::advance(cachier::global_params().breaker_pause);
        assert_eq!(outcome!(double(21)), Outcome::Miss);
        assert_eq!(outcome!(double(21)), Outcome::Hit);
    });
}

#[test]
fn companion_and_check_bypass_an_open_breaker() {
    double!(backend = registered("map"), near_cache = 10);
    fn outcome(number: u64) -> Outcome {
        outcome!(double(number))
    }
    fn open_the_breaker(map: &MapBackend) {
        map.set(Fault::Fails(ErrorKind::Io));
        for number in 0..u64::from(cachier::global_params().breaker_threshold) {
            double(100 + number);
        }
        assert_eq!(outcome(99), Outcome::Unavailable);
    }

    with_map(|map| {
        for number in [1, 2, 3] {
            double(number);
            double(number);
        }
        open_the_breaker(map);
        assert_eq!(outcome(1), Outcome::Hit, "near");
        assert_eq!(double::invalidate(1).unwrap_err().kind(), ErrorKind::Io);
        assert_eq!(outcome(1), Outcome::Unavailable, "not near any more");
        assert_eq!(double::clear_cache().unwrap_err().kind(), ErrorKind::Io);
        assert_eq!(outcome(2), Outcome::Unavailable, "not near any more");
        map.set(Fault::None);
        assert_eq!(outcome(2), Outcome::Unavailable, "the breaker is open");
        assert!(double::invalidate(1).unwrap());
        assert_eq!(outcome(2), Outcome::Hit, "an answer has closed it");

        open_the_breaker(map);
        map.set(Fault::None);
        assert!(cachier::check()[0].is_healthy());
        assert_eq!(outcome(3), Outcome::Hit, "an answer has closed it");
    });
}

#[test]
fn failed_removals_are_reported_as_still_stored() {
    double!(backend = registered("map"));

    with_map(|map| {
        double(21);
        for kind in [ErrorKind::Connect, ErrorKind::Timeout, ErrorKind::Io] {
            map.set(Fault::Fails(kind));
            let told = [
                double::invalidate(21).unwrap_err(),
                double::clear_cache().unwrap_err(),
            ];
            for error in told {
                let says = error.to_string();
                assert!(says.contains("the store was not reached"), "{says}");
                assert!(says.contains("may be served again"), "{says}");
            }
        }
        map.set(Fault::Fails(ErrorKind::Denied));
        let says = double::invalidate(21).unwrap_err().to_string();
        assert!(!says.contains("not reached"), "{says}");
    });
}

#[test]
fn failed_removals_end_their_flights() {
    static GATES: [Gate; 2] = [Gate::new(), Gate::new()];
    static RUNS: Counter = Counter::new();
    #[cachier(backend = registered("map"))]
    fn double(number: u64) -> u64 {
        // First computations wait, second ones go on.
        match RUNS.next() {
            1 => GATES[0].wait(),
            3 => GATES[1].wait(),
            _ => {}
        }
        number * 2
    }
    fn invalidate() {
        double::invalidate(21).unwrap_err();
    }
    fn clear() {
        double::clear_cache().unwrap_err();
    }

    for (gate, remove) in GATES.iter().zip([invalidate, clear]) {
        with_map(|map| {
            let first = Callers::new().on_threads(1, || double(21));
            gate.until_arrived(1);
            map.set(Fault::Fails(ErrorKind::Io));
            remove();
            map.set(Fault::None);
            // It waits for nobody.
            assert_eq!(double(21), 42);
            gate.open();
            assert_eq!(first.values(), [42]);
        });
    }
    assert_eq!(RUNS.get(), 4);
}

#[test]
fn failed_async_removals_end_their_flights() {
    static GATES: [Gate; 2] = [Gate::new(), Gate::new()];
    static RUNS: Counter = Counter::new();
    #[cachier(backend = registered("map"))]
    async fn double(number: u64) -> u64 {
        // First computations wait, second ones go on.
        match RUNS.next() {
            1 => GATES[0].wait_async().await,
            3 => GATES[1].wait_async().await,
            _ => {}
        }
        number * 2
    }
    fn invalidate() {
        block_on(double::invalidate(21)).unwrap_err();
    }
    fn clear() {
        block_on(double::clear_cache()).unwrap_err();
    }

    for (gate, remove) in GATES.iter().zip([invalidate, clear]) {
        with_map(|map| {
            let first = Callers::new().in_tasks(1, || double(21));
            gate.until_arrived(1);
            map.set(Fault::Fails(ErrorKind::Io));
            remove();
            map.set(Fault::None);
            // It waits for nobody.
            assert_eq!(block_on(double(21)), 42);
            gate.open();
            assert_eq!(first.values(), [42]);
        });
    }
    assert_eq!(RUNS.get(), 4);
}

#[test]
fn calls_recover_within_five_seconds() {
    double!(backend = registered("map"));

    with_map(|map| {
        double(21);
        map.set(Fault::Fails(ErrorKind::Io));
        for number in 0..400 {
            double(100 + number);
            Clock::advance(Duration::from_millis(100));
        }
        map.set(Fault::None);
        Clock::advance(Duration::from_secs(5));
        let call = double::call_detailed(CallOptions::new(), 21);
        assert_eq!(call.outcome, Outcome::Hit);
    });
}

/// The second waits for the first's answer only as long as it may not probe itself.
#[test]
fn a_hung_probe_is_followed_by_another() {
    #[cachier(backend = registered("map"))]
    async fn double(number: u64) -> u64 {
        number * 2
    }

    with_map(|map| {
        map.set(Fault::Fails(ErrorKind::Io));
        for number in 0..u64::from(cachier::global_params().breaker_threshold) {
            block_on(double(number));
        }
        map.set(Fault::Hangs);
        let mut first = pin!(double::invalidate(1));
        assert!(block_on(poll_once(first.as_mut())).is_none());
        map.set(Fault::None);
        let asked = map.asked();
        let mut second = pin!(double::invalidate(2));
        assert!(block_on(poll_once(second.as_mut())).is_none());
        assert_eq!(map.asked(), asked, "one at a time");
        Clock::advance(cachier::global_params().breaker_pause);
        assert!(matches!(block_on(poll_once(second)), Some(Ok(_))));
    });
}

#[test]
fn usage_queries_bypass_the_breaker() {
    double!(backend = registered("map"));

    with_map(|map| {
        double(21);
        map.set(Fault::Fails(ErrorKind::Denied));
        for _ in 0..2 * cachier::global_params().breaker_threshold {
            let error = double::usage().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Denied, "the breaker stays closed");
        }
        map.set(Fault::None);
        let call = double::call_detailed(CallOptions::new(), 21);
        assert_eq!(call.outcome, Outcome::Hit);

        map.set(Fault::Fails(ErrorKind::Io));
        for number in 0..u64::from(cachier::global_params().breaker_threshold) {
            double(number);
        }
        Clock::advance(cachier::global_params().breaker_pause);
        let (asked, error) = (map.asked_for_usage(), double::usage().unwrap_err());
        assert_eq!(error.kind(), ErrorKind::Io, "it is a probe");
        assert_eq!(map.asked_for_usage(), asked + 1);
        map.set(Fault::None);
        assert_eq!(double::usage().unwrap().entries, Some(1));
        let call = double::call_detailed(CallOptions::new(), 21);
        assert_eq!(call.outcome, Outcome::Hit, "it has closed the breaker");
    });
}

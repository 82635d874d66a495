//! Processes that share a store, played by contexts of one process: each has its own flights, near tier and clock.

use std::fmt::Display;
use std::time::Duration;

use cachier::testing::Clock;
use cachier::{CallOptions, Outcome, Usage, cachier};
use cachier_metrics::{Reason, WaitScope};
use cachier_tests::callers::Callers;
use cachier_tests::gate::{Counter, Gate};
use cachier_tests::sandbox::{in_another_process, in_folder};
use cachier_tests::wait::until_waiting;
use cachier_tests::{count, double, identity};
use serde::Serialize;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn what_one_stores_the_other_serves() {
    double!(backend = "file");

    in_folder(|_| {
        double(21);
        let call = in_another_process(|| double::call_detailed(CallOptions::new(), 21));
        assert_eq!((call.value, call.outcome), (42, Outcome::Hit));
        assert!(in_another_process(|| double::invalidate(21)).unwrap());
        assert_eq!(double::peek(21).unwrap(), None);
    });
}

#[test]
fn one_waits_for_the_others_value() {
    static GATE: Gate = Gate::new();
    static RUNS: Counter = Counter::new();

    #[cachier(backend = "file", enable_metrics)]
    fn double(number: u64) -> u64 {
        RUNS.next();
        GATE.wait();
        number * 2
    }

    in_folder(|_| {
        let owner = Callers::new().on_threads(1, || double(21));
        GATE.until_arrived(1);
        in_another_process(|| {
            let call = || double::call_detailed(CallOptions::new(), 21);
            let waiter = Callers::new().on_threads(1, call);
            until_waiting(double::metrics(), 1);
            GATE.open();
            let call = waiter.values().remove(0);
            assert_eq!((call.value, call.outcome), (42, Outcome::Coalesced));
            let waits = &double::metrics().snapshot().wait_duration;
            assert_eq!(waits[WaitScope::Lease].count(), 1);
        });
        assert_eq!((owner.values(), RUNS.get()), (vec![42], 1));
    });
}

#[test]
fn whoever_waits_for_another_process_too_long_computes() {
    static GATE: Gate = Gate::new();
    static RUNS: Counter = Counter::new();

    #[cachier(backend = "file", wait_for_calc_timeout = "5s", enable_metrics)]
    fn double(number: u64) -> u64 {
        if RUNS.next() == 1 {
            GATE.wait();
        }
        number * 2
    }

    in_folder(|_| {
        let owner = Callers::new().on_threads(1, || double(21));
        GATE.until_arrived(1);
        in_another_process(|| {
            let waiter = Callers::new().on_threads(1, || double(21));
            until_waiting(double::metrics(), 1);
            Clock::advance(5 * SECOND);
            assert_eq!(waiter.values(), [42]);
            let snapshot = double::metrics().snapshot();
            assert_eq!(snapshot.recalculations[Reason::WaitTimeout], 1);
        });
        GATE.open();
        assert_eq!(owner.values(), [42]);
    });
}

macro_rules! refreshes_once {
    ($($name:ident: ($($argument:tt)*), $outcome:ident;)*) => {$(
        #[test]
        fn $name() {
            static GATE: Gate = Gate::new();
            static RUNS: Counter = Counter::new();

            #[cachier(backend = "file", $($argument)*)]
            fn count(_key: u8) -> u64 {
                let run = RUNS.next();
                if run > 1 {
                    GATE.wait();
                }
                run
            }

            let served = || {
                let call = count::call_detailed(CallOptions::new(), 1);
                assert_eq!((call.value, call.outcome), (1, Outcome::$outcome));
                assert_eq!(call.age, Some(2 * HOUR));
            };
            in_folder(|_| {
                count(1);
                Clock::advance(2 * HOUR);
                served();
                GATE.until_arrived(1);
                in_another_process(|| {
                    Clock::advance(2 * HOUR);
                    served();
                    cachier::flush();
                    served();
                    GATE.open();
                });
                cachier::flush();
                assert_eq!((count(1), RUNS.get()), (2, 2));
            });
        }
    )*};
}

refreshes_once! {
    one_refresh_of_a_stale_value_serves_both: (stale_after = "1h", next_time), Stale;
    one_refresh_of_a_fresh_value_serves_both: (stale_after = "9h", refresh_after = "1h"), Hit;
    one_refresh_of_a_near_value_serves_both:
        (near_cache = 9, near_stale_after = "9d", stale_after = "9h", refresh_after = "1h"), Hit;
}

#[test]
fn values_from_the_future_soon_become_stale() {
    count!(RUNS, backend = "file", stale_after = "1h");

    in_folder(|_| {
        in_another_process(|| {
            Clock::advance(4 * SECOND);
            count(1);
            Clock::advance(4 * SECOND);
            count(2);
        });
        let call = count::call_detailed(CallOptions::new(), 1);
        assert_eq!((call.value, call.age), (1, Some(Duration::ZERO)));
        assert_eq!(count(2), 3);
    });
}

#[test]
fn clearing_works_before_the_first_call() {
    identity!(plain, backend = "file");

    identity!(keyed, backend = "file", key = |number| number % 10);

    struct Shop;

    impl Shop {
        #[cachier(backend = "file", skip(self))]
        fn price(&self, item: &str) -> usize {
            item.len()
        }
    }

    in_folder(|_| {
        assert_eq!((plain(1), keyed(1), Shop.price("tea")), (1, 1, 3));
        in_another_process(|| {
            assert_eq!(plain::clear_cache().unwrap(), Some(1));
            assert_eq!(keyed::clear_cache().unwrap(), Some(1));
            assert_eq!(Shop::price_cache().clear_cache().unwrap(), Some(1));
        });
        assert_eq!(
            (plain::peek(1).unwrap(), keyed::peek(1).unwrap()),
            (None, None)
        );
        assert_eq!(Shop::price_cache().peek(&Shop, "tea").unwrap(), None);
    });
}

#[test]
fn generic_functions_have_no_known_size() {
    #[cachier(backend = "file")]
    fn text<T: Display + Serialize>(value: T) -> String {
        value.to_string()
    }

    identity!(
        keyed,
        backend = "file",
        near_cache = 10,
        key = |number| number % 10
    );

    struct Shelf<T>(T);

    impl<T: Display> Shelf<T> {
        #[cachier(backend = "file", skip(self))]
        fn label(&self, number: u64) -> String {
            format!("{}{number}", self.0)
        }
    }

    let unknown = Usage::default();
    in_folder(|_| {
        assert_eq!((text(1_u8), keyed(1)), ("1".to_owned(), 1));
        assert_eq!(Shelf('a').label(1), "a1");
        in_another_process(|| {
            assert_eq!(text::usage().unwrap(), unknown);
            assert_eq!(text::clear_cache().unwrap(), None);
            assert_eq!(text::peek(1_u8).unwrap().as_deref(), Some("1"));
            assert_eq!(Shelf::<char>::label_cache().usage().unwrap(), unknown);
            assert_eq!(keyed::usage().unwrap().entries, Some(1));
            assert_eq!(keyed::clear_cache().unwrap(), Some(1));
        });
        assert_eq!(text::usage().unwrap(), unknown);
        assert_eq!(text::clear_cache().unwrap(), None);
        assert_eq!(text::peek(1_u8).unwrap(), None, "it has been called here");
        assert_eq!(Shelf::<char>::label_cache().clear_cache().unwrap(), None);
        let shelf = Shelf('a');
        assert_eq!(Shelf::label_cache().peek(&shelf, 1).unwrap(), None);
    });
}

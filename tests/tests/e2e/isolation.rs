//! Isolated tests run concurrently without seeing each other.

use std::sync::Barrier;
use std::time::Duration;

use cachier::testing::{Clock, IsolatedContext, isolated};
use cachier::{Outcome, cachier};
use cachier_tests::callers::Callers;
use cachier_tests::gate::Counter;
use cachier_tests::sandbox::in_folder;
use cachier_tests::{double, outcome};

const HOUR: Duration = Duration::from_secs(3600);

double!(backend = "memory", stale_after = "1h", enable_metrics);

#[test]
fn concurrent_contexts_share_nothing() {
    const TESTS: usize = 4;
    static SAME_TIME: Barrier = Barrier::new(TESTS);

    let tests = (0..TESTS).map(|number| {
        std::thread::spawn(move || {
            isolated(|| {
                SAME_TIME.wait();
                for _ in 0..=number {
                    double(21);
                }
                SAME_TIME.wait();
                let stats = double::metrics().stats();
                assert_eq!((stats.misses, stats.hits), (1, number as u64));
                if number == 0 {
                    cachier::disable_caching();
                }
                if number == 1 {
                    Clock::advance(2 * HOUR);
                }
                SAME_TIME.wait();
                outcome!(double(21))
            })
        })
    });
    let tests: Vec<_> = tests.collect();
    let outcomes: Vec<_> = tests.into_iter().map(|test| test.join().unwrap()).collect();
    assert_eq!(
        outcomes,
        [Outcome::Bypass, Outcome::Miss, Outcome::Hit, Outcome::Hit]
    );
}

#[test]
fn nothing_is_left_for_the_next_one() {
    for _ in 0..3 {
        isolated(|| {
            assert_eq!(outcome!(double(21)), Outcome::Miss);
            cachier::disable_caching();
        });
    }
}

#[test]
fn in_one_folder_each_has_its_namespace() {
    #[cachier(backend = "file")]
    fn triple(number: u64) -> u64 {
        number * 3
    }

    in_folder(|folder| {
        triple(1);
        isolated(|| {
            cachier::set_global_params(cachier::global_params().cache_dir(folder));
            assert_eq!(outcome!(triple(1)), Outcome::Miss);
        });
        assert_eq!(outcome!(triple(1)), Outcome::Hit);
    });
}

#[test]
fn a_context_can_enter_another_thread() {
    isolated(|| {
        double(21);
        let context = IsolatedContext::current();
        let outcome = || outcome!(double(21));
        let there = std::thread::spawn(move || context.run(outcome))
            .join()
            .unwrap();
        assert_eq!(there, Outcome::Hit);
    });
}

#[test]
fn background_work_stays_in_its_context() {
    static RUNS: Counter = Counter::new();

    #[cachier(backend = "memory", stale_after = "1h", next_time, enable_metrics)]
    fn count(_key: u8) -> u64 {
        // A cached function called in the background.
        double(RUNS.next())
    }

    isolated(|| {
        count(1);
        Clock::advance(2 * HOUR);
        count(1);
        cachier::flush();
        assert_eq!(double::metrics().stats().misses, 2);
        assert_eq!(count(1), 4);
    });
}

#[test]
fn a_context_outlasts_panics() {
    isolated(|| {
        double(21);
        let inner = std::panic::catch_unwind(|| {
            isolated(|| {
                double(21);
                cachier_tests::gate::panic_silently()
            })
        });
        assert!(inner.is_err());
        assert_eq!(outcome!(double(21)), Outcome::Hit);
        assert_eq!(Callers::new().on_threads(1, || double(21)).values(), [42]);
        assert_eq!(double::metrics().stats().hits, 2);
    });
}

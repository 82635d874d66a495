//! `refresh_after`: hits recompute their value in the background before it is stale.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use cachier::testing::Clock;
use cachier::{
    CallOptions, Outcome, RefreshAfter, Share, Tier, cachier, global_params, set_global_params,
};
use cachier_metrics::{Reason, StaleUse};
use cachier_tests::backend::{assert_that_leases_are_rarely_asked_for, with_map};
use cachier_tests::callers::Callers;
use cachier_tests::gate::{Counter, Gate, once};
use cachier_tests::sandbox::in_folder;
use cachier_tests::{count, double};

const HOUR: Duration = Duration::from_secs(3600);
const MINUTE: Duration = Duration::from_secs(60);
const CALLERS: usize = 50;

macro_rules! refreshes {
    ($($name:ident: ($($argument:tt)*), $start:ident, {$($function:tt)*}, {$($wait:tt)*};)*) => {$(
        mod $name {
            use super::*;

            #[test]
            fn one_for_fifty_hits() {
                static GATE: Gate = Gate::new();
                static RUNS: Counter = Counter::new();

                #[cachier($($argument)*, stale_after = "1h", refresh_after = "40m", enable_metrics)]
                $($function)* count(_key: u8) -> u64 {
                    let run = RUNS.next();
                    if run > 1 {
                        GATE.$($wait)*;
                    }
                    run
                }

                in_folder(|_| {
                    let values = |callers| Callers::new().$start(callers, || count(1)).values();
                    assert_eq!(values(1), [1]);
                    Clock::advance(39 * MINUTE);
                    assert_eq!(values(1), [1]);
                    cachier::flush();
                    assert_eq!(RUNS.get(), 1);
                    Clock::advance(2 * MINUTE);
                    assert_eq!(values(CALLERS), [1; CALLERS]);
                    GATE.until_arrived(1);
                    assert_eq!(values(CALLERS), [1; CALLERS]);
                    GATE.open();
                    cachier::flush();
                    Clock::advance(39 * MINUTE);
                    assert_eq!((values(1), RUNS.get()), (vec![2], 2));

                    let snapshot = count::metrics().snapshot();
                    assert_eq!(snapshot.calls[Outcome::Hit], 2 * CALLERS as u64 + 2);
                    assert_eq!(snapshot.stale_hits[StaleUse::Served], 0);
                    assert_eq!(snapshot.recalculations[Reason::Refresh], 1);
                });
            }

            #[test]
            fn failures_are_not_retried_at_once() {
                static RUNS: Counter = Counter::new();

                #[cachier($($argument)*, stale_after = "1h", refresh_after = "50%", retry_after = "10m")]
                $($function)* fails(_key: u8) -> Result<u64, String> {
                    match RUNS.next() {
                        1 => Ok(1),
                        _ => Err("down".to_owned()),
                    }
                }

                in_folder(|_| {
                    let call = || {
                        let value = Callers::new().$start(1, || fails(1)).values().remove(0);
                        cachier::flush();
                        value
                    };
                    assert_eq!(call(), Ok(1));
                    Clock::advance(HOUR / 2);
                    for runs in [2, 2, 2] {
                        assert_eq!((call(), RUNS.get()), (Ok(1), runs));
                    }
                    Clock::advance(10 * MINUTE);
                    assert_eq!((call(), RUNS.get()), (Ok(1), 3));
                    Clock::advance(HOUR);
                    assert_eq!(call(), Err("down".to_owned()));
                });
            }

            #[test]
            fn a_value_gone_at_its_source_is_removed() {
                static RUNS: Counter = Counter::new();

                #[cachier($($argument)*, stale_after = "1h", refresh_after = "50%")]
                $($function)* find(_key: u8) -> Option<u64> {
                    (RUNS.next() == 1).then_some(1)
                }

                in_folder(|_| {
                    let call = || Callers::new().$start(1, || find(1)).values().remove(0);
                    assert_eq!(call(), Some(1));
                    Clock::advance(HOUR / 2);
                    assert_eq!(call(), Some(1));
                    cachier::flush();
                    assert_eq!(call(), None);
                });
            }
        }
    )*};
}

refreshes! {
    sync_on_memory: (backend = "memory"), on_threads, {fn}, {wait()};
    sync_on_file: (backend = "file"), on_threads, {fn}, {wait()};
    sync_on_near: (backend = "file", near_cache = 10, near_stale_after = "9d"), on_threads, {fn}, {wait()};
    async_on_memory: (backend = "memory"), in_tasks, {async fn}, {wait_async().await};
    async_on_file: (backend = "file"), in_tasks, {async fn}, {wait_async().await};
    async_on_near: (backend = "file", near_cache = 10, near_stale_after = "9d"), in_tasks, {async fn}, {wait_async().await};
}

macro_rules! shares {
    ($($name:ident: ($($argument:tt)*);)*) => {$(
        #[test]
        fn $name() {
            count!(RUNS, $($argument)*, stale_after = |_| 4 * HOUR, refresh_after = "75%");

            in_folder(|_| {
                let call = || {
                    let call = count::call_detailed(CallOptions::new(), 1);
                    cachier::flush();
                    (call.value, call.outcome)
                };
                assert_eq!(call(), (1, Outcome::Miss));
                Clock::advance(3 * HOUR - MINUTE);
                assert_eq!((call(), RUNS.get()), ((1, Outcome::Hit), 1));
                Clock::advance(2 * MINUTE);
                assert_eq!((call(), RUNS.get()), ((1, Outcome::Hit), 2));
                assert_eq!(call(), (2, Outcome::Hit));
                Clock::advance(5 * HOUR);
                assert_eq!(call(), (3, Outcome::Miss));
            });
        }
    )*};
}

shares! {
    a_share_is_of_the_values_own_limit_in_memory: (backend = "memory");
    a_share_is_of_the_values_own_limit_on_files: (backend = "file");
    a_share_is_of_the_values_own_limit_near: (backend = "file", near_cache = 9, near_stale_after = "9d");
}

macro_rules! shortened {
    ($($name:ident: ($($argument:tt)*);)*) => {$(
        /// Where a limit `l` is shortened by up to half of it, from `0.8 l` on.
        #[test]
        fn $name() {
            const KEYS: u64 = 200;
            static RUNS: Counter = Counter::new();

            #[cachier($($argument)*, stale_after = "1h", jitter = "50%", refresh_after = "80%")]
            fn run(_key: u64) -> u64 {
                RUNS.next()
            }

            in_folder(|_| {
                let hit = |key: &u64| {
                    let call = run::call_detailed(CallOptions::new(), *key);
                    assert_eq!(call.outcome, Outcome::Hit);
                    call.value
                };
                let first: Vec<u64> = (0..KEYS).map(run).collect();
                Clock::advance(24 * MINUTE - Duration::from_secs(1));
                (0..KEYS).for_each(|key| _ = hit(&key));
                cachier::flush();
                assert_eq!(RUNS.get(), KEYS, "before the shortest limit allows");
                Clock::advance(6 * MINUTE);
                (0..KEYS).for_each(|key| _ = hit(&key));
                cachier::flush();
                // Limits up to 37.5 of 30 to 60 minutes.
                let refreshed = RUNS.get() - KEYS;
                assert!((32..68).contains(&refreshed), "{refreshed}");
                Clock::advance(7 * MINUTE);
                let is_kept = |key: &u64| hit(key) == first[*key as usize];
                let kept = (0..KEYS).filter(is_kept).count() as u64;
                assert_eq!(kept, KEYS - refreshed, "the others have longer limits");
            });
        }
    )*};
}

shortened! {
    shortened_limits_are_refreshed_earlier_in_memory: (backend = "memory");
    shortened_limits_are_refreshed_earlier_on_files: (backend = "file");
    shortened_limits_are_refreshed_earlier_near: (backend = "file", near_cache = 1_000, near_stale_after = "9d");
}

macro_rules! early {
    ($($name:ident: $keys:literal, ($($argument:tt)*);)*) => {$(
        #[test]
        fn $name() {
            static RUNS: Counter = Counter::new();
            static KEYS: AtomicU32 = AtomicU32::new(0);

            /// Takes a minute by the clock of the test, and no time again.
            #[cachier($($argument)*, stale_after = "10h", refresh_after = early)]
            fn slow(key: u32) -> u32 {
                RUNS.next();
                if KEYS.fetch_max(key + 1, Ordering::Relaxed) == key {
                    Clock::advance(MINUTE);
                }
                key
            }

            in_folder(|_| {
                for key in 0..$keys {
                    slow(key);
                    let ask = |after: Duration| {
                        Clock::advance(after);
                        let call = slow::call_detailed(CallOptions::new(), key);
                        assert_eq!(call.outcome, Outcome::Hit);
                    };
                    let before = RUNS.get();
                    // More than seven times as long as computing took.
                    ask(10 * HOUR - 8 * MINUTE);
                    cachier::flush();
                    assert_eq!(RUNS.get(), before);
                    ask(7 * MINUTE);
                    cachier::flush();
                }
                let share = RUNS.get() as f64 / f64::from($keys) - 1.0;
                let expected = (-1.0_f64).exp();
                let deviation = (expected * (1.0 - expected) / f64::from($keys)).sqrt();
                assert!((share - expected).abs() < 3.0 * deviation, "{share} of {expected}");
            });
        }
    )*};
}

early! {
    early_refreshes_follow_their_formula_in_memory: 1_000, (backend = "memory");
    early_refreshes_follow_their_formula_on_files: 300, (backend = "file");
    early_refreshes_follow_their_formula_near: 300, (backend = "file", near_cache = 1_000, near_stale_after = "9d");
}

macro_rules! left_to_the_parameters {
    ($($name:ident: ($($argument:tt)*);)*) => {$(
        #[test]
        fn $name() {
            count!(RUNS, $($argument)*, stale_after = "1h", refresh_after = auto);

            in_folder(|_| {
                let runs = || {
                    count(1);
                    cachier::flush();
                    RUNS.get()
                };
                let set = |after: RefreshAfter| {
                    set_global_params(global_params().refresh_after(after));
                };
                assert_eq!(runs(), 1);
                Clock::advance(HOUR / 2);
                assert_eq!(runs(), 1);
                set(RefreshAfter::from(Share::percent(80.0)));
                assert_eq!(runs(), 1);
                set(RefreshAfter::from(HOUR / 4));
                assert_eq!(runs(), 2);
                assert_eq!(runs(), 2);
            });
        }
    )*};
}

left_to_the_parameters! {
    refreshing_is_left_to_parameters_in_memory: (backend = "memory");
    refreshing_is_left_to_parameters_on_files: (backend = "file");
    refreshing_is_left_to_parameters_near: (backend = "file", near_cache = 10, near_stale_after = "9d");
}

/// What was stored before is refreshed early, too.
#[test]
fn early_refreshes_may_be_switched_on_later() {
    static RUNS: Counter = Counter::new();

    #[cachier(backend = "memory", stale_after = "1h", refresh_after = auto)]
    fn slow(key: u64) -> u64 {
        RUNS.next();
        Clock::advance(MINUTE);
        key
    }

    in_folder(|_| {
        const KEYS: u64 = 100;
        let plain = global_params();
        for key in 0..KEYS {
            set_global_params(plain.clone());
            slow(key);
            set_global_params(plain.clone().refresh_after(RefreshAfter::Early));
            Clock::advance(59 * MINUTE + MINUTE / 2);
            let call = slow::call_detailed(CallOptions::new(), key);
            assert_eq!(call.outcome, Outcome::Hit);
            cachier::flush();
        }
        // Half as long before the limit as computing took: e^-0.5 of them.
        let refreshed = RUNS.get() - KEYS;
        assert!((45..75).contains(&refreshed), "{refreshed}");
    });
}

#[test]
fn hits_rarely_ask_for_the_lease() {
    double!(
        backend = registered("map"),
        stale_after = "1h",
        refresh_after = "50%"
    );

    with_map(|map| {
        double(21);
        Clock::advance(HOUR / 2);
        assert_that_leases_are_rarely_asked_for(map, || {
            let call = double::call_detailed(CallOptions::new(), 21);
            assert_eq!(call.outcome, Outcome::Hit);
        });
    });
}

/// A store stays shielded while nothing could replace its value.
#[test]
fn due_values_are_served_near_in_a_pause() {
    static RUNS: Counter = Counter::new();

    #[cachier(
        backend = "file",
        near_cache = 10,
        near_stale_after = "9d",
        stale_after = "1h",
        refresh_after = "50%",
        retry_after = "10m"
    )]
    fn fails_later(_key: u8) -> Result<u64, String> {
        once(&RUNS)
    }

    in_folder(|_| {
        let tier = || {
            let call = fails_later::call_detailed(CallOptions::new(), 1);
            cachier::flush();
            assert_eq!((call.value, call.outcome), (Ok(1), Outcome::Hit));
            call.tier
        };
        let (near, store) = (Some(Tier::Near), Some(Tier::Backend));
        fails_later(1).unwrap();
        Clock::advance(HOUR / 2);
        assert_eq!((tier(), RUNS.get()), (store, 2));
        // The first hit of the pause finds it in the store.
        assert_eq!((tier(), tier(), tier()), (store, near, near));
        Clock::advance(9 * MINUTE);
        assert_eq!((tier(), RUNS.get()), (near, 2));
        Clock::advance(MINUTE);
        assert_eq!((tier(), RUNS.get()), (store, 3));
    });
}

#[test]
fn near_copies_are_served_near_until_due() {
    count!(
        RUNS,
        backend = "file",
        near_cache = 10,
        near_stale_after = "9d",
        stale_after = "1h",
        refresh_after = "50%"
    );

    in_folder(|_| {
        let tier = || count::call_detailed(CallOptions::new(), 1).tier;
        count(1);
        Clock::advance(HOUR / 2 - MINUTE);
        assert_eq!(tier(), Some(Tier::Near));
        Clock::advance(MINUTE);
        assert_eq!(tier(), Some(Tier::Backend));
        cachier::flush();
        assert_eq!(tier(), Some(Tier::Near));
    });
}

#[test]
fn a_younger_value_asked_for_is_computed() {
    count!(
        RUNS,
        backend = "memory",
        stale_after = "1h",
        refresh_after = "50%"
    );

    in_folder(|_| {
        count(1);
        Clock::advance(HOUR / 2);
        let call = count::call_detailed(CallOptions::new().max_age(MINUTE), 1);
        assert_eq!((call.value, call.outcome), (2, Outcome::Miss));
        cachier::flush();
        assert_eq!(RUNS.get(), 2);
    });
}

#[test]
fn shown_settings_name_when_values_are_refreshed() {
    count!(
        RUNS,
        backend = "memory",
        stale_after = "1h",
        refresh_after = early,
        enable_metrics
    );

    in_folder(|_| {
        count(1);
        let mut settings = count::metrics().settings();
        assert!(settings.any(|setting| setting == ("refresh_after", "early")));
    });
}

//! A crowd of values that were computed at once do not get stale at once.

use std::time::Duration;

use cachier::testing::Clock;
use cachier::{CallOptions, Outcome, Share, Tier, cachier, global_params, set_global_params};
use cachier_tests::count;
use cachier_tests::sandbox::in_folder;

const HOUR: Duration = Duration::from_secs(3600);

/// Into how many steps the time is divided in which values get stale.
const STEPS: u32 = 50;

/// The Kolmogorov-Smirnov statistic of ends, counted in steps, against a uniform distribution.
fn distance_from_uniform(ended_in_step: &[u32]) -> f64 {
    let all: u32 = ended_in_step.iter().sum();
    let mut ended = 0;
    let mut distance: f64 = 0.0;
    for (step, in_step) in ended_in_step.iter().enumerate() {
        ended += in_step;
        let expected = (step + 1) as f64 / ended_in_step.len() as f64;
        distance = distance.max((f64::from(ended) / f64::from(all) - expected).abs());
    }
    distance
}

macro_rules! spreads {
    ($($backend:ident: $keys:literal, ($($argument:tt)*);)*) => {$(
        mod $backend {
            use super::*;

            #[cachier($($argument)*, stale_after = "1h", jitter = "20%")]
            fn double(key: u32) -> u32 {
                key * 2
            }

            #[test]
            fn recomputations_are_spread_evenly() {
                in_folder(|_| {
                    for key in 0..$keys {
                        double(key);
                        Clock::advance(Duration::from_secs(1) / $keys);
                    }
                    Clock::advance(HOUR / 5 * 4 - Duration::from_secs(1));
                    let mut fresh: Vec<u32> = (0..$keys).collect();
                    let mut ended_in_step = Vec::new();
                    for _ in 0..STEPS {
                        Clock::advance(HOUR / 5 / STEPS);
                        let before = fresh.len();
                        fresh.retain(|key| {
                            double::call_detailed(CallOptions::new(), *key).outcome == Outcome::Hit
                        });
                        ended_in_step.push((before - fresh.len()) as u32);
                    }
                    Clock::advance(Duration::from_secs(1));
                    ended_in_step[STEPS as usize - 1] += fresh.len() as u32;
                    // The bound for a probability of error of 1 %.
                    let bound = 1.63 / f64::from($keys).sqrt();
                    let distance = distance_from_uniform(&ended_in_step);
                    assert!(distance < bound, "{distance} of {bound}: {ended_in_step:?}");
                });
            }

            #[test]
            fn no_value_outlives_its_limit() {
                in_folder(|_| {
                    (0..100).for_each(|key| _ = double(key));
                    Clock::advance(HOUR);
                    for key in 0..100 {
                        let call = double::call_detailed(CallOptions::new(), key);
                        assert_eq!(call.outcome, Outcome::Miss, "{key}");
                    }
                });
            }
        }
    )*};
}

spreads! {
    memory: 10_000, (backend = "memory");
    file: 300, (backend = "file");
    near: 300, (backend = "file", near_cache = 1_000, near_stale_after = "9d");
}

macro_rules! jitter_of_the_program {
    ($($name:ident: ($($argument:tt)*);)*) => {$(
        #[test]
        fn $name() {
            #[cachier($($argument)*)]
            fn double(key: u32) -> u32 {
                key * 2
            }

            in_folder(|_| {
                let half = Share::percent(50.0);
                set_global_params(global_params().stale_after(HOUR).jitter(half));
                let stale = || {
                    let outcome = |key| double::call_detailed(CallOptions::new(), key).outcome;
                    (0..100).filter(|key| outcome(*key) == Outcome::Miss).count()
                };
                assert_eq!(stale(), 100);
                Clock::advance(HOUR / 2);
                assert_eq!(stale(), 0);
                // What was drawn stays, and is a share of the limit that counts now.
                set_global_params(global_params().stale_after(2 * HOUR).jitter(Share::default()));
                Clock::advance(HOUR / 2);
                assert_eq!(stale(), 0);
                Clock::advance(HOUR / 2);
                assert!((25..75).contains(&stale()));
            });
        }
    )*};
}

jitter_of_the_program! {
    a_programs_jitter_counts_in_memory: (backend = "memory");
    a_programs_jitter_counts_on_files: (backend = "file");
    a_programs_jitter_counts_near: (backend = "file", near_cache = 1_000);
}

#[test]
fn a_jitter_of_all_leaves_near_copies() {
    count!(
        RUNS,
        backend = "file",
        near_cache = 10,
        stale_after = "1h",
        jitter = "100%"
    );

    in_folder(|_| {
        count(1);
        let call = count::call_detailed(CallOptions::new(), 1);
        assert_eq!(call.tier, Some(Tier::Near));
    });
}

#[test]
fn a_hot_value_past_the_shortest_limit_stays() {
    #[cachier(
        backend = "memory",
        capacity = 100,
        stale_after = "1h",
        jitter = "100%"
    )]
    fn double(key: u32) -> u32 {
        key * 2
    }

    in_folder(|_| {
        double(0);
        // Shorter than what jitter has left of the limit, in this seed.
        Clock::advance(Duration::from_secs(1));
        for scanned in 1..10_000 {
            for _ in 0..3 {
                let call = double::call_detailed(CallOptions::new(), 0);
                assert_eq!(call.outcome, Outcome::Hit, "{scanned}");
            }
            double(scanned);
        }
    });
}

#[test]
fn near_copies_are_served_near_despite_jitter() {
    count!(
        RUNS,
        backend = "file",
        near_cache = 10,
        stale_after = "1h",
        jitter = "20%"
    );

    in_folder(|_| {
        count(1);
        Clock::advance(Duration::from_secs(29));
        let call = count::call_detailed(CallOptions::new(), 1);
        assert_eq!(call.tier, Some(Tier::Near));
    });
}

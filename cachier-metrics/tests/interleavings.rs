//! Outcome counters sum to finished calls, in whatever order recorders are used and calls end.
#![cfg(not(shuttle))]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use cachier_metrics::*;
use proptest::prelude::*;

thread_local!(static SLOT: LocalSlot = const { LocalSlot::new() });

#[derive(Clone, Copy, Debug)]
enum Step {
    Hit,
    Finish(usize),
    Cancel,
    Panic,
    /// Starts a call that the thread's next `Overlap` ends.
    Overlap(usize),
    Compute {
        fails: bool,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let outcome = 0..Outcome::ALL.len();
    prop_oneof![
        4 => Just(Step::Hit),
        4 => outcome.clone().prop_map(Step::Finish),
        1 => Just(Step::Cancel),
        1 => Just(Step::Panic),
        2 => outcome.prop_map(Step::Overlap),
        2 => any::<bool>().prop_map(|fails| Step::Compute { fails }),
    ]
}

/// The expected counters.
#[derive(Debug, Default, PartialEq)]
struct Expected {
    calls: Vec<u64>,
    abandoned: [u64; 2],
    computed: u64,
}

fn run(metrics: &'static CacheMetrics, steps: &[Step]) -> Expected {
    let mut expected = Expected {
        calls: vec![0; Outcome::ALL.len()],
        ..Expected::default()
    };
    let mut open = None;
    for step in steps {
        let sampled = metrics.local(&SLOT).sample();
        match *step {
            Step::Hit => {
                metrics.local(&SLOT).hit();
                expected.calls[0] += 1;
            }
            Step::Finish(outcome) => {
                metrics
                    .start_call(sampled, None)
                    .finish(Outcome::ALL[outcome], Some(1), Some(2));
                expected.calls[outcome] += 1;
            }
            Step::Cancel => {
                drop(metrics.start_call(sampled, None));
                expected.abandoned[1] += 1;
            }
            Step::Panic => {
                let panicking = || {
                    let _call = metrics.start_call(sampled, None);
                    std::panic::resume_unwind(Box::new("on purpose"));
                };
                let _: Result<(), _> = catch_unwind(AssertUnwindSafe(panicking));
                expected.abandoned[0] += 1;
            }
            Step::Overlap(outcome) => {
                let before: Option<CallRecorder> = open.replace(metrics.start_call(sampled, None));
                if let Some(call) = before {
                    call.finish(Outcome::ALL[outcome], None, None);
                    expected.calls[outcome] += 1;
                }
            }
            Step::Compute { fails } => {
                let result = if fails {
                    ComputeResult::Error
                } else {
                    ComputeResult::Value
                };
                metrics.start_compute(Reason::Absent).finish(result);
                expected.computed += 1;
            }
        }
    }
    expected.abandoned[1] += u64::from(open.is_some());
    expected
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn outcomes_sum_to_finished_calls(
        scripts in prop::collection::vec(prop::collection::vec(step(), 0..60), 1..4),
        rate in prop_oneof![Just(0.0), Just(0.3), Just(1.0)],
    ) {
        let metrics = CacheMetrics::create(MetricsOptions::new("interleaved", "memory").sampling(SamplingRate::new(rate)).clock(Clock::manual()).unlisted());
        let threads: Vec<_> = scripts
            .into_iter()
            .map(|steps| thread::spawn(move || run(metrics, &steps)))
            .collect();
        let mut expected = Expected { calls: vec![0; Outcome::ALL.len()], ..Expected::default() };
        for thread in threads {
            let Ok(one) = thread.join() else { panic!("a thread panicked") };
            expected.calls.iter_mut().zip(one.calls).for_each(|(sum, calls)| *sum += calls);
            expected.abandoned.iter_mut().zip(one.abandoned).for_each(|(sum, n)| *sum += n);
            expected.computed += one.computed;
        }
        let snapshot = metrics.snapshot();
        prop_assert_eq!(snapshot.calls.values().copied().collect::<Vec<_>>(), expected.calls);
        let abandoned: Vec<u64> = snapshot.abandoned.values().copied().collect();
        prop_assert_eq!(abandoned, expected.abandoned);
        prop_assert_eq!(snapshot.compute_duration.count(), expected.computed);
        prop_assert_eq!(snapshot.activity, Activity::default());
        if rate == 1.0 {
            for (outcome, histogram) in snapshot.call_duration.iter().skip(1) {
                prop_assert_eq!(histogram.count(), snapshot.calls[outcome]);
            }
        }
    }
}

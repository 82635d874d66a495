//! Windows and quantiles, against a model that keeps every observation.
#![cfg(not(shuttle))]

use std::time::Duration;

use cachier_metrics::*;
use proptest::prelude::*;

const SECOND: Duration = Duration::from_secs(1);
/// Half a bucket: 2^(1/32) - 1.
const QUANTILE_ERROR: f64 = 0.0219;

/// A finished call: its end, outcome and nanoseconds.
#[derive(Clone, Copy, Debug)]
struct Call {
    end: u64,
    outcome: Outcome,
    duration: u64,
}

#[derive(Clone, Debug)]
enum Step {
    Calls(Vec<(Outcome, u64)>),
    /// Whole seconds, with a tick each.
    Pause(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let outcome = prop::sample::select(Outcome::ALL);
    // From 100 ns to 100 ms, evenly on the logarithmic scale.
    let duration = (2.0..8.0_f64).prop_map(|power| 10_f64.powf(power) as u64);
    prop_oneof![
        3 => prop::collection::vec((outcome, duration), 1..30).prop_map(Step::Calls),
        2 => (0..5_u64).prop_map(Step::Pause),
        1 => (0..2000_u64).prop_map(Step::Pause),
    ]
}

fn play(metrics: &'static CacheMetrics, clock: &Clock, steps: &[Step]) -> Vec<Call> {
    let mut calls = Vec::new();
    for step in steps {
        match step {
            Step::Calls(made) => calls.extend(made.iter().map(|(outcome, duration)| {
                let call = metrics.start_call(Some(Sampled::ONE), None);
                clock.advance(Duration::from_nanos(*duration));
                call.finish(*outcome, None, None);
                Call {
                    end: clock.now(),
                    outcome: *outcome,
                    duration: *duration,
                }
            })),
            Step::Pause(seconds) => (0..*seconds).for_each(|_| {
                clock.advance(SECOND);
                metrics.tick();
            }),
        }
    }
    calls
}

fn assert_agrees(stats: &Stats, calls: &[Call], now: u64) -> Result<(), TestCaseError> {
    let begin = now - stats.covers.as_nanos() as u64;
    let within: Vec<_> = calls.iter().filter(|call| call.end > begin).collect();
    prop_assert_eq!(stats.calls, within.len() as u64);
    let misses = within
        .iter()
        .filter(|call| call.outcome == Outcome::Miss)
        .count();
    prop_assert_eq!(stats.misses, misses as u64);
    let mut durations: Vec<_> = within.iter().map(|call| call.duration).collect();
    durations.sort_unstable();
    for q in [0.0, 0.01, 0.25, 0.5, 0.9, 0.99, 1.0] {
        let rank = (q * durations.len() as f64).ceil().max(1.0) as usize;
        let exact = durations.get(rank - 1).map(|exact| *exact as f64);
        let estimate = stats
            .latency
            .quantile(q)
            .map(|estimate| estimate.as_nanos() as f64);
        prop_assert_eq!(exact.is_some(), estimate.is_some());
        if let (Some(exact), Some(estimate)) = (exact, estimate) {
            // A Duration is rounded to whole nanoseconds.
            let limit = exact * QUANTILE_ERROR + 0.5;
            prop_assert!(
                (exact - estimate).abs() <= limit,
                "q {}: {} for {}",
                q,
                estimate,
                exact
            );
        }
    }
    let sum: u64 = durations.iter().sum();
    let mean = (sum as f64 / durations.len() as f64).round() as u64;
    prop_assert_eq!(
        stats.latency.mean(),
        (sum > 0).then(|| Duration::from_nanos(mean))
    );
    Ok(())
}

fn metrics() -> (&'static CacheMetrics, Clock) {
    let clock = Clock::manual();
    let metrics = CacheMetrics::create(
        MetricsOptions::new("windowed", "memory")
            .clock(clock.clone())
            .unlisted(),
    );
    (metrics, clock)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn windows_and_quantiles_agree_with_a_model(
        steps in prop::collection::vec(step(), 1..12),
        windows in prop::collection::vec(1..7200_u64, 1..4),
    ) {
        let (metrics, clock) = metrics();
        let start = clock.now();
        let calls = play(metrics, &clock, &steps);
        let now = clock.now();
        assert_agrees(&metrics.stats(), &calls, now)?;
        for window in windows.into_iter().map(Duration::from_secs) {
            let stats = metrics.stats_over(window);
            assert_agrees(&stats, &calls, now)?;
            let age = Duration::from_nanos(now - start);
            // Calls without ticks in between take up to 3 s.
            let longest = window + window / 15 + 5 * SECOND;
            prop_assert!(stats.covers >= window.min(age) && stats.covers <= longest.min(age));
        }
    }
}

#[test]
fn windows_hold_for_every_metric() {
    let (metrics, clock) = metrics();
    let act = || {
        metrics.stale_found(StaleUse::Served);
        metrics.refresh_suppressed();
        metrics.wait_timeout();
        metrics.rejected(10);
        metrics.removed(RemovalCause::Cleared, 1);
        metrics.backend_error(Operation::Load, ErrorLabel::Io);
        metrics.near_lookup(NearResult::Miss);
        metrics.stored(100, Some(Sampled::ONE));
        drop(metrics.start_compute(Reason::Absent));
        let call = metrics.start_call(Some(Sampled::ONE), None);
        drop(call.operation(Operation::Store));
        drop(call.wait(WaitScope::Lease));
        call.finish(Outcome::Stale, Some(1000), Some(500));
        drop(metrics.start_call(None, None));
        clock.advance(SECOND);
        metrics.tick();
    };
    act();
    let first = metrics.snapshot();
    (0..100).for_each(|_| {
        clock.advance(SECOND);
        metrics.tick();
    });
    act();
    let mut last_second = metrics.snapshot_over(SECOND);
    assert_eq!(last_second.covers, SECOND);
    // A window knows extremes by bucket only; everything else is equal.
    let exact = first.since(&Snapshot::default());
    last_second.call_duration = exact.call_duration.clone();
    for (window, whole) in [
        (&last_second.entry_age, &exact.entry_age),
        (&last_second.entry_size, &exact.entry_size),
        (
            &last_second.wait_duration[WaitScope::Lease],
            &exact.wait_duration[WaitScope::Lease],
        ),
        (
            &last_second.operation_duration[Operation::Store],
            &exact.operation_duration[Operation::Store],
        ),
    ] {
        assert_eq!((&window.buckets, window.sum), (&whole.buckets, whole.sum));
    }
    last_second.entry_age = exact.entry_age.clone();
    last_second.entry_size = exact.entry_size.clone();
    last_second.wait_duration = exact.wait_duration.clone();
    last_second.operation_duration = exact.operation_duration.clone();
    last_second.covers = exact.covers;
    assert_eq!(last_second, exact);
}

#[test]
fn a_window_knows_its_extremes_by_bucket() {
    let (metrics, clock) = metrics();
    let call = |duration: u64| {
        let call = metrics.start_call(Some(Sampled::ONE), None);
        clock.advance(Duration::from_nanos(duration));
        call.finish(Outcome::Miss, None, None);
    };
    call(1_000_000);
    assert_eq!(
        metrics.stats().latency.max(),
        Some(Duration::from_millis(1))
    );
    clock.advance(SECOND);
    metrics.tick();
    call(2_000_000);
    let latency = metrics.stats_over(Duration::from_millis(1)).latency;
    let (min, max) = (
        latency.min().map(|d| d.as_secs_f64()),
        latency.max().map(|d| d.as_secs_f64()),
    );
    assert!(
        min.is_some_and(|min| (0.0019..=0.002).contains(&min)),
        "{min:?}"
    );
    assert!(
        max.is_some_and(|max| (0.002..=0.0021).contains(&max)),
        "{max:?}"
    );
}

#[test]
fn reset_does_not_affect_exported_counters() {
    let (metrics, clock) = metrics();
    let miss = || {
        metrics
            .start_call(None, None)
            .finish(Outcome::Miss, None, None)
    };
    miss();
    clock.advance(5 * SECOND);
    metrics.reset();
    assert_eq!(
        (metrics.stats().calls, metrics.stats().covers),
        (0, Duration::ZERO)
    );
    clock.advance(SECOND);
    miss();
    assert_eq!((metrics.stats().calls, metrics.stats().covers), (1, SECOND));
    assert_eq!(metrics.stats_over(Duration::from_secs(60)).calls, 1);
    assert_eq!(
        (
            metrics.snapshot().calls[Outcome::Miss],
            metrics.snapshot().covers
        ),
        (2, 6 * SECOND)
    );
}

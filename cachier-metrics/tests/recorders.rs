//! Counts of calls, waits, operations and computations, however they end.
#![cfg(not(shuttle))]
#![allow(clippy::unwrap_used)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use cachier_metrics::*;

fn metrics(sampling: f64) -> (&'static CacheMetrics, Clock) {
    let clock = Clock::manual();
    let metrics = CacheMetrics::create(
        MetricsOptions::new("recorded", "memory")
            .sampling(SamplingRate::try_from(sampling).unwrap())
            .clock(clock.clone())
            .unlisted(),
    );
    (metrics, clock)
}

const MILLI: Duration = Duration::from_millis(1);
const ONE: Option<Sampled> = Some(Sampled::ONE);

#[test]
fn a_finished_call_counts_under_its_outcome() {
    let (metrics, _) = metrics(1.0);
    for (times, outcome) in (1_u64..).zip(Outcome::ALL) {
        (0..times).for_each(|_| metrics.start_call(None, None).finish(*outcome, None, None));
    }
    let counts: Vec<u64> = metrics.snapshot().calls.values().copied().collect();
    assert_eq!(counts, [1, 2, 3, 4, 5, 6]);
    let stats = metrics.stats();
    assert_eq!((stats.calls, stats.abandoned), (21, 0));
    assert_eq!(
        (stats.hits, stats.stale, stats.coalesced, stats.misses),
        (1, 2, 3, 4)
    );
    assert_eq!((stats.bypassed, stats.unavailable), (5, 6));
    assert_eq!(
        (stats.hit_rate(), stats.served_rate()),
        (Some(0.1), Some(0.6))
    );
}

#[test]
fn a_sampled_call_records_duration_age_and_savings() {
    let (metrics, clock) = metrics(1.0);
    let started = clock.now();
    clock.advance(MILLI);
    let call = metrics.start_call(ONE, Some(started));
    assert_eq!(call.sampled(), ONE);
    clock.advance(MILLI);
    call.finish(Outcome::Hit, Some(5_000_000_000), Some(7_000_000));
    let snapshot = metrics.snapshot();
    assert_eq!(snapshot.call_duration[Outcome::Hit].sum, 2_000_000);
    assert_eq!(snapshot.entry_age.sum, 5_000_000_000);
    assert_eq!(snapshot.time_saved, Some(5_000_000));
    assert_eq!(metrics.stats().latency.mean(), Some(2 * MILLI));
}

#[test]
fn only_hits_save_time() {
    let (metrics, _) = metrics(1.0);
    for outcome in Outcome::ALL {
        let call = metrics.start_call(ONE, None);
        call.finish(*outcome, None, Some(7_000_000));
    }
    assert_eq!(metrics.snapshot().time_saved, Some(7_000_000));
}

#[test]
fn a_slow_hit_saves_nothing() {
    let (metrics, clock) = metrics(1.0);
    let call = metrics.start_call(ONE, None);
    clock.advance(2 * MILLI);
    call.finish(Outcome::Hit, None, Some(1_000_000));
    assert_eq!(metrics.stats().time_saved, Some(Duration::ZERO));
}

#[test]
fn at_rate_zero_only_counts_are_known() {
    let (metrics, _) = metrics(0.0);
    thread_local!(static SLOT: LocalSlot = const { LocalSlot::new() });
    for _ in 0..1000 {
        let local = metrics.local(&SLOT);
        assert!(!local.times_hit());
        assert_eq!(local.sample(), None);
        local.hit();
    }
    let call = metrics.start_call(None, None);
    drop(call.wait(WaitScope::Process));
    drop(call.operation(Operation::Load));
    call.stored(100);
    call.finish(Outcome::Miss, Some(3), Some(4));
    let stats = metrics.stats();
    assert_eq!((stats.calls, stats.hits), (1001, 1000));
    assert_eq!(stats.time_saved, None);
    assert_eq!(
        (
            stats.latency.count(),
            stats.wait.count(),
            stats.load.count()
        ),
        (None, None, None)
    );
    assert_eq!(
        (
            stats.entry_size.p50(),
            stats.latency.mean(),
            stats.latency.min()
        ),
        (None, None, None)
    );
}

#[test]
fn an_abandoned_call_leaves_no_gauge() {
    let (metrics, _) = metrics(1.0);
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let call = metrics.start_call(ONE, None);
        let _wait = call.wait(WaitScope::Lease);
        let _compute = metrics.start_compute(Reason::Absent);
        assert_eq!(metrics.snapshot().activity.waiting_calls, 1);
        panic!("on purpose");
    }));
    assert!(panicked.is_err());
    let call = metrics.start_call(ONE, None);
    drop((
        call.operation(Operation::Store),
        metrics.start_compute(Reason::Refresh),
        call,
    ));
    let snapshot = metrics.snapshot();
    for reason in [AbandonReason::Panic, AbandonReason::Cancelled] {
        assert_eq!(snapshot.abandoned[reason], 1, "{reason}");
    }
    let failures = &snapshot.recalculation_failures;
    assert_eq!(failures[ComputeFailure::Panic][ComputePlace::Foreground], 1);
    assert_eq!(
        failures[ComputeFailure::Cancelled][ComputePlace::Background],
        1
    );
    assert_eq!(metrics.stats().recalculation_failures, 2);
    assert_eq!(snapshot.calls.values().sum::<u64>(), 0);
    assert_eq!(snapshot.activity, Activity::default());
}

#[test]
fn gauges_show_current_activity() {
    let (metrics, clock) = metrics(1.0);
    let calls = [
        metrics.start_call(None, None),
        metrics.start_call(None, None),
    ];
    let wait = calls[0].wait(WaitScope::Process);
    let older = metrics.start_compute(Reason::Absent);
    clock.advance(MILLI);
    let younger = metrics.start_compute(Reason::Stale);
    clock.advance(MILLI);
    let activity = metrics.snapshot().activity;
    assert_eq!((activity.inflight_calls, activity.waiting_calls), (2, 1));
    assert_eq!(activity.inflight_computations, 2);
    assert_eq!(activity.oldest_computation, Some(2 * MILLI));
    assert_eq!(older.finish(ComputeResult::Value), 2 * MILLI);
    assert_eq!(metrics.snapshot().activity.oldest_computation, Some(MILLI));
    drop((wait, younger, calls));
    assert_eq!(metrics.snapshot().activity, Activity::default());
}

#[test]
fn computations_are_timed_at_every_rate() {
    let (metrics, clock) = metrics(0.0);
    for result in [ComputeResult::Value, ComputeResult::Error] {
        let compute = metrics.start_compute(Reason::Uncacheable);
        clock.advance(MILLI);
        assert_eq!(compute.finish(result), MILLI);
    }
    let snapshot = metrics.snapshot();
    assert_eq!(snapshot.recalculations[Reason::Uncacheable], 2);
    let errors = &snapshot.recalculation_failures[ComputeFailure::Error];
    assert_eq!(errors[ComputePlace::Foreground], 1);
    assert_eq!(
        (
            snapshot.compute_duration.count(),
            snapshot.compute_duration.sum
        ),
        (2, 2_000_000)
    );
}

#[test]
fn waits_operations_and_sizes_have_labels() {
    let (metrics, clock) = metrics(1.0);
    let call = metrics.start_call(ONE, None);
    for (place, scope) in (1..).zip(WaitScope::ALL) {
        let wait = call.wait(*scope);
        clock.advance(place * MILLI);
        drop(wait);
    }
    for (place, operation) in (1..).zip(Operation::ALL) {
        let operation = call.operation(*operation);
        clock.advance(place * MILLI);
        drop(operation);
    }
    drop(metrics.start_operation(Operation::Lease, None));
    call.stored(4096);
    call.finish(Outcome::Miss, None, None);
    let stats = metrics.stats();
    assert_eq!(
        (stats.wait.min(), stats.wait.max()),
        (Some(MILLI), Some(2 * MILLI))
    );
    assert_eq!(stats.load.p50(), Some(MILLI));
    assert_eq!(stats.store.p90(), Some(2 * MILLI));
    assert_eq!(stats.remove.p99(), Some(3 * MILLI));
    assert_eq!(
        (stats.entry_size.mean(), stats.entry_size.p50()),
        (Some(4096), Some(4096))
    );
    assert_eq!(
        metrics.snapshot().operation_duration[Operation::Lease].count(),
        1
    );
}

/// A new snapshot is taken only after activity.
#[test]
fn any_observation_counts_as_activity() {
    let (metrics, _) = metrics(1.0);
    let call = metrics.start_call(ONE, None);
    assert_eq!(metrics.snapshot().entry_size.count(), 0);
    call.stored(100);
    assert_eq!(metrics.snapshot().entry_size.count(), 1);
    drop(call.operation(Operation::Load));
    assert_eq!(
        metrics.snapshot().operation_duration[Operation::Load].count(),
        1
    );
    drop(call.wait(WaitScope::Process));
    assert_eq!(
        metrics.snapshot().wait_duration[WaitScope::Process].count(),
        1
    );
}

#[test]
fn rare_events_are_counted_each() {
    let (metrics, _) = metrics(0.1);
    metrics.stale_found(StaleUse::Served);
    metrics.stale_found(StaleUse::NotServed);
    metrics.refresh_suppressed();
    metrics.wait_timeout();
    metrics.lease_lost();
    metrics.rejected(1000);
    metrics.removed(RemovalCause::Evicted, 3);
    metrics.backend_error(Operation::Load, ErrorLabel::Corrupt);
    metrics.backend_error(Operation::Clear, ErrorLabel::Io);
    metrics.near_lookup(NearResult::Hit);
    metrics.near_lookup(NearResult::Miss);
    let (stats, snapshot) = (metrics.stats(), metrics.snapshot());
    assert_eq!(
        (
            stats.stale_hits,
            stats.refreshes_suppressed,
            stats.wait_timeouts,
            stats.leases_lost,
            stats.size_limit_rejections
        ),
        (2, 1, 1, 1, 1)
    );
    assert_eq!(
        (
            stats.removals,
            stats.backend_errors,
            snapshot.rejected_bytes
        ),
        (3, 2, 1000)
    );
    assert_eq!(snapshot.backend_errors[Operation::Clear][ErrorLabel::Io], 1);
    assert_eq!(snapshot.near_lookups[NearResult::Hit], 1);
    assert_eq!((stats.hit_rate(), stats.served_rate()), (None, None));
}

#[test]
fn gauges_come_from_their_source() {
    let (metrics, _) = metrics(1.0);
    assert_eq!(
        (metrics.stats().entries, metrics.stats().size_bytes),
        (None, None)
    );
    let mut gauges = Gauges::default();
    gauges.memory = Holding::new(Some(3), Some(99));
    metrics.set_gauges(Box::new(move || gauges.clone()));
    assert_eq!(
        (metrics.stats().entries, metrics.stats().size_bytes),
        (Some(3), Some(99))
    );
    assert_eq!(metrics.snapshot().gauges.near, Holding::default());
}

#[test]
fn metrics_know_their_names() {
    let (metrics, clock) = metrics(0.5);
    assert_eq!((metrics.name(), metrics.backend()), ("recorded", "memory"));
    assert_eq!(
        (metrics.sampling_rate(), metrics.start_time()),
        (0.5, clock.wall())
    );
    assert_eq!(
        format!("{metrics:?}"),
        r#"CacheMetrics { name: "recorded", backend: "memory", .. }"#
    );
}

#[test]
fn recorders_travel_between_threads() {
    fn sends<T: Send>(_: &T) {}
    let (metrics, _) = metrics(1.0);
    let (call, compute) = (
        metrics.start_call(ONE, None),
        metrics.start_compute(Reason::Absent),
    );
    sends(&call);
    sends(&compute);
    sends(&call.wait(WaitScope::Process));
    sends(&call.operation(Operation::Load));
    call.finish(Outcome::Miss, None, None);
    compute.finish(ComputeResult::Value);
}

#[test]
fn listed_functions_are_found_and_others_are_not() {
    let listed = CacheMetrics::create(MetricsOptions::new("listed", "memory"));
    let (unlisted, _) = metrics(1.0);
    let found = |one| {
        CacheMetrics::all()
            .into_iter()
            .any(|known| std::ptr::eq(known, one))
    };
    assert_eq!((found(listed), found(unlisted)), (true, false));
}

#[test]
fn an_automatic_rate_tells_the_share_so_far() {
    let metrics = CacheMetrics::create(MetricsOptions::new("automatic", "memory").unlisted());
    assert_eq!(metrics.sampling_rate(), 1.0);
    for sampled in [ONE, None, None, ONE] {
        metrics
            .start_call(sampled, None)
            .finish(Outcome::Miss, None, None);
    }
    assert_eq!(metrics.sampling_rate(), 0.5);
}

//! The metric catalogue as a table: name, unit, kind, help text and source of each metric.

use super::buckets;
use super::family::{MetricKind, MetricUnit};
use super::points::{
    Point, backend_errors, by_window, connections, count, counts, failures, histograms, if_any,
    known, number, one_histogram, round_trips, tiers, version,
};
use super::reading::{About, CALL_DURATION, Program, Reading};
use crate::stores::StoreFigures;

/// A row of the catalogue, about an `S`.
pub(crate) struct Metric<S> {
    /// Without prefix, unit, and `_total`.
    pub(crate) name: &'static str,
    pub(crate) unit: MetricUnit,
    pub(crate) kind: MetricKind,
    /// For a histogram: the powers of four with classic buckets, in base units.
    pub(crate) buckets: &'static [i32],
    pub(crate) help: &'static str,
    /// Its points for one source, without the source's labels; unknown ones are left out.
    pub(crate) points: Points<S>,
}

/// All metrics of a function.
pub(crate) fn catalogue() -> impl Iterator<Item = Metric<Reading>> {
    let groups = [
        calls(),
        entries(),
        distributions(),
        current(),
        ratios(),
        lifetime(),
    ];
    groups.into_iter().flatten()
}

/// All metrics of a store.
pub(crate) fn store_catalogue() -> Vec<Metric<StoreFigures>> {
    vec![
        counter(
            "backend_round_trips",
            MetricUnit::None,
            "Requests sent to the store.",
            round_trips,
        ),
        gauge(
            "breaker_open",
            MetricUnit::None,
            "1 while the circuit breaker answers for the store.",
            |store| count(store.breaker_open.into()),
        ),
        gauge(
            "pool_connections",
            MetricUnit::None,
            "Connections to the store by state.",
            connections,
        ),
        histogram(
            "pool_wait_duration",
            MetricUnit::Seconds,
            buckets::OPERATIONS,
            "Waiting for a connection to the store.",
            |store| one_histogram(&store.pool_waits),
        ),
    ]
}

/// All metrics of the program.
pub(crate) fn program_catalogue() -> Vec<Metric<Program>> {
    vec![
        gauge(
            "build_info",
            MetricUnit::None,
            "The version of cachier.",
            |_| version(),
        ),
        gauge(
            "background_tasks",
            MetricUnit::None,
            "Refreshes, stores and clean-ups under way or in line.",
            |program| known(program.background_tasks),
        ),
    ]
}

/// All metrics of an exporter.
pub(crate) fn exporter_catalogue() -> Vec<Metric<About>> {
    vec![
        counter(
            "export_failures",
            MetricUnit::None,
            "Exports that failed.",
            |exporter| count(exporter.failures),
        ),
        counter(
            "export_dropped",
            MetricUnit::None,
            "Figures lost on their way.",
            |exporter| count(exporter.dropped),
        ),
        counter(
            "export_requests",
            MetricUnit::None,
            "Requests or packets sent.",
            |exporter| if_any(exporter.requests),
        ),
        counter(
            "export_sent",
            MetricUnit::Bytes,
            "Bytes of the requests or packets sent.",
            |exporter| if_any(exporter.sent_bytes),
        ),
        gauge(
            "export_folded_functions",
            MetricUnit::None,
            "Functions that share one name, as they would be too many series.",
            |exporter| count(exporter.folded),
        ),
    ]
}

/// Counts of calls and computations.
fn calls() -> Vec<Metric<Reading>> {
    vec![
        counter(
            "calls",
            MetricUnit::None,
            "Finished calls by outcome.",
            |r| counts(&r.snapshot.calls),
        ),
        counter(
            "calls_abandoned",
            MetricUnit::None,
            "Calls that ended without a value.",
            |r| counts(&r.snapshot.abandoned),
        ),
        counter(
            "stale_hits",
            MetricUnit::None,
            "Lookups that met a stale entry.",
            |r| counts(&r.snapshot.stale_hits),
        ),
        counter(
            "recalculations",
            MetricUnit::None,
            "Executions of the function's body.",
            |r| counts(&r.snapshot.recalculations),
        ),
        counter(
            "recalculation_failures",
            MetricUnit::None,
            "Executions that gave no storable value.",
            |r| failures(&r.snapshot.recalculation_failures),
        ),
        counter(
            "refreshes_suppressed",
            MetricUnit::None,
            "Stale values served without an attempt, because of retry_after.",
            |r| count(r.snapshot.refreshes_suppressed),
        ),
        counter(
            "wait_timeouts",
            MetricUnit::None,
            "Waits ended by wait_for_calc_timeout.",
            |r| count(r.snapshot.wait_timeouts),
        ),
        counter(
            "leases_lost",
            MetricUnit::None,
            "Computations whose lease had gone when they were stored.",
            |r| count(r.snapshot.leases_lost),
        ),
        counter(
            "time_saved",
            MetricUnit::Seconds,
            "Time that hits have saved, estimated.",
            |r| number(r.snapshot.time_saved.map(|nanos| nanos as f64 / 1e9)),
        ),
        counter(
            "near_lookups",
            MetricUnit::None,
            "Lookups in the near tier.",
            |r| counts(&r.snapshot.near_lookups),
        ),
    ]
}

/// Counts of entries and backend operations.
fn entries() -> Vec<Metric<Reading>> {
    vec![
        counter(
            "size_limit_rejections",
            MetricUnit::None,
            "Values too large to be stored.",
            |r| count(r.snapshot.size_limit_rejections),
        ),
        counter(
            "rejected",
            MetricUnit::Bytes,
            "Bytes of the values too large to be stored.",
            |r| count(r.snapshot.rejected_bytes),
        ),
        counter("removals", MetricUnit::None, "Entries removed.", |r| {
            counts(&r.snapshot.removals)
        }),
        counter(
            "backend_errors",
            MetricUnit::None,
            "Failures of the backend.",
            |r| backend_errors(&r.snapshot.backend_errors),
        ),
    ]
}

/// Durations, sizes and ages.
fn distributions() -> Vec<Metric<Reading>> {
    vec![
        histogram(
            CALL_DURATION,
            MetricUnit::Seconds,
            buckets::CALLS,
            "Whole calls, as the caller sees them.",
            |r| histograms(&r.snapshot.call_duration),
        ),
        histogram(
            "compute_duration",
            MetricUnit::Seconds,
            buckets::COMPUTATIONS,
            "Executions of the function's body.",
            |r| one_histogram(&r.snapshot.compute_duration),
        ),
        histogram(
            "wait_duration",
            MetricUnit::Seconds,
            buckets::WAITS,
            "Waiting for another's computation.",
            |r| histograms(&r.snapshot.wait_duration),
        ),
        histogram(
            "backend_operation_duration",
            MetricUnit::Seconds,
            buckets::OPERATIONS,
            "Operations of the backend.",
            |r| histograms(&r.snapshot.operation_duration),
        ),
        histogram(
            "entry_size",
            MetricUnit::Bytes,
            buckets::SIZES,
            "Serialized size of stored values.",
            |r| one_histogram(&r.snapshot.entry_size),
        ),
        histogram(
            "entry_age",
            MetricUnit::Seconds,
            buckets::AGES,
            "Age of the stored values given to callers.",
            |r| one_histogram(&r.snapshot.entry_age),
        ),
    ]
}

/// Current sizes and activity.
fn current() -> Vec<Metric<Reading>> {
    vec![
        gauge("entries", MetricUnit::None, "Entries held now.", |r| {
            let gauges = &r.snapshot.gauges;
            tiers(gauges.near.entries, gauges.backend().entries)
        }),
        gauge("size", MetricUnit::Bytes, "Bytes held now.", |r| {
            let gauges = &r.snapshot.gauges;
            tiers(gauges.near.bytes, gauges.backend().bytes)
        }),
        gauge(
            "capacity_entries",
            MetricUnit::None,
            "Configured bound in entries.",
            |r| known(r.snapshot.gauges.capacity_entries),
        ),
        gauge(
            "capacity",
            MetricUnit::Bytes,
            "Configured bound in bytes.",
            |r| known(r.snapshot.gauges.capacity_bytes()),
        ),
        gauge(
            "inflight_calls",
            MetricUnit::None,
            "Calls off the hit path that have not ended.",
            |r| count(r.snapshot.activity.inflight_calls),
        ),
        gauge(
            "inflight_computations",
            MetricUnit::None,
            "Executions that have not ended.",
            |r| count(r.snapshot.activity.inflight_computations),
        ),
        gauge(
            "waiting_calls",
            MetricUnit::None,
            "Calls that wait for another's computation.",
            |r| count(r.snapshot.activity.waiting_calls),
        ),
        gauge(
            "oldest_computation_age",
            MetricUnit::Seconds,
            "Age of the oldest running execution.",
            |r| {
                number(
                    r.snapshot
                        .activity
                        .oldest_computation
                        .map(|age| age.as_secs_f64()),
                )
            },
        ),
    ]
}

/// Ratios by window, and metrics about the metrics.
fn ratios() -> Vec<Metric<Reading>> {
    vec![
        gauge(
            "hit_ratio",
            MetricUnit::None,
            "Hits as a share of lookups, by window.",
            |r| by_window(r.hit_ratios()),
        ),
        gauge(
            "served_ratio",
            MetricUnit::None,
            "Lookups answered without computing, by window.",
            |r| by_window(r.served_ratios()),
        ),
        gauge(
            "sampling_ratio",
            MetricUnit::None,
            "Share of calls that are timed.",
            |r| number(Some(r.sampling_rate)),
        ),
        gauge(
            "start_time",
            MetricUnit::Seconds,
            "When counting began, since 1970.",
            |r| number(Some(r.start_time())),
        ),
    ]
}

/// Totals over restarts. Gauges, as exported counters begin at zero with each process.
fn lifetime() -> Vec<Metric<Reading>> {
    vec![
        gauge(
            "lifetime_calls",
            MetricUnit::None,
            "Finished calls of this process and of earlier ones.",
            |r| known(r.lifetime_calls()),
        ),
        gauge(
            "lifetime_time_saved",
            MetricUnit::Seconds,
            "Time that hits have saved in this process and in earlier ones, estimated.",
            |r| number(r.lifetime_time_saved()),
        ),
    ]
}

type Points<S> = fn(&S) -> Vec<Point<'_>>;

pub(super) fn counter<S>(
    name: &'static str,
    unit: MetricUnit,
    help: &'static str,
    points: Points<S>,
) -> Metric<S> {
    Metric {
        name,
        unit,
        kind: MetricKind::Counter,
        buckets: &[],
        help,
        points,
    }
}

pub(super) fn gauge<S>(
    name: &'static str,
    unit: MetricUnit,
    help: &'static str,
    points: Points<S>,
) -> Metric<S> {
    Metric {
        name,
        unit,
        kind: MetricKind::Gauge,
        buckets: &[],
        help,
        points,
    }
}

fn histogram<S>(
    name: &'static str,
    unit: MetricUnit,
    buckets: &'static [i32],
    help: &'static str,
    points: Points<S>,
) -> Metric<S> {
    Metric {
        name,
        unit,
        kind: MetricKind::Histogram,
        buckets,
        help,
        points,
    }
}

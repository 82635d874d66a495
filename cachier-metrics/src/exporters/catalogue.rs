//! The metric catalogue as a table: name, unit, kind, help text and source of each metric.

use std::time::{Duration, UNIX_EPOCH};

use super::buckets;
use super::points::{
    Point, backend_errors, by_window, connections, count, counts, histograms, known, number,
    one_histogram, round_trips, tiers,
};
use super::registry::Series;
use crate::snapshot::Snapshot;
use crate::stats::Lookups;
use crate::stores::StoreFigures;

/// Everything about one function at one moment, or about several that share its name.
pub(crate) struct Reading {
    pub(crate) function: &'static str,
    pub(crate) backend: &'static str,
    snapshot: Snapshot,
    sampling_rate: f64,
    /// Seconds since 1970.
    start_time: f64,
    /// By window: its label, hit rate and served rate.
    ratios: Vec<(&'static str, Option<f64>, Option<f64>)>,
}

/// What metrics are about: a function, or a store.
pub(crate) trait MetricSource {
    /// The labels of all its points.
    fn labels(&self) -> [(&'static str, &str); 2];
}

impl MetricSource for Reading {
    fn labels(&self) -> [(&'static str, &str); 2] {
        [("function", self.function), ("backend", self.backend)]
    }
}

impl MetricSource for StoreFigures {
    fn labels(&self) -> [(&'static str, &str); 2] {
        [("backend", &self.backend), ("store", &self.store)]
    }
}

/// A row of the catalogue, about an `S`.
pub(crate) struct Metric<S> {
    /// Without prefix, unit, and `_total`.
    pub(crate) name: &'static str,
    pub(crate) unit: Unit,
    pub(crate) kind: Kind,
    /// For a histogram: the powers of four with classic buckets, in base units.
    pub(crate) buckets: &'static [i32],
    pub(crate) help: &'static str,
    /// Its points for one source, without the source's labels; unknown ones are left out.
    pub(crate) points: Points<S>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    None,
    Seconds,
    Bytes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

impl Reading {
    /// What the functions of a series add up to.
    pub(crate) fn of(series: &Series) -> Self {
        let members = || series.members.iter();
        let ratios = WINDOWS.iter().map(|(label, window)| {
            let lookups: Lookups = members().map(|metrics| metrics.lookups_over(*window)).sum();
            (*label, lookups.hit_rate(), lookups.served_rate())
        });
        let snapshots: Vec<_> = members().map(|metrics| metrics.snapshot()).collect();
        let rates = members()
            .zip(&snapshots)
            .map(|(metrics, snapshot)| metrics.sampling_rate_in(|| snapshot.timed_share()));
        let began = members().map(|metrics| metrics.start_time());
        let since_1970 = began
            .min()
            .and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        Self {
            function: series.function,
            backend: series.backend,
            ratios: ratios.collect(),
            sampling_rate: rates.fold(1.0, f64::min),
            snapshot: snapshots.into_iter().sum(),
            start_time: since_1970.unwrap_or_default().as_secs_f64(),
        }
    }
}

const WINDOWS: [(&str, Duration); 3] = [
    ("1m", Duration::from_secs(60)),
    ("1h", Duration::from_secs(3600)),
    ("1d", Duration::from_secs(86_400)),
];

/// All metrics of a function.
pub(crate) fn catalogue() -> impl Iterator<Item = Metric<Reading>> {
    [calls(), entries(), distributions(), current(), ratios()]
        .into_iter()
        .flatten()
}

/// All metrics of a store.
pub(crate) fn store_catalogue() -> Vec<Metric<StoreFigures>> {
    vec![
        counter(
            "backend_round_trips",
            Unit::None,
            "Requests sent to the store.",
            round_trips,
        ),
        gauge(
            "breaker_open",
            Unit::None,
            "1 while the circuit breaker answers for the store.",
            |store| count(store.breaker_open.into()),
        ),
        gauge(
            "pool_connections",
            Unit::None,
            "Connections to the store by state.",
            connections,
        ),
        histogram(
            "pool_wait_duration",
            Unit::Seconds,
            buckets::OPERATIONS,
            "Waiting for a connection to the store.",
            |store| one_histogram(&store.pool_waits),
        ),
    ]
}

/// Counts of calls and computations.
fn calls() -> Vec<Metric<Reading>> {
    vec![
        counter("calls", Unit::None, "Finished calls by outcome.", |r| {
            counts(&r.snapshot.calls)
        }),
        counter(
            "calls_abandoned",
            Unit::None,
            "Calls that ended without a value.",
            |r| counts(&r.snapshot.abandoned),
        ),
        counter(
            "stale_hits",
            Unit::None,
            "Lookups that met a stale entry.",
            |r| counts(&r.snapshot.stale_hits),
        ),
        counter(
            "recalculations",
            Unit::None,
            "Executions of the function's body.",
            |r| counts(&r.snapshot.recalculations),
        ),
        counter(
            "recalculation_failures",
            Unit::None,
            "Executions that gave no storable value.",
            |r| counts(&r.snapshot.recalculation_failures),
        ),
        counter(
            "refreshes_suppressed",
            Unit::None,
            "Stale values served without an attempt, because of retry_after.",
            |r| count(r.snapshot.refreshes_suppressed),
        ),
        counter(
            "wait_timeouts",
            Unit::None,
            "Waits ended by wait_for_calc_timeout.",
            |r| count(r.snapshot.wait_timeouts),
        ),
        counter(
            "time_saved",
            Unit::Seconds,
            "Time that hits have saved, estimated.",
            |r| number(r.snapshot.time_saved.map(|nanos| nanos as f64 / 1e9)),
        ),
        counter(
            "near_lookups",
            Unit::None,
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
            Unit::None,
            "Values too large to be stored.",
            |r| count(r.snapshot.size_limit_rejections),
        ),
        counter(
            "rejected",
            Unit::Bytes,
            "Bytes of the values too large to be stored.",
            |r| count(r.snapshot.rejected_bytes),
        ),
        counter("removals", Unit::None, "Entries removed.", |r| {
            counts(&r.snapshot.removals)
        }),
        counter(
            "backend_errors",
            Unit::None,
            "Failures of the backend.",
            |r| backend_errors(&r.snapshot.backend_errors),
        ),
    ]
}

/// Durations, sizes and ages.
fn distributions() -> Vec<Metric<Reading>> {
    vec![
        histogram(
            "call_duration",
            Unit::Seconds,
            buckets::CALLS,
            "Whole calls, as the caller sees them.",
            |r| histograms(&r.snapshot.call_duration),
        ),
        histogram(
            "compute_duration",
            Unit::Seconds,
            buckets::COMPUTATIONS,
            "Executions of the function's body.",
            |r| one_histogram(&r.snapshot.compute_duration),
        ),
        histogram(
            "wait_duration",
            Unit::Seconds,
            buckets::WAITS,
            "Waiting for another's computation.",
            |r| histograms(&r.snapshot.wait_duration),
        ),
        histogram(
            "backend_operation_duration",
            Unit::Seconds,
            buckets::OPERATIONS,
            "Operations of the backend.",
            |r| histograms(&r.snapshot.operation_duration),
        ),
        histogram(
            "entry_size",
            Unit::Bytes,
            buckets::SIZES,
            "Serialized size of stored values.",
            |r| one_histogram(&r.snapshot.entry_size),
        ),
        histogram(
            "entry_age",
            Unit::Seconds,
            buckets::AGES,
            "Age of the stored values given to callers.",
            |r| one_histogram(&r.snapshot.entry_age),
        ),
    ]
}

/// Current sizes and activity.
fn current() -> Vec<Metric<Reading>> {
    vec![
        gauge("entries", Unit::None, "Entries held now.", |r| {
            let gauges = &r.snapshot.gauges;
            tiers(gauges.near.entries, gauges.backend().entries)
        }),
        gauge("size", Unit::Bytes, "Bytes held now.", |r| {
            let gauges = &r.snapshot.gauges;
            tiers(gauges.near.bytes, gauges.backend().bytes)
        }),
        gauge(
            "capacity_entries",
            Unit::None,
            "Configured bound in entries.",
            |r| known(r.snapshot.gauges.capacity_entries),
        ),
        gauge("capacity", Unit::Bytes, "Configured bound in bytes.", |r| {
            known(r.snapshot.gauges.capacity_bytes())
        }),
        gauge(
            "inflight_calls",
            Unit::None,
            "Calls off the hit path that have not ended.",
            |r| count(r.snapshot.activity.inflight_calls),
        ),
        gauge(
            "inflight_computations",
            Unit::None,
            "Executions that have not ended.",
            |r| count(r.snapshot.activity.inflight_computations),
        ),
        gauge(
            "waiting_calls",
            Unit::None,
            "Calls that wait for another's computation.",
            |r| count(r.snapshot.activity.waiting_calls),
        ),
        gauge(
            "oldest_computation_age",
            Unit::Seconds,
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
            Unit::None,
            "Hits as a share of lookups, by window.",
            |r| by_window(r.ratios.iter().map(|(window, hit, _)| (*window, *hit))),
        ),
        gauge(
            "served_ratio",
            Unit::None,
            "Lookups answered without computing, by window.",
            |r| {
                by_window(
                    r.ratios
                        .iter()
                        .map(|(window, _, served)| (*window, *served)),
                )
            },
        ),
        gauge(
            "sampling_ratio",
            Unit::None,
            "Share of calls that are timed.",
            |r| number(Some(r.sampling_rate)),
        ),
        gauge(
            "start_time",
            Unit::Seconds,
            "When counting began, since 1970.",
            |r| number(Some(r.start_time)),
        ),
    ]
}

type Points<S> = fn(&S) -> Vec<Point<'_>>;

fn counter<S>(name: &'static str, unit: Unit, help: &'static str, points: Points<S>) -> Metric<S> {
    Metric {
        name,
        unit,
        kind: Kind::Counter,
        buckets: &[],
        help,
        points,
    }
}

fn gauge<S>(name: &'static str, unit: Unit, help: &'static str, points: Points<S>) -> Metric<S> {
    Metric {
        name,
        unit,
        kind: Kind::Gauge,
        buckets: &[],
        help,
        points,
    }
}

fn histogram<S>(
    name: &'static str,
    unit: Unit,
    buckets: &'static [i32],
    help: &'static str,
    points: Points<S>,
) -> Metric<S> {
    Metric {
        name,
        unit,
        kind: Kind::Histogram,
        buckets,
        help,
        points,
    }
}

//! A function's figures for programs.

use std::time::Duration;

use crate::distribution::Distribution;
use crate::histogram::Histogram;
use crate::labelled::Labelled;
use crate::labels::{Label, Operation, Outcome};
use crate::snapshot::Snapshot;

/// The figures of a function, or of several: counts, and distributions of durations and sizes.
///
/// Counts are exact at every sampling rate. Unknown figures are absent, never zero. `Display` is a table for people.
///
/// ```
/// # use cachier_metrics::{CacheMetrics, MetricsOptions, Outcome, Sampled};
/// # let metrics = CacheMetrics::create(MetricsOptions::new("forecast", "memory"));
/// # metrics.start_call(Some(Sampled::ONE), None).finish(Outcome::Hit, None, None);
/// # metrics.start_call(Some(Sampled::ONE), None).finish(Outcome::Miss, None, None);
/// // `metrics` are those of a function with one hit and one miss.
/// let stats = metrics.stats();
/// assert_eq!((stats.calls, stats.hits, stats.misses), (2, 1, 1));
/// assert_eq!((stats.hit_rate(), stats.served_rate()), (Some(0.5), Some(0.5)));
/// assert_eq!(stats.entries, None); // nobody has told
/// println!("{stats}");
/// ```
#[derive(Clone, Debug)]
#[doc(alias = "MetricSnapshot")]
#[non_exhaustive]
pub struct Stats {
    /// Finished calls.
    #[doc(alias = "total_calls")]
    pub calls: u64,
    /// Calls that got a fresh stored value.
    pub hits: u64,
    /// Calls that got a stale stored value.
    pub stale: u64,
    /// Calls that got the result of a computation that another caller was running.
    pub coalesced: u64,
    /// Calls that computed.
    pub misses: u64,
    /// Calls that did not consult the cache.
    pub bypassed: u64,
    /// Calls for which the backend failed.
    pub unavailable: u64,
    /// Calls that panicked or were cancelled; not among the finished ones.
    pub abandoned: u64,
    /// Lookups that found a stale entry, served or not.
    pub stale_hits: u64,
    /// Executions of the function's body.
    pub recalculations: u64,
    /// Recalculations that gave no storable value: the body returned an error, panicked, or was cancelled.
    pub recalculation_failures: u64,
    /// Stale values served without an attempt to recompute them, because of `retry_after`.
    pub refreshes_suppressed: u64,
    /// Waits ended by `wait_for_calc_timeout`.
    pub wait_timeouts: u64,
    /// Computations whose value was not stored, as their lease had gone: the entry was invalidated or replaced meanwhile, or the
    /// lease had run out.
    pub leases_lost: u64,
    /// Values too large to be stored.
    pub size_limit_rejections: u64,
    /// Entries removed, for whatever cause.
    pub removals: u64,
    /// Failures of the backend.
    pub backend_errors: u64,
    /// Entries in the backend: exact in memory; in a shared backend, as of the last query, see
    /// [`CacheMetrics::stats`](crate::CacheMetrics::stats).
    #[doc(alias = "entry_count")]
    pub entries: Option<u64>,
    /// Their size, likewise.
    #[doc(alias = "total_size_bytes")]
    pub size_bytes: Option<u64>,
    /// Time saved by hits, estimated from the sampled ones.
    pub time_saved: Option<Duration>,
    /// The time span of the figures.
    pub covers: Duration,
    /// Whole calls, as seen by callers.
    #[doc(alias = "avg_latency_ms")]
    pub latency: Distribution<Duration>,
    /// Hits.
    pub hit_latency: Distribution<Duration>,
    /// Executions of the body.
    pub compute: Distribution<Duration>,
    /// Waits for another's computation.
    pub wait: Distribution<Duration>,
    /// Loading from the backend.
    pub load: Distribution<Duration>,
    /// Storing in the backend.
    pub store: Distribution<Duration>,
    /// Removing from the backend.
    pub remove: Distribution<Duration>,
    /// Serialized size of stored values.
    pub entry_size: Distribution<u64>,
}

impl Stats {
    /// The share of hits among all lookups; absent without lookups.
    pub fn hit_rate(&self) -> Option<f64> {
        self.lookups().hit_rate()
    }

    /// The share of lookups that did not have to compute; absent without lookups.
    pub fn served_rate(&self) -> Option<f64> {
        self.lookups().served_rate()
    }

    fn lookups(&self) -> Lookups {
        Lookups {
            hits: self.hits,
            served: self.hits + self.stale + self.coalesced,
            misses: self.misses,
        }
    }
}

/// The outcomes of calls that consulted the cache.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Lookups {
    hits: u64,
    /// Hits and all others that did not compute.
    served: u64,
    misses: u64,
}

impl Lookups {
    /// The lookups between two states of the counters.
    pub(crate) fn since(later: &Labelled<Outcome, u64>, earlier: &Labelled<Outcome, u64>) -> Self {
        let calls = |outcome| later[outcome].saturating_sub(earlier[outcome]);
        let hits = calls(Outcome::Hit);
        Self {
            hits,
            served: hits
                .saturating_add(calls(Outcome::Stale))
                .saturating_add(calls(Outcome::Coalesced)),
            misses: calls(Outcome::Miss),
        }
    }

    pub(crate) fn hit_rate(self) -> Option<f64> {
        self.share(self.hits)
    }

    pub(crate) fn served_rate(self) -> Option<f64> {
        self.share(self.served)
    }

    fn share(self, part: u64) -> Option<f64> {
        let all = self.served.saturating_add(self.misses);
        (all > 0).then(|| part as f64 / all as f64)
    }
}

impl std::iter::Sum for Lookups {
    fn sum<I: Iterator<Item = Self>>(lookups: I) -> Self {
        lookups.fold(Self::default(), |sum, one| Self {
            hits: sum.hits.saturating_add(one.hits),
            served: sum.served.saturating_add(one.served),
            misses: sum.misses.saturating_add(one.misses),
        })
    }
}

impl From<&Snapshot> for Stats {
    fn from(snapshot: &Snapshot) -> Self {
        let held = snapshot.gauges.backend();
        let operation =
            |operation: Operation| Distribution::of(snapshot.operation_duration[operation].clone());
        Self {
            calls: snapshot.calls.values().sum(),
            hits: snapshot.calls[Outcome::Hit],
            stale: snapshot.calls[Outcome::Stale],
            coalesced: snapshot.calls[Outcome::Coalesced],
            misses: snapshot.calls[Outcome::Miss],
            bypassed: snapshot.calls[Outcome::Bypass],
            unavailable: snapshot.calls[Outcome::Unavailable],
            abandoned: snapshot.abandoned.values().sum(),
            stale_hits: snapshot.stale_hits.values().sum(),
            recalculations: snapshot.recalculations.values().sum(),
            recalculation_failures: snapshot
                .recalculation_failures
                .values()
                .flat_map(Labelled::values)
                .sum(),
            refreshes_suppressed: snapshot.refreshes_suppressed,
            wait_timeouts: snapshot.wait_timeouts,
            leases_lost: snapshot.leases_lost,
            size_limit_rejections: snapshot.size_limit_rejections,
            removals: snapshot.removals.values().sum(),
            backend_errors: snapshot
                .backend_errors
                .values()
                .flat_map(Labelled::values)
                .sum(),
            entries: held.entries,
            size_bytes: held.bytes,
            time_saved: snapshot.time_saved.map(duration),
            covers: snapshot.covers,
            latency: Distribution::of(merged(&snapshot.call_duration)),
            hit_latency: Distribution::of(snapshot.call_duration[Outcome::Hit].clone()),
            compute: Distribution::of(snapshot.compute_duration.clone()),
            wait: Distribution::of(merged(&snapshot.wait_duration)),
            load: operation(Operation::Load),
            store: operation(Operation::Store),
            remove: operation(Operation::Remove),
            entry_size: Distribution::of(snapshot.entry_size.clone()),
        }
    }
}

fn merged<L: Label>(histograms: &Labelled<L, Histogram>) -> Histogram {
    histograms
        .values()
        .fold(Histogram::default(), |mut sum, histogram| {
            sum.merge(histogram);
            sum
        })
}

fn duration(nanos: u128) -> Duration {
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

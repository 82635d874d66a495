//! Names that other tools use for the figures, for dashboards that exist already.

use super::catalogue::{Metric, catalogue, counter, gauge};
use super::family::MetricUnit;
use super::points::{Point, count, known, labelled_counts, number};
use super::reading::Reading;
use crate::histogram::Histogram;
use crate::labels::{Outcome, RemovalCause};

/// Under which names and labels Prometheus gets the figures.
///
/// ```
/// use cachier_metrics::{CacheMetrics, MetricsOptions, Naming, PrometheusExporter};
///
/// let exporter = PrometheusExporter::builder().naming(Naming::Micrometer).build()?;
/// exporter.register_function(CacheMetrics::create(MetricsOptions::new("forecast", "memory")))?;
/// assert!(exporter.render().contains("cache_gets_total{cache=\"forecast\",result=\"hit\"} 0"));
/// # Ok::<(), cachier_metrics::ExportError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Naming {
    /// The names of the catalogue: everything.
    #[default]
    Native,
    /// A few under the names of the Python library, label `function`. As there, a stale hit counts as a miss, and so does
    /// a call that waited for another's computation.
    Classic,
    /// A few under the names of Micrometer, as Spring has them, label `cache`. As there for Caffeine, puts are the
    /// executions that load.
    Micrometer,
}

impl Naming {
    /// The prefix unless another is set.
    pub(crate) fn prefix(self) -> &'static str {
        match self {
            Self::Native | Self::Classic => "cachier",
            Self::Micrometer => "",
        }
    }

    /// The label that the function's name is under, where it is the only one.
    pub(crate) fn only_label(self) -> Option<&'static str> {
        match self {
            Self::Native => None,
            Self::Classic => Some("function"),
            Self::Micrometer => Some("cache"),
        }
    }

    pub(crate) fn catalogue(self) -> Vec<Metric<Reading>> {
        match self {
            Self::Native => catalogue().collect(),
            Self::Classic => classic(),
            Self::Micrometer => micrometer(),
        }
    }
}

fn classic() -> Vec<Metric<Reading>> {
    let none = MetricUnit::None;
    vec![
        counter("cache_hits", none, "Calls that got a fresh value.", |r| {
            count(r.snapshot.calls[Outcome::Hit])
        }),
        counter(
            "cache_misses",
            none,
            "Calls that got no fresh value.",
            |r| count(misses(r)),
        ),
        gauge(
            "cache_hit_rate",
            none,
            "Hits in percent of calls.",
            hit_rate,
        ),
        gauge(
            "avg_latency_ms",
            none,
            "Mean duration of calls.",
            mean_latency,
        ),
        counter("stale_hits", none, "Lookups that met a stale entry.", |r| {
            count(r.snapshot.stale_hits.values().sum())
        }),
        counter("recalculations", none, "Executions of the function.", |r| {
            count(r.snapshot.recalculations.values().sum())
        }),
        counter("wait_timeouts", none, "Waits that took too long.", |r| {
            count(r.snapshot.wait_timeouts)
        }),
        gauge("entry_count", none, "Entries held now.", |r| {
            known(r.snapshot.gauges.backend().entries)
        }),
        gauge("cache_size", MetricUnit::Bytes, "Bytes held now.", |r| {
            known(r.snapshot.gauges.backend().bytes)
        }),
        counter(
            "size_limit_rejections",
            none,
            "Values too large to be stored.",
            |r| count(r.snapshot.size_limit_rejections),
        ),
    ]
}

fn micrometer() -> Vec<Metric<Reading>> {
    let none = MetricUnit::None;
    vec![
        counter("cache_gets", none, "Lookups by their result.", gets),
        counter("cache_puts", none, "Values computed for the cache.", |r| {
            count(r.snapshot.recalculations.values().sum())
        }),
        counter("cache_evictions", none, "Entries that had to go.", |r| {
            let removals = &r.snapshot.removals;
            let of_itself = [
                RemovalCause::Evicted,
                RemovalCause::Expired,
                RemovalCause::Cleanup,
            ];
            count(of_itself.iter().map(|cause| removals[*cause]).sum())
        }),
        gauge("cache_size", none, "Entries held now.", |r| {
            known(r.snapshot.gauges.backend().entries)
        }),
    ]
}

fn misses(reading: &Reading) -> u64 {
    let calls = &reading.snapshot.calls;
    calls[Outcome::Miss] + calls[Outcome::Stale] + calls[Outcome::Coalesced]
}

fn hit_rate(reading: &Reading) -> Vec<Point<'_>> {
    let hits = reading.snapshot.calls[Outcome::Hit];
    let all = hits + misses(reading);
    number((all > 0).then(|| 100.0 * hits as f64 / all as f64))
}

fn mean_latency(reading: &Reading) -> Vec<Point<'_>> {
    let durations = || reading.snapshot.call_duration.values();
    let sum: u128 = durations().map(|histogram| histogram.sum).sum();
    let count: u64 = durations().map(Histogram::count).sum();
    number((count > 0).then(|| sum as f64 / 1e6 / count as f64))
}

/// A value that another caller computed meanwhile was not loaded by this call.
fn gets(reading: &Reading) -> Vec<Point<'_>> {
    let calls = &reading.snapshot.calls;
    let hits = calls[Outcome::Hit] + calls[Outcome::Stale] + calls[Outcome::Coalesced];
    labelled_counts("result", [("hit", hits), ("miss", calls[Outcome::Miss])])
}

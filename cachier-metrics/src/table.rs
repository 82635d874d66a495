//! The figures of groups, side by side.

use std::collections::BTreeMap;
use std::fmt;

use crate::display::{Percent, Time};
use crate::snapshot::Snapshot;
use crate::stats::Stats;

/// The figures of several functions or groups, by name. `Display` is a table for people, a row for each name.
///
/// ```
/// use cachier_metrics::{CacheMetrics, MetricsOptions, Outcome, StatsTable};
///
/// let on = |backend: &str| CacheMetrics::create(MetricsOptions::new("forecast", backend));
/// let functions = [on("memory"), on("file"), on("file")];
/// for metrics in functions {
///     metrics.start_call(None, None).finish(Outcome::Miss, None, None);
/// }
/// let by_backend: StatsTable = functions
///     .iter()
///     .map(|metrics| (metrics.backend(), metrics.snapshot()))
///     .collect();
/// assert_eq!(by_backend.get("file").map(|stats| stats.misses), Some(2));
/// assert_eq!(by_backend.total().misses, 3);
/// println!("{by_backend}");
/// ```
#[derive(Clone, Debug, Default)]
pub struct StatsTable {
    rows: BTreeMap<String, Snapshot>,
}

impl StatsTable {
    /// The figures under a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Stats> {
        self.rows.get(name).map(Stats::from)
    }

    /// Names and figures, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Stats)> {
        let rows = self.rows.iter();
        rows.map(|(name, snapshot)| (name.as_str(), Stats::from(snapshot)))
    }

    /// All of it together: ratios and quantiles are those of the sum.
    #[must_use]
    pub fn total(&self) -> Stats {
        Stats::from(&self.rows.values().sum::<Snapshot>())
    }

    /// Whether there are no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

/// Adds up snapshots of the same name.
impl<Name: Into<String>> FromIterator<(Name, Snapshot)> for StatsTable {
    fn from_iter<I: IntoIterator<Item = (Name, Snapshot)>>(snapshots: I) -> Self {
        let mut rows = BTreeMap::<String, Snapshot>::new();
        for (name, snapshot) in snapshots {
            rows.entry(name.into()).or_default().merge(&snapshot);
        }
        Self { rows }
    }
}

impl fmt::Display for StatsTable {
    /// Leaves out what is not known. With several rows there is one for their total.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.rows.keys().map(|name| name.chars().count());
        let width = names.max().unwrap_or(0).max(TOTAL.len());
        writeln!(
            f,
            "{:width$}{:>12}{:>10}{:>10}{:>9}{:>9}{:>12}{:>8}",
            "", "calls", "hit rate", "served", "p50", "p99", "entries", "errors"
        )?;
        for (name, stats) in self.iter() {
            write_row(f, name, width, &stats)?;
        }
        match self.rows.len() {
            0 | 1 => Ok(()),
            _ => write_row(f, TOTAL, width, &self.total()),
        }
    }
}

const TOTAL: &str = "total";

fn write_row(f: &mut fmt::Formatter<'_>, name: &str, width: usize, stats: &Stats) -> fmt::Result {
    let hit_rate = shown(stats.hit_rate().map(Percent));
    let served_rate = shown(stats.served_rate().map(Percent));
    let p50 = shown(stats.latency.p50().map(Time));
    let p99 = shown(stats.latency.p99().map(Time));
    let entries = shown(stats.entries);
    let (calls, errors) = (stats.calls, stats.backend_errors);
    writeln!(
        f,
        "{name:width$}{calls:>12}{hit_rate:>10}{served_rate:>10}{p50:>9}{p99:>9}{entries:>12}{errors:>8}"
    )
}

fn shown(figure: Option<impl fmt::Display>) -> String {
    figure.map(|figure| figure.to_string()).unwrap_or_default()
}

//! The subjects of figures: functions, stores, and the exporter itself.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::budget::Extent;
use super::functions::FunctionGroup;
#[cfg(feature = "prometheus")]
use crate::exemplars::{ExemplarsRead, Observed};
use crate::labelled::Labelled;
#[cfg(feature = "prometheus")]
use crate::labels::{Label, Outcome};
use crate::past::Past;
use crate::snapshot::Snapshot;
use crate::stats::Lookups;
use crate::stores::StoreFigures;

/// The subject of metrics.
pub(crate) trait MetricSource {
    /// The labels of all its samples.
    fn labels(&self) -> Vec<(&str, &str)>;

    /// When counting began, where it is known.
    fn start(&self) -> Option<SystemTime>;

    /// How much of it is exported.
    fn extent(&self) -> Extent {
        Extent::Full
    }

    /// Calls that a figure came from.
    #[cfg(feature = "prometheus")]
    fn exemplars(&self, _metric: &str, _labels: &[(&str, &str)]) -> &[Observed] {
        &[]
    }
}

/// Everything about one function at one moment, or about several that share its name.
#[derive(Debug)]
pub(crate) struct Reading {
    /// The function's name first.
    labels: Vec<(&'static str, &'static str)>,
    pub(crate) snapshot: Snapshot,
    pub(crate) sampling_rate: f64,
    extent: Extent,
    start: SystemTime,
    lookups: [Lookups; WINDOWS.len()],
    #[cfg(feature = "prometheus")]
    exemplars: ExemplarsRead,
    /// What earlier processes counted, where that is kept.
    past: Vec<Arc<Past>>,
}

/// The program.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) background_tasks: Option<u64>,
}

/// The exporter.
#[derive(Debug)]
pub(crate) struct About {
    pub(crate) exporter: String,
    /// How many functions share `(other)`.
    pub(crate) folded: u64,
    /// Exports that failed.
    pub(crate) failures: u64,
    /// Figures lost on their way.
    pub(crate) dropped: u64,
    /// Requests or packets sent, and their bytes.
    pub(crate) requests: u64,
    pub(crate) sent_bytes: u64,
}

/// The metric whose figures have exemplars.
pub(crate) const CALL_DURATION: &str = "call_duration";

const WINDOWS: [(&str, Duration); 3] = [
    ("1m", Duration::from_secs(60)),
    ("1h", Duration::from_secs(3600)),
    ("1d", Duration::from_secs(86_400)),
];

impl Reading {
    /// The sum of the functions of a series; `None` without functions.
    pub(crate) fn of(series: &FunctionGroup) -> Option<Self> {
        let each = series.members.iter().map(|metrics| {
            let (snapshot, lookups) = metrics.snapshot_with(WINDOWS.map(|(_, window)| window));
            Self {
                labels: vec![("function", series.function), ("backend", series.backend)],
                sampling_rate: metrics.sampling_rate_in(|| snapshot.timed_share()),
                start: metrics.start_time(),
                extent: series.extent,
                past: metrics.past().into_iter().collect(),
                snapshot,
                lookups,
                #[cfg(feature = "prometheus")]
                exemplars: metrics.exemplars(),
            }
        });
        each.reduce(|mut sum, other| {
            sum.add(&other);
            sum
        })
    }

    /// The share of hits among the lookups of each window, where there were any.
    pub(crate) fn hit_ratios(&self) -> impl Iterator<Item = (&'static str, Option<f64>)> {
        self.ratios(Lookups::hit_rate)
    }

    /// The share of lookups that did not compute, likewise.
    pub(crate) fn served_ratios(&self) -> impl Iterator<Item = (&'static str, Option<f64>)> {
        self.ratios(Lookups::served_rate)
    }

    /// The calls of this process and of earlier ones, where those are kept.
    pub(crate) fn lifetime_calls(&self) -> Option<u64> {
        let past = self.past.iter().map(|past| past.lifetime());
        let all = past.chain([&self.snapshot]).map(|of| &of.calls);
        (!self.past.is_empty()).then(|| all.flat_map(Labelled::values).sum())
    }

    /// The time that hits have saved in all of them, in seconds.
    pub(crate) fn lifetime_time_saved(&self) -> Option<f64> {
        let own = self.snapshot.time_saved?;
        let past = self.past.iter().map(|past| past.lifetime().time_saved);
        let all = own + past.flatten().sum::<u128>();
        (!self.past.is_empty()).then_some(all as f64 / 1e9)
    }

    /// When counting began, in seconds since 1970.
    pub(crate) fn start_time(&self) -> f64 {
        let since_1970 = self.start.duration_since(UNIX_EPOCH);
        since_1970.unwrap_or_default().as_secs_f64()
    }

    /// The readings of each function, on whatever backends, as one with this label alone.
    #[cfg(feature = "prometheus")]
    pub(crate) fn by_function(readings: Vec<Self>, label: &'static str) -> Vec<Self> {
        let mut by_function: Vec<Self> = Vec::new();
        let mut places = std::collections::HashMap::new();
        for mut reading in readings {
            let next = by_function.len();
            let (_, function) = reading.labels[0];
            let place = *places.entry(function).or_insert(next);
            if place == next {
                reading.labels = vec![(label, function)];
                by_function.push(reading);
            } else {
                by_function[place].add(&reading);
            }
        }
        by_function
    }

    fn ratios(
        &self,
        ratio: fn(Lookups) -> Option<f64>,
    ) -> impl Iterator<Item = (&'static str, Option<f64>)> {
        let windows = WINDOWS.into_iter().zip(self.lookups);
        windows.map(move |((window, _), lookups)| (window, ratio(lookups)))
    }

    /// Counts add up, gauges by their rules, and ratios come afterwards.
    fn add(&mut self, other: &Self) {
        self.snapshot.merge(&other.snapshot);
        for (own, others) in self.lookups.iter_mut().zip(other.lookups) {
            *own = [*own, others].into_iter().sum();
        }
        self.sampling_rate = self.sampling_rate.min(other.sampling_rate);
        self.start = self.start.min(other.start);
        #[cfg(feature = "prometheus")]
        for outcome in Outcome::ALL {
            self.exemplars[*outcome].extend_from_slice(&other.exemplars[*outcome]);
        }
        // Of functions that share their names the first alone has it, for all.
        self.past.extend(other.past.iter().cloned());
    }
}

impl MetricSource for Reading {
    fn labels(&self) -> Vec<(&str, &str)> {
        self.labels.clone()
    }

    fn start(&self) -> Option<SystemTime> {
        Some(self.start)
    }

    fn extent(&self) -> Extent {
        self.extent
    }

    #[cfg(feature = "prometheus")]
    fn exemplars(&self, metric: &str, labels: &[(&str, &str)]) -> &[Observed] {
        let is_told = |outcome: &&Outcome| labels.contains(&(Outcome::KEY, outcome.label()));
        let outcome = Outcome::ALL.iter().find(is_told);
        match outcome.filter(|_| metric == CALL_DURATION) {
            Some(outcome) => &self.exemplars[*outcome],
            None => &[],
        }
    }
}

impl MetricSource for StoreFigures {
    fn labels(&self) -> Vec<(&str, &str)> {
        vec![("backend", &self.backend), ("store", &self.store)]
    }

    fn start(&self) -> Option<SystemTime> {
        None
    }
}

impl MetricSource for Program {
    fn labels(&self) -> Vec<(&str, &str)> {
        Vec::new()
    }

    fn start(&self) -> Option<SystemTime> {
        None
    }
}

impl MetricSource for About {
    fn labels(&self) -> Vec<(&str, &str)> {
        vec![("exporter", &self.exporter)]
    }

    fn start(&self) -> Option<SystemTime> {
        None
    }
}

//! All figures of a function or a group at one moment: merged, sent and exported.

use std::iter::Sum;
use std::ops::AddAssign;
use std::time::Duration;

#[cfg(feature = "serde")]
use serde::{Deserialize, Serialize};

use crate::gauges::Gauges;
use crate::histogram::Histogram;
use crate::labelled::Labelled;
use crate::labels::{
    AbandonReason, ComputeFailure, ComputePlace, ErrorLabel, Label, NearResult, Operation, Outcome,
    Reason, RemovalCause, StaleUse, WaitScope,
};

/// All figures of a function, or of several merged, named as in the metric catalogue.
///
/// Merging is associative and commutative, with the empty snapshot as identity, so figures of functions and processes
/// can be added in any order. Ratios and quantiles are computed afterwards, by [`Stats::from`](crate::Stats).
///
/// ```
/// use cachier_metrics::{Outcome, Snapshot, Stats};
///
/// let mut one = Snapshot::default();
/// one.calls[Outcome::Hit] = 3;
/// let mut other = Snapshot::default();
/// other.calls[Outcome::Miss] = 1;
/// let both: Snapshot = [one, other].iter().sum();
/// assert_eq!(Stats::from(&both).hit_rate(), Some(0.75));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize), serde(default))]
#[non_exhaustive]
pub struct Snapshot {
    /// The time span of the figures; after merging, the longest.
    pub covers: Duration,
    /// Finished calls.
    pub calls: Labelled<Outcome, u64>,
    /// Calls that ended without a value.
    pub abandoned: Labelled<AbandonReason, u64>,
    /// Lookups that found a stale entry.
    pub stale_hits: Labelled<StaleUse, u64>,
    /// Executions of the function's body.
    pub recalculations: Labelled<Reason, u64>,
    /// Executions that gave no storable value.
    pub recalculation_failures: Labelled<ComputeFailure, Labelled<ComputePlace, u64>>,
    /// Stale values served without an attempt to recompute them, because of `retry_after`.
    pub refreshes_suppressed: u64,
    /// Waits ended by `wait_for_calc_timeout`.
    pub wait_timeouts: u64,
    /// Computations whose lease had gone when their value was to be stored.
    pub leases_lost: u64,
    /// Values not stored because they were larger than `entry_size_limit`.
    pub size_limit_rejections: u64,
    /// Their size in bytes.
    pub rejected_bytes: u64,
    /// Entries removed.
    pub removals: Labelled<RemovalCause, u64>,
    /// Failures of the backend.
    pub backend_errors: Labelled<Operation, Labelled<ErrorLabel, u64>>,
    /// Lookups in the near tier.
    pub near_lookups: Labelled<NearResult, u64>,
    /// Nanoseconds saved by hits, estimated from the sampled ones; absent if none are sampled.
    pub time_saved: Option<u128>,
    /// Whole calls.
    pub call_duration: Labelled<Outcome, Histogram>,
    /// Executions of the body.
    pub compute_duration: Histogram,
    /// Waits for another's computation.
    pub wait_duration: Labelled<WaitScope, Histogram>,
    /// Operations of the backend.
    pub operation_duration: Labelled<Operation, Histogram>,
    /// Serialized size of stored values, in bytes.
    pub entry_size: Histogram,
    /// Age of the values served to sampled calls.
    pub entry_age: Histogram,
    /// The content of the cache.
    pub gauges: Gauges,
    /// The activity right now.
    pub activity: Activity,
}

/// The current activity of a function.
///
/// ```
/// # use cachier_metrics::{CacheMetrics, MetricsOptions, Outcome, Sampled};
/// # let metrics = CacheMetrics::create(MetricsOptions::new("forecast", "memory"));
/// # metrics.start_call(Some(Sampled::ONE), None).finish(Outcome::Hit, None, None);
/// # metrics.start_call(Some(Sampled::ONE), None).finish(Outcome::Miss, None, None);
/// let activity = metrics.snapshot().activity;
/// assert_eq!((activity.inflight_calls, activity.waiting_calls), (0, 0));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize), serde(default))]
#[non_exhaustive]
pub struct Activity {
    /// Unfinished calls off the hit path.
    pub inflight_calls: u64,
    /// Unfinished executions of the body.
    pub inflight_computations: u64,
    /// Calls waiting for another's computation.
    pub waiting_calls: u64,
    /// The age of the oldest running computation.
    pub oldest_computation: Option<Duration>,
}

impl Snapshot {
    /// Adds the figures of another function, group or process.
    pub fn merge(&mut self, other: &Self) {
        self.covers = self.covers.max(other.covers);
        self.combine(
            other,
            &Operator {
                number: u64::saturating_add,
                histogram: Histogram::merge,
            },
        );
        self.time_saved = merge_options(self.time_saved, other.time_saved, u128::saturating_add);
        self.gauges.merge(&other.gauges);
        self.activity.merge(&other.activity);
    }

    /// The share of its calls whose duration is known; 1 before the first.
    pub(crate) fn timed_share(&self) -> f64 {
        let calls: u64 = self.calls.values().sum();
        let timed = self.call_duration.values().map(|duration| duration.samples);
        match calls {
            0 => 1.0,
            _ => timed.sum::<u64>().min(calls) as f64 / calls as f64,
        }
    }

    /// Raises what is known of timed hits to what `earlier`, an older snapshot of the same function, knew. The sum of
    /// durations is a floating point number, whose last digit depends on the order of additions.
    pub(crate) fn raise_to(&mut self, earlier: &Self) {
        self.time_saved = self.time_saved.max(earlier.time_saved);
        self.call_duration[Outcome::Hit].raise_to(&earlier.call_duration[Outcome::Hit]);
        self.entry_age.raise_to(&earlier.entry_age);
    }

    /// The counts since `earlier`, an older snapshot of the same function or group; gauges are current.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut rest = self.clone();
        rest.covers = self.covers.saturating_sub(earlier.covers);
        let histogram = |later: &mut Histogram, earlier: &Histogram| *later = later.since(earlier);
        rest.combine(
            earlier,
            &Operator {
                number: u64::saturating_sub,
                histogram,
            },
        );
        let earlier_saved = earlier.time_saved.unwrap_or(0);
        rest.time_saved = self
            .time_saved
            .map(|saved| saved.saturating_sub(earlier_saved));
        rest
    }

    /// Applies an operator to every counter and histogram.
    pub(crate) fn combine<N, H>(&mut self, other: &Self, op: &Operator<N, H>)
    where
        N: Fn(u64, u64) -> u64,
        H: Fn(&mut Histogram, &Histogram),
    {
        op.numbers(&mut self.calls, &other.calls);
        op.numbers(&mut self.abandoned, &other.abandoned);
        op.numbers(&mut self.stale_hits, &other.stale_hits);
        op.numbers(&mut self.recalculations, &other.recalculations);
        for (failure, places) in other.recalculation_failures.iter() {
            op.numbers(&mut self.recalculation_failures[failure], places);
        }
        op.number(&mut self.refreshes_suppressed, other.refreshes_suppressed);
        op.number(&mut self.wait_timeouts, other.wait_timeouts);
        op.number(&mut self.leases_lost, other.leases_lost);
        op.number(&mut self.size_limit_rejections, other.size_limit_rejections);
        op.number(&mut self.rejected_bytes, other.rejected_bytes);
        op.numbers(&mut self.removals, &other.removals);
        for (operation, errors) in other.backend_errors.iter() {
            op.numbers(&mut self.backend_errors[operation], errors);
        }
        op.numbers(&mut self.near_lookups, &other.near_lookups);
        op.histograms(&mut self.call_duration, &other.call_duration);
        (op.histogram)(&mut self.compute_duration, &other.compute_duration);
        op.histograms(&mut self.wait_duration, &other.wait_duration);
        op.histograms(&mut self.operation_duration, &other.operation_duration);
        (op.histogram)(&mut self.entry_size, &other.entry_size);
        (op.histogram)(&mut self.entry_age, &other.entry_age);
    }
}

impl AddAssign<&Self> for Snapshot {
    fn add_assign(&mut self, other: &Self) {
        self.merge(other);
    }
}

impl<'a> Sum<&'a Self> for Snapshot {
    fn sum<I: Iterator<Item = &'a Self>>(snapshots: I) -> Self {
        snapshots.fold(Self::default(), |mut sum, snapshot| {
            sum.merge(snapshot);
            sum
        })
    }
}

impl Sum for Snapshot {
    fn sum<I: Iterator<Item = Self>>(snapshots: I) -> Self {
        snapshots.fold(Self::default(), |mut sum, snapshot| {
            sum.merge(&snapshot);
            sum
        })
    }
}

impl Activity {
    fn merge(&mut self, other: &Self) {
        self.inflight_calls = self.inflight_calls.saturating_add(other.inflight_calls);
        self.inflight_computations = self
            .inflight_computations
            .saturating_add(other.inflight_computations);
        self.waiting_calls = self.waiting_calls.saturating_add(other.waiting_calls);
        self.oldest_computation = self.oldest_computation.max(other.oldest_computation);
    }
}

/// How to combine two counters, and two histograms.
pub(crate) struct Operator<N, H> {
    pub(crate) number: N,
    pub(crate) histogram: H,
}

impl<N: Fn(u64, u64) -> u64, H: Fn(&mut Histogram, &Histogram)> Operator<N, H> {
    fn number(&self, number: &mut u64, other: u64) {
        *number = (self.number)(*number, other);
    }

    fn numbers<L: Label>(&self, numbers: &mut Labelled<L, u64>, other: &Labelled<L, u64>) {
        for (label, other) in other.iter() {
            self.number(&mut numbers[label], *other);
        }
    }

    fn histograms<L: Label>(
        &self,
        histograms: &mut Labelled<L, Histogram>,
        other: &Labelled<L, Histogram>,
    ) {
        for (label, other) in other.iter() {
            (self.histogram)(&mut histograms[label], other);
        }
    }
}

fn merge_options<T>(left: Option<T>, right: Option<T>, add: fn(T, T) -> T) -> Option<T> {
    match (left, right) {
        (Some(left), Some(right)) => Some(add(left, right)),
        (left, right) => left.or(right),
    }
}

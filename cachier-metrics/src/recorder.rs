//! Recorders of calls, waits, operations and computations, however these end.

use std::time::Duration;

use crate::counter::{Slot, Writers};
use crate::labels::{
    AbandonReason, ComputeFailure, ComputePlace, Operation, Outcome, Reason, WaitScope,
};
use crate::metrics::CacheMetrics;
use crate::sampling::Sampled;

/// Recording of what takes time.
#[doc(hidden)]
impl CacheMetrics {
    /// Starts a call off the hit path. `sampled` is the decision of [`Local::sample`](crate::Local::sample), `started`
    /// the time when the call began, if it is known already.
    pub fn start_call(
        &'static self,
        sampled: Option<Sampled>,
        started: Option<u64>,
    ) -> CallRecorder {
        self.counting();
        CallRecorder::start(self, sampled, started)
    }

    /// Starts an execution of the function's body, by a call or in the background.
    pub fn start_compute(&'static self, reason: Reason) -> ComputeRecorder {
        ComputeRecorder::start(self, reason)
    }

    /// Starts a backend operation outside any call; [`CallRecorder::operation`] starts those of a call.
    pub fn start_operation(
        &'static self,
        operation: Operation,
        sampled: Option<Sampled>,
    ) -> OperationRecorder {
        OperationRecorder::start(self, operation, sampled)
    }
}

/// A call off the hit path, counted by its outcome in [`finish`](Self::finish), or as abandoned if dropped without it.
///
/// ```
/// use cachier_metrics::{CacheMetrics, MetricsOptions};
/// # use cachier_metrics::{ComputeResult, Operation, Outcome, Reason, Sampled, WaitScope};
///
/// let metrics = CacheMetrics::create(MetricsOptions::new("forecast", "file"));
/// let call = metrics.start_call(Some(Sampled::ONE), None);
/// call.finish(Outcome::Miss, None, None);
/// drop(metrics.start_call(None, None)); // given up
/// let stats = metrics.stats();
/// assert_eq!((stats.misses, stats.abandoned), (1, 1));
/// ```
#[derive(Debug)]
#[must_use = "dropping it counts the call as abandoned"]
pub struct CallRecorder {
    metrics: &'static CacheMetrics,
    timing: Option<Timing>,
    finished: bool,
}

impl CallRecorder {
    fn start(
        metrics: &'static CacheMetrics,
        sampled: Option<Sampled>,
        started: Option<u64>,
    ) -> Self {
        metrics.shared.inflight_calls.up();
        let timing = sampled.map(|sampled| Timing {
            sampled,
            started: started.unwrap_or_else(|| metrics.clock().now()),
        });
        Self {
            metrics,
            timing,
            finished: false,
        }
    }

    /// Ends the call with its outcome. `age` and `compute` are the age and the compute time of the stored value that it
    /// was served, in nanoseconds.
    pub fn finish(mut self, outcome: Outcome, age: Option<u64>, compute: Option<u64>) {
        self.finished = true;
        let shared = &self.metrics.shared;
        shared.calls.add(outcome, 1);
        let Some(timing) = self.timing else { return };
        let weight = timing.sampled.weight();
        let elapsed = timing.elapsed(self.metrics);
        // First: readers look again when a later part has changed, but not for this sum.
        let saved = compute.and_then(|compute| compute.checked_sub(elapsed));
        if let (Outcome::Hit, Some(saved)) = (outcome, saved) {
            shared.time_saved.add(saved, weight, Writers::Many);
        }
        if let Some(age) = age {
            shared.entry_age.record(age, weight);
        }
        shared.call_duration[outcome].record(elapsed, weight);
        #[cfg(feature = "prometheus")]
        self.metrics.blocks.exemplars.take(outcome, elapsed);
    }

    /// Starts a wait for another's computation, until the recorder is dropped.
    pub fn wait(&self, scope: WaitScope) -> WaitRecorder {
        self.metrics.shared.waiting_calls.up();
        WaitRecorder {
            metrics: self.metrics,
            timing: Timing::start(self.metrics, self.sampled()),
            scope,
        }
    }

    /// Starts a backend operation, until the recorder is dropped.
    pub fn operation(&self, operation: Operation) -> OperationRecorder {
        self.metrics.start_operation(operation, self.sampled())
    }

    /// Records the serialized size of a value that this call stored.
    pub fn stored(&self, bytes: u64) {
        self.metrics.stored(bytes, self.sampled());
    }

    /// The sampling decision of the call.
    pub fn sampled(&self) -> Option<Sampled> {
        self.timing.map(|timing| timing.sampled)
    }
}

impl Drop for CallRecorder {
    fn drop(&mut self) {
        let shared = &self.metrics.shared;
        if !self.finished {
            let reason = if std::thread::panicking() {
                AbandonReason::Panic
            } else {
                AbandonReason::Cancelled
            };
            shared.abandoned.add(reason, 1);
        }
        shared.inflight_calls.down();
    }
}

/// A call's wait for another's computation.
///
/// ```
/// use cachier_metrics::{CacheMetrics, MetricsOptions};
/// # use cachier_metrics::{ComputeResult, Operation, Outcome, Reason, Sampled, WaitScope};
///
/// let metrics = CacheMetrics::create(MetricsOptions::new("forecast", "file"));
/// let call = metrics.start_call(Some(Sampled::ONE), None);
/// let wait = call.wait(WaitScope::Process);
/// assert_eq!(metrics.snapshot().activity.waiting_calls, 1);
/// drop(wait);
/// call.finish(Outcome::Coalesced, None, None);
/// assert_eq!(metrics.stats().wait.count(), Some(1));
/// ```
#[derive(Debug)]
#[must_use = "dropping it ends the wait"]
pub struct WaitRecorder {
    metrics: &'static CacheMetrics,
    timing: Option<Timing>,
    scope: WaitScope,
}

impl Drop for WaitRecorder {
    fn drop(&mut self) {
        let shared = &self.metrics.shared;
        if let Some(timing) = self.timing {
            shared.wait_duration[self.scope]
                .record(timing.elapsed(self.metrics), timing.sampled.weight());
        }
        shared.waiting_calls.down();
    }
}

/// A backend operation.
///
/// ```
/// use cachier_metrics::{CacheMetrics, MetricsOptions};
/// # use cachier_metrics::{ComputeResult, Operation, Outcome, Reason, Sampled, WaitScope};
///
/// let metrics = CacheMetrics::create(MetricsOptions::new("forecast", "file"));
/// let loading = metrics.start_operation(Operation::Load, Some(Sampled::ONE));
/// drop(loading); // it is over
/// assert_eq!(metrics.stats().load.count(), Some(1));
/// ```
#[derive(Debug)]
#[must_use = "dropping it ends the operation"]
pub struct OperationRecorder {
    metrics: &'static CacheMetrics,
    timing: Option<Timing>,
    operation: Operation,
}

impl OperationRecorder {
    fn start(
        metrics: &'static CacheMetrics,
        operation: Operation,
        sampled: Option<Sampled>,
    ) -> Self {
        Self {
            metrics,
            timing: Timing::start(metrics, sampled),
            operation,
        }
    }
}

impl Drop for OperationRecorder {
    fn drop(&mut self) {
        if let Some(timing) = self.timing {
            let histogram = &self.metrics.shared.operation_duration[self.operation];
            histogram.record(timing.elapsed(self.metrics), timing.sampled.weight());
        }
    }
}

/// An execution of the function's body, always timed. Dropped without [`finish`](Self::finish), it counts as a panic or
/// a cancellation.
///
/// ```
/// use cachier_metrics::{CacheMetrics, MetricsOptions};
/// # use cachier_metrics::{ComputeResult, Operation, Outcome, Reason, Sampled, WaitScope};
///
/// let metrics = CacheMetrics::create(MetricsOptions::new("forecast", "file"));
/// metrics.start_compute(Reason::Absent).finish(ComputeResult::Value);
/// drop(metrics.start_compute(Reason::Absent)); // cancelled
/// let stats = metrics.stats();
/// assert_eq!((stats.recalculations, stats.recalculation_failures), (2, 1));
/// ```
#[derive(Debug)]
#[must_use = "dropping it counts the computation as failed"]
pub struct ComputeRecorder {
    metrics: &'static CacheMetrics,
    started: u64,
    slot: &'static Slot,
    place: ComputePlace,
    finished: bool,
}

/// The result of a computation.
///
/// ```
/// use cachier_metrics::{CacheMetrics, MetricsOptions};
/// # use cachier_metrics::{ComputeResult, Operation, Outcome, Reason, Sampled, WaitScope};
///
/// let metrics = CacheMetrics::create(MetricsOptions::new("forecast", "file"));
/// metrics.start_compute(Reason::Absent).finish(ComputeResult::Error);
/// assert_eq!(metrics.stats().recalculation_failures, 1);
/// ```
///
/// Exhaustive: a function returns a value or fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ComputeResult {
    /// A value.
    Value,
    /// An error.
    Error,
}

impl ComputeRecorder {
    fn start(metrics: &'static CacheMetrics, reason: Reason) -> Self {
        metrics.shared.recalculations.add(reason, 1);
        let started = metrics.clock().now();
        let slot = metrics.shared.running.start(started.max(1));
        Self {
            metrics,
            started,
            slot,
            place: match reason {
                Reason::Refresh => ComputePlace::Background,
                _ => ComputePlace::Foreground,
            },
            finished: false,
        }
    }

    /// Ends the computation; returns its duration.
    pub fn finish(mut self, result: ComputeResult) -> Duration {
        self.finished = true;
        let shared = &self.metrics.shared;
        let elapsed = self.metrics.clock().now().saturating_sub(self.started);
        shared.compute_duration.record(elapsed, 1);
        if result == ComputeResult::Error {
            shared.recalculation_failures[ComputeFailure::Error].add(self.place, 1);
        }
        Duration::from_nanos(elapsed)
    }
}

impl Drop for ComputeRecorder {
    fn drop(&mut self) {
        let shared = &self.metrics.shared;
        if !self.finished {
            let failure = if std::thread::panicking() {
                ComputeFailure::Panic
            } else {
                ComputeFailure::Cancelled
            };
            shared.recalculation_failures[failure].add(self.place, 1);
        }
        shared.running.end(self.slot);
    }
}

/// The start of something sampled.
#[derive(Clone, Copy, Debug)]
struct Timing {
    sampled: Sampled,
    started: u64,
}

impl Timing {
    fn start(metrics: &CacheMetrics, sampled: Option<Sampled>) -> Option<Self> {
        sampled.map(|sampled| Self {
            sampled,
            started: metrics.clock().now(),
        })
    }

    fn elapsed(self, metrics: &CacheMetrics) -> u64 {
        metrics.clock().now().saturating_sub(self.started)
    }
}

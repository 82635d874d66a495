//! Counts shared by all threads: everything off the hit path.

use crate::counter::{Counter, Sum, UpDownCounter, Writers};
use crate::histogram::{BYTES, LazyHistogram, SECONDS};
use crate::labelled::Labelled;
use crate::labels::{
    AbandonReason, ComputeFailure, ComputePlace, ErrorLabel, Label, NearResult, Operation, Outcome,
    Reason, RemovalCause, StaleUse, WaitScope,
};
use crate::running::RunningComputations;
use crate::snapshot::Snapshot;

/// The counters and histograms written by any thread.
pub(crate) struct SharedCounters {
    pub(crate) calls: Counters<Outcome>,
    pub(crate) abandoned: Counters<AbandonReason>,
    pub(crate) stale_hits: Counters<StaleUse>,
    pub(crate) recalculations: Counters<Reason>,
    pub(crate) recalculation_failures: Labelled<ComputeFailure, Counters<ComputePlace>>,
    pub(crate) refreshes_suppressed: Counter,
    pub(crate) wait_timeouts: Counter,
    pub(crate) leases_lost: Counter,
    pub(crate) size_limit_rejections: Counter,
    pub(crate) rejected_bytes: Counter,
    pub(crate) removals: Counters<RemovalCause>,
    pub(crate) backend_errors: Labelled<Operation, Counters<ErrorLabel>>,
    pub(crate) near_lookups: Counters<NearResult>,
    pub(crate) time_saved: Sum,
    pub(crate) call_duration: Labelled<Outcome, LazyHistogram>,
    pub(crate) compute_duration: LazyHistogram,
    pub(crate) wait_duration: Labelled<WaitScope, LazyHistogram>,
    pub(crate) operation_duration: Labelled<Operation, LazyHistogram>,
    pub(crate) entry_size: LazyHistogram,
    pub(crate) entry_age: LazyHistogram,
    pub(crate) inflight_calls: UpDownCounter,
    pub(crate) waiting_calls: UpDownCounter,
    pub(crate) running: RunningComputations,
}

type Counters<L> = Labelled<L, Counter>;

impl SharedCounters {
    pub(crate) fn new() -> Self {
        Self {
            calls: Labelled::default(),
            abandoned: Labelled::default(),
            stale_hits: Labelled::default(),
            recalculations: Labelled::default(),
            recalculation_failures: Labelled::default(),
            refreshes_suppressed: Counter::default(),
            wait_timeouts: Counter::default(),
            leases_lost: Counter::default(),
            size_limit_rejections: Counter::default(),
            rejected_bytes: Counter::default(),
            removals: Labelled::default(),
            backend_errors: Labelled::default(),
            near_lookups: Labelled::default(),
            time_saved: Sum::default(),
            call_duration: Labelled::from_fn(|_| LazyHistogram::new(&SECONDS)),
            compute_duration: LazyHistogram::new(&SECONDS),
            wait_duration: Labelled::from_fn(|_| LazyHistogram::new(&SECONDS)),
            operation_duration: Labelled::from_fn(|_| LazyHistogram::new(&SECONDS)),
            entry_size: LazyHistogram::new(&BYTES),
            entry_age: LazyHistogram::new(&SECONDS),
            inflight_calls: UpDownCounter::default(),
            waiting_calls: UpDownCounter::default(),
            running: RunningComputations::default(),
        }
    }

    /// Increases with every change.
    pub(crate) fn activity(&self) -> u64 {
        self.counted().wrapping_add(self.recorded())
    }

    /// A snapshot of all of it.
    pub(crate) fn read(&self) -> Snapshot {
        Snapshot {
            calls: self.calls.read(),
            abandoned: self.abandoned.read(),
            stale_hits: self.stale_hits.read(),
            recalculations: self.recalculations.read(),
            recalculation_failures: Labelled::from_fn(|failure| {
                self.recalculation_failures[failure].read()
            }),
            refreshes_suppressed: self.refreshes_suppressed.get(),
            wait_timeouts: self.wait_timeouts.get(),
            leases_lost: self.leases_lost.get(),
            size_limit_rejections: self.size_limit_rejections.get(),
            rejected_bytes: self.rejected_bytes.get(),
            removals: self.removals.read(),
            backend_errors: Labelled::from_fn(|operation| self.backend_errors[operation].read()),
            near_lookups: self.near_lookups.read(),
            time_saved: Some(self.time_saved.get()),
            call_duration: Labelled::from_fn(|outcome| self.call_duration[outcome].read()),
            compute_duration: self.compute_duration.read(),
            wait_duration: Labelled::from_fn(|scope| self.wait_duration[scope].read()),
            operation_duration: Labelled::from_fn(|operation| {
                self.operation_duration[operation].read()
            }),
            entry_size: self.entry_size.read(),
            entry_age: self.entry_age.read(),
            ..Snapshot::default()
        }
    }

    fn counted(&self) -> u64 {
        let errors = self.backend_errors.values().map(total);
        let failures = self.recalculation_failures.values().map(total);
        [
            total(&self.calls),
            total(&self.abandoned),
            total(&self.stale_hits),
            total(&self.recalculations),
            self.refreshes_suppressed.get(),
            self.wait_timeouts.get(),
            self.leases_lost.get(),
            self.size_limit_rejections.get(),
            total(&self.removals),
            total(&self.near_lookups),
        ]
        .into_iter()
        .chain(errors)
        .chain(failures)
        .fold(0, u64::wrapping_add)
    }

    fn recorded(&self) -> u64 {
        let single = [&self.compute_duration, &self.entry_size, &self.entry_age];
        let calls = self.call_duration.values();
        let waits = self.wait_duration.values();
        let operations = self.operation_duration.values();
        let all = single
            .into_iter()
            .chain(calls)
            .chain(waits)
            .chain(operations);
        all.map(LazyHistogram::samples).fold(0, u64::wrapping_add)
    }
}

impl<L: Label> Counters<L> {
    /// Counts `n` under a label.
    #[inline]
    pub(crate) fn add(&self, label: L, n: u64) {
        self[label].add(n, Writers::Many);
    }

    pub(crate) fn read(&self) -> Labelled<L, u64> {
        Labelled::from_fn(|label| self[label].get())
    }
}

fn total<L: Label>(counters: &Counters<L>) -> u64 {
    counters
        .values()
        .map(Counter::get)
        .fold(0, u64::wrapping_add)
}

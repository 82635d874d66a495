//! An operation on a store: its caller, and when it was sent.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cachier_metrics::Clock;

use crate::call::CallMode;
use crate::limiter::Priority;
use crate::timer::Timer;

/// The caller of an operation.
pub(crate) struct Caller<'a> {
    pub(crate) clock: &'a Clock,
    pub(crate) timer: &'static Timer,
    pub(crate) mode: CallMode,
    pub(crate) priority: Priority,
    pub(crate) operation_timeout: Duration,
    pub(crate) from_companion: bool,
}

/// When an operation was sent, and whether as the probe of a breaker.
#[derive(Debug)]
pub(crate) struct SendTime {
    /// When it was requested, or when it got its permit.
    moment: AtomicU64,
    /// The moment that identifies it as a probe of its breaker, or [`NONE`].
    probe: AtomicU64,
}

const NONE: u64 = u64::MAX;

impl SendTime {
    pub(crate) fn at(moment: u64) -> Self {
        Self::as_probe(moment, None)
    }

    pub(crate) fn as_probe(moment: u64, probe: Option<u64>) -> Self {
        Self {
            moment: AtomicU64::new(moment),
            probe: AtomicU64::new(probe.unwrap_or(NONE)),
        }
    }

    /// Records that it is sent only now.
    pub(crate) fn set_moment(&self, moment: u64) {
        self.moment.store(moment, Ordering::Relaxed);
    }

    /// Takes the moment and the probe of another operation.
    pub(crate) fn copy_from(&self, other: &Self) {
        self.set_moment(other.moment());
        let probe = other.probe.load(Ordering::Relaxed);
        self.probe.store(probe, Ordering::Relaxed);
    }

    pub(crate) fn moment(&self) -> u64 {
        self.moment.load(Ordering::Relaxed)
    }

    pub(crate) fn probe(&self) -> Option<u64> {
        let probe = self.probe.load(Ordering::Relaxed);
        (probe != NONE).then_some(probe)
    }
}

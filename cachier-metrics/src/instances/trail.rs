//! What was counted when, over the last day: for windows that reach back before the start of a process.

use std::collections::BTreeMap;
use std::time::Duration;

use super::figures::InstanceFigures;
use super::varint::{Reader, Writer};
use crate::gauges::Gauges;
use crate::snapshot::{Activity, Snapshot};

/// Counts by minutes for the last hour, and by quarters of an hour for the day before, by the clock on the wall.
///
/// Of several processes, one after the other or at the same time, the counts add up, and the time in which at least one of
/// them counted is what is covered.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trail {
    /// By the beginning of the minute, or of the quarter, in seconds since 1970.
    minutes: BTreeMap<u64, Step>,
    quarters: BTreeMap<u64, Step>,
}

/// What was counted from one moment to another, in nanoseconds since 1970.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Step {
    /// The first moment.
    pub from: u64,
    /// The last one.
    pub to: u64,
    /// For how long something counted in between.
    pub covered: u64,
    /// The counts.
    pub figures: InstanceFigures,
}

const SECOND: u64 = 1_000_000_000;
const MINUTE: u64 = 60;
const QUARTER: u64 = 15 * MINUTE;
const HOUR: u64 = 60 * MINUTE;
/// The longest window, with the quarter that it begins in.
const KEPT: u64 = 24 * HOUR + QUARTER;

impl Trail {
    /// Adds what was counted in a while, by one process.
    pub fn add(&mut self, step: Step) {
        let minute = step.from / SECOND / MINUTE * MINUTE;
        self.minutes.entry(minute).or_default().add(step);
    }

    /// Adds another trail.
    pub fn merge(&mut self, other: Self) {
        for (start, step) in other.minutes {
            self.minutes.entry(start).or_default().add(step);
        }
        for (start, step) in other.quarters {
            self.quarters.entry(start).or_default().add(step);
        }
    }

    /// Keeps what windows may ask for at `now`, in nanoseconds since 1970.
    pub fn thin(&mut self, now: u64) {
        let now = now / SECOND;
        let old = self.minutes.split_off(&now.saturating_sub(HOUR + MINUTE));
        for (start, step) in std::mem::replace(&mut self.minutes, old) {
            let quarter = start / QUARTER * QUARTER;
            self.quarters.entry(quarter).or_default().add(step);
        }
        self.quarters = self.quarters.split_off(&now.saturating_sub(KEPT));
    }

    /// All steps, each with nothing in common with the others but those of the same time.
    pub fn steps(&self) -> impl Iterator<Item = &Step> {
        self.quarters.values().chain(self.minutes.values())
    }

    pub(super) fn write(&self, to: &mut Writer) {
        for steps in [&self.minutes, &self.quarters] {
            to.number(steps.len() as u64);
            for (start, step) in steps {
                to.number(*start);
                to.number(step.from);
                to.number(step.to);
                to.number(step.covered);
                step.figures.write(to);
            }
        }
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Option<Self> {
        let mut trail = Self::default();
        for steps in [&mut trail.minutes, &mut trail.quarters] {
            for _ in 0..from.int::<u64>()? {
                let start = from.int()?;
                let step = Step {
                    from: from.int()?,
                    to: from.int()?,
                    covered: from.int()?,
                    figures: InstanceFigures::read(from)?,
                };
                steps.insert(start, step);
            }
        }
        Some(trail)
    }
}

impl Step {
    fn add(&mut self, other: Self) {
        if self.to == 0 {
            *self = other;
            return;
        }
        self.from = self.from.min(other.from);
        self.to = self.to.max(other.to);
        // Of processes at the same time, the time counts once.
        let span = self.to.saturating_sub(self.from);
        self.covered = self.covered.saturating_add(other.covered).min(span);
        self.figures.merge(&other.figures);
    }
}

impl InstanceFigures {
    /// Adds the figures of all functions.
    pub(super) fn merge(&mut self, other: &Self) {
        for ((function, backend), figures) in &other.functions {
            self.add(function, backend, figures);
        }
    }

    /// What has been counted since `earlier` figures of the same process, by the functions that have counted anything.
    #[must_use]
    pub fn counted_since(&self, earlier: &Self) -> Self {
        let mut counted = Self::default();
        for (names, figures) in &self.functions {
            let mut figures = figures.clone();
            if let Some(earlier) = earlier.functions.get(names) {
                figures.snapshot = figures.snapshot.since(&earlier.snapshot);
            }
            figures.snapshot.gauges = Gauges::default();
            figures.snapshot.activity = Activity::default();
            figures.snapshot.covers = Duration::ZERO;
            let nothing = Snapshot {
                time_saved: figures.snapshot.time_saved.map(|_| 0),
                ..Snapshot::default()
            };
            if figures.snapshot != nothing {
                counted.functions.insert(names.clone(), figures);
            }
        }
        counted
    }
}

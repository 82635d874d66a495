//! Counts by time over the last day, for windows that reach back before the start of a process.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::figures::InstanceFigures;
use super::stores;
use crate::bits::{Reader, Writer};
use crate::packed::Packed;
use crate::snapshot::Snapshot;

/// Counts by the minute for the last hour, by the quarter for the last four hours, and by the hour for the last day, in wall
/// clock time.
///
/// The counts of several processes add up, whether they run concurrently or in turn. The covered time is the time in which
/// at least one of them counted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trail {
    /// By the beginning of the minute, the quarter, or the hour, in seconds since 1970.
    steps: [BTreeMap<u64, Step>; LENGTHS.len()],
}

/// What was counted from one moment to another, in nanoseconds since 1970.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Step {
    /// The first moment.
    pub from: u64,
    /// The last one.
    pub to: u64,
    /// For how much of the time between a process counted.
    pub covered: u64,
    /// By functions, in their order.
    counted: Vec<(Names, Packed)>,
}

/// A function and its backend.
type Names = Arc<(String, String)>;

const SECOND: u64 = 1_000_000_000;
const MINUTE: u64 = 60;
const QUARTER: u64 = 15 * MINUTE;
const HOUR: u64 = 60 * MINUTE;
/// How long steps are, and how old they get: the last ones as old as the longest window, with the hour that it begins in.
const LENGTHS: [u64; 3] = [MINUTE, QUARTER, HOUR];
const AGES: [u64; 3] = [HOUR + MINUTE, 4 * HOUR, 25 * HOUR];

impl Trail {
    /// Adds what one process counted in a time span. If that is longer than the longest step, as where a trail was lost,
    /// nobody can tell when: no window has it.
    pub fn add(&mut self, step: Step) {
        if step.to.saturating_sub(step.from) > HOUR * SECOND {
            return;
        }
        let minute = step.from / SECOND / MINUTE * MINUTE;
        self.steps[0].entry(minute).or_default().add(step);
    }

    /// Adds another trail.
    pub fn merge(&mut self, other: Self) {
        for (steps, others) in self.steps.iter_mut().zip(other.steps) {
            for (start, step) in others {
                steps.entry(start).or_default().add(step);
            }
        }
    }

    /// Drops what no window needs at `now`, in nanoseconds since 1970. What is far later is of a clock that was ahead.
    pub fn thin(&mut self, now: u64) {
        for steps in &mut self.steps {
            steps.retain(|start, _| *start <= now / SECOND + HOUR);
        }
        let mut old = BTreeMap::new();
        for ((steps, length), age) in self.steps.iter_mut().zip(LENGTHS).zip(AGES) {
            for (start, step) in std::mem::take(&mut old) {
                let start = start / length * length;
                steps.entry(start).or_default().add(step);
            }
            let young = steps.split_off(&(now / SECOND).saturating_sub(age));
            old = std::mem::replace(steps, young);
        }
    }

    /// All steps, each with nothing in common with the others but those of the same time.
    pub fn steps(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().rev().flat_map(BTreeMap::values)
    }

    pub(super) fn write(&self, to: &mut Writer) {
        let steps = self.steps().flat_map(|step| &step.counted);
        let mut places: BTreeMap<_, _> = steps.map(|(names, _)| (names, 0)).collect();
        to.number(places.len() as u64);
        for (place, (names, known)) in places.iter_mut().enumerate() {
            to.text(&names.0);
            to.text(&names.1);
            *known = place as u64;
        }
        for steps in &self.steps {
            to.number(steps.len() as u64);
            for (start, step) in steps {
                to.number(*start);
                step.write(&places, to);
            }
        }
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Option<Self> {
        let mut names = Vec::new();
        for _ in 0..from.int::<u64>()? {
            names.push(Arc::new((from.text()?, from.text()?)));
        }
        let mut trail = Self::default();
        for steps in &mut trail.steps {
            for _ in 0..from.int::<u64>()? {
                let start = from.int()?;
                steps.insert(start, Step::read(&names, from)?);
            }
        }
        Some(trail)
    }
}

impl Step {
    /// What a process counted between two moments; `covered` is how long it counted.
    #[must_use]
    pub fn between(
        (from, to): (u64, u64),
        covered: u64,
        earlier: &InstanceFigures,
        later: &InstanceFigures,
    ) -> Self {
        let nothing = Snapshot::default();
        let mut counted = Vec::new();
        for (names, figures) in &later.functions {
            let before = earlier.functions.get(names);
            let before = before.map_or(&nothing, |before| &before.snapshot);
            let packed = Packed::between(before, &figures.snapshot);
            if !packed.is_empty() {
                counted.push((Arc::new(names.clone()), packed));
            }
        }
        Self {
            from,
            to,
            covered,
            counted,
        }
    }

    pub(super) fn counted(&self, names: &(String, String)) -> Option<&Packed> {
        let place = self.place(names).ok()?;
        Some(&self.counted[place].1)
    }

    fn place(&self, names: &(String, String)) -> Result<usize, usize> {
        self.counted
            .binary_search_by(|(known, _)| (**known).cmp(names))
    }

    fn add(&mut self, other: Self) {
        if self.to == 0 {
            *self = other;
            return;
        }
        self.from = self.from.min(other.from);
        self.to = self.to.max(other.to);
        // The time of concurrent processes counts once.
        let span = self.to.saturating_sub(self.from);
        self.covered = self.covered.saturating_add(other.covered).min(span);
        for (names, packed) in other.counted {
            match self.place(&names) {
                Ok(place) => {
                    let known = &mut self.counted[place].1;
                    *known = known.and(&packed);
                }
                Err(place) => self.counted.insert(place, (names, packed)),
            }
        }
    }

    fn write(&self, places: &BTreeMap<&Names, u64>, to: &mut Writer) {
        to.number(self.from);
        to.number(self.to);
        to.number(self.covered);
        to.number(self.counted.len() as u64);
        for (names, packed) in &self.counted {
            to.number(places[names]);
            to.number(packed.bytes().len() as u64);
            to.bytes(packed.bytes());
        }
    }

    fn read(names: &[Names], from: &mut Reader<'_>) -> Option<Self> {
        let mut step = Self {
            from: from.int()?,
            to: from.int()?,
            covered: from.int()?,
            counted: Vec::new(),
        };
        for _ in 0..from.int::<u64>()? {
            let names = Arc::clone(names.get(from.int::<usize>()?)?);
            let length = from.int()?;
            let packed = Packed::from_bytes(from.bytes(length)?);
            let rises = step.counted.last().is_none_or(|(last, _)| *last < names);
            step.counted.push(rises.then_some((names, packed))?);
        }
        Some(step)
    }
}

impl InstanceFigures {
    /// Adds the figures of all functions.
    pub(super) fn merge(&mut self, other: &Self) {
        for ((function, backend), figures) in &other.functions {
            self.add(function, backend, figures);
        }
        stores::merge(&mut self.stores, &other.stores);
    }
}

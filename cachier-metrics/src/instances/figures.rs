//! The figures of a process, and of each of its functions, as bytes.

use std::collections::BTreeMap;
use std::time::{Duration, UNIX_EPOCH};

use super::fields::{self, Current, counter_mut, counters, histogram_mut, histograms, set_current};
use super::varint::{Reader, Writer};
use crate::clock::nanos;
use crate::gauges::{Holding, Shared};
use crate::histogram::{Bucket, Histogram};
use crate::metrics::CacheMetrics;
use crate::snapshot::Snapshot;

/// The figures of all functions of one process since its start, by their names and those of their backends.
///
/// Functions that share both are one, as everywhere.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct InstanceFigures {
    /// By function and backend.
    pub functions: BTreeMap<(String, String), FunctionFigures>,
}

/// The figures of one function in one process.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FunctionFigures {
    /// Since counting began.
    pub snapshot: Snapshot,
    /// The share of timed calls; `None` for `auto`.
    pub sampling: Option<f64>,
    /// When counting began, in nanoseconds since 1970.
    pub started: u64,
}

impl InstanceFigures {
    /// What these functions have counted since the start of this process, and what is so at this moment.
    pub fn of<'a>(functions: impl IntoIterator<Item = &'a CacheMetrics>) -> Self {
        Self::by(functions, CacheMetrics::snapshot)
    }

    /// What these functions have counted alone: no store is asked for its size.
    pub fn counted<'a>(functions: impl IntoIterator<Item = &'a CacheMetrics>) -> Self {
        Self::by(functions, CacheMetrics::counts)
    }

    fn by<'a>(
        functions: impl IntoIterator<Item = &'a CacheMetrics>,
        read: fn(&CacheMetrics) -> Snapshot,
    ) -> Self {
        let mut all = Self::default();
        for metrics in functions {
            all.add(
                metrics.name(),
                metrics.backend(),
                &metrics.figures(read(metrics)),
            );
        }
        all
    }

    /// Adds a function, or to what there is under its names.
    pub fn add(&mut self, function: &str, backend: &str, figures: &FunctionFigures) {
        let names = (function.to_owned(), backend.to_owned());
        match self.functions.get_mut(&names) {
            Some(known) => known.merge(figures),
            None => drop(self.functions.insert(names, figures.clone())),
        }
    }

    /// All of it.
    pub(super) fn write(&self, to: &mut Writer) {
        to.number(self.functions.len() as u64);
        for ((function, backend), figures) in &self.functions {
            to.text(function);
            to.text(backend);
            to.option(figures.sampling.map(f64::to_bits));
            to.number(figures.started);
            to.number(figures.snapshot.covers.as_nanos());
            write_change(&Snapshot::default(), &figures.snapshot, to);
        }
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Option<Self> {
        let mut all = Self::default();
        for _ in 0..from.int::<u64>()? {
            let names = (from.text()?.to_owned(), from.text()?.to_owned());
            let sampling = from.option()?.map(u64::try_from).transpose().ok()?;
            let mut figures = FunctionFigures {
                sampling: sampling.map(f64::from_bits),
                started: from.int()?,
                ..FunctionFigures::default()
            };
            figures.snapshot.covers = Duration::from_nanos(from.int()?);
            apply_change(&mut figures.snapshot, from)?;
            all.functions.insert(names, figures);
        }
        Some(all)
    }

    /// What has changed since `earlier` figures of the same functions; `None` where they are not the same.
    pub(super) fn write_change(&self, earlier: &Self, to: &mut Writer) -> Option<()> {
        let same = |(one, other): (&_, &_)| one == other;
        let (now, before) = (self.functions.keys(), earlier.functions.keys());
        if now.len() != before.len() || !now.zip(before).all(same) {
            return None;
        }
        let mut skipped = 0_u64;
        for (figures, before) in self.functions.values().zip(earlier.functions.values()) {
            let mut before = before.snapshot.clone();
            before.covers = figures.snapshot.covers;
            if before == figures.snapshot {
                skipped += 1;
                continue;
            }
            to.number(skipped + 1);
            skipped = 0;
            write_change(&before, &figures.snapshot, to);
        }
        to.number(0_u64);
        Some(())
    }

    /// Adds a written change, over which so much time has passed.
    pub(super) fn apply_change(&mut self, passed: Duration, from: &mut Reader<'_>) -> Option<()> {
        let mut functions = self.functions.values_mut();
        while let Some(skipped) = from.int::<usize>()?.checked_sub(1) {
            apply_change(&mut functions.nth(skipped)?.snapshot, from)?;
        }
        for figures in self.functions.values_mut() {
            figures.snapshot.covers = figures.snapshot.covers.saturating_add(passed);
        }
        Some(())
    }
}

impl CacheMetrics {
    fn figures(&self, snapshot: Snapshot) -> FunctionFigures {
        let started = self.start_time().duration_since(UNIX_EPOCH);
        FunctionFigures {
            snapshot,
            sampling: self.sampling().get(),
            started: nanos(started.unwrap_or_default()),
        }
    }
}

impl FunctionFigures {
    /// Adds those of another process, or of a function of the same names: sums, and gauges by their rules.
    pub fn merge(&mut self, other: &Self) {
        self.sampling = match (self.sampling, other.sampling) {
            (Some(own), Some(others)) => Some(own.min(others)),
            (own, others) => own.or(others),
        };
        self.started = self.started.min(other.started);
        self.snapshot.merge(&other.snapshot);
    }
}

/// What leads from one snapshot to a later one: counts that were added, and what a moment has where it differs.
fn write_change(earlier: &Snapshot, later: &Snapshot, to: &mut Writer) {
    let added = later.since(earlier);
    let mut last = 0;
    for (id, count) in counters(&added) {
        to.number(id - last);
        to.number(count);
        last = id;
    }
    to.number(0_u64);
    last = 0;
    let pairs = histograms(earlier).zip(histograms(later));
    for ((id, before), (_, now)) in pairs.filter(|((_, before), (_, now))| before != now) {
        to.number(id - last);
        write_histogram(before, now, to);
        last = id;
    }
    to.number(0_u64);
    write_current(fields::current(earlier), fields::current(later), to);
    write_shared(earlier, later, to);
}

fn apply_change(snapshot: &mut Snapshot, from: &mut Reader<'_>) -> Option<()> {
    let mut id = 0_u32;
    while let gap @ 1.. = from.int()? {
        id = id.checked_add(gap)?;
        let count: u64 = from.int()?;
        if let Some(counter) = counter_mut(snapshot, id) {
            *counter = counter.saturating_add(count);
        }
    }
    id = 0;
    while let gap @ 1.. = from.int()? {
        id = id.checked_add(gap)?;
        let mut unknown = Histogram::default();
        apply_histogram(histogram_mut(snapshot, id).unwrap_or(&mut unknown), from)?;
    }
    apply_current(snapshot, from)?;
    apply_shared(snapshot, from)
}

fn write_histogram(earlier: &Histogram, later: &Histogram, to: &mut Writer) {
    let added = later.since(earlier);
    to.number(added.samples);
    to.number(added.sum);
    to.number(added.excess);
    to.option((later.min != earlier.min).then_some(later.min));
    to.option((later.max != earlier.max).then_some(later.max));
    to.number(added.buckets.len() as u64);
    let mut last = 0;
    for bucket in &added.buckets {
        to.signed(bucket.index.wrapping_sub(last));
        to.number(bucket.count);
        last = bucket.index;
    }
}

fn apply_histogram(histogram: &mut Histogram, from: &mut Reader<'_>) -> Option<()> {
    let mut added = Histogram {
        samples: from.int()?,
        sum: from.number()?,
        excess: from.number()?,
        ..Histogram::default()
    };
    let extreme = |extreme: u128| u64::try_from(extreme).ok();
    let min = from.option()?.map_or(Some(histogram.min), extreme)?;
    let max = from.option()?.map_or(Some(histogram.max), extreme)?;
    let mut index = 0_i32;
    for _ in 0..from.int::<u64>()? {
        index = index.checked_add(from.signed()?)?;
        let count = from.int()?;
        let rises = added.buckets.last().is_none_or(|last| last.index < index);
        added
            .buckets
            .push(rises.then_some(Bucket { index, count })?);
    }
    histogram.merge(&added);
    (histogram.min, histogram.max) = (min, max);
    Some(())
}

/// The numbers that differ, by place; of those that are gone, that they are.
fn write_current(earlier: Current, later: Current, to: &mut Writer) {
    let pairs = earlier.into_iter().zip(later).enumerate();
    let changed = pairs.filter(|(_, (before, now))| before != now);
    for (place, (_, now)) in changed {
        to.number(place as u64 + 1);
        to.option(now);
    }
    to.number(0_u64);
}

fn apply_current(snapshot: &mut Snapshot, from: &mut Reader<'_>) -> Option<()> {
    let mut current = fields::current(snapshot);
    while let Some(place) = from.int::<usize>()?.checked_sub(1) {
        let number = from.option()?;
        if let Some(known) = current.get_mut(place) {
            *known = number;
        }
    }
    set_current(snapshot, &current);
    Some(())
}

/// The sizes in shared stores if they have changed; the name of a store as its place among the earlier ones if it is there.
fn write_shared(earlier: &Snapshot, later: &Snapshot, to: &mut Writer) {
    let (before, now) = (&earlier.gauges.shared, &later.gauges.shared);
    if before == now {
        to.number(0_u64);
        return;
    }
    to.number(now.len() as u64 + 1);
    for (name, shared) in now {
        match before.keys().position(|known| known == name) {
            Some(place) => to.number(place as u64 + 1),
            None => {
                to.number(0_u64);
                to.text(name);
            }
        }
        let Shared {
            holding,
            capacity_bytes,
        } = shared;
        to.option(holding.entries);
        to.option(holding.bytes);
        to.option(*capacity_bytes);
    }
}

fn apply_shared(snapshot: &mut Snapshot, from: &mut Reader<'_>) -> Option<()> {
    let Some(stores) = from.int::<u64>()?.checked_sub(1) else {
        return Some(());
    };
    let before = std::mem::take(&mut snapshot.gauges.shared);
    for _ in 0..stores {
        let name = match from.int::<usize>()?.checked_sub(1) {
            Some(place) => before.keys().nth(place)?.clone(),
            None => from.text()?.to_owned(),
        };
        let mut figure = || from.option()?.map(u64::try_from).transpose().ok();
        let holding = Holding::new(figure()?, figure()?);
        let shared = Shared::new(holding, figure()?);
        snapshot.gauges.shared.insert(name, shared);
    }
    Some(())
}

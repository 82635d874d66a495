//! The figures of a process, and of each of its functions, as bytes.

use std::collections::BTreeMap;
use std::time::{Duration, UNIX_EPOCH};

use super::change::{apply_change, write_change};
use super::stores::{self, Stores};
use crate::bits::{Reader, Writer};
use crate::clock::nanos;
use crate::metrics::CacheMetrics;
use crate::snapshot::Snapshot;

/// The figures of all functions and stores of one process since its start, by their names and those of their backends.
///
/// Functions that share both names count as one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct InstanceFigures {
    /// By function and backend.
    pub functions: BTreeMap<(String, String), FunctionFigures>,
    /// The stores that the functions use, by backend and name.
    pub stores: Stores,
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
    /// When windows were last reset, in nanoseconds since 1970; 0 if never.
    pub forgotten: u64,
}

impl InstanceFigures {
    /// The counts of these functions since the start of this process, and their current values.
    pub fn of<'a>(functions: impl IntoIterator<Item = &'a CacheMetrics>) -> Self {
        Self::by(functions, CacheMetrics::snapshot)
    }

    /// Only the counts of these functions: no store is asked for its size.
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

    /// Adds the figures of all stores of the process.
    #[must_use]
    pub fn with_stores(self) -> Self {
        Self {
            stores: stores::by_name(crate::stores::stores()),
            ..self
        }
    }

    /// Adds a function, or merges it with the one of the same names.
    pub fn add(&mut self, function: &str, backend: &str, figures: &FunctionFigures) {
        let names = (function.to_owned(), backend.to_owned());
        match self.functions.get_mut(&names) {
            Some(known) => known.merge(figures),
            None => drop(self.functions.insert(names, figures.clone())),
        }
    }

    /// Writes all figures.
    pub(super) fn write(&self, to: &mut Writer) {
        let figures = || self.functions.values();
        let first = figures().map(|figures| figures.started).min();
        let covers = |figures: &FunctionFigures| nanos(figures.snapshot.covers);
        let longest = figures().map(covers).max();
        let (first, longest) = (first.unwrap_or(0), longest.unwrap_or(0));
        to.number(self.functions.len() as u64);
        to.number(first);
        to.number(longest);
        for ((function, backend), figures) in &self.functions {
            to.text(function);
            to.text(backend);
            // Most shares have zeros in their low bytes.
            let sampling = figures.sampling.map(f64::to_bits);
            to.option(sampling.map(u64::swap_bytes));
            to.number(figures.started - first);
            to.number(figures.forgotten);
            to.number(longest - covers(figures));
            write_change(&Snapshot::default(), &figures.snapshot, to);
        }
        stores::write(&Stores::new(), &self.stores, to);
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Option<Self> {
        let mut all = Self::default();
        let (functions, first, longest): (u64, u64, u64) = (from.int()?, from.int()?, from.int()?);
        for _ in 0..functions {
            let names = (from.text()?, from.text()?);
            let sampling = from.option()?.map(u64::try_from).transpose().ok()?;
            let mut figures = FunctionFigures {
                sampling: sampling.map(|bits| f64::from_bits(bits.swap_bytes())),
                started: first.checked_add(from.int()?)?,
                forgotten: from.int()?,
                ..FunctionFigures::default()
            };
            let covers = longest.checked_sub(from.int()?)?;
            figures.snapshot.covers = Duration::from_nanos(covers);
            apply_change(&mut figures.snapshot, from)?;
            all.functions.insert(names, figures);
        }
        stores::apply(&mut all.stores, from)?;
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
        stores::write(&earlier.stores, &self.stores, to);
        Some(())
    }

    /// Applies a written change; `passed` is the time that it covers.
    pub(super) fn apply_change(&mut self, passed: Duration, from: &mut Reader<'_>) -> Option<()> {
        let mut functions = self.functions.values_mut();
        while let Some(skipped) = from.int::<usize>()?.checked_sub(1) {
            apply_change(&mut functions.nth(skipped)?.snapshot, from)?;
        }
        for figures in self.functions.values_mut() {
            figures.snapshot.covers = figures.snapshot.covers.saturating_add(passed);
        }
        stores::apply(&mut self.stores, from)
    }
}

impl CacheMetrics {
    fn figures(&self, snapshot: Snapshot) -> FunctionFigures {
        let started = self.start_time().duration_since(UNIX_EPOCH);
        FunctionFigures {
            snapshot,
            sampling: self.sampling().get(),
            started: nanos(started.unwrap_or_default()),
            forgotten: self.past.forgotten(),
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
        self.forgotten = self.forgotten.max(other.forgotten);
        self.snapshot.merge(&other.snapshot);
    }
}

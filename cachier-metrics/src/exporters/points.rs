//! The points of metrics; unknown figures are left out.

use std::borrow::Cow;

use super::family::SampleValue;
use super::functions::OTHER;
use crate::histogram::Histogram;
use crate::labelled::Labelled;
use crate::labels::{
    ComputeFailure, ComputePlace, ErrorLabel, Label, Operation, Reason, RemovalCause, StaleUse,
    Tier, WaitScope,
};
use crate::stores::StoreFigures;

/// A figure with its labels within the metric.
pub(crate) struct Point<'a> {
    pub(crate) labels: Vec<(&'static str, &'static str)>,
    pub(crate) value: SampleValue<'a>,
}

/// The same with the values of rare labels as one, and what they count added up.
pub(super) fn without_rare_labels(points: Vec<Point<'_>>) -> Vec<Point<'_>> {
    let mut all: Vec<Point<'_>> = Vec::new();
    for mut point in points {
        for (label, value) in &mut point.labels {
            if RARE_LABELS.contains(label) {
                *value = OTHER;
            }
        }
        match all.iter_mut().find(|known| known.labels == point.labels) {
            Some(known) => known.value.add(&point.value),
            None => all.push(point),
        }
    }
    all
}

/// Labels that say why and where, not how a call ended.
const RARE_LABELS: [&str; 7] = [
    ComputePlace::KEY,
    Reason::KEY,
    StaleUse::KEY,
    RemovalCause::KEY,
    Operation::KEY,
    ErrorLabel::KEY,
    WaitScope::KEY,
];

pub(super) fn count<'a>(count: u64) -> Vec<Point<'a>> {
    vec![Point {
        labels: Vec::new(),
        value: SampleValue::Count(count),
    }]
}

pub(super) fn known<'a>(figure: Option<u64>) -> Vec<Point<'a>> {
    figure.map(count).unwrap_or_default()
}

/// The figure if it is not zero: a scraped exporter sends nothing.
pub(super) fn if_any<'a>(figure: u64) -> Vec<Point<'a>> {
    known(Some(figure).filter(|figure| *figure > 0))
}

pub(super) fn number<'a>(figure: Option<f64>) -> Vec<Point<'a>> {
    figure
        .map(|n| Point {
            labels: Vec::new(),
            value: SampleValue::Number(n),
        })
        .into_iter()
        .collect()
}

pub(super) fn counts<L: Label>(counts: &Labelled<L, u64>) -> Vec<Point<'_>> {
    let point = |(of, count): (L, &u64)| Point {
        labels: vec![label(of)],
        value: SampleValue::Count(*count),
    };
    counts.iter().map(point).collect()
}

/// Errors in the foreground exist from the beginning, other failures with their first one: the series budget is small.
pub(super) fn failures(
    failures: &Labelled<ComputeFailure, Labelled<ComputePlace, u64>>,
) -> Vec<Point<'_>> {
    let mut points = Vec::new();
    for (failure, places) in failures.iter() {
        for (place, count) in places.iter() {
            if *count > 0 || (failure, place) == (ComputeFailure::Error, ComputePlace::Foreground) {
                points.push(Point {
                    labels: vec![label(failure), label(place)],
                    value: SampleValue::Count(*count),
                });
            }
        }
    }
    points
}

/// The version of cachier.
pub(super) fn version<'a>() -> Vec<Point<'a>> {
    vec![Point {
        labels: vec![("version", env!("CARGO_PKG_VERSION"))],
        value: SampleValue::Count(1),
    }]
}

/// For loads, every kind of error exists from the beginning. Other operations get one with their first error, as they
/// would use up the series budget otherwise.
pub(super) fn backend_errors(
    errors: &Labelled<Operation, Labelled<ErrorLabel, u64>>,
) -> Vec<Point<'_>> {
    let mut points = Vec::new();
    for (operation, errors) in errors.iter() {
        for (kind, count) in errors.iter() {
            if *count > 0 || operation == Operation::Load {
                points.push(Point {
                    labels: vec![label(operation), label(kind)],
                    value: SampleValue::Count(*count),
                });
            }
        }
    }
    points
}

/// A histogram exists from its first observation on.
pub(super) fn one_histogram(histogram: &Histogram) -> Vec<Point<'_>> {
    let observed = Some(histogram).filter(|histogram| !histogram.is_empty());
    observed
        .map(|h| Point {
            labels: Vec::new(),
            value: SampleValue::Histogram(Cow::Borrowed(h)),
        })
        .into_iter()
        .collect()
}

pub(super) fn histograms<L: Label>(histograms: &Labelled<L, Histogram>) -> Vec<Point<'_>> {
    let observed = histograms
        .iter()
        .filter(|(_, histogram)| !histogram.is_empty());
    let points = observed.map(|(outcome, histogram)| Point {
        labels: vec![label(outcome)],
        value: SampleValue::Histogram(Cow::Borrowed(histogram)),
    });
    points.collect()
}

pub(super) fn round_trips(store: &StoreFigures) -> Vec<Point<'_>> {
    let point = |&(operation, count): &(Operation, u64)| Point {
        labels: vec![label(operation)],
        value: SampleValue::Count(count),
    };
    store.round_trips.iter().map(point).collect()
}

pub(super) fn connections(store: &StoreFigures) -> Vec<Point<'_>> {
    let states = [
        ("idle", store.idle_connections),
        ("busy", store.busy_connections),
        ("max", store.max_connections),
    ];
    let known = states
        .into_iter()
        .filter_map(|(state, n)| Some((state, n?)));
    labelled_counts("state", known)
}

pub(super) fn labelled_counts<'a>(
    label: &'static str,
    counts: impl IntoIterator<Item = (&'static str, u64)>,
) -> Vec<Point<'a>> {
    let counts = counts.into_iter();
    counts
        .map(|(value, n)| Point {
            labels: vec![(label, value)],
            value: SampleValue::Count(n),
        })
        .collect()
}

pub(super) fn tiers<'a>(near: Option<u64>, backend: Option<u64>) -> Vec<Point<'a>> {
    let tiers = [(Tier::Near, near), (Tier::Backend, backend)];
    let known = tiers
        .into_iter()
        .filter_map(|(tier, figure)| Some((tier, figure?)));
    known
        .map(|(tier, n)| Point {
            labels: vec![label(tier)],
            value: SampleValue::Count(n),
        })
        .collect()
}

pub(super) fn by_window<'a>(
    windows: impl Iterator<Item = (&'static str, Option<f64>)>,
) -> Vec<Point<'a>> {
    let known = windows.filter_map(|(window, ratio)| Some((window, ratio?)));
    let points = known.map(|(window, ratio)| Point {
        labels: vec![("window", window)],
        value: SampleValue::Number(ratio),
    });
    points.collect()
}

fn label<L: Label>(label: L) -> (&'static str, &'static str) {
    (L::KEY, label.label())
}

//! The recent past of a function, step by step, for plots that begin filled.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::json::quantiles;
use crate::exporters::functions::Series;
use crate::histogram::Histogram;
use crate::labelled::Labelled;
use crate::labels::{Label, Outcome};
use crate::snapshot::Snapshot;

/// How far back the points of a series go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Span {
    Minute,
    Hour,
    Day,
}

impl Span {
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text {
            "minute" => Some(Self::Minute),
            "hour" => Some(Self::Hour),
            "day" => Some(Self::Day),
            _ => None,
        }
    }

    /// The length of a step, and the number of steps.
    fn steps(self) -> (Duration, u64) {
        match self {
            Self::Minute => (Duration::from_secs(1), 60),
            Self::Hour => (Duration::from_secs(60), 60),
            Self::Day => (Duration::from_secs(900), 96),
        }
    }
}

/// The points of each series, the oldest first and the last one ending now; null where nothing is known.
pub(super) fn points(series: &[Series], span: Span) -> Value {
    let (step, count) = span.steps();
    let series = series.iter().map(|series| {
        let members = series.members.iter();
        let counted = members.map(|metrics| metrics.series(step, count));
        let points = counted.reduce(added).unwrap_or_default();
        json!({
            "labels": { "function": series.function, "backend": series.backend },
            "step_seconds": step.as_secs(),
            "points": points.iter().map(|point| point.as_ref().map(self::point)).collect::<Vec<_>>(),
        })
    });
    series.collect()
}

/// Functions of one name are one series.
fn added(mut sum: Vec<Option<Snapshot>>, other: Vec<Option<Snapshot>>) -> Vec<Option<Snapshot>> {
    for (sum, other) in sum.iter_mut().zip(other) {
        *sum = match (sum.take(), other) {
            (Some(mut sum), Some(other)) => {
                sum.merge(&other);
                Some(sum)
            }
            (sum, other) => sum.or(other),
        };
    }
    sum
}

fn point(counted: &Snapshot) -> Value {
    let sum = |numbers: &mut dyn Iterator<Item = &u64>| numbers.sum::<u64>();
    let errors = counted.backend_errors.values();
    let saved = counted.time_saved.unwrap_or_default() as f64 / 1e9;
    json!({
        "seconds": counted.covers.as_secs_f64(),
        "calls": by_label(&counted.calls, |calls| Some(json!(calls))),
        "abandoned": sum(&mut counted.abandoned.values()),
        "recalculations": sum(&mut counted.recalculations.values()),
        "recalculation_failures": sum(&mut counted.recalculation_failures.values()),
        "backend_errors": sum(&mut errors.flat_map(Labelled::values)),
        "time_saved_seconds": saved,
        "call_duration": by_label::<Outcome, _>(&counted.call_duration, durations),
        "compute_duration": durations(&counted.compute_duration),
    })
}

fn by_label<L: Label, V>(values: &Labelled<L, V>, figure: fn(&V) -> Option<Value>) -> Value {
    let known = values
        .iter()
        .filter_map(|(label, value)| Some((label.label().to_owned(), figure(value)?)));
    known.collect::<Map<_, _>>().into()
}

/// How many there were, and their quantiles in seconds; nothing if there were none.
fn durations(histogram: &Histogram) -> Option<Value> {
    (histogram.count() > 0).then(|| {
        let seconds = |duration: Duration| duration.as_secs_f64().into();
        let mut fields = quantiles(histogram, seconds);
        fields.insert("count".to_owned(), json!(histogram.count()));
        fields.into()
    })
}

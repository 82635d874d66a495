//! The recent past of a function, step by step, for plots that begin filled.

use std::time::Duration;

use serde_json::{Value, json};

use crate::exporters::functions::FunctionGroup;
use crate::json::counted;
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

    pub(super) fn window(self) -> Duration {
        let (step, count) = self.steps();
        step.saturating_mul(count)
    }

    /// The length of a step, and the number of steps.
    fn steps(self) -> (Duration, u32) {
        match self {
            Self::Minute => (Duration::from_secs(1), 60),
            Self::Hour => (Duration::from_secs(60), 60),
            Self::Day => (Duration::from_secs(900), 96),
        }
    }
}

/// The points of each series, the oldest first and the last one ending now; null where nothing is known.
pub(super) fn points(series: &[FunctionGroup], span: Span) -> Value {
    let (step, count) = span.steps();
    let series = series.iter().map(|series| {
        let members = series.members.iter();
        let each = members.map(|metrics| metrics.series(step, count.into()));
        let points = each.reduce(added).unwrap_or_default();
        json!({
            "labels": { "function": series.function, "backend": series.backend },
            "step_seconds": step.as_secs(),
            "points": points.iter().map(|point| point.as_ref().map(counted)).collect::<Vec<_>>(),
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

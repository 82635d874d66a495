//! The identity of a series.

use std::sync::Arc;

use super::family::{MetricFamily, Sample};

/// The name and the labels of a series, before any exporter spells them its own way. Each delta of it has it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Series(Arc<str>);

impl Series {
    /// One for tests.
    #[cfg(test)]
    pub(super) fn named(name: &str) -> Self {
        Self(name.into())
    }

    pub(super) fn of(family: &MetricFamily<'_>, sample: &Sample<'_>) -> Self {
        let mut text = String::with_capacity(128);
        text.push_str(family.name);
        for (label, value) in &sample.labels {
            text.extend(["\0", label, "\0", value]);
        }
        Self(text.into())
    }
}

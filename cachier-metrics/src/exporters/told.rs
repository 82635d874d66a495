//! What a receiver has been told already, of figures that it adds up: it is told differences. Pure.
//!
//! A difference counts as told once it has been sent. One that could not be sent is part of the next, so that nothing is
//! lost and nothing counted twice.

use std::collections::{BTreeMap, HashMap};

use super::family::{MetricFamily, Sample};

/// The total of each figure when it was told last.
#[derive(Debug, Default)]
pub(super) struct Told {
    totals: HashMap<Series, Totals>,
}

/// Of a counter under `None`, of a histogram by bucket.
type Totals = BTreeMap<Option<i32>, f64>;

/// What tells a series from others: its name and labels, as they were before any system had them spelt its own way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Series(String);

/// What a receiver is to be told of a figure.
#[derive(Clone, Debug)]
pub(super) struct Difference {
    series: Series,
    bucket: Option<i32>,
    total: f64,
    /// Above zero.
    pub(super) new: f64,
}

impl Series {
    /// One for tests.
    #[cfg(test)]
    pub(super) fn named(name: &str) -> Self {
        Self(name.to_owned())
    }

    pub(super) fn of(family: &MetricFamily<'_>, sample: &Sample<'_>) -> Self {
        let mut text = String::with_capacity(128);
        text.push_str(family.name);
        for (label, value) in &sample.labels {
            text.extend(["\0", label, "\0", value]);
        }
        Self(text)
    }
}

impl Told {
    /// What has come to the total of a figure since it was told; `None` if nothing has.
    pub(super) fn difference(
        &self,
        series: &Series,
        bucket: Option<i32>,
        total: f64,
    ) -> Option<Difference> {
        let totals = self.totals.get(series);
        let told = totals.and_then(|totals| totals.get(&bucket));
        let new = total - told.copied().unwrap_or_default();
        (new > 0.0).then(|| Difference {
            series: series.clone(),
            bucket,
            total,
            new,
        })
    }

    /// It has been sent.
    pub(super) fn tell(&mut self, difference: Difference) {
        let Difference {
            series,
            bucket,
            total,
            ..
        } = difference;
        let totals = self.totals.entry(series).or_default();
        totals.insert(bucket, total);
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn differences_are_sent_once_and_unsent_ones_again() {
        let (mut told, series) = (Told::default(), Series::named("calls"));
        let new = |told: &Told, bucket, total| {
            let difference = told.difference(&series, bucket, total);
            difference.map(|difference| difference.new)
        };
        assert_eq!(new(&told, None, 0.0), None);
        assert_eq!(new(&told, None, 3.0), Some(3.0));
        let unsent = told.difference(&series, None, 5.0).unwrap();
        assert_eq!(unsent.new, 5.0);
        told.tell(unsent);
        assert_eq!(new(&told, None, 5.0), None);
        assert_eq!(new(&told, None, 7.0), Some(2.0));
        assert_eq!(new(&told, None, 4.0), None, "never backwards");
        assert_eq!(new(&told, Some(-3), 2.0), Some(2.0));
        told.tell(told.difference(&series, Some(-3), 2.0).unwrap());
        assert_eq!(new(&told, Some(-3), 3.0), Some(1.0));
        assert_eq!(new(&told, Some(4), 1.0), Some(1.0));
    }
}

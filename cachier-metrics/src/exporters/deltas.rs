//! Deltas for receivers that add figures up. Pure.
//!
//! A delta counts as sent once it has been. One that could not be sent is part of the next, so that nothing is lost and
//! nothing counted twice.

use std::collections::{BTreeMap, HashMap};

use super::series::Series;

/// The total of each figure when it was last sent.
#[derive(Debug, Default)]
pub(super) struct SentTotals {
    totals: HashMap<Series, Totals>,
}

/// A counter under `None`, a histogram by bucket.
type Totals = BTreeMap<Option<i32>, f64>;

/// The growth of a figure since it was last sent.
#[derive(Clone, Debug)]
pub(super) struct Delta {
    series: Series,
    bucket: Option<i32>,
    total: f64,
    /// Above zero.
    pub(super) new: f64,
}

impl SentTotals {
    /// The growth of a total since it was last sent; `None` if there is none.
    pub(super) fn delta(&self, series: &Series, bucket: Option<i32>, total: f64) -> Option<Delta> {
        let totals = self.totals.get(series);
        let sent = totals.and_then(|totals| totals.get(&bucket));
        let new = total - sent.copied().unwrap_or_default();
        (new > 0.0).then(|| Delta {
            series: series.clone(),
            bucket,
            total,
            new,
        })
    }

    /// Remembers that a delta has been sent.
    pub(super) fn mark_sent(&mut self, delta: Delta) {
        let Delta {
            series,
            bucket,
            total,
            ..
        } = delta;
        let totals = self.totals.entry(series).or_default();
        totals.insert(bucket, total);
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn deltas_are_sent_once_and_unsent_ones_again() {
        let (mut sent, series) = (SentTotals::default(), Series::named("calls"));
        let new = |sent: &SentTotals, bucket, total| {
            let delta = sent.delta(&series, bucket, total);
            delta.map(|delta| delta.new)
        };
        assert_eq!(new(&sent, None, 0.0), None);
        assert_eq!(new(&sent, None, 3.0), Some(3.0));
        let unsent = sent.delta(&series, None, 5.0).unwrap();
        assert_eq!(unsent.new, 5.0);
        sent.mark_sent(unsent);
        assert_eq!(new(&sent, None, 5.0), None);
        assert_eq!(new(&sent, None, 7.0), Some(2.0));
        assert_eq!(new(&sent, None, 4.0), None, "never backwards");
        assert_eq!(new(&sent, Some(-3), 2.0), Some(2.0));
        sent.mark_sent(sent.delta(&series, Some(-3), 2.0).unwrap());
        assert_eq!(new(&sent, Some(-3), 3.0), Some(1.0));
        assert_eq!(new(&sent, Some(4), 1.0), Some(1.0));
    }
}

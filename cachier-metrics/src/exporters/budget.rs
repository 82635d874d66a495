//! The most series of an exporter, and which figures are left out beyond it. Pure.

/// The exported part of a function's figures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Extent {
    /// Everything.
    #[default]
    Full,
    /// Histograms have a count and a sum, without buckets.
    NoBuckets,
    /// The same, with the values of rare labels together as `(other)`.
    NoRareLabels,
}

/// The series left for further functions. A function keeps its grant, so that no counter ever moves.
#[derive(Clone, Debug)]
pub(super) struct Budget {
    max: usize,
    granted: usize,
    /// The series of a function in use.
    full: usize,
    /// Further series of a function: those of buckets, and others.
    buckets: usize,
    others: usize,
}

/// The most series of an exporter unless told otherwise.
const MAX_SERIES: usize = 20_000;
/// The most series of a function in use, its histograms with the usual buckets.
const FULL: usize = 200;
const NO_BUCKETS: usize = 127;
const NO_RARE_LABELS: usize = 80;
/// Series of stores and of the exporter, and of `(other)` on some backends.
const RESERVED: usize = 1_000;

impl Default for Budget {
    fn default() -> Self {
        Self {
            max: MAX_SERIES,
            granted: 0,
            full: FULL,
            buckets: 0,
            others: 0,
        }
    }
}

impl Budget {
    /// A budget of `max` series.
    pub(super) fn of(self, max: usize) -> Self {
        Self { max, ..self }
    }

    /// A budget for functions with this many additional series.
    #[cfg(any(feature = "prometheus", test))]
    pub(super) fn with_further(self, buckets: usize, others: usize) -> Self {
        Self {
            buckets,
            others,
            ..self
        }
    }

    /// A budget for an exporter whose histograms are one series each.
    #[cfg(any(
        feature = "cloudwatch",
        feature = "emf",
        feature = "metrics",
        feature = "otel",
        feature = "statsd",
        test
    ))]
    pub(super) fn without_buckets(self) -> Self {
        Self {
            full: NO_BUCKETS,
            ..self
        }
    }

    pub(super) fn max(&self) -> usize {
        self.max
    }

    /// The grant of a further function; `None` if it must share with others. Half of the series are for functions with
    /// everything, half of the rest for those without buckets, so that each way out of series is taken in its turn.
    pub(super) fn grant(&mut self) -> Option<Extent> {
        let all = self.max.saturating_sub(RESERVED);
        let steps = [
            (Extent::Full, self.full + self.buckets, all / 2),
            (Extent::NoBuckets, NO_BUCKETS, all / 4 * 3),
            (Extent::NoRareLabels, NO_RARE_LABELS, all),
        ];
        let with = |series: usize| self.granted + series + self.others;
        let mut steps = steps.into_iter();
        let (extent, series, _) = steps.find(|&(_, series, up_to)| with(series) <= up_to)?;
        self.granted = with(series);
        Some(extent)
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;

    fn granted(max: usize, functions: usize) -> [usize; 4] {
        granted_of(Budget::default().of(max), functions)
    }

    fn granted_of(mut budget: Budget, functions: usize) -> [usize; 4] {
        let mut granted = [0; 4];
        for _ in 0..functions {
            let place = match budget.grant() {
                Some(Extent::Full) => 0,
                Some(Extent::NoBuckets) => 1,
                Some(Extent::NoRareLabels) => 2,
                None => 3,
            };
            granted[place] += 1;
        }
        granted
    }

    #[test]
    fn buckets_go_first_then_labels_then_functions() {
        assert_eq!(granted(MAX_SERIES, 40), [40, 0, 0, 0]);
        assert_eq!(granted(MAX_SERIES, 80), [47, 33, 0, 0]);
        assert_eq!(granted(MAX_SERIES, 500), [47, 38, 59, 356]);
        assert_eq!(granted(100, 3), [0, 0, 0, 3]);
        assert_eq!(granted(usize::MAX, 5_000), [5_000, 0, 0, 0]);
    }

    #[test]
    fn exporters_without_buckets_take_more_functions() {
        let budget = Budget::default().without_buckets();
        assert_eq!(granted_of(budget, 500), [74, 38, 59, 329]);
    }

    #[test]
    fn functions_with_more_series_are_fewer() {
        let mut budget = Budget::default().with_further(100, 80);
        let granted = std::iter::from_fn(|| budget.grant());
        let granted: Vec<_> = granted.collect();
        let full = granted.iter().filter(|extent| **extent == Extent::Full);
        assert_eq!((full.count(), granted.len()), (25, 77));
    }
}

//! The buckets of a histogram, coarser where there are too many.

use super::counts::{Bucket, Histogram};

/// Buckets of a base of 2^(2^-schema): bucket `i` covers (base^(i-1), base^i] seconds or bytes. The schema is that of
/// Prometheus, the scale that of OpenTelemetry, whose indices are one less.
///
/// ```
/// use cachier_metrics::{Bucket, Histogram};
///
/// let mut histogram = Histogram::default();
/// histogram.buckets = vec![Bucket::new(1, 2), Bucket::new(2, 3)];
/// let coarse = histogram.exponential(1);
/// assert_eq!((coarse.schema, coarse.buckets), (3, vec![Bucket::new(1, 5)]));
/// assert_eq!(histogram.exponential(2).schema, 4);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExponentialBuckets {
    /// 4 as counted, less if buckets were merged.
    pub schema: i32,
    /// Nonempty buckets by ascending index.
    pub buckets: Vec<Bucket>,
}

/// 16 buckets to a factor of two.
const SCHEMA: i32 = 4;
/// One bucket is (1/65,536, 65,536] then, or thereabouts: all that can be counted makes a handful of them.
const MIN_SCHEMA: i32 = -4;

impl Histogram {
    /// Its buckets, at most this many that are not empty: pairs of them are merged until they are few enough, which loses
    /// no count. As buckets only ever become more, the schema of a histogram only ever goes down.
    #[must_use]
    pub fn exponential(&self, max_buckets: usize) -> ExponentialBuckets {
        let mut coarse = ExponentialBuckets {
            schema: SCHEMA,
            buckets: self.buckets.clone(),
        };
        while coarse.buckets.len() > max_buckets && coarse.schema > MIN_SCHEMA {
            coarse.merge_pairs();
        }
        coarse
    }
}

impl ExponentialBuckets {
    fn merge_pairs(&mut self) {
        self.schema -= 1;
        for bucket in &mut self.buckets {
            // Both halves of a bucket: 1 and 2 become 1, -1 and 0 become 0.
            bucket.index = bucket.index.saturating_add(1) >> 1;
        }
        self.buckets.dedup_by(|next, kept| {
            let same = next.index == kept.index;
            if same {
                kept.count = kept.count.saturating_add(next.count);
            }
            same
        });
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use proptest::prelude::*;

    use super::super::scale::SLOTS;
    use super::*;

    fn histogram(buckets: impl IntoIterator<Item = (i32, u64)>) -> Histogram {
        let buckets = buckets.into_iter();
        Histogram {
            buckets: buckets
                .map(|(index, count)| Bucket { index, count })
                .collect(),
            ..Histogram::default()
        }
    }

    /// The upper bound of a bucket, as a power of 2 in units of 1/65,536.
    fn upper(schema: i32, index: i32) -> i64 {
        i64::from(index) << (16 - schema)
    }

    #[test]
    fn every_bucket_used_is_still_few() {
        let first = -430;
        let all = histogram((0..SLOTS as i32).map(|slot| (first + slot, 1)));
        let coarse = all.exponential(160);
        assert_eq!((coarse.schema, coarse.buckets.len()), (1, 93));
        assert_eq!(all.exponential(1).schema, MIN_SCHEMA);
        let forged = histogram([(0, 1), (i32::MAX, 1)]);
        assert_eq!(forged.exponential(1).buckets.len(), 2);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Nothing is lost, and each observation is in a bucket that its own one is a part of.
        #[test]
        fn merging_pairs_loses_no_count(
            counts in prop::collection::btree_map(-430..312, 1..1000_u64, 0..400),
            max in 8..200_usize,
        ) {
            let fine = histogram(counts);
            let coarse = fine.exponential(max);
            prop_assert!(coarse.buckets.len() <= max);
            for bucket in &coarse.buckets {
                let (low, high) = (
                    upper(coarse.schema, bucket.index - 1),
                    upper(coarse.schema, bucket.index),
                );
                let within = fine.buckets.iter().filter(|fine| {
                    let upper = upper(SCHEMA, fine.index);
                    low < upper && upper <= high
                });
                prop_assert_eq!(within.map(|fine| fine.count).sum::<u64>(), bucket.count);
            }
            let count: u64 = coarse.buckets.iter().map(|bucket| bucket.count).sum();
            prop_assert_eq!(count, fine.count());
        }

        /// Later observations make it no finer.
        #[test]
        fn the_schema_only_goes_down(
            earlier in prop::collection::btree_map(-430..312, 1..9_u64, 0..400),
            later in prop::collection::btree_map(-430..312, 1..9_u64, 0..400),
        ) {
            let before = histogram(earlier);
            let mut after = before.clone();
            after.merge(&histogram(later));
            prop_assert!(after.exponential(160).schema <= before.exponential(160).schema);
        }
    }
}

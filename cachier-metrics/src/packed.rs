//! Differences of snapshots in few bytes. Pure.

use std::sync::Arc;

use crate::bits::{Reader, Writer};
use crate::fields::{counter_mut, counters, histogram_mut, histograms};
use crate::histogram::Histogram;
use crate::snapshot::Snapshot;

/// The counts between two snapshots of a function, by the numbers of their fields. Most of them are zero, and most of the rest
/// small.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Packed(Arc<[u8]>);

impl Packed {
    pub(crate) fn between(earlier: &Snapshot, later: &Snapshot) -> Self {
        if earlier == later {
            return Self::default();
        }
        Self::of(&later.since(earlier))
    }

    /// The counts of a snapshot.
    pub(crate) fn of(counted: &Snapshot) -> Self {
        let saved = counted.time_saved.unwrap_or(0);
        let observed = histograms(counted).any(|(_, histogram)| !histogram.is_empty());
        if saved == 0 && !observed && counters(counted).next().is_none() {
            return Self::default();
        }
        let mut to = Writer::default();
        write_counts(counted, &mut to);
        to.number(saved);
        Self(to.finish().into())
    }

    /// Whether nothing was counted.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds what was counted to the earlier snapshot, which becomes the later one, but for the extremes of histograms.
    pub(crate) fn add_to(&self, snapshot: &mut Snapshot) {
        let mut from = Reader::new(&self.0);
        // What is not there is zero.
        let _ = apply_counts(snapshot, &mut from);
        let saved = snapshot.time_saved.unwrap_or(0);
        snapshot.time_saved = Some(saved.saturating_add(from.number().unwrap_or(0)));
    }

    /// Both, one after the other.
    pub(crate) fn and(&self, next: &Self) -> Self {
        if self.is_empty() || next.is_empty() {
            return match self.is_empty() {
                true => next.clone(),
                false => self.clone(),
            };
        }
        let mut sum = Snapshot::default();
        self.add_to(&mut sum);
        next.add_to(&mut sum);
        Self::of(&sum)
    }

    /// The bytes, which other versions of cachier read as well.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Bytes that may be anything.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }
}

/// Writes what is not zero.
pub(crate) fn write_counts(counted: &Snapshot, to: &mut Writer) {
    let mut last = 0;
    for (id, count) in counters(counted) {
        to.number(id - last);
        to.number(count);
        last = id;
    }
    to.number(0_u64);
    last = 0;
    for (id, histogram) in histograms(counted).filter(|(_, histogram)| !histogram.is_empty()) {
        to.number(id - last);
        to.histogram(histogram);
        last = id;
    }
    to.number(0_u64);
}

/// Adds what was written, without the extremes of histograms.
pub(crate) fn apply_counts(snapshot: &mut Snapshot, from: &mut Reader<'_>) -> Option<()> {
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
        let added = from.histogram()?;
        if let Some(histogram) = histogram_mut(snapshot, id) {
            add_counts(histogram, &added);
        }
    }
    Some(())
}

fn add_counts(histogram: &mut Histogram, added: &Histogram) {
    let extremes = (histogram.min, histogram.max);
    histogram.merge(added);
    (histogram.min, histogram.max) = extremes;
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::histogram::Bucket;
    use crate::labels::{ErrorLabel, Operation, Outcome};

    fn histogram(buckets: &[(i32, u64)]) -> Histogram {
        let buckets: Vec<_> = buckets
            .iter()
            .map(|&(index, count)| Bucket { index, count })
            .collect();
        Histogram {
            samples: buckets.len() as u64,
            sum: buckets
                .iter()
                .map(|bucket| u128::from(bucket.count) << 40)
                .sum(),
            excess: 7 * buckets.len() as u128,
            buckets,
            ..Histogram::default()
        }
    }

    prop_compose! {
        fn change()(
            counts in prop::array::uniform5(prop_oneof![Just(0_u64), 1..300_u64, Just(1_u64 << 50)]),
            buckets in prop::collection::btree_map(-430..312_i32, 1..1000_u64, 0..40),
        ) -> Snapshot {
            let buckets: Vec<_> = buckets.into_iter().collect();
            let mut snapshot = Snapshot { time_saved: Some(counts[4].into()), ..Snapshot::default() };
            snapshot.calls[Outcome::Hit] = counts[0];
            snapshot.calls[Outcome::Unavailable] = counts[1];
            snapshot.backend_errors[Operation::Remove][ErrorLabel::Full] = counts[2];
            snapshot.rejected_bytes = counts[3];
            snapshot.call_duration[Outcome::Hit] = histogram(&buckets);
            snapshot.entry_age = histogram(&buckets[..buckets.len() / 2]);
            snapshot
        }
    }

    fn sum(snapshots: &[&Snapshot]) -> Snapshot {
        snapshots.iter().copied().sum()
    }

    proptest! {
        #[test]
        fn what_was_packed_comes_out(first in change(), second in change(), third in change()) {
            let (two, three) = (sum(&[&first, &second]), sum(&[&first, &second, &third]));
            let changes = [Packed::between(&first, &two), Packed::between(&two, &three)];
            let mut unpacked = first.clone();
            changes.iter().for_each(|change| change.add_to(&mut unpacked));
            prop_assert_eq!(&unpacked, &three);
            let mut unpacked = first.clone();
            changes[0].and(&changes[1]).add_to(&mut unpacked);
            prop_assert_eq!(unpacked, three);
        }
    }

    #[test]
    fn nothing_takes_no_room() {
        let snapshot = Snapshot::default();
        assert!(Packed::between(&snapshot, &snapshot).is_empty());
    }
}

//! Differences of snapshots in few bytes. Pure.

use std::cell::RefCell;

use crate::histogram::{Bucket, Histogram};
use crate::snapshot::{Operator, Snapshot};

/// The counts between two snapshots of a function. Most of them are zero, and most of the rest small.
#[derive(Default)]
pub(crate) struct Packed(Box<[u8]>);

impl Packed {
    pub(crate) fn between(earlier: &Snapshot, later: &Snapshot) -> Self {
        if earlier == later {
            return Self::default();
        }
        let numbers = RefCell::new(Writer::default());
        let put = |number: u128| numbers.borrow_mut().put(number);
        let saved = |snapshot: &Snapshot| snapshot.time_saved.unwrap_or(0);
        put(saved(later).saturating_sub(saved(earlier)));
        // Only visits the numbers; the sum is dropped.
        later.clone().combine(
            earlier,
            &Operator {
                number: |later: u64, earlier: u64| {
                    put(later.saturating_sub(earlier).into());
                    later
                },
                histogram: |later: &mut Histogram, earlier: &Histogram| {
                    put_histogram(&later.since(earlier), &put);
                },
            },
        );
        Self(numbers.into_inner().finish())
    }

    /// Adds what was counted to the earlier snapshot, which becomes the later one, but for the extremes of histograms.
    pub(crate) fn add_to(&self, snapshot: &mut Snapshot) {
        let numbers = RefCell::new(Reader::new(&self.0));
        let next = || numbers.borrow_mut().next();
        snapshot.time_saved = Some(snapshot.time_saved.unwrap_or(0) + next());
        snapshot.combine(
            &Snapshot::default(),
            &Operator {
                number: |before: u64, _| before + next() as u64,
                histogram: |before: &mut Histogram, _: &Histogram| add_histogram(before, &next),
            },
        );
    }

    /// Both, one after the other.
    pub(crate) fn and(&self, next: &Self) -> Self {
        if self.0.is_empty() || next.0.is_empty() {
            return Self([&*self.0, &*next.0].concat().into());
        }
        let (nothing, mut sum) = (Snapshot::default(), Snapshot::default());
        self.add_to(&mut sum);
        next.add_to(&mut sum);
        Self::between(&nothing, &sum)
    }

    #[cfg(all(test, not(shuttle)))]
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

fn put_histogram(histogram: &Histogram, put: &impl Fn(u128)) {
    put(histogram.samples.into());
    put(histogram.sum);
    put(histogram.excess);
    put(histogram.buckets.len() as u128);
    let mut index = FIRST_INDEX;
    for bucket in &histogram.buckets {
        put((bucket.index - index) as u128);
        put(bucket.count.into());
        index = bucket.index;
    }
}

fn add_histogram(before: &mut Histogram, next: &impl Fn() -> u128) {
    let samples = next() as u64;
    let (sum, excess, buckets) = (next(), next(), next());
    let mut index = FIRST_INDEX;
    let bucket = |_| {
        index += next() as i32;
        Bucket {
            index,
            count: next() as u64,
        }
    };
    let added = Histogram {
        buckets: (0..buckets).map(bucket).collect(),
        samples,
        sum,
        excess,
        ..Histogram::default()
    };
    before.merge(&added);
}

/// Below all of buckets.
const FIRST_INDEX: i32 = -1024;

/// Numbers of seven bits in each byte, the lowest first, as LEB128 has them. After a zero comes how many more follow.
#[derive(Default)]
struct Writer {
    bytes: Vec<u8>,
    zeros: u128,
}

impl Writer {
    fn put(&mut self, number: u128) {
        if number == 0 {
            self.zeros += 1;
        } else {
            self.put_zeros();
            self.put_digits(number);
        }
    }

    fn put_zeros(&mut self) {
        if let Some(more) = self.zeros.checked_sub(1) {
            self.bytes.push(0);
            self.put_digits(more);
            self.zeros = 0;
        }
    }

    fn put_digits(&mut self, mut number: u128) {
        while number >= 0x80 {
            self.bytes.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.bytes.push(number as u8);
    }

    /// Zeros at the end are left out.
    fn finish(self) -> Box<[u8]> {
        self.bytes.into()
    }
}

struct Reader<'a> {
    bytes: std::slice::Iter<'a, u8>,
    zeros: u128,
}

impl<'a> Reader<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes: bytes.iter(),
            zeros: 0,
        }
    }

    fn next(&mut self) -> u128 {
        if let Some(fewer) = self.zeros.checked_sub(1) {
            self.zeros = fewer;
            return 0;
        }
        let number = self.digits();
        if number == 0 {
            self.zeros = self.digits();
        }
        number
    }

    /// Zero at the end.
    fn digits(&mut self) -> u128 {
        let mut number = 0;
        for (place, byte) in (0..).step_by(7).zip(self.bytes.by_ref()) {
            number |= u128::from(byte & 0x7f) << place;
            if byte & 0x80 == 0 {
                break;
            }
        }
        number
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use proptest::prelude::*;

    use super::*;
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
        assert_eq!(Packed::between(&snapshot, &snapshot).len(), 0);
    }
}

//! The parts of a snapshot by number, so that another version of cachier knows which is which.
//!
//! Numbers of fields and places of labels are a promise: they are only added to. A part that a reader does not know is left
//! out, one that a writer did not know is empty.

use std::slice::{from_mut, from_ref};
use std::time::Duration;

use crate::clock::nanos;
use crate::histogram::Histogram;
use crate::labels::{ComputeFailure, Operation};
use crate::snapshot::Snapshot;

/// The counters of a field, by the places of its labels; none for a number of no field.
macro_rules! counters {
    ($snapshot:ident, $field:ident, $labelled:ident, $one:ident $(, $mutable:tt)?) => {
        match $field {
            1 => $snapshot.calls.$labelled(),
            2 => $snapshot.abandoned.$labelled(),
            3 => $snapshot.stale_hits.$labelled(),
            4 => $snapshot.recalculations.$labelled(),
            6 => $one(&$($mutable)? $snapshot.refreshes_suppressed),
            7 => $one(&$($mutable)? $snapshot.wait_timeouts),
            8 => $one(&$($mutable)? $snapshot.size_limit_rejections),
            9 => $one(&$($mutable)? $snapshot.rejected_bytes),
            10 => $snapshot.removals.$labelled(),
            11 => $snapshot.near_lookups.$labelled(),
            12 => $one(&$($mutable)? $snapshot.leases_lost),
            16 => $snapshot.recalculation_failures[ComputeFailure::Error].$labelled(),
            17 => $snapshot.recalculation_failures[ComputeFailure::Panic].$labelled(),
            18 => $snapshot.recalculation_failures[ComputeFailure::Cancelled].$labelled(),
            32 => $snapshot.backend_errors[Operation::Load].$labelled(),
            33 => $snapshot.backend_errors[Operation::Store].$labelled(),
            34 => $snapshot.backend_errors[Operation::Remove].$labelled(),
            35 => $snapshot.backend_errors[Operation::Clear].$labelled(),
            36 => $snapshot.backend_errors[Operation::Lease].$labelled(),
            _ => Default::default(),
        }
    };
}

/// The histograms of a field, likewise.
macro_rules! histograms {
    ($snapshot:ident, $field:ident, $labelled:ident, $one:ident $(, $mutable:tt)?) => {
        match $field {
            1 => $snapshot.call_duration.$labelled(),
            2 => $one(&$($mutable)? $snapshot.compute_duration),
            3 => $snapshot.wait_duration.$labelled(),
            4 => $snapshot.operation_duration.$labelled(),
            5 => $one(&$($mutable)? $snapshot.entry_size),
            6 => $one(&$($mutable)? $snapshot.entry_age),
            _ => Default::default(),
        }
    };
}

/// Where a part stands: its field, with the place of its label in the lower bits.
pub(crate) type Id = u32;

const LABEL_BITS: u32 = 6;
/// Above the numbers of all fields.
const FIELDS: u32 = 64;

/// All counters that are not zero, in the order of their ids.
pub(crate) fn counters(snapshot: &Snapshot) -> impl Iterator<Item = (Id, u64)> {
    let of_field = |field| counters!(snapshot, field, as_slice, from_ref);
    let all = (0..FIELDS).flat_map(move |field| identified(field, of_field(field)));
    all.filter_map(|(id, count)| (*count > 0).then_some((id, *count)))
}

pub(crate) fn counter_mut(snapshot: &mut Snapshot, id: Id) -> Option<&mut u64> {
    let (field, label) = split(id);
    let counters: &mut [u64] = counters!(snapshot, field, as_mut_slice, from_mut, mut);
    counters.get_mut(label)
}

/// All histograms, in the order of their ids.
pub(crate) fn histograms(snapshot: &Snapshot) -> impl Iterator<Item = (Id, &Histogram)> {
    let of_field = |field| histograms!(snapshot, field, as_slice, from_ref);
    (0..FIELDS).flat_map(move |field| identified(field, of_field(field)))
}

pub(crate) fn histogram_mut(snapshot: &mut Snapshot, id: Id) -> Option<&mut Histogram> {
    let (field, label) = split(id);
    let histograms: &mut [Histogram] = histograms!(snapshot, field, as_mut_slice, from_mut, mut);
    histograms.get_mut(label)
}

fn identified<T>(field: u32, parts: &[T]) -> impl Iterator<Item = (Id, &T)> {
    (field << LABEL_BITS..).zip(parts)
}

fn split(id: Id) -> (u32, usize) {
    let label = id & ((1 << LABEL_BITS) - 1);
    (id >> LABEL_BITS, label as usize)
}

/// What a moment has: each is one number or absent, by its place.
pub(crate) type Current = [Option<u128>; 11];

pub(crate) fn current(snapshot: &Snapshot) -> Current {
    let (gauges, activity) = (&snapshot.gauges, &snapshot.activity);
    let count = |count: u64| (count > 0).then_some(count);
    let numbers = [
        gauges.near.entries,
        gauges.near.bytes,
        gauges.memory.entries,
        gauges.memory.bytes,
        gauges.capacity_entries,
        gauges.memory_capacity_bytes,
        count(activity.inflight_calls),
        count(activity.inflight_computations),
        count(activity.waiting_calls),
        activity.oldest_computation.map(nanos),
    ];
    let mut current = [snapshot.time_saved; 11];
    for (place, number) in current.iter_mut().zip(numbers) {
        *place = number.map(u128::from);
    }
    current
}

pub(crate) fn set_current(snapshot: &mut Snapshot, current: &Current) {
    let number =
        |place: usize| current[place].map(|number| u64::try_from(number).unwrap_or(u64::MAX));
    let (gauges, activity) = (&mut snapshot.gauges, &mut snapshot.activity);
    gauges.near.entries = number(0);
    gauges.near.bytes = number(1);
    gauges.memory.entries = number(2);
    gauges.memory.bytes = number(3);
    gauges.capacity_entries = number(4);
    gauges.memory_capacity_bytes = number(5);
    activity.inflight_calls = number(6).unwrap_or(0);
    activity.inflight_computations = number(7).unwrap_or(0);
    activity.waiting_calls = number(8).unwrap_or(0);
    activity.oldest_computation = number(9).map(Duration::from_nanos);
    snapshot.time_saved = current[10];
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::cell::Cell;

    use super::*;
    use crate::snapshot::Operator;

    /// A part without a number would be lost on its way.
    #[test]
    fn every_part_has_a_number() {
        let (counters_known, histograms_known) = (Cell::new(0), Cell::new(0));
        let mut full = Snapshot::default();
        full.combine(
            &Snapshot::default(),
            &Operator {
                number: |_, _| {
                    counters_known.set(counters_known.get() + 1);
                    counters_known.get()
                },
                histogram: |_: &mut Histogram, _: &Histogram| {
                    histograms_known.set(histograms_known.get() + 1);
                },
            },
        );
        let mut copy = Snapshot::default();
        for (id, count) in counters(&full) {
            *counter_mut(&mut copy, id).unwrap() = count;
        }
        assert_eq!(copy, full);
        assert_eq!(histograms(&full).count(), histograms_known.get());
        for (id, _) in histograms(&full) {
            let histogram = histogram_mut(&mut copy, id).unwrap();
            assert_eq!(std::mem::replace(&mut histogram.samples, 1), 0);
        }
        let unknown = [0, 63, 40 << LABEL_BITS, u32::MAX];
        assert!(
            unknown
                .into_iter()
                .all(|id| counter_mut(&mut copy, id).is_none())
        );
        assert!(
            unknown
                .into_iter()
                .all(|id| histogram_mut(&mut copy, id).is_none())
        );
    }

    #[test]
    fn what_a_moment_has_comes_back() {
        let numbers: Current = std::array::from_fn(|place| Some(place as u128 + 1));
        for missing in 0..numbers.len() {
            let mut numbers = numbers;
            numbers[missing] = None;
            let mut snapshot = Snapshot::default();
            set_current(&mut snapshot, &numbers);
            assert_eq!(current(&snapshot), numbers);
        }
    }
}

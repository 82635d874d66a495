//! The difference between two snapshots of a function, as bits.

use std::collections::BTreeMap;

use crate::bits::{Reader, Writer};
use crate::fields::{self, Current, histogram_mut, histograms, set_current};
use crate::gauges::{Holding, Shared};
use crate::packed::{apply_counts, write_counts};
use crate::snapshot::Snapshot;

/// Writes the added counts, and the current values that differ.
pub(super) fn write_change(earlier: &Snapshot, later: &Snapshot, to: &mut Writer) {
    write_counts(&later.since(earlier), to);
    write_extremes(earlier, later, to);
    write_current(fields::current(earlier), fields::current(later), to);
    write_shared(&earlier.gauges.shared, &later.gauges.shared, to);
}

/// Turns the earlier snapshot into the later one.
pub(super) fn apply_change(snapshot: &mut Snapshot, from: &mut Reader<'_>) -> Option<()> {
    apply_counts(snapshot, from)?;
    apply_extremes(snapshot, from)?;
    apply_current(snapshot, from)?;
    apply_shared(&mut snapshot.gauges.shared, from)
}

/// The extremes that differ, of histograms by their numbers.
fn write_extremes(earlier: &Snapshot, later: &Snapshot, to: &mut Writer) {
    let mut last = 0;
    for ((id, before), (_, now)) in histograms(earlier).zip(histograms(later)) {
        let min = (before.min != now.min).then_some(now.min);
        let max = (before.max != now.max).then_some(now.max);
        if min.is_some() || max.is_some() {
            to.number(id - last);
            to.option(min);
            to.option(max);
            last = id;
        }
    }
    to.number(0_u64);
}

fn apply_extremes(snapshot: &mut Snapshot, from: &mut Reader<'_>) -> Option<()> {
    let mut id = 0_u32;
    while let gap @ 1.. = from.int()? {
        id = id.checked_add(gap)?;
        let mut extreme = || from.option()?.map(u64::try_from).transpose().ok();
        let (min, max) = (extreme()?, extreme()?);
        if let Some(histogram) = histogram_mut(snapshot, id) {
            histogram.min = min.unwrap_or(histogram.min);
            histogram.max = max.unwrap_or(histogram.max);
        }
    }
    Some(())
}

/// Writes the numbers that differ, by place; a number that is gone is written as absent.
fn write_current(earlier: Current, later: Current, to: &mut Writer) {
    let pairs = earlier.into_iter().zip(later).enumerate();
    let changed = pairs.filter(|(_, (before, now))| before != now);
    for (place, (_, now)) in changed {
        to.number(place as u64 + 1);
        to.option(now);
    }
    to.number(0_u64);
}

fn apply_current(snapshot: &mut Snapshot, from: &mut Reader<'_>) -> Option<()> {
    let mut current = fields::current(snapshot);
    while let Some(place) = from.int::<usize>()?.checked_sub(1) {
        let number = from.option()?;
        if let Some(known) = current.get_mut(place) {
            *known = number;
        }
    }
    set_current(snapshot, &current);
    Some(())
}

type Stores = BTreeMap<String, Shared>;

/// The sizes in shared stores if they have changed; the name of a store as its place among the earlier ones if it is there.
fn write_shared(before: &Stores, now: &Stores, to: &mut Writer) {
    if before == now {
        to.number(0_u64);
        return;
    }
    to.number(now.len() as u64 + 1);
    for (name, shared) in now {
        match before.keys().position(|known| known == name) {
            Some(place) => to.number(place as u64 + 1),
            None => {
                to.number(0_u64);
                to.text(name);
            }
        }
        to.option(shared.holding.entries);
        to.option(shared.holding.bytes);
        to.option(shared.capacity_bytes);
    }
}

fn apply_shared(stores: &mut Stores, from: &mut Reader<'_>) -> Option<()> {
    let Some(count) = from.int::<u64>()?.checked_sub(1) else {
        return Some(());
    };
    let before = std::mem::take(stores);
    for _ in 0..count {
        let name = match from.int::<usize>()?.checked_sub(1) {
            Some(place) => before.keys().nth(place)?.clone(),
            None => from.text()?,
        };
        let mut figure = || from.option()?.map(u64::try_from).transpose().ok();
        let holding = Holding::new(figure()?, figure()?);
        stores.insert(name, Shared::new(holding, figure()?));
    }
    Some(())
}

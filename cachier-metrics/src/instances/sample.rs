//! Figures for tests of formats and merging.

use std::time::Duration;

use proptest::prelude::*;

use super::figures::{FunctionFigures, InstanceFigures};
use super::publication::{Header, InstanceId};
use super::stores::{Stores, by_name};
use crate::gauges::{Holding, Shared};
use crate::histogram::{Bucket, Histogram};
use crate::labels::{ErrorLabel, Operation, Outcome};
use crate::snapshot::Snapshot;
use crate::stores::StoreFigures;

pub(super) fn header(instance: u128, epoch: u32, sequence: u64) -> Header {
    Header {
        instance: InstanceId(instance),
        epoch,
        sequence,
        started: 1_704_067_200_000_000_000,
        uptime: Duration::from_secs(10 * sequence),
        interval: Duration::from_secs(10),
    }
}

/// A histogram in which each of these counts has a bucket.
pub(super) fn histogram(counts: &[(i32, u64)]) -> Histogram {
    let mut histogram = Histogram::default();
    for &(index, count) in counts {
        let observed = u64::from(index.unsigned_abs()) + 1;
        histogram.merge(&Histogram {
            buckets: vec![Bucket { index, count }],
            samples: 1,
            sum: u128::from(count) << 40,
            excess: u128::from(count - 1),
            min: observed,
            max: observed,
        });
    }
    histogram
}

/// A snapshot in which every figure has a different value.
pub(super) fn everything() -> Snapshot {
    use std::cell::Cell;
    let next = Cell::new(100_u64);
    let counted = || {
        next.set(next.get() + 7);
        next.get()
    };
    let mut snapshot = Snapshot::default();
    snapshot.combine(
        &Snapshot::default(),
        &crate::snapshot::Operator {
            number: |_, _| counted(),
            histogram: |own: &mut Histogram, _: &Histogram| {
                let index = counted() as i32 - 500;
                *own = histogram(&[(index, counted()), (index + 40, 1)]);
            },
        },
    );
    let number = || Some(counted());
    let holding = || Holding::new(number(), number());
    snapshot.covers = Duration::from_nanos(counted());
    snapshot.time_saved = Some(counted().into());
    snapshot.gauges.near = holding();
    snapshot.gauges.memory = holding();
    snapshot.gauges.capacity_entries = number();
    snapshot.gauges.memory_capacity_bytes = number();
    for name in ["file:///cache", "redis.internal"] {
        let shared = Shared::new(holding(), number());
        snapshot.gauges.shared.insert(name.to_owned(), shared);
    }
    snapshot.activity.inflight_calls = counted();
    snapshot.activity.inflight_computations = counted();
    snapshot.activity.waiting_calls = counted();
    snapshot.activity.oldest_computation = number().map(Duration::from_nanos);
    snapshot
}

prop_compose! {
    /// What a function may count in a while, with what it holds then.
    pub(super) fn counted()(
        counts in prop::array::uniform5(prop_oneof![Just(0_u64), 1..300_u64, Just(1_u64 << 50)]),
        buckets in prop::collection::btree_map(-430..312_i32, 1..1000_u64, 0..8),
        held in prop::option::of(0..1000_u64),
        store in prop::option::of(prop::sample::select(vec!["one", "other"])),
    ) -> Snapshot {
        let buckets: Vec<_> = buckets.into_iter().collect();
        let mut snapshot = Snapshot { time_saved: held.map(u128::from), ..Snapshot::default() };
        snapshot.calls[Outcome::Hit] = counts[0];
        snapshot.calls[Outcome::Unavailable] = counts[1];
        snapshot.backend_errors[Operation::Remove][ErrorLabel::Full] = counts[2];
        snapshot.rejected_bytes = counts[3];
        snapshot.refreshes_suppressed = counts[4];
        snapshot.call_duration[Outcome::Hit] = histogram(&buckets);
        snapshot.entry_age = histogram(&buckets[..buckets.len() / 2]);
        snapshot.gauges.near.entries = held;
        snapshot.activity.inflight_calls = counts[1] % 3;
        if let Some(store) = store {
            let shared = Shared::new(Holding::new(held, Some(counts[2])), None);
            snapshot.gauges.shared.insert(store.to_owned(), shared);
        }
        snapshot
    }
}

/// Stores in which everything has a figure.
pub(super) fn stores(count: u64) -> Stores {
    let mut store = StoreFigures::new("redis", "redis.internal");
    store.round_trips = vec![(Operation::Load, 40 + count), (Operation::Lease, 3)];
    store.breaker_open = true;
    store.idle_connections = Some(2);
    store.busy_connections = Some(count);
    store.max_connections = Some(10);
    store.pool_waits = histogram(&[(-200, count)]);
    by_name(vec![store, StoreFigures::new("file", "/var/cache")])
}

/// The same figures some time later: counts add up, current values are the later ones.
pub(super) fn later(before: &Snapshot, counted: &Snapshot) -> Snapshot {
    let mut later = before.clone();
    later.merge(counted);
    later.gauges = counted.gauges.clone();
    later.activity = counted.activity;
    later
}

/// Functions of these figures.
pub(super) fn instance(snapshots: impl IntoIterator<Item = Snapshot>) -> InstanceFigures {
    let mut all = InstanceFigures::default();
    for (number, snapshot) in snapshots.into_iter().enumerate() {
        let figures = FunctionFigures {
            snapshot,
            sampling: (number % 2 == 0).then_some(0.25),
            started: 1_704_067_200_000_000_000 + number as u64,
            forgotten: 7 * number as u64,
        };
        all.add(&format!("shop::function_{number}"), "redis", &figures);
    }
    all
}

//! The figures of an instance's stores, as bits, and those of many instances together.

use std::collections::BTreeMap;

use crate::bits::{Reader, Writer};
use crate::labels::{Label, Operation};
use crate::stores::StoreFigures;

/// By backend and store: a store that instances share is one.
pub(super) type Stores = BTreeMap<(String, String), StoreFigures>;

/// No version has more operations.
const MAX_OPERATIONS: u64 = 64;

pub(super) fn by_name(stores: Vec<StoreFigures>) -> Stores {
    let named = stores
        .into_iter()
        .map(|store| ((store.backend.clone(), store.store.clone()), store));
    named.collect()
}

/// Adds the figures of another instance: requests, connections and waits add up, and a breaker that is open anywhere shows.
pub(super) fn merge(stores: &mut Stores, others: &Stores) {
    for (names, other) in others {
        match stores.get_mut(names) {
            Some(known) => merge_one(known, other),
            None => drop(stores.insert(names.clone(), other.clone())),
        }
    }
}

fn merge_one(known: &mut StoreFigures, other: &StoreFigures) {
    let plus = |one: Option<u64>, other: Option<u64>| match (one, other) {
        (Some(one), Some(other)) => Some(one.saturating_add(other)),
        (one, other) => one.or(other),
    };
    known.round_trips = sums(&known.round_trips, &other.round_trips, u64::saturating_add);
    known.breaker_open |= other.breaker_open;
    known.idle_connections = plus(known.idle_connections, other.idle_connections);
    known.busy_connections = plus(known.busy_connections, other.busy_connections);
    known.max_connections = plus(known.max_connections, other.max_connections);
    known.pool_waits.merge(&other.pool_waits);
}

/// The counts since `earlier` figures of the same process.
pub(super) fn since(stores: &Stores, earlier: &Stores) -> Stores {
    let mut since = stores.clone();
    for (names, store) in &mut since {
        if let Some(earlier) = earlier.get(names) {
            let trips = &earlier.round_trips;
            store.round_trips = sums(&store.round_trips, trips, u64::saturating_sub);
            store.pool_waits = store.pool_waits.since(&earlier.pool_waits);
        }
    }
    since
}

/// Only the counts, without current values.
pub(super) fn counts_of(stores: &Stores) -> Stores {
    let mut counts = stores.clone();
    for store in counts.values_mut() {
        store.breaker_open = false;
        store.idle_connections = None;
        store.busy_connections = None;
        store.max_connections = None;
    }
    counts
}

type RoundTrips = Vec<(Operation, u64)>;

fn sums(one: &RoundTrips, other: &RoundTrips, add: fn(u64, u64) -> u64) -> RoundTrips {
    let count = |trips: &RoundTrips, operation| {
        let found = trips.iter().find(|(of, _)| *of == operation);
        found.map(|(_, count)| *count)
    };
    let sum = |operation: &Operation| {
        let (one, other) = (count(one, *operation), count(other, *operation));
        let is_known = one.is_some() || other.is_some();
        is_known.then_some((*operation, add(one.unwrap_or(0), other.unwrap_or(0))))
    };
    Operation::ALL.iter().filter_map(sum).collect()
}

/// Writes the stores that have changed, each with all of its figures.
pub(super) fn write(earlier: &Stores, later: &Stores, to: &mut Writer) {
    let has_changed = |(names, store): &(&_, &_)| earlier.get(*names) != Some(*store);
    let changed: Vec<_> = later.iter().filter(has_changed).collect();
    to.number(changed.len() as u64);
    for ((backend, name), store) in changed {
        to.text(backend);
        to.text(name);
        to.number(store.round_trips.len() as u64);
        for (operation, count) in &store.round_trips {
            to.number(operation.index() as u64);
            to.number(*count);
        }
        to.number(u64::from(store.breaker_open));
        to.option(store.idle_connections);
        to.option(store.busy_connections);
        to.option(store.max_connections);
        to.histogram(&store.pool_waits);
        to.number(store.pool_waits.min);
        to.number(store.pool_waits.max);
    }
}

/// Applies the written changes to the earlier figures.
pub(super) fn apply(stores: &mut Stores, from: &mut Reader<'_>) -> Option<()> {
    for _ in 0..from.int::<u64>()? {
        let (backend, name) = (from.text()?, from.text()?);
        let store = read_one(&backend, &name, from)?;
        stores.insert((backend, name), store);
    }
    Some(())
}

fn read_one(backend: &str, name: &str, from: &mut Reader<'_>) -> Option<StoreFigures> {
    let mut store = StoreFigures::new(backend, name);
    let operations: u64 = from.int()?;
    if operations > MAX_OPERATIONS {
        return None;
    }
    for _ in 0..operations {
        let (operation, count): (usize, u64) = (from.int()?, from.int()?);
        // An operation unknown to this version is skipped.
        if let Some(known) = Operation::ALL.get(operation) {
            store.round_trips.push((*known, count));
        }
    }
    store.breaker_open = from.number()? > 0;
    let mut figure = || from.option()?.map(u64::try_from).transpose().ok();
    store.idle_connections = figure()?;
    store.busy_connections = figure()?;
    store.max_connections = figure()?;
    store.pool_waits = from.histogram()?;
    (store.pool_waits.min, store.pool_waits.max) = (from.int()?, from.int()?);
    Some(store)
}

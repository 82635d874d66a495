//! The stores of many instances.

use super::sample::{instance, stores as sample};
use super::stats::ClusterStats;
use super::stores::{Stores, apply, by_name, counts_of, merge, since};
use super::trail::{Step, Trail};
use super::{ClusterFigures, InstanceFigures};
use crate::bits::{Reader, Writer};
use crate::labels::{Operation, Outcome};
use crate::packed::Packed;
use crate::snapshot::Snapshot;
use crate::stores::{StoreFigures, StoreSource};

fn store(trips: &[(Operation, u64)], connections: Option<u64>) -> Stores {
    let mut store = StoreFigures::new("redis", "redis.internal:6379");
    store.round_trips = trips.to_vec();
    store.idle_connections = connections;
    store.busy_connections = connections;
    store.max_connections = connections;
    by_name(vec![store])
}

#[test]
fn a_store_has_no_endless_operations() {
    let read = |operations: u64| {
        let mut to = Writer::default();
        to.number(1_u64);
        to.text("redis");
        to.text("redis.internal");
        to.number(operations);
        (0..2 * operations).for_each(|_| to.number(1_u64));
        (0..7).for_each(|_| to.number(0_u64));
        apply(&mut Stores::new(), &mut Reader::new(&to.finish()))
    };
    assert_eq!((read(64), read(65)), (Some(()), None));
}

#[test]
fn one_store_of_many_instances_is_one() {
    let mut all = Stores::default();
    merge(&mut all, &store(&[(Operation::Load, 3)], Some(2)));
    let mut other = store(&[(Operation::Load, 4), (Operation::Store, 1)], Some(5));
    other
        .values_mut()
        .for_each(|store| store.breaker_open = true);
    merge(&mut all, &other);
    merge(&mut all, &store(&[], None));
    let mut expected = store(&[(Operation::Load, 7), (Operation::Store, 1)], Some(7));
    expected
        .values_mut()
        .for_each(|store| store.breaker_open = true);
    assert_eq!(all, expected);
}

#[test]
fn only_counts_outlive_an_instance() {
    let (before, now) = (sample(3), sample(5));
    let since = since(&now, &before);
    for (names, store) in &since {
        let (before, now) = (&before[names], &now[names]);
        let sum = |store: &StoreFigures| {
            store
                .round_trips
                .iter()
                .map(|(_, count)| count)
                .sum::<u64>()
        };
        assert_eq!(sum(store), sum(now) - sum(before));
        assert_eq!(store.busy_connections, now.busy_connections);
    }
    for (names, store) in &counts_of(&now) {
        assert!(!store.breaker_open);
        assert_eq!(
            (store.idle_connections, store.max_connections),
            (None, None)
        );
        assert_eq!(store.round_trips, now[names].round_trips);
    }
}

#[test]
fn a_person_reads_of_stores_in_lines() {
    let listed = StoreSource::listed(|| vec![StoreFigures::new("redis", "of this test")]);
    let own = InstanceFigures::default().with_stores();
    drop(listed);
    assert!(
        own.stores
            .values()
            .any(|store| store.store == "of this test")
    );

    let shown = |stores: Stores| {
        let figures = InstanceFigures {
            stores,
            ..InstanceFigures::default()
        };
        let cluster = ClusterFigures {
            figures,
            unreadable: 1,
            ..ClusterFigures::default()
        };
        ClusterStats::from(&cluster).to_string()
    };
    let mut open = store(&[(Operation::Load, 7), (Operation::Store, 1)], Some(5));
    open.values_mut()
        .for_each(|store| store.breaker_open = true);
    let line = "redis redis.internal:6379: 8 requests, 5 of 5 connections in use, breaker open\n";
    assert!(shown(open).ends_with(line));
    assert!(shown(store(&[], None)).ends_with("redis redis.internal:6379: 0 requests\n"));
}

#[test]
fn steps_of_other_functions_stand_side_by_side() {
    let step = |name: &str| {
        let mut snapshot = Snapshot::default();
        snapshot.calls[Outcome::Hit] = 3;
        let mut figures = InstanceFigures::default();
        let sample = instance([snapshot]);
        let figure = sample.functions.values().next().cloned();
        figures
            .functions
            .extend(figure.map(|figure| ((name.to_owned(), "redis".to_owned()), figure)));
        Step::between((60, 120), 60, &InstanceFigures::default(), &figures)
    };
    let mut trail = Trail::default();
    trail.add(step("b"));
    trail.add(step("a"));
    trail.add(step("b"));
    let mut bytes = crate::bits::Writer::default();
    trail.write(&mut bytes);
    let bytes = bytes.finish();
    let read = Trail::read(&mut crate::bits::Reader::new(&bytes));
    assert_eq!(read, Some(trail));
}

#[test]
fn nothing_is_counted_between_equals() {
    let mut snapshot = Snapshot::default();
    snapshot.calls[Outcome::Hit] = 3;
    let some = Packed::of(&snapshot);
    let none = Packed::between(&snapshot, &snapshot);
    assert!(none.is_empty());
    assert!(Packed::of(&Snapshot::default()).is_empty());
    assert_eq!((none.and(&some), some.and(&none)), (some.clone(), some));
}

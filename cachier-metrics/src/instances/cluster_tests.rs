//! Merging is right whatever publications come in, in any order.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use super::cluster::{Cluster, ClusterFigures};
use super::figures::InstanceFigures;
use super::ledger::{Ledger, Tombstone};
use super::publication::{Header, InstanceId, Publication, Unreadable};
use super::publisher::{Form, Publisher};
use super::sample::{everything, header, instance, later};
use super::stats::ClusterStats;
use crate::gauges::{Holding, Shared};
use crate::labels::Outcome;
use crate::metrics::CacheMetrics;
use crate::options::MetricsOptions;
use crate::sampling::SamplingRate;
use crate::snapshot::Snapshot;

pub(super) const SECOND: u64 = 1_000_000_000;
pub(super) const INTERVAL: Duration = Duration::from_secs(10);

pub(super) fn calls(count: u64) -> Snapshot {
    let mut snapshot = Snapshot::default();
    snapshot.calls[Outcome::Hit] = count;
    snapshot
}

pub(super) fn hits(merged: &ClusterFigures) -> u64 {
    let functions = merged.figures.functions.values();
    functions
        .map(|figures| figures.snapshot.calls[Outcome::Hit])
        .sum()
}

fn cluster_of(publications: &[(u128, Snapshot)], at: u64) -> Cluster {
    let mut cluster = Cluster::default();
    for (id, snapshot) in publications {
        let figures = instance([snapshot.clone()]);
        cluster
            .add(&Publication::full(&header(*id, 0, 1), &figures), at)
            .unwrap();
    }
    cluster
}

#[test]
fn a_dead_instance_keeps_its_counts_alone() {
    let mut cluster = cluster_of(&[(1, everything()), (2, everything())], 0);
    let now = 30 * SECOND;
    let figures = instance([everything()]);
    cluster
        .add(&Publication::full(&header(2, 0, 2), &figures), now)
        .unwrap();
    let both = cluster.merge(now);
    assert_eq!(
        both.instances
            .iter()
            .filter(|instance| instance.is_live)
            .count(),
        2
    );
    let now = now + SECOND;
    let merged = cluster.merge(now);
    let ages: Vec<_> = merged
        .instances
        .iter()
        .map(|state| (state.age, state.is_live))
        .collect();
    assert_eq!(ages, [(Some(Duration::from_secs(1)), true), (None, false)]);
    let snapshot = &merged.figures.functions.values().next().unwrap().snapshot;
    let one = everything();
    assert_eq!(snapshot.calls[Outcome::Hit], 2 * one.calls[Outcome::Hit]);
    assert_eq!(
        (&snapshot.gauges, snapshot.activity),
        (&one.gauges, one.activity)
    );
    // Long silent ones are folded, and leave the same sums.
    let silent = cluster.silent(now, 3);
    assert_eq!(silent.len(), 1);
    let mut ledger = Ledger::default();
    ledger.revision = 1;
    ledger.members.extend([InstanceId(1), InstanceId(2)]);
    for (tombstone, figures) in silent.iter().chain(&silent) {
        ledger.fold(*tombstone, figures);
    }
    cluster.add_ledger(&ledger.write()).unwrap();
    let folded = cluster.merge(now);
    assert_eq!((folded.ended_instances, folded.instances.len()), (1, 1));
    assert_eq!(folded.figures, merged.figures);
    assert_eq!(cluster.ledger().members, [InstanceId(2)].into());
}

#[test]
fn shed_figures_come_with_the_next_reading() {
    let published = Publication::full(&header(1, 0, 1), &instance([everything()]));
    let mut cluster = Cluster::default();
    cluster.add(&published, 0).unwrap();
    let all = cluster.merge(0).figures;
    let room = allocation_counter::measure(|| cluster.shed()).bytes_current;
    assert!(room <= -(published.len() as i64) / 2, "{room} bytes");
    assert_eq!(cluster.merge(0).figures, InstanceFigures::default());
    let now = 301 * SECOND;
    cluster.add(&published, now).unwrap();
    assert_eq!(
        cluster.merge(now).figures.functions.len(),
        all.functions.len()
    );
    // It has been silent all the time.
    assert_eq!(cluster.silent(now, 30).len(), 1);
}

/// More than there are tombstones.
#[test]
fn who_was_folded_long_ago_counts_once() {
    let mut cluster = cluster_of(&[(1, calls(3))], 0);
    let now = 1000 * SECOND;
    let silent = cluster.silent(now, 30);
    let mut ledger = Ledger::default();
    (ledger.revision, ledger.members) = (1, (1..=5001).map(InstanceId).collect());
    assert!(ledger.fold_members(&silent));
    let others = (2..=5000).map(|id| {
        let (mut tombstone, figures) = silent[0].clone();
        tombstone.instance = InstanceId(id);
        (tombstone, figures)
    });
    assert!(ledger.fold_members(&others.collect::<Vec<_>>()));
    assert!(!ledger.fold_members(&silent));
    cluster.add_ledger(&ledger.write()).unwrap();
    cluster.keep_members();
    let merged = cluster.merge(now);
    assert_eq!((hits(&merged), merged.ended_instances), (15_000, 5000));
    assert_eq!(cluster.silent(now, 30), []);
    assert_eq!(cluster.ledger().members, [InstanceId(5001)].into());
}

/// Entries of one store count once, as the youngest tells them; those of near tiers add up.
#[test]
fn gauges_follow_their_rules() {
    let holding = |near: u64, store: u64| {
        let mut snapshot = Snapshot::default();
        snapshot.gauges.near = Holding::new(Some(near), None);
        snapshot.gauges.capacity_entries = Some(100);
        let shared = Shared::new(Holding::new(Some(store), None), Some(near));
        snapshot.gauges.shared.insert("redis".to_owned(), shared);
        snapshot.activity.inflight_calls = near;
        snapshot.activity.oldest_computation = Some(Duration::from_secs(near));
        snapshot
    };
    let mut cluster = cluster_of(&[(1, holding(3, 900)), (2, holding(5, 40))], 0);
    let publication = |id, sequence, snapshot| {
        let figures = instance([snapshot]);
        Publication::full(&header(id, 0, sequence), &figures)
    };
    cluster
        .add(&publication(3, 1, holding(7, 30)), SECOND)
        .unwrap();
    cluster
        .add(&publication(2, 2, holding(5, 50)), SECOND)
        .unwrap();
    let merged = cluster.merge(2 * SECOND);
    let figures = merged.figures.functions.values().next().unwrap();
    let gauges = &figures.snapshot.gauges;
    assert_eq!(
        (gauges.near.entries, gauges.capacity_entries),
        (Some(15), Some(300))
    );
    let shared = gauges.shared["redis"];
    assert_eq!(
        (shared.holding.entries, shared.capacity_bytes),
        (Some(50), Some(7))
    );
    let activity = figures.snapshot.activity;
    assert_eq!(activity.inflight_calls, 15);
    assert_eq!(activity.oldest_computation, Some(Duration::from_secs(7)));
    assert_eq!(
        (figures.sampling, figures.started),
        (Some(0.25), 1_704_067_200_000_000_000)
    );
}

#[test]
fn sampling_is_the_smallest_known() {
    let mut figures = instance([calls(1), calls(2)]).functions.into_values();
    let (rated, auto) = (figures.next().unwrap(), figures.next().unwrap());
    let merged = |mut one: super::FunctionFigures, other: &super::FunctionFigures| {
        one.merge(other);
        one.sampling
    };
    assert_eq!(merged(auto.clone(), &auto), None);
    assert_eq!(merged(auto.clone(), &rated), Some(0.25));
    let mut half = rated.clone();
    half.sampling = Some(0.5);
    assert_eq!(merged(half, &rated), Some(0.25));
}

#[test]
fn what_cannot_be_read_is_counted() {
    let mut cluster = cluster_of(&[(1, calls(3))], 0);
    let mut newer = Publication::full(&header(2, 0, 1), &InstanceFigures::default());
    newer[4] = u8::MAX;
    assert_eq!(cluster.add(&newer, 0), Err(Unreadable::Newer));
    assert_eq!(cluster.add_ledger(&newer), Err(Unreadable::Newer));
    assert_eq!(
        cluster.add_ledger(&Publication::sealed(&[])),
        Err(Unreadable::Damaged)
    );
    // A head without figures behind it, and a change of nothing that has come.
    let full = Publication::full(&header(3, 0, 1), &instance([calls(5)]));
    let (head, _) = full[13..].split_at(full.len() - 13 - 4);
    cluster.add(&Publication::sealed(head), 0).unwrap();
    let figures = instance([calls(5)]);
    let change = Publication::change(&header(4, 0, 2), &figures, (&header(4, 0, 1), &figures));
    cluster.add(&change.unwrap(), 0).unwrap();
    let merged = cluster.merge(0);
    assert_eq!(
        (merged.unreadable, hits(&merged), merged.instances.len()),
        (4, 3, 1)
    );
    assert_eq!(cluster.silent(1000 * SECOND, 3).len(), 1);
    let shown = ClusterStats::from(&merged).to_string();
    assert!(shown.contains("4 could not be read"), "{shown}");
    cluster.forget_unreadable();
    assert_eq!(cluster.merge(0).unreadable, 1);
    let nothing = ClusterStats::from(&Cluster::default().merge(0)).to_string();
    assert!(!nothing.contains("could not be read"), "{nothing}");
}

#[test]
fn a_returning_instance_begins_an_epoch() {
    let mut publisher = Publisher::new(InstanceId(1), 0, INTERVAL);
    // Nothing to confirm yet.
    publisher.confirm();
    let (form, first) = publisher.publish(&instance([calls(10)]), Duration::ZERO);
    publisher.confirm();
    let (changed, second) = publisher.publish(&instance([calls(14)]), INTERVAL);
    assert_eq!((form, changed), (Form::Full, Form::Change));
    let mut cluster = Cluster::default();
    cluster.add(&first, 0).unwrap();
    cluster.add(&second, 0).unwrap();
    let (tombstone, figures) = cluster.silent(1000 * SECOND, 30).pop().unwrap();
    let mut ledger = Ledger::default();
    ledger.fold(tombstone, &figures);
    cluster.add_ledger(&ledger.write()).unwrap();
    for _ in 0..2 {
        // The second time it is about an epoch that has ended.
        publisher.fold(tombstone, 0, INTERVAL);
        let (form, bytes) = publisher.publish(&instance([calls(15)]), 2 * INTERVAL);
        assert_eq!((form, publisher.epoch()), (Form::Full, (InstanceId(1), 1)));
        let publication = Publication::read(&bytes).unwrap();
        assert_eq!(publication.header.uptime, INTERVAL);
        cluster.add(&bytes, 0).unwrap();
        assert_eq!(hits(&cluster.merge(0)), 15);
    }
    // Folded at an unknown publication: what it counted since is lost.
    let unknown = Tombstone {
        epoch: 1,
        sequence: 77,
        ..tombstone
    };
    publisher.fold(unknown, 0, INTERVAL);
    let (_, bytes) = publisher.publish(&instance([calls(18)]), INTERVAL);
    let figures = Publication::read(&bytes).unwrap().figures(None).unwrap();
    assert_eq!(
        figures.functions.values().next().unwrap().snapshot,
        calls(3)
    );
}

/// Taken for ended while it paused, and told so only after it has published again.
#[test]
fn what_others_may_have_folded_is_remembered() {
    let mut publisher = Publisher::new(InstanceId(1), 0, INTERVAL);
    let publish = |publisher: &mut Publisher, count| {
        let published = publisher.publish(&instance([calls(count)]), INTERVAL);
        publisher.confirm();
        Publication::read(&published.1).unwrap()
    };
    let folded = publish(&mut publisher, 10).header;
    publisher.remember_sent();
    publish(&mut publisher, 12);
    publish(&mut publisher, 13);
    let Header {
        instance: id,
        epoch,
        sequence,
        ..
    } = folded;
    publisher.fold(
        Tombstone {
            instance: id,
            epoch,
            sequence,
        },
        0,
        INTERVAL,
    );
    let next = publish(&mut publisher, 15).figures(None).unwrap();
    assert_eq!(next.functions.values().next().unwrap().snapshot, calls(5));
    publisher.remember_sent();
    publisher.forget_sent();
    publish(&mut publisher, 16);
    publisher.fold(
        Tombstone {
            instance: id,
            epoch: 1,
            sequence: 4,
        },
        0,
        INTERVAL,
    );
    let next = publish(&mut publisher, 18).figures(None).unwrap();
    assert_eq!(next.functions.values().next().unwrap().snapshot, calls(2));
}

#[test]
fn few_unconfirmed_publications_are_remembered() {
    let mut publisher = Publisher::new(InstanceId(1), 0, INTERVAL);
    for count in 1..=20 {
        let (form, _) = publisher.publish(&instance([calls(count)]), INTERVAL);
        assert_eq!(form, Form::Full, "nobody is known to have any");
    }
    let tombstone = |sequence| Tombstone {
        instance: InstanceId(1),
        epoch: 0,
        sequence,
    };
    // After a forgotten publication, counts are lost rather than published twice.
    publisher.fold(tombstone(3), 0, INTERVAL);
    let (_, bytes) = publisher.publish(&instance([calls(50)]), INTERVAL);
    let figures = Publication::read(&bytes).unwrap().figures(None).unwrap();
    assert_eq!(
        figures.functions.values().next().unwrap().snapshot,
        calls(30)
    );
}

#[test]
fn all_figures_follow_when_changes_are_many() {
    let mut publisher = Publisher::new(InstanceId(1), 0, INTERVAL);
    let mut figures = everything();
    let mut forms = Vec::new();
    for _ in 0..20 {
        figures = later(&figures, &everything());
        forms.push(publisher.publish(&instance([figures.clone()]), INTERVAL).0);
        publisher.confirm();
    }
    let full = forms.iter().filter(|form| **form == Form::Full).count();
    assert!((3..15).contains(&full), "{forms:?}");
    publisher.begin_anew();
    assert_eq!(
        publisher.publish(&instance([figures]), INTERVAL).0,
        Form::Full
    );
}

#[test]
fn the_oldest_tombstones_are_forgotten() {
    let mut ledger = Ledger::default();
    for number in 0..5000 {
        let tombstone = Tombstone {
            instance: InstanceId(number),
            epoch: 0,
            sequence: 1,
        };
        ledger.fold(tombstone, &InstanceFigures::default());
    }
    let read = Ledger::read(&ledger.write()).unwrap();
    assert_eq!(read, ledger);
    let known = |id| read.tombstone(InstanceId(id), 0).is_some();
    assert!(
        known(4999) && known(904) && !known(903) && read.tombstone(InstanceId(4999), 1).is_none()
    );
    ledger.keep_tombstones(|id| id == InstanceId(4999));
    assert!(ledger.tombstone(InstanceId(904), 0).is_none());
    assert!(ledger.tombstone(InstanceId(4999), 0).is_some());
}

#[test]
fn a_cluster_reads_as_a_table() {
    let mut cluster = cluster_of(&[(1, calls(3)), (2, calls(4))], 0);
    let later = 40 * SECOND;
    cluster
        .add(
            &Publication::full(&header(2, 0, 2), &instance([calls(6)])),
            later,
        )
        .unwrap();
    assert!(cluster.add(&[], later).is_err());
    let stats = ClusterStats::from(&cluster.merge(later));
    assert_eq!((stats.total().hits, stats.live_instances()), (9, 1));
    let newest = &stats.instances[0];
    assert_eq!(
        (&*newest.id, newest.age),
        ("00000000000000000000000000000002", Some(Duration::ZERO))
    );
    let text = stats.to_string();
    let head = "instances: 1 live, 1 silent, 0 ended before; 1 could not be read\n";
    assert!(
        text.starts_with(head) && text.contains("shop::function_0"),
        "{text}"
    );
}

#[test]
fn functions_of_one_name_are_published_together() {
    let on = |backend: &str| {
        let options = MetricsOptions::new("same", backend).unlisted();
        let metrics = CacheMetrics::create(options.sampling(SamplingRate::new(0.5)));
        metrics
            .start_call(None, None)
            .finish(Outcome::Miss, None, None);
        metrics
    };
    let figures = InstanceFigures::of([on("redis"), on("redis"), on("file")]);
    let misses = figures
        .functions
        .values()
        .map(|figures| figures.snapshot.calls[Outcome::Miss]);
    assert_eq!(misses.collect::<Vec<_>>(), [1, 2]);
    assert!(
        figures
            .functions
            .values()
            .all(|figures| figures.sampling == Some(0.5) && figures.started > 0)
    );
    assert_eq!(InstanceFigures::counted([on("redis")]).functions.len(), 1);
    assert_ne!(InstanceId::random(), InstanceId::random());
}

#[test]
fn a_changed_interval_is_published() {
    let [before, after] = [1, 9].map(Duration::from_secs);
    let mut publisher = Publisher::new(InstanceId(7), 0, before);
    publisher.set_interval(after);
    let (_, bytes) = publisher.publish(&InstanceFigures::default(), before);
    let header = Publication::read(&bytes).unwrap().header;
    assert_eq!((header.instance, header.interval), (InstanceId(7), after));
}

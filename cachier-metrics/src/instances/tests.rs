//! Written figures are read back, and nothing else is accepted.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use proptest::prelude::*;

use super::figures::InstanceFigures;
use super::publication::{Header, Publication, Unreadable, unseal};
use super::sample::{counted, everything, header, instance, later, stores};
use crate::bits::Writer;
use crate::snapshot::Snapshot;
use crate::stores::StoreFigures;

const GOLDEN: &str = include_str!("../../tests/golden/instance.hex");

fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().map(|byte| format!("{byte:02x}"));
    digits.collect()
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<_> = hex.chars().filter(|digit| !digit.is_whitespace()).collect();
    let pairs = digits.chunks(2).map(|pair| pair.iter().collect::<String>());
    pairs
        .map(|pair| u8::from_str_radix(&pair, 16).unwrap())
        .collect()
}

fn read(bytes: &[u8]) -> Result<InstanceFigures, Unreadable> {
    Publication::read(bytes)?.figures(None)
}

fn damaged<T: std::fmt::Debug>(result: Result<T, Unreadable>) {
    assert_eq!(result.unwrap_err(), Unreadable::Damaged);
}

/// Future versions must read this file too; figures of new metrics go into another golden file.
#[test]
fn the_golden_file_is_read_and_written() {
    let mut figures = instance([everything(), Snapshot::default()]);
    figures.stores = stores(3);
    let written = Publication::full(&header(7, 2, 9), &figures);
    assert_eq!(hex(&written), hex(&bytes(GOLDEN)));
    let golden = Publication::read(&bytes(GOLDEN)).unwrap();
    assert_eq!(golden.header, header(7, 2, 9));
    assert_eq!((golden.since(), golden.figures(None)), (None, Ok(figures)));
}

#[test]
fn newer_formats_are_told_from_damage() {
    let mut newer = Publication::full(&header(7, 0, 1), &InstanceFigures::default());
    newer[4] += 1;
    assert_eq!(Publication::read(&newer), Err(Unreadable::Newer));
    newer[4] = 0;
    damaged(Publication::read(&newer));
    for length in 0..13 {
        damaged(Publication::read(&newer[..length]));
    }
}

#[test]
fn a_change_belongs_to_a_full_publication() {
    let figures = instance([everything()]);
    let publication = |bytes: &[u8]| Publication::read(bytes).unwrap();
    let full = publication(&Publication::full(&header(7, 0, 1), &figures));
    let earlier = (&full.header, &figures);
    let change = Publication::change(&header(7, 0, 2), &figures, earlier).unwrap();
    let change = publication(&change);
    assert_eq!(change.since(), Some(1));
    damaged(full.figures(Some(&full)));
    damaged(change.figures(None));
    let others = [instance([]), instance([everything(), everything()])];
    for others in others {
        assert_eq!(
            Publication::change(&header(7, 0, 2), &others, earlier),
            None
        );
    }
}

/// A part unknown to this version is skipped, as a newer version may write it in the same format.
#[test]
fn unknown_parts_are_left_out() {
    let mut writer = Writer::default();
    let known = Publication::full(&header(7, 0, 1), &InstanceFigures::default());
    let body = unseal(&known).unwrap();
    // All but the number of functions.
    writer.bytes(&body[..body.len() - 1]);
    [1_u64, 5, 6]
        .iter()
        .for_each(|number| writer.number(*number));
    writer.text("f");
    writer.text("redis");
    let counters = [64_u64, 3, 3000, 9, 0]; // the calls that hit, then an unknown one
    let histograms = [3000_u64, 0, 0]; // an unknown one of no buckets
    let extremes = [3000_u64, 1, 2, 0];
    let current = [50_u64, 4, 0];
    let all = [
        &[0, 0, 0, 0],
        &counters[..],
        &histograms,
        &extremes,
        &current,
        &[0, 1],
    ];
    let all = all.concat();
    all.into_iter().for_each(|number| writer.number(number));
    writer.text("redis");
    writer.text("there");
    // Requests of an unknown operation, and no other figures.
    let store = [1_u64, 99, 7, 0, 0, 0, 0, 0, u64::MAX, 0];
    store.iter().for_each(|number| writer.number(*number));
    let figures = read(&Publication::sealed(&writer.finish())).unwrap();
    let store = figures.stores.values().next().unwrap();
    assert_eq!(*store, StoreFigures::new("redis", "there"));
    let figures = &figures.functions[&("f".to_owned(), "redis".to_owned())];
    let mut expected = Snapshot {
        covers: Duration::from_nanos(6),
        ..Snapshot::default()
    };
    expected.calls[crate::labels::Outcome::Hit] = 3;
    assert_eq!((&figures.snapshot, figures.started), (&expected, 5));
}

/// Changes each byte and corrects the checksum: no panic, and no allocation for contents that are not there.
#[test]
fn no_forged_bytes_make_it_panic() {
    let full = Publication::full(
        &header(7, 2, 9),
        &instance([everything(), Snapshot::default()]),
    );
    let from = Publication::read(&full).unwrap();
    let now = instance([later(&everything(), &everything()), everything()]);
    let change = Publication::change(
        &header(7, 2, 10),
        &now,
        (&from.header, &from.figures(None).unwrap()),
    );
    let change = change.unwrap();
    for written in [&full, &change] {
        let body = unseal(written).unwrap();
        for place in 0..body.len() {
            for byte in [0, 0x7f, 0xff] {
                let mut forged = body.to_vec();
                forged[place] = byte;
                for forged in [
                    Publication::sealed(&forged),
                    Publication::sealed(&forged[..place]),
                ] {
                    let Ok(publication) = Publication::read(&forged) else {
                        continue;
                    };
                    let _ = publication.figures(None);
                    let _ = from.figures(Some(&publication));
                }
            }
        }
    }
}

fn change_over(seconds: u64) -> (Header, Header) {
    let (first, mut second) = (header(7, 0, 1), header(7, 0, 2));
    second.uptime = first.uptime + Duration::from_secs(seconds);
    (first, second)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_was_written_is_read(
        snapshots in prop::collection::vec(counted(), 0..4),
        counts in prop::collection::vec(prop::option::of(counted()), 4),
    ) {
        let figures = instance(snapshots.clone());
        let (first, second) = change_over(10);
        let full = Publication::read(&Publication::full(&first, &figures)).unwrap();
        prop_assert_eq!(full.figures(None).unwrap(), figures.clone());

        let mut now = instance(snapshots.iter().zip(&counts).map(|(before, counted)| {
            let counted = counted.as_ref();
            counted.map_or_else(|| before.clone(), |counted| later(before, counted))
        }));
        for figures in now.functions.values_mut() {
            figures.snapshot.covers += Duration::from_secs(10);
        }
        let change = Publication::change(&second, &now, (&first, &figures)).unwrap();
        let change = Publication::read(&change).unwrap();
        prop_assert_eq!(full.figures(Some(&change)).unwrap(), now);
    }

    #[test]
    fn damage_is_noticed(place in 0..3000_usize, change in 1..=255_u8) {
        let mut written = Publication::full(&header(7, 2, 9), &instance([everything()]));
        let place = place % written.len();
        written[place] ^= change;
        prop_assert!(Publication::read(&written).is_err());
    }
}

#[test]
fn unchanged_functions_cost_nothing() {
    let figures = instance((0..200).map(|_| everything()));
    let earlier = header(7, 0, 1);
    let change = |now: &InstanceFigures| {
        let change = Publication::change(&header(7, 0, 2), now, (&earlier, &figures));
        change.unwrap().len()
    };
    let idle = change(&figures);
    assert!(idle < 50, "{idle} bytes");
    let mut now = figures.clone();
    let mut functions = now.functions.values_mut();
    functions.next_back().unwrap().snapshot.calls[crate::labels::Outcome::Hit] += 1;
    assert!(change(&now) <= idle + 8);
}

#[test]
fn changed_stores_are_told_alone() {
    let (first, second) = (header(7, 0, 1), header(7, 0, 2));
    let with_stores = |stores| InstanceFigures {
        stores,
        ..InstanceFigures::default()
    };
    let (before, now) = (with_stores(stores(3)), with_stores(stores(4)));
    let full = Publication::read(&Publication::full(&first, &before)).unwrap();
    let change = |now| Publication::change(&second, now, (&first, &before)).unwrap();
    let read = Publication::read(&change(&now)).unwrap();
    assert_eq!(full.figures(Some(&read)).unwrap(), now);
    assert!(change(&before).len() + 20 < change(&now).len());
}

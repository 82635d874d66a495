//! Files of figures, and what functions know of earlier processes from them.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use allocation_counter::measure;

use super::history::{EndedHistory, History, InstanceHistory};
use super::ledger::Ledger;
use super::publication::{Publication, Unreadable};
use super::sample::{everything, header, histogram, instance};
use super::trail::{Step, Trail};
use super::{InstanceFigures, InstanceId};
use crate::bits::Writer;
use crate::clock::Clock;
use crate::labels::Outcome;
use crate::metrics::CacheMetrics;
use crate::options::MetricsOptions;
use crate::snapshot::Snapshot;

pub(super) const SECOND: u64 = 1_000_000_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
/// Of manual clocks, with the hour at which they start.
pub(super) const NOW: u64 = 1_704_067_200 * SECOND;

fn hits(count: u64) -> InstanceFigures {
    let mut snapshot = Snapshot::default();
    snapshot.calls[Outcome::Hit] = count;
    instance([snapshot])
}

pub(super) fn step(from: u64, to: u64, count: u64) -> Step {
    Step::between(
        (from, to),
        to - from,
        &InstanceFigures::default(),
        &hits(count),
    )
}

pub(super) fn ended(id: u128, steps: Vec<Step>) -> InstanceHistory {
    let mut trail = Trail::default();
    let mut figures = InstanceFigures::default();
    for step in steps {
        figures.merge(&hits(calls(&step)));
        trail.add(step);
    }
    InstanceHistory {
        header: header(id, 0, 1),
        until: NOW,
        figures,
        trail,
    }
}

/// The hits of the only function.
fn calls(step: &Step) -> u64 {
    let names = ("shop::function_0".to_owned(), "redis".to_owned());
    let mut counted = Snapshot::default();
    let packed = step.counted(&names);
    packed
        .into_iter()
        .for_each(|packed| packed.add_to(&mut counted));
    counted.calls[Outcome::Hit]
}

#[test]
fn files_hold_figures_of_one_or_all() {
    let one = ended(
        1,
        vec![
            step(NOW, NOW + 5 * SECOND, 3),
            step(NOW + MINUTE, NOW + 2 * MINUTE, 4),
        ],
    );
    let mut all = EndedHistory::default();
    all.fold(one.clone());
    all.fold(one.clone());
    all.fold(ended(2, vec![step(NOW, NOW + SECOND, 2)]));
    let sum = all.ledger.ended.functions.values();
    let hits: u64 = sum.map(|sum| sum.snapshot.calls[Outcome::Hit]).sum();
    assert_eq!((hits, all.trail.steps().map(calls).sum()), (9, 9_u64));
    all.trail.thin(NOW + 2 * HOUR);
    let without_trail = InstanceHistory {
        trail: Trail::default(),
        ..one.clone()
    };
    assert_eq!(
        History::read(&History::Instance(one.clone()).write()),
        Ok(History::Instance(without_trail))
    );
    for history in [History::Trail(one), History::Ended(all)] {
        let bytes = history.write();
        assert_eq!(History::read(&bytes), Ok(history));
        for place in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[place] ^= 1;
            assert!(History::read(&damaged).is_err());
            let forged = Publication::sealed(&damaged[13.min(place)..]);
            let _ = History::read(&forged);
            assert_eq!(History::read(&bytes[..place]), Err(Unreadable::Damaged));
        }
    }
}

/// The parts of a file are sealed by themselves; each is noticed.
#[test]
fn forged_files_are_damaged() {
    let file = |kind: u64, inner: &[u8]| {
        let mut body = Writer::default();
        let numbers = [kind, NOW, inner.len() as u64];
        numbers.iter().for_each(|number| body.number(*number));
        body.bytes(inner);
        (0..4).for_each(|_| body.number(0_u64));
        History::read(&Publication::sealed(&body.finish()))
    };
    let empty = Publication::full(&header(1, 0, 1), &InstanceFigures::default());
    assert!(file(0, &empty).is_ok() && file(1, &Ledger::default().write()).is_ok());
    let change = Publication::change(
        &header(1, 0, 2),
        &InstanceFigures::default(),
        (&header(1, 0, 1), &InstanceFigures::default()),
    );
    let cut = empty[..8].to_vec();
    for (kind, inner) in [
        (0, b"x".to_vec()),
        (1, b"x".to_vec()),
        (0, cut),
        (0, change.unwrap()),
    ] {
        assert_eq!(file(kind, &inner), Err(Unreadable::Damaged));
    }
}

/// A long name, and its copies, each of which takes four bytes.
#[test]
fn few_forged_bytes_take_little_room() {
    let mut body = Writer::default();
    let inner = Publication::full(&header(1, 0, 1), &InstanceFigures::default());
    let numbers = [2, NOW, inner.len() as u64];
    numbers.iter().for_each(|number| body.number(*number));
    body.bytes(&inner);
    body.number(5000_u64);
    let long = "x".repeat(64 << 10);
    body.text(&long);
    (1..10_000).for_each(|_| {
        // The latest text, all of it, and nothing more.
        let again = [0, long.len() as u64, 0];
        again.iter().for_each(|number| body.number(*number));
        body.align();
    });
    (0..3).for_each(|_| body.number(0_u64));
    let bytes = Publication::sealed(&body.finish());
    let mut read = None;
    let room = measure(|| read = Some(History::read(&bytes)));
    assert_eq!(read, Some(Err(Unreadable::Damaged)));
    let (length, most) = (bytes.len(), room.bytes_max);
    assert!(length < 128 << 10 && most < 16 << 20, "{length}: {most}");
}

#[test]
fn a_trail_keeps_a_day_in_few_steps() {
    let mut trail = Trail::default();
    let mut from = NOW;
    for _ in 0..48 * 60 * 3 {
        trail.add(step(from, from + MINUTE / 3, 1));
        from += MINUTE / 3;
        trail.thin(from);
    }
    let steps: Vec<_> = trail.steps().collect();
    assert!(steps.len() < 100, "{} steps", steps.len());
    let covered: u64 = steps.iter().map(|step| step.covered).sum();
    assert!((24 * HOUR..26 * HOUR).contains(&covered), "{covered}");
    let calls: u64 = steps.iter().map(|step| calls(step)).sum();
    assert_eq!(calls, covered / (MINUTE / 3));
    let mut merged = Trail::default();
    merged.merge(trail.clone());
    assert_eq!(merged, trail);
}

#[test]
fn processes_at_one_time_cover_it_once() {
    let mut trail = Trail::default();
    trail.add(step(NOW, NOW + 30 * SECOND, 1));
    trail.add(step(NOW, NOW + 30 * SECOND, 2));
    trail.add(step(NOW + 40 * SECOND, NOW + 50 * SECOND, 4));
    let only: Vec<_> = trail.steps().collect();
    let [only] = only[..] else { panic!("{only:?}") };
    assert_eq!((calls(only), only.to - only.from), (7, 50 * SECOND));
    assert!((40..=50).contains(&(only.covered / SECOND)));
}

#[test]
fn a_step_has_what_was_counted_in_it() {
    let earlier = instance([everything(), Snapshot::default()]);
    let names = earlier.functions.keys().next().unwrap().clone();
    let nothing = Step::between((0, 1), 1, &earlier, &earlier);
    assert_eq!(nothing.counted(&names), None);
    let all = Step::between((0, 1), 1, &InstanceFigures::default(), &earlier);
    let mut counted = Snapshot::default();
    all.counted(&names).unwrap().add_to(&mut counted);
    assert_eq!(counted.calls, everything().calls);
    assert_eq!((counted.gauges, counted.covers), Default::default());
    let idle = earlier.functions.keys().nth(1).unwrap();
    assert_eq!(all.counted(idle), None);
}

/// Figures of the first instance after this many writes, one every ten seconds, with a call in each.
fn counted_until(writes: u64) -> InstanceHistory {
    let header = header(1, 0, writes);
    InstanceHistory {
        header,
        until: header.started + writes * 10 * SECOND,
        figures: hits(writes),
        trail: Trail::default(),
    }
}

#[test]
fn a_trail_goes_on_where_it_ended() {
    let mut trail = InstanceHistory::starting(header(1, 0, 3));
    for writes in [1, 7, 7, 3, 13] {
        trail.go_on(counted_until(writes));
    }
    assert_eq!((trail.header.sequence, &trail.figures), (13, &hits(13)));
    let steps = trail.trail.steps();
    let steps: Vec<_> = steps
        .map(|step| (step.covered / SECOND, calls(step)))
        .collect();
    assert_eq!(steps, [(70, 7), (60, 6)]);
    // The clock on the wall is set back by an hour.
    let mut set_back = counted_until(14);
    set_back.until -= HOUR;
    trail.go_on(set_back);
    let covered: u64 = trail.trail.steps().map(|step| step.covered).sum();
    assert_eq!(covered, 130 * SECOND);
}

#[test]
fn clocks_that_were_ahead_empty_no_window() {
    let mut all = EndedHistory::default();
    let mut reset = ended(
        1,
        vec![
            step(NOW - MINUTE, NOW, 3),
            step(NOW + 2 * HOUR, NOW + 2 * HOUR + 1, 4),
        ],
    );
    for figures in reset.figures.functions.values_mut() {
        figures.forgotten = NOW + HOUR;
    }
    all.fold(reset);
    let within = |all: &EndedHistory| {
        let mut window = Snapshot::default();
        let past = all.past_of("shop::function_0", "redis");
        past.add_within(&(0..NOW), &mut window);
        (window.calls[Outcome::Hit], all.trail.steps().count())
    };
    assert_eq!(within(&all), (0, 2));
    all.thin(NOW);
    assert_eq!(within(&all), (3, 1));
}

/// As where the trail was damaged, or could not be written for long.
#[test]
fn a_long_step_is_in_no_window() {
    let mut trail = InstanceHistory::starting(header(1, 0, 1));
    let started = trail.until;
    trail.go_on(counted_until(10 * 360));
    assert_eq!(trail.until, started + 10 * HOUR);
    let mut all = EndedHistory::default();
    all.fold(trail);
    let past = all.past_of("shop::function_0", "redis");
    let mut window = Snapshot::default();
    past.add_within(&(0..started + 11 * HOUR), &mut window);
    assert_eq!(
        (window.calls[Outcome::Hit], window.covers),
        (0, Duration::ZERO)
    );
    assert_eq!(past.lifetime().calls[Outcome::Hit], 3600);
}

/// A function of a process that began at `NOW`, after others had counted 3 two minutes before, and 5 five hours before.
fn after_a_restart() -> (Clock, &'static CacheMetrics) {
    let clock = Clock::manual();
    let options = MetricsOptions::new("shop::function_0", "redis");
    let metrics = CacheMetrics::create(options.clock(clock.clone()).unlisted());
    let early = step(NOW - 5 * HOUR, NOW - 5 * HOUR + 20 * SECOND, 5);
    let late = step(NOW - 2 * MINUTE, NOW - MINUTE, 3);
    let mut all = EndedHistory::default();
    all.fold(ended(1, vec![early, late]));
    assert!(metrics.lifetime().is_none());
    metrics.set_past(all.past_of("shop::function_0", "redis"));
    (clock, metrics)
}

fn hit(metrics: &'static CacheMetrics) {
    let call = metrics.start_call(None, None);
    call.finish(Outcome::Hit, None, None);
}

#[test]
fn windows_go_on_after_a_restart() {
    let (clock, metrics) = after_a_restart();
    hit(metrics);
    clock.advance(Duration::from_secs(60));
    metrics.tick();
    let window = |seconds: u64| {
        let stats = metrics.stats_over(Duration::from_secs(seconds));
        (stats.hits, stats.covers.as_secs())
    };
    assert_eq!(window(60), (1, 60));
    // The minute between the processes is covered by none.
    assert_eq!(window(180), (4, 120));
    assert_eq!(window(3600), (4, 120));
    assert_eq!(window(86_400), (9, 140));
    assert_eq!(window(u64::MAX), (9, 140));
    let (_, lookups) = metrics.snapshot_with([60, 180].map(Duration::from_secs));
    assert_eq!(lookups.map(|lookups| lookups.hit_rate()), [Some(1.0); 2]);
    // Counters are those of this process.
    assert_eq!(
        (metrics.stats().hits, metrics.snapshot().calls[Outcome::Hit]),
        (1, 1)
    );
    metrics.reset();
    assert_eq!(window(86_400), (0, 0));
    assert_eq!(metrics.lifetime().unwrap().hits, 9);
}

#[test]
fn a_reset_is_remembered_over_restarts() {
    let (_, before) = after_a_restart();
    before.reset();
    let mut all = EndedHistory::default();
    all.fold(ended(1, vec![step(NOW - 2 * MINUTE, NOW - MINUTE, 3)]));
    all.fold(InstanceHistory {
        figures: InstanceFigures::counted([before]),
        ..ended(2, vec![])
    });
    all.fold(ended(3, vec![step(NOW + MINUTE, NOW + 2 * MINUTE, 4)]));
    let written = History::Ended(all.clone()).write();
    assert_eq!(History::read(&written), Ok(History::Ended(all.clone())));
    let clock = Clock::manual();
    clock.advance(Duration::from_secs(600));
    let options = MetricsOptions::new("shop::function_0", "redis").clock(clock);
    let later = CacheMetrics::create(options.unlisted());
    later.set_past(all.past_of("shop::function_0", "redis"));
    assert_eq!(later.stats_over(Duration::from_secs(3600)).hits, 4);
    assert_eq!(later.lifetime().unwrap().hits, 7);
}

#[test]
fn a_lifetime_has_all_processes() {
    let (clock, metrics) = after_a_restart();
    hit(metrics);
    clock.advance(Duration::from_secs(60));
    let lifetime = metrics.lifetime().unwrap();
    // The first process began with the samples.
    assert_eq!((lifetime.hits, lifetime.covers.as_secs()), (9, 60));
    metrics.set_past(EndedHistory::default().past_of("another", "redis"));
    assert_eq!(metrics.lifetime().unwrap().hits, 1);
    metrics.reset();
}

/// A thousand sampled hits a second, which take 20 to 100 ns, of values up to an hour old.
fn busy(minutes: u64) -> InstanceFigures {
    let buckets = |from: i32, to: i32| {
        let buckets = (from..to).map(|index| {
            (
                index,
                minutes * (601 + u64::from(index.unsigned_abs()) % 997),
            )
        });
        histogram(&buckets.collect::<Vec<_>>())
    };
    let mut snapshot = Snapshot {
        time_saved: Some(u128::from(minutes) << 45),
        entry_age: buckets(96, 190),
        ..Snapshot::default()
    };
    snapshot.calls[Outcome::Hit] = 60_000_000 * minutes;
    snapshot.call_duration[Outcome::Hit] = buckets(-410, -370);
    instance([snapshot])
}

/// What windows take besides is theirs to bound: 88 KiB.
#[test]
fn a_busy_day_before_takes_40_kilobytes() {
    let mut trail = Trail::default();
    for minute in 0..24 * 60 {
        let from = NOW + minute * MINUTE;
        let (earlier, later) = (busy(minute + 1), busy(minute + 2));
        trail.add(Step::between(
            (from, from + MINUTE),
            MINUTE,
            &earlier,
            &later,
        ));
        trail.thin(from + MINUTE);
    }
    let mut all = EndedHistory::default();
    all.fold(InstanceHistory {
        header: header(1, 0, 1),
        until: NOW + 24 * HOUR,
        figures: busy(24 * 60),
        trail,
    });
    let bytes = History::Ended(all).write();
    let mut past = None;
    let room = measure(|| {
        if let Ok(History::Ended(read)) = History::read(&bytes) {
            past = Some(read.past_of("shop::function_0", "redis"));
        }
    });
    assert!(
        past.is_some() && room.bytes_current < 40 << 10,
        "{} bytes",
        room.bytes_current
    );
}

#[test]
fn ids_are_read_as_shown() {
    let id = InstanceId::random();
    assert_eq!(InstanceId::parse(&id.to_string()), Some(id));
    for other in ["", "ended", "+0000000000000000000000000000000", "ø"] {
        assert_eq!(InstanceId::parse(other), None);
    }
}

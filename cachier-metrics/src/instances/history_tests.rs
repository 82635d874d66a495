//! Files of figures, and what functions know of earlier processes from them.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use super::history::{EndedHistory, History, InstanceHistory};
use super::ledger::Ledger;
use super::publication::{Publication, Unreadable};
use super::sample::{everything, header, instance};
use super::trail::{Step, Trail};
use super::{InstanceFigures, InstanceId, MetricsFile};
use crate::clock::Clock;
use crate::labels::Outcome;
use crate::metrics::CacheMetrics;
use crate::options::MetricsOptions;
use crate::snapshot::Snapshot;

const SECOND: u64 = 1_000_000_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
/// Of manual clocks, with the hour at which they start.
const NOW: u64 = 1_704_067_200 * SECOND;

fn hits(count: u64) -> InstanceFigures {
    let mut snapshot = Snapshot::default();
    snapshot.calls[Outcome::Hit] = count;
    instance([snapshot])
}

fn step(from: u64, to: u64, count: u64) -> Step {
    Step {
        from,
        to,
        covered: to - from,
        figures: hits(count),
    }
}

fn ended(id: u128, steps: Vec<Step>) -> InstanceHistory {
    let mut trail = Trail::default();
    let mut figures = InstanceFigures::default();
    for step in steps {
        figures.merge(&step.figures);
        trail.add(step);
    }
    InstanceHistory {
        header: header(id, 0, 1),
        figures,
        trail,
    }
}

fn calls(figures: &InstanceFigures) -> u64 {
    let functions = figures.functions.values();
    functions
        .map(|figures| figures.snapshot.calls[Outcome::Hit])
        .sum()
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
    assert_eq!(calls(&all.ledger.ended), 9);
    assert_eq!(
        all.trail
            .steps()
            .map(|step| calls(&step.figures))
            .sum::<u64>(),
        9
    );
    all.trail.thin(NOW + 2 * HOUR);
    for history in [History::Instance(one), History::Ended(all)] {
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
    let file = |kind: u8, inner: &[u8]| {
        let mut body = vec![kind];
        body.push(u8::try_from(inner.len()).unwrap());
        body.extend(inner);
        body.extend([0, 0]);
        History::read(&Publication::sealed(&body))
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
    assert!(steps.len() < 170, "{} steps", steps.len());
    let covered: u64 = steps.iter().map(|step| step.covered).sum();
    assert!((24 * HOUR..25 * HOUR).contains(&covered), "{covered}");
    let calls: u64 = steps.iter().map(|step| calls(&step.figures)).sum();
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
    assert_eq!(
        (calls(&only.figures), only.to - only.from),
        (7, 50 * SECOND)
    );
    assert!((40..=50).contains(&(only.covered / SECOND)));
}

#[test]
fn what_was_counted_has_only_counts() {
    let earlier = instance([everything(), Snapshot::default()]);
    assert_eq!(earlier.counted_since(&earlier), InstanceFigures::default());
    let counted = earlier.counted_since(&InstanceFigures::default());
    assert_eq!(counted.functions.len(), 1);
    let figures = counted.functions.values().next().unwrap();
    assert_eq!(figures.snapshot.calls, everything().calls);
    assert_eq!(
        (&figures.snapshot.gauges, figures.snapshot.covers),
        (&Default::default(), Duration::ZERO)
    );
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

#[test]
fn ids_are_read_as_shown() {
    let id = InstanceId::random();
    assert_eq!(InstanceId::parse(&id.to_string()), Some(id));
    for other in ["", "ended", "+0000000000000000000000000000000", "ø"] {
        assert_eq!(InstanceId::parse(other), None);
    }
}

#[test]
fn files_and_folders_are_read_for_tools() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let one = ended(1, vec![step(NOW, NOW + SECOND, 3)]);
    let mut all = EndedHistory::default();
    all.fold(ended(2, vec![step(NOW, NOW + SECOND, 4)]));
    std::fs::write(path("1.metrics"), History::Instance(one).write()).unwrap();
    std::fs::write(path("ended.metrics"), History::Ended(all).write()).unwrap();
    std::fs::write(path("2.metrics"), "no figures").unwrap();
    std::fs::write(path("2.lock"), "").unwrap();
    let found = MetricsFile::open(folder.path()).unwrap();
    assert_eq!(found.functions.total().hits, 7);
    assert_eq!(
        (
            found.ended_instances,
            found.unreadable,
            found.instances.len()
        ),
        (1, 1, 1)
    );
    let file = MetricsFile::open(&path("1.metrics")).unwrap();
    assert_eq!(
        (file.functions.total().hits, file.instances[0].is_live),
        (3, false)
    );
    let refused = |name: &str| MetricsFile::open(&path(name)).unwrap_err().to_string();
    let mut newer = History::Ended(EndedHistory::default()).write();
    newer[4] += 1;
    for (name, bytes, expected) in [
        ("2.metrics", &b"no figures"[..], "no file of figures"),
        ("4.metrics", &newer, "newer version"),
        ("5.metrics", &newer[..3], "damaged"),
    ] {
        std::fs::write(path(name), bytes).unwrap();
        assert!(refused(name).contains(expected), "{}", refused(name));
    }
    assert!(MetricsFile::open(&path("3.metrics")).is_err());
}

#[cfg(unix)]
#[test]
fn only_regular_files_of_bounded_length_are_read() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let figures = History::Instance(ended(1, vec![step(NOW, NOW + SECOND, 3)])).write();
    std::fs::write(path("figures"), &figures).unwrap();
    symlink(path("figures"), path("link.metrics")).unwrap();
    let linked = MetricsFile::open(&path("link.metrics")).unwrap();
    assert_eq!(linked.functions.total().hits, 3);

    // One that is as long as a disk, and begins as figures; one of zeros; no files.
    for (name, begin) in [("long.metrics", figures.as_slice()), ("zeros.metrics", &[])] {
        std::fs::write(path(name), begin).unwrap();
        let file = std::fs::OpenOptions::new().write(true).open(path(name));
        file.unwrap().set_len(1 << 40).unwrap();
    }
    let made = std::process::Command::new("mkfifo")
        .arg(path("pipe.metrics"))
        .status();
    assert!(made.unwrap().success());
    std::fs::create_dir(path("folder.metrics")).unwrap();
    let names = ["long.metrics", "zeros.metrics", "pipe.metrics"];
    for name in names {
        let error = MetricsFile::open(&path(name)).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidData, "{name}");
    }
    let found = MetricsFile::open(folder.path()).unwrap();
    assert_eq!((found.functions.total().hits, found.unreadable), (3, 4));
}

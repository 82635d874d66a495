//! Snapshots form a commutative monoid, survive serialization, and print as a table.
#![cfg(not(shuttle))]
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use cachier_metrics::*;
use proptest::prelude::*;

/// A snapshot of a function with a random history.
fn snapshot() -> impl Strategy<Value = Snapshot> {
    let calls = prop::collection::vec(
        (prop::sample::select(Outcome::ALL), 1..u64::from(u32::MAX)),
        0..20,
    );
    let gauges = (any::<Option<u32>>(), any::<Option<u32>>());
    (
        calls,
        gauges,
        prop::sample::select(vec![0.0, 1.0]),
        0..3_usize,
    )
        .prop_map(|(calls, gauges, rate, running)| take(&calls, gauges, rate, running))
}

fn take(
    calls: &[(Outcome, u64)],
    (entries, capacity): (Option<u32>, Option<u32>),
    rate: f64,
    running: usize,
) -> Snapshot {
    let clock = Clock::manual();
    let metrics = CacheMetrics::create(
        MetricsOptions::new("merged", "memory")
            .clock(clock.clone())
            .sampling(SamplingRate::new(rate))
            .unlisted(),
    );
    let mut gauges = Gauges::default();
    gauges.near = Holding::new(entries.map(u64::from), None);
    gauges.capacity_entries = capacity.map(u64::from);
    let shared = Shared::new(gauges.near, gauges.capacity_entries);
    gauges.shared = [(format!("store/{}", entries.is_some()), shared)].into();
    metrics.set_gauges(Box::new(move || gauges.clone()));
    let computing: Vec<_> = (0..running)
        .map(|_| metrics.start_compute(Reason::Absent))
        .collect();
    for (outcome, duration) in calls {
        let call = metrics.start_call(Some(Sampled::ONE), None);
        clock.advance(Duration::from_nanos(*duration));
        metrics.backend_error(Operation::Store, ErrorLabel::Full);
        call.finish(*outcome, Some(*duration), Some(2 * duration));
    }
    let snapshot = metrics.snapshot();
    drop(computing);
    snapshot
}

fn sum(snapshots: &[&Snapshot]) -> Snapshot {
    snapshots.iter().copied().sum()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn merging_is_a_commutative_monoid(a in snapshot(), b in snapshot(), c in snapshot()) {
        prop_assert_eq!(sum(&[&sum(&[&a, &b]), &c]), sum(&[&a, &sum(&[&b, &c])]));
        prop_assert_eq!(sum(&[&a, &b]), sum(&[&b, &a]));
        prop_assert_eq!(sum(&[&a, &Snapshot::default()]), a.clone());
        prop_assert_eq!([a.clone(), b.clone()].into_iter().sum::<Snapshot>(), sum(&[&a, &b]));
        let mut added = a.clone();
        added += &b;
        prop_assert_eq!(added, sum(&[&a, &b]));
    }

    #[test]
    fn a_snapshot_survives_json(snapshot in snapshot()) {
        let json = serde_json::to_string(&snapshot).unwrap();
        prop_assert_eq!(serde_json::from_str::<Snapshot>(&json).unwrap(), snapshot);
    }
}

#[test]
fn ratios_are_computed_after_merging() {
    let hits = take(&[(Outcome::Hit, 1); 9], (None, None), 1.0, 0);
    let miss = take(&[(Outcome::Miss, 1)], (None, None), 1.0, 0);
    assert_eq!(Stats::from(&sum(&[&hits, &miss])).hit_rate(), Some(0.9));
}

#[test]
fn unknown_fields_and_labels_are_ignored() {
    let json = r#"{"calls": {"hit": 3, "guessed": 9}, "invented": 1}"#;
    let snapshot: Snapshot = serde_json::from_str(json).unwrap();
    assert_eq!(snapshot.calls[Outcome::Hit], 3);
    assert_eq!(Stats::from(&snapshot).calls, 3);
    let error = serde_json::from_str::<Snapshot>(r#"{"calls": 7}"#).unwrap_err();
    assert!(
        error.to_string().contains("a map from outcome to value"),
        "{error}"
    );
}

#[test]
fn labels_read_as_in_the_catalogue() {
    let calls = Labelled::<AbandonReason, u64>::from_fn(|reason| reason.label().len() as u64);
    assert_eq!(format!("{calls:?}"), "{Panic: 5, Cancelled: 9}");
    assert_eq!(
        format!("{:>6}|{}", Outcome::Hit, ErrorLabel::BreakerOpen),
        "   hit|breaker_open"
    );
    let texts = |labels: &[Reason]| {
        labels
            .iter()
            .map(|label| label.label())
            .collect::<Vec<_>>()
            .join(" ")
    };
    let reasons = "absent stale overwrite refresh wait_timeout reentrant uncacheable unavailable";
    assert_eq!(texts(Reason::ALL), reasons);
}

#[test]
fn statistics_read_as_a_table() {
    let clock = Clock::manual();
    let metrics = CacheMetrics::create(
        MetricsOptions::new("shown", "memory")
            .clock(clock.clone())
            .unlisted(),
    );
    let mut gauges = Gauges::default();
    gauges.memory = Holding::new(Some(2), Some(3_000_000));
    metrics.set_gauges(Box::new(move || gauges.clone()));
    for (duration, bytes) in [
        (500, 100),
        (1_500, 2_000),
        (2_000_000, 5 << 20),
        (75_000_000, 3 << 30),
    ] {
        let call = metrics.start_call(Some(Sampled::ONE), None);
        call.stored(bytes);
        clock.advance(Duration::from_nanos(duration));
        call.finish(Outcome::Miss, None, None);
    }
    let compute = metrics.start_compute(Reason::Absent);
    compute.finish(ComputeResult::Error);
    let hit = metrics.start_call(Some(Sampled::ONE), None);
    clock.advance(Duration::from_secs(2));
    hit.finish(Outcome::Hit, None, Some(93_780_000_000_000));
    let expected = "\
calls                              5  in 2.08s
  hit                              1
  miss                             4
recalculations                     1
  failed                           1
hit rate                      20.0 %
served rate                   20.0 %
time saved                     1d02h
entries                            2
size                          2.86MB
                   count     mean      p50      p90      p99      max
latency                5    415ms   2.00ms    1.96s    1.96s    2.00s
hit latency            1    2.00s    2.00s    2.00s    2.00s    2.00s
compute                1      0ns      0ns      0ns      0ns      0ns
entry size             4    769MB   1.96KB   3.00GB   3.00GB   3.00GB
";
    assert_eq!(metrics.stats().to_string(), expected);
    assert_eq!(metrics.stats().entry_size.min(), Some(100));
    let latency = format!("{:?}", metrics.stats().hit_latency.clone());
    assert_eq!(
        latency,
        "Distribution { count: Some(1), mean: Some(2s), p50: Some(2s), p99: Some(2s), max: Some(2s) }"
    );
}

#[test]
fn groups_read_as_a_table() {
    let calls = |outcomes: &[Outcome]| {
        let calls: Vec<_> = outcomes
            .iter()
            .map(|outcome| (*outcome, 2_000_000))
            .collect();
        take(&calls, (None, None), 1.0, 0)
    };
    let table: StatsTable = [
        ("billing::invoice", calls(&[Outcome::Hit; 9])),
        ("billing::invoice", calls(&[Outcome::Miss])),
        ("tax", calls(&[Outcome::Stale, Outcome::Bypass])),
        ("idle", Snapshot::default()),
    ]
    .into_iter()
    .collect();
    let expected = "                         \
       calls  hit rate    served      p50      p99     entries  errors
billing::invoice          10    90.0 %    90.0 %   2.00ms   2.00ms                  10
idle                       0                                                         0
tax                        2     0.0 %   100.0 %   2.00ms   2.00ms                   2
total                     12    81.8 %    90.9 %   2.00ms   2.00ms                  12
";
    let shown = table.to_string();
    let trimmed = |text: &str| {
        text.lines()
            .map(|line| line.trim_end().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(trimmed(&shown)[1..], trimmed(expected)[1..], "{shown}");
    assert!(
        shown
            .lines()
            .next()
            .unwrap()
            .ends_with("calls  hit rate    served      p50      p99     entries  errors")
    );
    assert!(table.get("invoice").is_none() && !table.is_empty());
    let one: StatsTable = [("only", Snapshot::default())].into_iter().collect();
    assert_eq!(one.to_string().lines().count(), 2);
    assert!(StatsTable::default().is_empty());
    let mut room = 0..shown.len();
    assert!(
        room.all(
            |room| std::fmt::Write::write_fmt(&mut Full(room), format_args!("{table}")).is_err()
        )
    );
}

/// Accepts this many bytes.
struct Full(usize);

impl std::fmt::Write for Full {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.0 = self.0.checked_sub(text.len()).ok_or(std::fmt::Error)?;
        Ok(())
    }
}

#[test]
fn write_errors_are_passed_on() {
    use std::fmt::Write;
    let stats = Stats::from(&take(&[(Outcome::Hit, 5)], (None, None), 1.0, 0));
    let length = stats.to_string().len();
    assert!((0..length).all(|room| write!(Full(room), "{stats}").is_err()));
    assert!(write!(Full(length), "{stats}").is_ok());
}

#[test]
fn gauges_add_up_where_they_are_known() {
    let mut one = Gauges::default();
    one.memory_capacity_bytes = Some(5);
    let sum: Gauges = [one.clone(), Gauges::default(), one].into_iter().sum();
    assert_eq!(
        (sum.capacity_bytes(), sum.capacity_entries),
        (Some(10), None)
    );
}

/// The snapshot of a process with these entries in memory, and these in the store of this name.
fn process(in_memory: u64, name: &str, entries: Option<u64>) -> Snapshot {
    let shared = Shared::new(Holding::new(entries, None), Some(100));
    let mut snapshot = Snapshot::default();
    snapshot.gauges.memory = Holding::new(Some(in_memory), None);
    snapshot.gauges.near = Holding::new(Some(in_memory), None);
    snapshot.gauges.shared.insert(name.to_owned(), shared);
    snapshot
}

#[test]
fn shared_entries_count_once() {
    let processes = [
        process(0, "store/one", Some(7)),
        process(2, "store/one", Some(8)),
        process(3, "store/one", None),
    ];
    let merged: Snapshot = processes.iter().sum();
    assert_eq!(merged.gauges.near.entries, Some(5));
    assert_eq!(merged.gauges.backend().entries, Some(5 + 8));
    assert_eq!(merged.gauges.capacity_bytes(), Some(100));
    assert_eq!(Stats::from(&merged).entries, Some(5 + 8));

    let functions: Snapshot = [merged, process(0, "store/other", Some(10))].iter().sum();
    assert_eq!(functions.gauges.backend().entries, Some(5 + 8 + 10));
    assert_eq!(functions.gauges.capacity_bytes(), Some(200));
}

#[test]
fn long_times_have_two_units() {
    let clock = Clock::manual();
    let metrics = CacheMetrics::create(
        MetricsOptions::new("aged", "memory")
            .clock(clock.clone())
            .unlisted(),
    );
    let advances = [
        (Duration::ZERO, "0ns"),
        (Duration::from_nanos(12_345), "12.3µs"),
        (Duration::from_secs(59), "59.0s"),
        (Duration::from_secs(41), "1m40s"),
        (Duration::from_secs(7200), "2h01m"),
        (Duration::from_secs(86_400), "1d02h"),
    ];
    for (by, shown) in advances {
        clock.advance(by);
        let first = metrics
            .stats()
            .to_string()
            .lines()
            .next()
            .unwrap_or_default()
            .to_owned();
        assert_eq!(
            first,
            format!("calls                              0  in {shown}")
        );
    }
}

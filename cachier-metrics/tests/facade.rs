//! The exporter to the facade of the crate `metrics`.
#![cfg(all(feature = "metrics", not(shuttle)))]
#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use cachier_metrics::*;
use metrics::{set_global_recorder, with_local_recorder};

#[path = "support/busy.rs"]
#[allow(dead_code, reason = "not all tests need all of it")]
mod busy;

#[path = "support/recorder.rs"]
mod recorder;

use busy::{in_use_for_long, metrics as function, store};
use recorder::Kept;

#[test]
fn a_recorder_gets_every_figure() {
    let _store = store();
    let (busy, _running) = in_use_for_long("busy");
    let exporter = FacadeExporter::builder().build().unwrap();
    exporter.register_function(busy).unwrap();
    let kept = Kept::default();
    with_local_recorder(&kept, || exporter.flush()).unwrap();
    let figures = kept.figures();
    let mut count = 0;
    for family in exporter.registry().gather().families() {
        let name = family.full_name();
        assert!(figures.described[&name].ends_with(family.help), "{name}");
        for sample in &family.samples {
            let labels = sample
                .labels
                .iter()
                .map(|(name, value)| format!(",{name}={value}"));
            let series = format!("{name}{}", labels.collect::<String>());
            count += 1;
            match &sample.value {
                SampleValue::Count(count) => {
                    assert_eq!(figures.numbers[&series], *count as f64, "{series}")
                }
                SampleValue::Number(number) => {
                    assert_eq!(figures.numbers[&series], *number, "{series}")
                }
                SampleValue::Histogram(histogram) => {
                    let observed = &figures.observed[&series];
                    let count: usize = observed.iter().map(|(_, count)| count).sum();
                    assert_eq!(count as u64, histogram.count(), "{series}");
                    let sum: f64 = observed
                        .iter()
                        .map(|(value, count)| value * *count as f64)
                        .sum();
                    let own = family.unit.from_raw(histogram.sum as f64);
                    assert!(
                        (sum - own).abs() <= own * 0.022 + 1e-8 * count as f64,
                        "{series}: {sum}, {own}"
                    );
                }
                other => panic!("{other:?}"),
            }
        }
    }
    assert!(count > 100, "{count}");
    // But for what it does not do: it sends no requests.
    let catalogue = include_str!("golden/metrics.txt").lines();
    let catalogue = catalogue.filter(|line| !line.starts_with(' '));
    let names = catalogue.map(|line| line.split(' ').next().unwrap());
    for name in names.filter(|name| {
        ![
            "cachier_export_requests_total",
            "cachier_export_sent_bytes_total",
        ]
        .contains(name)
    }) {
        assert!(figures.described.contains_key(name), "no {name}");
    }
    assert_eq!(
        figures.described["cachier_calls_total"],
        "counter  Finished calls by outcome."
    );
    let duration = &figures.described["cachier_call_duration_seconds"];
    assert!(duration.starts_with("histogram seconds"), "{duration}");
    assert!(figures.described["cachier_size_bytes"].starts_with("gauge bytes"));
}

#[test]
fn an_observation_is_recorded_once() {
    let (function, clock) = function("once");
    let builder = FacadeExporter::builder()
        .prefix("till")
        .constant_label("service", "shop");
    let exporter = builder.max_series(9_000).build().unwrap();
    exporter.register_function(function).unwrap();
    let kept = Kept::default();
    for computations in [1, 0, 2] {
        for _ in 0..computations {
            let compute = function.start_compute(Reason::Absent);
            clock.advance(Duration::from_millis(3));
            compute.finish(ComputeResult::Value);
        }
        with_local_recorder(&kept, || exporter.flush()).unwrap();
    }
    let figures = kept.figures();
    let series = "till_compute_duration_seconds,service=shop,function=once,backend=file";
    let observed = &figures.observed[series];
    let counts: Vec<_> = observed.iter().map(|(_, count)| *count).collect();
    assert_eq!(counts, [1, 2]);
    assert!(
        observed
            .iter()
            .all(|(value, _)| (value / 0.003 - 1.0).abs() < 0.022)
    );
}

#[test]
fn the_program_is_recorded_until_it_stops() {
    let kept = Kept::default();
    assert!(set_global_recorder(kept.clone()).is_ok());
    let function = function("global").0;
    let builder = FacadeExporter::builder().interval(Duration::from_millis(1));
    let exporter = builder.build().unwrap();
    exporter.register_function(function).unwrap();
    exporter.start().unwrap();
    let misses = "cachier_calls_total,function=global,backend=file,outcome=miss";
    let until = Instant::now() + Duration::from_secs(20);
    while !kept.figures().numbers.contains_key(misses) {
        assert!(Instant::now() < until);
        std::thread::sleep(Duration::from_millis(1));
    }
    function
        .start_call(None, None)
        .finish(Outcome::Miss, None, None);
    exporter.stop();
    assert_eq!(kept.number(misses), 1.0);
    function
        .start_call(None, None)
        .finish(Outcome::Miss, None, None);
    exporter.stop();
    assert_eq!(kept.number(misses), 1.0, "it has stopped");
}

#[test]
fn what_cannot_be_is_an_error() {
    assert!(FacadeExporter::builder().prefix("1").build().is_err());
}

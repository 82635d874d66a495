//! Behaviour of all exporters: registration, labels, and reading at one moment.
#![cfg(not(shuttle))]
#![allow(clippy::unwrap_used)]

use std::sync::Mutex;
use std::time::{Duration, UNIX_EPOCH};

use cachier_metrics::*;

fn on(name: &str, backend: &str) -> &'static CacheMetrics {
    CacheMetrics::create(
        MetricsOptions::new(name, backend)
            .clock(Clock::manual())
            .unlisted(),
    )
}

fn listed(name: &str) -> &'static CacheMetrics {
    CacheMetrics::create(MetricsOptions::new(name, "memory").clock(Clock::manual()))
}

fn call(metrics: &'static CacheMetrics, outcome: Outcome) {
    let call = metrics.start_call(Some(Sampled::ONE), None);
    call.finish(outcome, None, None);
}

/// Keeps what it exports, as lines.
struct Lines {
    registry: MetricsRegistry,
    lines: Mutex<Vec<String>>,
}

impl Lines {
    fn new() -> Self {
        Self::with(MetricsRegistry::new("lines"))
    }

    fn with(registry: MetricsRegistry) -> Self {
        Self {
            registry,
            lines: Mutex::default(),
        }
    }

    /// The lines of an export that begin so.
    fn flushed(&self, beginning: &str) -> Vec<String> {
        self.lines.lock().unwrap().clear();
        self.flush().unwrap();
        let mut lines = self.lines.lock().unwrap().clone();
        lines.retain(|line| line.starts_with(beginning));
        lines
    }
}

impl MetricsExporter for Lines {
    fn registry(&self) -> &MetricsRegistry {
        &self.registry
    }

    fn start(&self) -> Result<(), ExportError> {
        Err(ExportError::new("it is only asked"))
    }

    fn flush(&self) -> Result<(), ExportError> {
        for family in self.registry.gather().families() {
            for sample in &family.samples {
                let labels: Vec<_> = sample
                    .labels
                    .iter()
                    .map(|(k, v)| format!("{k}={v}"))
                    .collect();
                let value = match &sample.value {
                    SampleValue::Count(count) => count.to_string(),
                    SampleValue::Number(number) => number.to_string(),
                    SampleValue::Histogram(histogram) => format!("of {}", histogram.count()),
                    other => panic!("unknown: {other:?}"),
                };
                let line = format!("{}[{}] {value}", family.full_name(), labels.join(" "));
                self.lines.lock().unwrap().push(line);
            }
        }
        Ok(())
    }

    fn stop(&self) {}
}

#[test]
fn an_own_exporter_has_the_catalogue() {
    let exporter = Lines::new();
    let metrics = on("own", "file");
    exporter.register_functions([metrics, metrics]).unwrap();
    call(metrics, Outcome::Hit);
    assert_eq!(
        exporter.flushed("cachier_calls_total")[..2],
        [
            "cachier_calls_total[function=own backend=file outcome=hit] 1",
            "cachier_calls_total[function=own backend=file outcome=stale] 0",
        ]
    );
    assert_eq!(
        exporter.flushed("cachier_call_duration"),
        ["cachier_call_duration_seconds[function=own backend=file outcome=hit] of 1"]
    );
    assert_eq!(
        exporter.flushed("cachier_export"),
        [
            "cachier_export_failures_total[exporter=lines] 0",
            "cachier_export_dropped_total[exporter=lines] 0",
            "cachier_export_folded_functions[exporter=lines] 0",
        ]
    );
    assert_eq!(
        exporter.start().unwrap_err().to_string(),
        "it is only asked"
    );
    exporter.stop();
}

#[test]
fn custom_exporters_count_the_results_of_exports() {
    let exporter = Lines::new();
    exporter.registry().export_failed();
    exporter.registry().export_dropped(7);
    for bytes in [100, 50] {
        exporter.registry().export_sent(bytes);
    }
    exporter.push_once().unwrap();
    let lines = exporter.flushed("cachier_export");
    let figures = lines.iter().map(|line| line.split_once('[').unwrap());
    let figures: Vec<_> = figures
        .map(|(name, rest)| (name, rest.rsplit_once(' ').unwrap().1))
        .collect();
    assert_eq!(
        figures,
        [
            ("cachier_export_failures_total", "1"),
            ("cachier_export_dropped_total", "7"),
            ("cachier_export_requests_total", "2"),
            ("cachier_export_sent_bytes_total", "150"),
            ("cachier_export_folded_functions", "0"),
        ]
    );
}

#[test]
fn a_pattern_takes_functions_of_now_and_later() {
    let exporter = Lines::new();
    let before = listed("billing::before");
    listed("shipping::before");
    exporter.register_matching("billing::*").unwrap();
    let names = |exporter: &Lines| {
        let mut names = exporter.flushed("cachier_start_time_seconds");
        names.iter_mut().for_each(|line| {
            *line = line.split(['=', ' ']).nth(1).unwrap().to_owned();
        });
        names
    };
    assert_eq!(names(&exporter), ["billing::before"]);
    listed("billing::later");
    listed("billing");
    exporter.register_function(before).unwrap();
    assert_eq!(names(&exporter), ["billing::before", "billing::later"]);
    exporter.register_matching("shipping::*").unwrap();
    exporter.register_matching("billing::*").unwrap();
    let of_both = ["billing::before", "billing::later", "shipping::before"];
    assert_eq!(names(&exporter), of_both);
    exporter.register_all().unwrap();
    assert_eq!(names(&exporter).len(), CacheMetrics::all().len());
}

#[test]
fn functions_of_one_name_are_one_series_everywhere() {
    let exporter = Lines::new();
    let functions = ["memory", "memory", "file"].map(|backend| on("same", backend));
    exporter.register_functions(functions).unwrap();
    functions
        .into_iter()
        .for_each(|metrics| call(metrics, Outcome::Miss));
    let mut misses = exporter.flushed("cachier_calls_total");
    misses.retain(|line| line.contains("outcome=miss"));
    assert_eq!(
        misses,
        [
            "cachier_calls_total[function=same backend=memory outcome=miss] 2",
            "cachier_calls_total[function=same backend=file outcome=miss] 1",
        ]
    );
}

#[test]
fn prefix_and_constant_labels_are_on_everything() {
    let registry = MetricsRegistry::new("lines")
        .prefix("shop")
        .and_then(|registry| registry.constant_label("service", "till \"1\""))
        .and_then(|registry| registry.constant_label("env", "staging"));
    let exporter = Lines::with(registry.unwrap());
    exporter
        .register_function(on("labelled", "memory"))
        .unwrap();
    let all = exporter.flushed("");
    assert!(all.len() > 40, "{all:?}");
    for line in all {
        assert!(
            line.starts_with("shop_") && line.contains("[service=till \"1\" env=staging "),
            "{line}"
        );
    }
    let bare = Lines::with(MetricsRegistry::new("lines").prefix("").unwrap());
    assert_eq!(bare.flushed("build_info").len(), 1);
}

#[test]
fn names_that_cannot_be_are_refused() {
    let registry = || MetricsRegistry::new("lines");
    for prefix in ["a-b", "1a", "a b", "ä"] {
        let error = registry().prefix(prefix).unwrap_err().to_string();
        assert!(
            error.contains(&format!("`{prefix}` is no prefix")),
            "{error}"
        );
    }
    for name in ["", "a-b", "1a", "__name__", "ä"] {
        let error = registry().constant_label(name, "").unwrap_err().to_string();
        assert!(error.contains("is no name of a label"), "{error}");
    }
    let with_service = registry().constant_label("service", "").unwrap();
    let twice = with_service.constant_label("service", "").unwrap_err();
    assert!(twice.to_string().contains("already"), "{twice}");
}

/// A label of a figure cannot be a constant one as well.
#[test]
fn labels_of_the_catalogue_are_taken() {
    let registry = MetricsRegistry::new("lines");
    registry.register_function(on("labels", "memory"));
    let export = registry.gather();
    let labels = export.families().flat_map(|family| family.samples);
    let labels = labels
        .flat_map(|sample| sample.labels)
        .map(|(name, _)| name);
    let of_stores = [
        "store",
        "state",
        "kind",
        "operation",
        "scope",
        "tier",
        "le",
        "window",
    ];
    for name in labels.chain(of_stores) {
        let taken = MetricsRegistry::new("lines").constant_label(name, "value");
        assert!(taken.is_err(), "{name}");
    }
}

/// A call that ends while figures are read is in all figures of its function, or in none.
#[test]
fn one_export_reads_a_function_at_one_moment() {
    let exporter = Lines::new();
    let (one, other) = (on("moment", "memory"), on("moment", "memory"));
    exporter.register_functions([one, other]).unwrap();
    // Asked for its gauges, the first of the two has the second called.
    one.set_gauges(Box::new(move || {
        call(other, Outcome::Hit);
        Gauges::default()
    }));
    call(one, Outcome::Miss);
    let ratio = "cachier_hit_ratio[function=moment backend=memory window=1m]";
    assert_eq!(exporter.flushed(ratio), [format!("{ratio} 0.5")]);
    let hits = "cachier_calls_total[function=moment backend=memory outcome=hit]";
    assert_eq!(exporter.flushed(hits), [format!("{hits} 2")]);
}

#[test]
fn an_export_has_read_and_start_times() {
    let registry = MetricsRegistry::new("lines");
    registry.register_function(on("timed", "memory"));
    let export = registry.gather();
    assert!(export.time() > UNIX_EPOCH + Duration::from_secs(1_704_067_200));
    let families: Vec<_> = export.families().collect();
    let began = UNIX_EPOCH + Duration::from_secs(1_704_067_200);
    assert_eq!(families[0].samples[0].start, Some(began));
    let last = families.last().unwrap();
    assert_eq!(
        (last.name, last.samples[0].start),
        ("export_folded_functions", None)
    );
}

#[cfg(feature = "prometheus")]
#[test]
fn exporters_of_all_kinds_are_used_alike() {
    let lines = Lines::new();
    let prometheus = PrometheusExporter::builder().port(0).build().unwrap();
    let exporters: [&dyn MetricsExporter; 2] = [&lines, &prometheus];
    for exporter in exporters {
        exporter.register_function(on("alike", "memory")).unwrap();
        exporter.register_matching("nobody::*").unwrap();
        exporter.flush().unwrap();
        assert!(
            exporter
                .registry()
                .gather()
                .families()
                .any(|family| family.name == "calls")
        );
    }
    exporters[1].start().unwrap();
    assert!(prometheus.local_addr().is_some());
    exporters[1].stop();
    assert!(prometheus.local_addr().is_none());
    prometheus.register_matching("alike").unwrap();
}

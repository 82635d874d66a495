//! A cached function's figures as scraped by Prometheus.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use cachier::{PrometheusExporter, cachier};
use cachier_tests::double;
use cachier_tests::gate::panic_silently;
use cachier_tests::sandbox::in_folder;

/// The response to a scrape.
pub(crate) fn scrape(address: SocketAddr) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!("GET /metrics HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    answer
}

/// The value of a series with all of these labels.
#[track_caller]
fn value(scrape: &str, name: &str, labels: &[&str]) -> f64 {
    let is_wanted = |line: &&str| {
        let series = line.split_once('{').map_or(*line, |(name, _)| name);
        series == name && labels.iter().all(|label| line.contains(label))
    };
    let line = scrape.lines().find(is_wanted);
    let line = line.unwrap_or_else(|| panic!("no {name} with {labels:?} in\n{scrape}"));
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

/// Two hits, two computed values and an error, a panic, and a removed entry.
const FIGURES_OF_HALF: [(&str, &str, f64); 15] = [
    ("calls_total", "outcome=\"hit\"", 2.0),
    ("calls_total", "outcome=\"miss\"", 3.0),
    ("calls_total", "outcome=\"stale\"", 0.0),
    ("calls_abandoned_total", "reason=\"panic\"", 1.0),
    ("recalculations_total", "reason=\"absent\"", 4.0),
    ("recalculation_failures_total", "result=\"error\"", 1.0),
    ("removals_total", "cause=\"invalidated\"", 1.0),
    ("backend_errors_total", "kind=\"corrupt\"", 0.0),
    ("wait_timeouts_total", "", 0.0),
    ("entries", "tier=\"backend\"", 1.0),
    ("inflight_calls", "", 0.0),
    ("sampling_ratio", "", 1.0),
    ("call_duration_seconds_count", "outcome=\"hit\"", 2.0),
    ("compute_duration_seconds_count", "", 3.0),
    ("entry_size_bytes_count", "", 2.0),
];

#[test]
fn figures_are_served_under_the_catalogues_names() {
    #[cachier(backend = "file", name = "half", stale_after = "1h", enable_metrics)]
    fn half(number: u64) -> Result<u64, &'static str> {
        match number {
            13 => panic_silently(),
            number if number % 2 == 0 => Ok(number / 2),
            _ => Err("odd"),
        }
    }

    in_folder(|_| {
        let _ = [half(2), half(2), half(2), half(4), half(5)];
        assert!(std::panic::catch_unwind(|| half(13)).is_err());
        half::invalidate(4).unwrap();
        half::usage().unwrap();

        let exporter = PrometheusExporter::builder().port(0).build().unwrap();
        exporter.register_function(half::metrics()).unwrap();
        exporter.start().unwrap();
        let scrape = scrape(exporter.local_addr().unwrap());

        for (name, label, expected) in FIGURES_OF_HALF {
            let labels = ["function=\"half\"", "backend=\"file\"", label];
            let figure = value(&scrape, &format!("cachier_{name}"), &labels);
            assert_eq!(figure, expected, "{name} {label}");
        }
        exporter.stop();
        let settings: Vec<_> = half::metrics().settings().collect();
        assert_eq!(settings, [("stale_after", "3600s")]);
    });
}

#[test]
fn what_is_served_is_what_is_rendered() {
    double!(backend = "memory", enable_metrics);

    in_folder(|_| {
        double(1);
        let exporter = PrometheusExporter::builder().port(0).build().unwrap();
        exporter.register_function(double::metrics()).unwrap();
        exporter.start().unwrap();
        let scrape = scrape(exporter.local_addr().unwrap());
        let (_, served) = scrape.split_once("\r\n\r\n").unwrap();
        assert_eq!(series(served), series(&exporter.render()));
    });
}

/// The counters of a function, without those of its buckets and the moment's gauges.
fn counters(render: &str) -> Vec<&str> {
    let of_counters = |line: &&str| {
        let name = line.split('{').next().unwrap_or_default();
        let is_counter = ["_total", "_count", "_sum"]
            .iter()
            .any(|end| name.ends_with(end));
        is_counter && !name.starts_with("cachier_export_")
    };
    render.lines().filter(of_counters).collect()
}

#[test]
fn clearing_changes_no_counter_but_removals() {
    #[cachier(backend = "memory", name = "cleared_memory", enable_metrics)]
    fn in_memory(number: u64) -> u64 {
        number
    }
    #[cachier(
        backend = "file",
        near_cache = 10,
        name = "cleared_file",
        stale_after = "1h",
        enable_metrics
    )]
    fn in_files(number: u64) -> u64 {
        number
    }

    in_folder(|_| {
        let call = |number| (in_memory(number), in_files(number));
        let _ = [call(1), call(1), call(2)];
        let exporter = PrometheusExporter::builder().port(0).build().unwrap();
        exporter
            .register_functions([in_memory::metrics(), in_files::metrics()])
            .unwrap();
        let before = exporter.render();
        in_memory::clear_cache().unwrap();
        in_files::clear_cache().unwrap();
        let after = exporter.render();
        let (before, after) = (counters(&before), counters(&after));
        let changed = after.iter().filter(|line| !before.contains(line));
        let changed: Vec<_> = changed
            .map(|line| line.split('{').next().unwrap())
            .collect();
        assert!(!changed.is_empty());
        let of_operations = "cachier_backend_operation_duration_seconds";
        for name in changed {
            let is_expected = name == "cachier_removals_total" || name.starts_with(of_operations);
            assert!(is_expected, "{name}");
        }
        // And what was there is there.
        assert!(after.len() >= before.len());
        call(1);
        let missed = exporter.render();
        for function in ["cleared_memory", "cleared_file"] {
            let labels = [&*format!("function=\"{function}\""), "outcome=\"miss\""];
            assert_eq!(
                value(&missed, "cachier_calls_total", &labels),
                3.0,
                "{function}"
            );
        }
    });
}

/// The names and labels of all series.
fn series(text: &str) -> Vec<&str> {
    let lines = text.lines().filter(|line| !line.is_empty());
    lines
        .map(|line| match line.starts_with('#') {
            true => line,
            false => line.rsplit_once(' ').map_or(line, |(series, _)| series),
        })
        .collect()
}

//! Every exporter tells the same figures of one state: each metric of the catalogue, in each.
#![cfg(all(
    feature = "cloudwatch",
    feature = "emf",
    feature = "metrics",
    feature = "otel",
    feature = "prometheus",
    feature = "statsd",
    unix,
    not(shuttle)
))]
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::net::UdpSocket;
use std::sync::{Arc, Mutex};

use aws_sdk_cloudwatch::config::interceptors::BeforeSerializationInterceptorContextRef;
use aws_sdk_cloudwatch::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_cloudwatch::error::BoxError;
use aws_sdk_cloudwatch::operation::put_metric_data::PutMetricDataInput;
use cachier_metrics::*;

#[path = "support/busy.rs"]
#[allow(dead_code, reason = "not all tests need all of it")]
mod busy;
#[path = "support/collector.rs"]
#[allow(dead_code, reason = "not all tests need all of it")]
mod collector;
#[path = "support/dogstatsd.rs"]
mod dogstatsd;
#[path = "support/emf.rs"]
#[allow(dead_code, reason = "not all tests need all of it")]
mod emf;
#[path = "support/recorder.rs"]
#[allow(dead_code, reason = "not all tests need all of it")]
mod recorder;
#[path = "support/cloudwatch.rs"]
#[allow(dead_code, reason = "not all tests need all of it")]
mod service;

use busy::{in_use_for_long, metrics, store};

/// What an exporter has told of a figure.
#[derive(Debug, PartialEq)]
enum Figure {
    Number(f64),
    /// Values with their counts, ascending, and the sum, where it is told by itself.
    Values(Vec<(f64, f64)>, Option<f64>),
    /// Count and sum, where there are only wide buckets.
    Summary(f64, f64),
}

/// What an exporter has told, by a name of its own.
type Told = BTreeMap<String, Figure>;

/// An exporter: what it has told, and the name of a figure there.
struct Exporter {
    name: &'static str,
    told: Told,
    spelt: fn(&MetricFamily<'_>, &Sample<'_>) -> String,
}

/// A function that has recorded everything, one whose histograms are wide, and a store.
fn functions() -> ([&'static CacheMetrics; 2], ComputeRecorder, StoreSource) {
    let (busy, running) = in_use_for_long("busy");
    let (wide, clock) = metrics("wide");
    for millis in 1..=60 {
        let call = wide.start_call(Some(Sampled::ONE), None);
        clock.advance(std::time::Duration::from_millis(millis * millis));
        call.finish(Outcome::Miss, None, None);
    }
    ([busy, wide], running, store())
}

fn labels(sample: &Sample<'_>, pair: impl Fn(&str, &str) -> String) -> Vec<String> {
    let labels = sample.labels.iter();
    labels.map(|(label, value)| pair(label, value)).collect()
}

fn prometheus(functions: &[&'static CacheMetrics]) -> Exporter {
    let exporter = PrometheusExporter::builder().build().unwrap();
    exporter
        .register_functions(functions.iter().copied())
        .unwrap();
    let text = exporter.render();
    let mut series = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').unwrap();
        series.insert(name, value.parse::<f64>().unwrap());
    }
    let figures = series.iter().filter_map(|(name, value)| {
        let (metric, labels) = name.split_once('{').unwrap();
        let figure = match metric.strip_suffix("_count") {
            Some(histogram) => {
                let sum = series[&*format!("{histogram}_sum{{{labels}")];
                return Some((
                    format!("{histogram}{{{labels}"),
                    Figure::Summary(*value, sum),
                ));
            }
            None if metric.ends_with("_sum") || metric.ends_with("_bucket") => return None,
            None => Figure::Number(*value),
        };
        Some(((*name).to_owned(), figure))
    });
    Exporter {
        name: "Prometheus",
        told: figures.collect(),
        spelt: |family, sample| {
            let labels = labels(sample, |label, value| format!("{label}=\"{value}\""));
            format!("{}{{{}}}", family.full_name(), labels.join(","))
        },
    }
}

/// The lines that a daemon has received.
fn sent(functions: &[&'static CacheMetrics], dialect: StatsdDialect) -> Vec<dogstatsd::Line> {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_nonblocking(true).unwrap();
    let address = socket.local_addr().unwrap().to_string();
    let exporter = StatsdExporter::builder().address(address).dialect(dialect);
    let exporter = exporter.build().unwrap();
    exporter
        .register_functions(functions.iter().copied())
        .unwrap();
    exporter.flush().unwrap();
    dogstatsd::received(|buffer| socket.recv(buffer), 1432).0
}

/// As the daemon has them: counters and gauges once, the values of a histogram together.
fn added_up(lines: Vec<dogstatsd::Line>, name: impl Fn(&dogstatsd::Line) -> String) -> Told {
    let mut told = Told::new();
    for line in lines {
        let new = match &*line.kind {
            "c" | "g" => Figure::Number(line.value),
            _ => Figure::Values(vec![(line.value, line.count() as f64)], None),
        };
        match (told.get_mut(&name(&line)), new) {
            (Some(Figure::Values(values, _)), Figure::Values(more, _)) => values.extend(more),
            (None, new) => _ = told.insert(name(&line), new),
            (known, new) => panic!("{known:?} and {new:?} of {line:?}"),
        }
    }
    told
}

fn statsd(functions: &[&'static CacheMetrics]) -> Exporter {
    let mut lines = sent(functions, StatsdDialect::Statsd);
    let timers = lines.iter_mut().filter(|line| line.kind == "ms");
    // All histograms of time are in milliseconds.
    let of_time = timers.filter(|line| !line.name.contains("_bytes"));
    of_time.for_each(|line| line.value /= 1e3);
    Exporter {
        name: "StatsD",
        told: added_up(lines, |line| line.name.clone()),
        spelt: |family, sample| {
            let base = family.full_name().replacen("cachier_", "cachier.", 1);
            let base = base.strip_suffix("_total").unwrap_or(&base);
            let base = match family.kind {
                MetricKind::Histogram => base.strip_suffix("_seconds").unwrap_or(base),
                _ => base,
            };
            let spelt =
                |value: &str| value.replace(|c: char| !c.is_ascii_alphanumeric() && c != '_', "_");
            let parts = labels(sample, |_, value| format!(".{}", spelt(value)));
            format!("{base}{}", parts.concat())
        },
    }
}

fn dog_statsd(functions: &[&'static CacheMetrics]) -> Exporter {
    let lines = sent(functions, StatsdDialect::DogStatsd);
    Exporter {
        name: "DogStatsD",
        told: added_up(lines, |line| format!("{}{:?}", line.name, line.tags)),
        spelt: |family, sample| {
            let base = family.full_name().replacen("cachier_", "cachier.", 1);
            let base = base.strip_suffix("_total").unwrap_or(&base);
            let tags = sample.labels.iter().copied().collect::<BTreeMap<_, _>>();
            format!("{base}{tags:?}")
        },
    }
}

fn embedded(functions: &[&'static CacheMetrics]) -> Exporter {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("metrics.log");
    let exporter = EmfExporter::builder().file(&path).build().unwrap();
    exporter
        .register_functions(functions.iter().copied())
        .unwrap();
    exporter.flush().unwrap();
    let mut told = Told::new();
    for line in std::fs::read_to_string(&path).unwrap().lines() {
        let document = emf::Document::parse(line);
        for (name, metric) in &document.metrics {
            let is_histogram = name.contains("Duration") || name.starts_with("Entry");
            let figure = match is_histogram {
                true => Figure::Values(metric.values.clone(), Some(metric.sum)),
                false => Figure::Number(metric.sum),
            };
            told.insert(format!("{name}{:?}", document.dimensions), figure);
        }
    }
    Exporter {
        name: "EMF",
        told,
        spelt: in_cloudwatch,
    }
}

fn open_telemetry(functions: &[&'static CacheMetrics]) -> Exporter {
    let collector = collector::Collector::start(collector::Speaks::Http, vec![]);
    let endpoint = format!("http://{}", collector.address);
    let exporter = OtlpExporter::builder().endpoint(endpoint).build().unwrap();
    exporter
        .register_functions(functions.iter().copied())
        .unwrap();
    exporter.flush().unwrap();
    let requests = collector.requests();
    let told = requests.iter().flat_map(collector::Received::figures);
    Exporter {
        name: "OpenTelemetry",
        told: told
            .map(|(name, labels, figure)| {
                let figure = match figure {
                    collector::Figure::Number(number) => Figure::Number(number),
                    collector::Figure::Histogram(values, sum) => Figure::Values(values, Some(sum)),
                };
                (format!("{name}{labels:?}"), figure)
            })
            .collect(),
        spelt: |family, sample| {
            let labels = sample.labels.iter().copied().collect::<BTreeMap<_, _>>();
            format!("cachier.{}{labels:?}", family.name.replace('_', "."))
        },
    }
}

/// The crate `metrics`.
fn facade(functions: &[&'static CacheMetrics]) -> Exporter {
    let exporter = FacadeExporter::builder().build().unwrap();
    exporter
        .register_functions(functions.iter().copied())
        .unwrap();
    let kept = recorder::Kept::default();
    ::metrics::with_local_recorder(&kept, || exporter.flush()).unwrap();
    let figures = kept.figures();
    let values = |values: &Vec<(f64, usize)>| {
        let values = values.iter().map(|(value, count)| (*value, *count as f64));
        Figure::Values(values.collect(), None)
    };
    let numbers = figures.numbers.iter();
    let numbers = numbers.map(|(name, number)| (name.clone(), Figure::Number(*number)));
    let observed = figures.observed.iter();
    let observed = observed.map(|(name, observed)| (name.clone(), values(observed)));
    Exporter {
        name: "the facade",
        told: numbers.chain(observed).collect(),
        spelt: |family, sample| {
            let labels = labels(sample, |label, value| format!(",{label}={value}"));
            format!("{}{}", family.full_name(), labels.concat())
        },
    }
}

/// Keeps what a client puts.
#[derive(Clone, Debug, Default)]
struct Put(Arc<Mutex<Vec<PutMetricDataInput>>>);

impl Intercept for Put {
    fn name(&self) -> &'static str {
        "put"
    }

    fn read_before_serialization(
        &self,
        context: &BeforeSerializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let input = context.input().downcast_ref::<PutMetricDataInput>();
        self.0.lock().unwrap().push(input.unwrap().clone());
        Ok(())
    }
}

fn cloudwatch(functions: &[&'static CacheMetrics]) -> Exporter {
    let (endpoint, _told) = service::answering(|_| Some(service::fine()));
    let put = Put::default();
    let config = service::config(&endpoint).interceptor(put.clone()).build();
    let client = aws_sdk_cloudwatch::Client::from_conf(config);
    let exporter = CloudWatchExporter::builder(client).build().unwrap();
    exporter
        .register_functions(functions.iter().copied())
        .unwrap();
    exporter.flush().unwrap();
    let mut told = Told::new();
    for metric in put
        .0
        .lock()
        .unwrap()
        .iter()
        .flat_map(PutMetricDataInput::metric_data)
    {
        let text = |text: Option<&str>| text.unwrap().to_owned();
        let dimensions = metric.dimensions().iter();
        let dimensions = dimensions.map(|one| (text(one.name()), text(one.value())));
        let dimensions = dimensions.collect::<BTreeMap<_, _>>();
        let values = metric.values().iter().copied();
        let figure = match metric.value() {
            Some(number) => Figure::Number(number),
            None => Figure::Values(values.zip(metric.counts().iter().copied()).collect(), None),
        };
        let name = text(metric.metric_name());
        told.insert(format!("{name}{dimensions:?}"), figure);
    }
    Exporter {
        name: "CloudWatch",
        told,
        spelt: in_cloudwatch,
    }
}

/// A name with its dimensions.
fn in_cloudwatch(family: &MetricFamily<'_>, sample: &Sample<'_>) -> String {
    let pascal = |name: &str| {
        let words = name.split('_');
        let words = words.map(|word| word[..1].to_uppercase() + &word[1..]);
        words.collect::<String>()
    };
    let bytes = if family.unit == MetricUnit::Bytes {
        "Bytes"
    } else {
        ""
    };
    let dimensions = sample
        .labels
        .iter()
        .map(|(label, value)| (pascal(label), *value));
    let dimensions = dimensions.collect::<BTreeMap<_, _>>();
    format!("{}{bytes}{dimensions:?}", pascal(family.name))
}

/// The value that this share of the others does not exceed.
fn quantile(values: &[(f64, f64)], share: f64) -> f64 {
    let all: f64 = values.iter().map(|(_, count)| count).sum();
    let mut below = 0.0;
    let within = |(_, count): &&(f64, f64)| {
        below += count;
        below >= share * all
    };
    values.iter().find(within).unwrap().0
}

fn is_close(found: f64, expected: f64, ratio: f64) -> bool {
    (found - expected).abs() <= expected.abs() * ratio
}

/// Whether a figure is what the program has.
fn agrees(told: Option<&Figure>, family: &MetricFamily<'_>, sample: &Sample<'_>) -> bool {
    let number = match &sample.value {
        SampleValue::Histogram(histogram) => {
            let sum = family.unit.from_raw(histogram.sum as f64);
            return told.is_some_and(|told| agrees_with_histogram(told, histogram, sum));
        }
        SampleValue::Count(count) => *count as f64,
        SampleValue::Number(number) => *number,
        other => panic!("unknown: {other:?}"),
    };
    match told {
        Some(Figure::Number(found)) => is_close(*found, number, 1e-12),
        // Receivers that add up are not told of what has not moved.
        None => family.kind == MetricKind::Counter && number == 0.0,
        _ => false,
    }
}

/// What takes less time counts as this, in seconds.
const SHORTEST: f64 = 8e-9;

fn agrees_with_histogram(told: &Figure, histogram: &Histogram, sum: f64) -> bool {
    let count = histogram.count() as f64;
    let (values, exact_sum) = match told {
        Figure::Summary(found, found_sum) => {
            return *found == count && is_close(*found_sum, sum, 1e-9);
        }
        Figure::Values(values, exact_sum) => (values, exact_sum),
        Figure::Number(_) => return false,
    };
    let upper = |bucket: &Bucket| (f64::from(bucket.index) / 16.0).exp2();
    let buckets = histogram.buckets.iter();
    let buckets: Vec<_> = buckets
        .map(|bucket| (upper(bucket), bucket.count as f64))
        .collect();
    // A bucket is 4.4 % wide, its middle within half of that.
    let of_quantile = |share| {
        let (found, upper) = (quantile(values, share), quantile(&buckets, share));
        found <= upper && upper <= found * 1.023
    };
    let of_values: f64 = values.iter().map(|(value, count)| value * count).sum();
    values.iter().map(|(_, count)| count).sum::<f64>() == count
        && exact_sum.is_none_or(|exact| is_close(exact, sum, 1e-9))
        && is_close(of_values, sum.max(count * SHORTEST), 0.023)
        && [0.01, 0.5, 0.9, 0.99].into_iter().all(of_quantile)
}

#[test]
fn one_state_is_told_alike_by_every_exporter() {
    let (functions, _running, _store) = functions();
    let registry = MetricsRegistry::new("test");
    functions
        .into_iter()
        .for_each(|metrics| registry.register_function(metrics));
    let export = registry.gather();
    let exporters = [
        prometheus,
        statsd,
        dog_statsd,
        embedded,
        cloudwatch,
        open_telemetry,
        facade,
    ];
    let exporters = exporters.map(|exporter| exporter(&functions));
    let mut compared = BTreeMap::<&str, BTreeSet<String>>::new();
    for family in export.families() {
        // Each exporter counts its own work.
        let of_exporter = family.name.starts_with("export_");
        for sample in family.samples.iter().filter(|_| !of_exporter) {
            for exporter in &exporters {
                let name = (exporter.spelt)(&family, sample);
                let told = exporter.told.get(&name);
                assert!(
                    agrees(told, &family, sample),
                    "{} has {told:?} as {name}, and the program {:?}",
                    exporter.name,
                    sample.value
                );
                compared
                    .entry(exporter.name)
                    .or_default()
                    .insert(family.full_name());
            }
        }
    }
    // Nothing of the catalogue is missing anywhere.
    let golden = include_str!("golden/metrics.txt").lines();
    let names = golden.filter(|line| !line.starts_with(' '));
    let names = names.map(|line| line.split(' ').next().unwrap());
    let names = names.filter(|name| !name.starts_with("cachier_export_"));
    let all: BTreeSet<_> = names.map(str::to_owned).collect();
    assert!(all.len() > 30, "{all:?}");
    for exporter in &exporters {
        assert_eq!(compared[exporter.name], all, "{}", exporter.name);
        // Nor is there anything that the program does not have, but for what an exporter counts of itself.
        let known = export.families().flat_map(|family| {
            let spelt = family
                .samples
                .iter()
                .map(|sample| (exporter.spelt)(&family, sample));
            spelt.collect::<Vec<_>>()
        });
        let known: BTreeSet<_> = known.collect();
        let own = |name: &&String| name.to_lowercase().contains("export");
        let unknown = exporter
            .told
            .keys()
            .filter(|name| !known.contains(*name) && !own(name));
        assert_eq!(
            unknown.collect::<Vec<_>>(),
            Vec::<&String>::new(),
            "{}",
            exporter.name
        );
    }
}

/// A receiver that does not read holds up the export alone: calls, readers and registrations go on meanwhile.
#[test]
fn nobody_waits_for_an_export_that_hangs() {
    use std::io::Read as _;
    use std::process::Command;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fifo");
    assert!(
        Command::new("mkfifo")
            .arg(&path)
            .status()
            .unwrap()
            .success()
    );
    let exporter = Arc::new(EmfExporter::builder().file(&path).build().unwrap());
    // More than a pipe holds.
    let many: Vec<_> = (0..40)
        .map(|number| in_use_for_long(&format!("hangs {number}")))
        .collect();
    for (metrics, _running) in &many {
        exporter.register_function(metrics).unwrap();
    }
    let exporting = Arc::clone(&exporter);
    let export = std::thread::spawn(move || exporting.flush());
    let mut reader = std::fs::File::open(&path).unwrap();
    let mut first = [0; 1];
    reader.read_exact(&mut first).unwrap();
    // The export is under way, and stays so until somebody reads on.
    let (metrics, _) = metrics("meanwhile");
    exporter.register_function(metrics).unwrap();
    for _ in 0..1000 {
        let call = metrics.start_call(Some(Sampled::ONE), None);
        call.finish(Outcome::Hit, None, None);
        many[0]
            .0
            .start_call(None, None)
            .finish(Outcome::Hit, None, None);
    }
    assert_eq!(metrics.stats().hits, 1000);
    assert!(exporter.registry().gather().families().count() > 30);
    let prometheus = PrometheusExporter::builder().build().unwrap();
    prometheus.register_function(many[0].0).unwrap();
    assert!(prometheus.render().contains("outcome=\"hit\"} 1001"));
    assert!(!export.is_finished());
    let mut rest = String::new();
    reader.read_to_string(&mut rest).unwrap();
    export.join().unwrap().unwrap();
    assert!(!rest.contains("meanwhile"), "it was read before");
}

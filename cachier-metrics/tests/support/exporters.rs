//! Each exporter, with its figures read back from what it has sent.

use std::collections::BTreeMap;
use std::net::UdpSocket;
use std::sync::{Arc, Mutex};

use aws_sdk_cloudwatch::config::interceptors::BeforeSerializationInterceptorContextRef;
use aws_sdk_cloudwatch::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_cloudwatch::error::BoxError;
use aws_sdk_cloudwatch::operation::put_metric_data::PutMetricDataInput;
use cachier_metrics::*;

use super::{collector, dogstatsd, emf, recorder, service};

/// A figure as an exporter has sent it.
#[derive(Debug, PartialEq)]
pub(super) enum Figure {
    Number(f64),
    /// Values with their counts, ascending, and the sum, where it is sent by itself.
    Values(Vec<(f64, f64)>, Option<f64>),
    /// Count and sum, where there are only wide buckets.
    Summary(f64, f64),
}

/// Figures by the name that an exporter gives them.
type Figures = BTreeMap<String, Figure>;

/// An exporter with the figures that it has sent.
pub(super) struct Exporter {
    pub(super) name: &'static str,
    pub(super) figures: Figures,
    /// The name of a figure there.
    pub(super) name_of: fn(&MetricFamily<'_>, &Sample<'_>) -> String,
}

/// Each exporter, after one export of these functions.
pub(super) fn all(functions: &[&'static CacheMetrics]) -> [Exporter; 7] {
    let exporters = [
        prometheus,
        statsd,
        dog_statsd,
        embedded,
        cloudwatch,
        open_telemetry,
        facade,
    ];
    exporters.map(|exporter| exporter(functions))
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
        let (metric, labels) = name.split_once('{').unwrap_or((name, ""));
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
        figures: figures.collect(),
        name_of: |family, sample| {
            let labels = labels(sample, |label, value| format!("{label}=\"{value}\""));
            match labels.is_empty() {
                true => family.full_name().to_string(),
                false => format!("{}{{{}}}", family.full_name(), labels.join(",")),
            }
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
fn added_up(lines: Vec<dogstatsd::Line>, name: impl Fn(&dogstatsd::Line) -> String) -> Figures {
    let mut figures = Figures::new();
    for line in lines {
        let new = match &*line.kind {
            "c" | "g" => Figure::Number(line.value),
            _ => Figure::Values(vec![(line.value, line.count() as f64)], None),
        };
        match (figures.get_mut(&name(&line)), new) {
            (Some(Figure::Values(values, _)), Figure::Values(more, _)) => values.extend(more),
            (None, new) => _ = figures.insert(name(&line), new),
            (known, new) => panic!("{known:?} and {new:?} of {line:?}"),
        }
    }
    figures
}

fn statsd(functions: &[&'static CacheMetrics]) -> Exporter {
    let mut lines = sent(functions, StatsdDialect::Statsd);
    let timers = lines.iter_mut().filter(|line| line.kind == "ms");
    // All histograms of time are in milliseconds.
    let of_time = timers.filter(|line| !line.name.contains("_bytes"));
    of_time.for_each(|line| line.value /= 1e3);
    Exporter {
        name: "StatsD",
        figures: added_up(lines, |line| line.name.clone()),
        name_of: |family, sample| {
            let base = family.full_name().replacen("cachier_", "cachier.", 1);
            let base = base.strip_suffix("_total").unwrap_or(&base);
            let base = match family.kind {
                MetricKind::Histogram => base.strip_suffix("_seconds").unwrap_or(base),
                _ => base,
            };
            let part =
                |value: &str| value.replace(|c: char| !c.is_ascii_alphanumeric() && c != '_', "_");
            let parts = labels(sample, |_, value| format!(".{}", part(value)));
            format!("{base}{}", parts.concat())
        },
    }
}

fn dog_statsd(functions: &[&'static CacheMetrics]) -> Exporter {
    let lines = sent(functions, StatsdDialect::DogStatsd);
    Exporter {
        name: "DogStatsD",
        figures: added_up(lines, |line| format!("{}{:?}", line.name, line.tags)),
        name_of: |family, sample| {
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
    let mut figures = Figures::new();
    for line in std::fs::read_to_string(&path).unwrap().lines() {
        let document = emf::Document::parse(line);
        for (name, metric) in &document.metrics {
            let is_histogram = name.contains("Duration") || name.starts_with("Entry");
            let figure = match is_histogram {
                true => Figure::Values(metric.values.clone(), Some(metric.sum)),
                false => Figure::Number(metric.sum),
            };
            figures.insert(format!("{name}{:?}", document.dimensions), figure);
        }
    }
    Exporter {
        name: "EMF",
        figures,
        name_of: in_cloudwatch,
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
    let figures = requests.iter().flat_map(collector::Received::figures);
    Exporter {
        name: "OpenTelemetry",
        figures: figures
            .map(|(name, labels, figure)| {
                let figure = match figure {
                    collector::Figure::Number(number) => Figure::Number(number),
                    collector::Figure::Histogram(values, sum) => Figure::Values(values, Some(sum)),
                };
                (format!("{name}{labels:?}"), figure)
            })
            .collect(),
        name_of: |family, sample| {
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
        figures: numbers.chain(observed).collect(),
        name_of: |family, sample| {
            let labels = labels(sample, |label, value| format!(",{label}={value}"));
            format!("{}{}", family.full_name(), labels.concat())
        },
    }
}

/// Keeps the requests of a client.
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
    let mut figures = Figures::new();
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
        figures.insert(format!("{name}{dimensions:?}"), figure);
    }
    Exporter {
        name: "CloudWatch",
        figures,
        name_of: in_cloudwatch,
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

//! The text format 0.0.4 of Prometheus.

use std::fmt::{Arguments, Write};

use crate::exporters::buckets::Detail;
use crate::exporters::catalogue::{
    Kind, Metric, MetricSource, Reading, Unit, catalogue, store_catalogue,
};
use crate::exporters::points::{Point, Value};
use crate::exporters::registry::Series;
use crate::histogram::Histogram;
use crate::stores::{StoreFigures, stores};

/// The media type of the format.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// All metrics of the selected functions, and of the stores that they use.
pub(super) fn render(functions: &[Series], detail: Detail) -> String {
    let readings: Vec<_> = functions.iter().map(Reading::of).collect();
    let mut text = Text {
        text: String::new(),
        detail,
    };
    for metric in catalogue() {
        text.family(&metric, &readings);
    }
    let is_used = |store: &StoreFigures| readings.iter().any(|r| r.backend == store.backend);
    let stores: Vec<_> = stores().into_iter().filter(is_used).collect();
    for metric in store_catalogue() {
        text.family(&metric, &stores);
    }
    text.exporter_metrics();
    text.text
}

struct Text {
    text: String,
    detail: Detail,
}

impl Text {
    fn family<S: MetricSource>(&mut self, metric: &Metric<S>, sources: &[S]) {
        let name = full_name(metric);
        let mut headed = false;
        for source in sources {
            for point in (metric.points)(source) {
                if !headed {
                    self.head(&name, type_name(metric.kind), metric.help);
                    headed = true;
                }
                self.point(&name, metric, &labels(source, &point), &point.value);
            }
        }
    }

    fn exporter_metrics(&mut self) {
        self.head("cachier_build_info", "gauge", "The version of cachier.");
        let version = env!("CARGO_PKG_VERSION");
        self.line(format_args!(
            "cachier_build_info{{version=\"{version}\"}} 1"
        ));
        // A scrape reads everything there is: no queue, and nothing to drop from it.
        let name = "cachier_export_dropped_total";
        self.head(name, "counter", "Data dropped from a full queue.");
        self.line(format_args!("{name}{{exporter=\"prometheus\"}} 0"));
    }

    fn head(&mut self, name: &str, kind: &str, help: &str) {
        self.line(format_args!("# HELP {name} {help}"));
        self.line(format_args!("# TYPE {name} {kind}"));
    }

    fn point<S>(&mut self, name: &str, metric: &Metric<S>, labels: &str, value: &Value<'_>) {
        match value {
            Value::Count(count) => self.line(format_args!("{name}{{{labels}}} {count}")),
            Value::Number(number) => self.line(format_args!("{name}{{{labels}}} {number}")),
            Value::Histogram(histogram) => self.histogram(name, metric, labels, histogram),
        }
    }

    fn histogram<S>(
        &mut self,
        name: &str,
        metric: &Metric<S>,
        labels: &str,
        histogram: &Histogram,
    ) {
        for power in self.detail.powers(metric.buckets) {
            let bound = 4_f64.powi(power);
            let count = histogram.count_up_to(power * INDICES_PER_POWER);
            self.line(format_args!(
                "{name}_bucket{{{labels},le=\"{bound}\"}} {count}"
            ));
        }
        let count = histogram.count();
        let sum = histogram.sum as f64 / units_per_base(metric.unit);
        self.line(format_args!(
            "{name}_bucket{{{labels},le=\"+Inf\"}} {count}"
        ));
        self.line(format_args!("{name}_sum{{{labels}}} {sum}"));
        self.line(format_args!("{name}_count{{{labels}}} {count}"));
    }

    fn line(&mut self, line: Arguments<'_>) {
        // Writing to a string does not fail.
        let _ = writeln!(self.text, "{line}");
    }
}

/// 4 is 2^2, and a factor of 2 is 16 bucket indices.
const INDICES_PER_POWER: i32 = 32;

fn units_per_base(unit: Unit) -> f64 {
    if unit == Unit::Seconds { 1e9 } else { 1.0 }
}

fn full_name<S>(metric: &Metric<S>) -> String {
    let unit = match metric.unit {
        Unit::None => "",
        Unit::Seconds => "_seconds",
        Unit::Bytes => "_bytes",
    };
    let total = if metric.kind == Kind::Counter {
        "_total"
    } else {
        ""
    };
    format!("cachier_{}{unit}{total}", metric.name)
}

fn type_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram => "histogram",
    }
}

fn labels(source: &impl MetricSource, point: &Point<'_>) -> String {
    let [(first, one), (second, other)] = source.labels();
    let mut labels = format!("{first}=\"{}\",{second}=\"{}\"", escape(one), escape(other));
    for (key, value) in &point.labels {
        labels.extend([",", key, "=\"", value, "\""]);
    }
    labels
}

fn escape(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

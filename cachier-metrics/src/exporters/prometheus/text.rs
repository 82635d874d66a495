//! The text format 0.0.4 of Prometheus.

use std::fmt::{self, Write};
use std::ops::RangeInclusive;

use crate::exporters::catalogue::{CATALOGUE, Kind, Metric, Point, Reading, Unit, Value};
use crate::exporters::registry::Selection;
use crate::histogram::Histogram;

/// All metrics of the selected functions.
pub(super) fn render(selection: &Selection) -> String {
    let readings: Vec<_> = selection
        .functions
        .iter()
        .copied()
        .map(Reading::of)
        .collect();
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write_all(&mut text, &readings, selection.dropped);
    text
}

fn write_all(text: &mut String, readings: &[Reading], dropped: u64) -> fmt::Result {
    for metric in &CATALOGUE {
        let points: Vec<_> = readings
            .iter()
            .flat_map(|reading| {
                (metric.points)(reading)
                    .into_iter()
                    .map(move |point| (reading, point))
            })
            .collect();
        if !points.is_empty() {
            write_family(text, metric, &points)?;
        }
    }
    let version = env!("CARGO_PKG_VERSION");
    write_head(
        text,
        "cachier_build_info",
        "gauge",
        "The version of cachier.",
    )?;
    writeln!(text, "cachier_build_info{{version=\"{version}\"}} 1")?;
    write_head(
        text,
        "cachier_export_dropped_total",
        "counter",
        "Functions left out of an export.",
    )?;
    writeln!(
        text,
        "cachier_export_dropped_total{{exporter=\"prometheus\"}} {dropped}"
    )
}

fn write_family(
    text: &mut String,
    metric: &Metric,
    points: &[(&Reading, Point<'_>)],
) -> fmt::Result {
    let name = full_name(metric);
    write_head(text, &name, type_name(metric.kind), metric.help)?;
    for (reading, point) in points {
        let labels = labels(reading, point);
        match point.value {
            Value::Count(count) => writeln!(text, "{name}{{{labels}}} {count}")?,
            Value::Number(number) => writeln!(text, "{name}{{{labels}}} {number}")?,
            Value::Histogram(histogram) => {
                write_histogram(text, &name, &labels, histogram, metric.unit)?;
            }
        }
    }
    Ok(())
}

fn write_head(text: &mut String, name: &str, kind: &str, help: &str) -> fmt::Result {
    writeln!(text, "# HELP {name} {help}")?;
    writeln!(text, "# TYPE {name} {kind}")
}

fn write_histogram(
    text: &mut String,
    name: &str,
    labels: &str,
    histogram: &Histogram,
    unit: Unit,
) -> fmt::Result {
    for power in classic_powers(unit) {
        let bound = 4_f64.powi(power);
        let count = histogram.count_up_to(power * INDICES_PER_POWER);
        writeln!(text, "{name}_bucket{{{labels},le=\"{bound}\"}} {count}")?;
    }
    let count = histogram.count();
    let sum = histogram.sum as f64 / units_per_base(unit);
    writeln!(text, "{name}_bucket{{{labels},le=\"+Inf\"}} {count}")?;
    writeln!(text, "{name}_sum{{{labels}}} {sum}")?;
    writeln!(text, "{name}_count{{{labels}}} {count}")
}

/// The powers of four at which classic buckets stand: 1 µs to 4 s, or 64 bytes to 4 MB.
fn classic_powers(unit: Unit) -> RangeInclusive<i32> {
    if unit == Unit::Bytes { 3..=11 } else { -10..=1 }
}

/// 4 is 2^2, and 2 is 16 bucket indices.
const INDICES_PER_POWER: i32 = 32;

fn units_per_base(unit: Unit) -> f64 {
    if unit == Unit::Seconds { 1e9 } else { 1.0 }
}

fn full_name(metric: &Metric) -> String {
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

fn labels(reading: &Reading, point: &Point<'_>) -> String {
    let (function, backend) = (escape(reading.function), escape(reading.backend));
    let mut labels = format!("function=\"{function}\",backend=\"{backend}\"");
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

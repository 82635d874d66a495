//! The text format 0.0.4 of Prometheus.

use std::fmt::{Arguments, Write};

use crate::exporters::buckets::Detail;
use crate::exporters::export::Export;
use crate::exporters::family::{MetricFamily, MetricKind, MetricUnit, SampleValue};
use crate::histogram::Histogram;

/// The media type of the format.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// All figures of an export.
pub(super) fn render(export: &Export, detail: Detail) -> String {
    let mut text = Text {
        text: String::new(),
        detail,
    };
    export.families().for_each(|family| text.family(&family));
    text.text
}

struct Text {
    text: String,
    detail: Detail,
}

impl Text {
    fn family(&mut self, family: &MetricFamily<'_>) {
        let name = family.full_name();
        self.line(format_args!("# HELP {name} {}", family.help));
        self.line(format_args!("# TYPE {name} {}", type_name(family.kind)));
        let bounds = self.detail.powers(family.buckets);
        for sample in &family.samples {
            let labels = labels(&sample.labels);
            match &sample.value {
                SampleValue::Count(count) => self.line(format_args!("{name}{{{labels}}} {count}")),
                SampleValue::Number(number) => {
                    self.line(format_args!("{name}{{{labels}}} {number}"));
                }
                SampleValue::Histogram(histogram) => {
                    self.histogram(&name, family.unit, &bounds, &labels, histogram);
                }
            }
        }
    }

    fn histogram(
        &mut self,
        name: &str,
        unit: MetricUnit,
        bounds: &[i32],
        labels: &str,
        histogram: &Histogram,
    ) {
        for power in bounds {
            let bound = 4_f64.powi(*power);
            let count = histogram.count_up_to(power * INDICES_PER_POWER);
            self.line(format_args!(
                "{name}_bucket{{{labels},le=\"{bound}\"}} {count}"
            ));
        }
        let count = histogram.count();
        let sum = unit.from_raw(histogram.sum as f64);
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

fn type_name(kind: MetricKind) -> &'static str {
    match kind {
        MetricKind::Counter => "counter",
        MetricKind::Gauge => "gauge",
        MetricKind::Histogram => "histogram",
    }
}

/// Without braces.
fn labels(labels: &[(&str, &str)]) -> String {
    let mut text = String::with_capacity(64);
    for (key, value) in labels {
        let separator = if text.is_empty() { "" } else { "," };
        text.extend([separator, key, "=\""]);
        escape(value, &mut text);
        text.push('"');
    }
    text
}

fn escape(value: &str, text: &mut String) {
    for character in value.chars() {
        match character {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            other => text.push(other),
        }
    }
}

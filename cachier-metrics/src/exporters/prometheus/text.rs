//! The text formats of Prometheus: 0.0.4, and OpenMetrics 1.0, which differs in few things.
//!
//! Not by the crate `prometheus-client`: it has no start timestamps, and what it encodes must be registered in its types.

use std::fmt::{self, Arguments, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::exemplars::{Observed, between};
use crate::exporters::buckets::{Detail, INDICES_PER_POWER};
use crate::exporters::budget::Extent;
use crate::exporters::export::Export;
use crate::exporters::family::{MetricFamily, MetricKind, MetricUnit, Sample, SampleValue};
use crate::histogram::Histogram;

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    Plain,
    OpenMetrics(Created),
}

/// Whether start times are written as series of their own, which is what a Prometheus makes of them that does not read
/// them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Created {
    #[default]
    Left,
    Written,
}

/// All figures of an export.
pub(super) fn render(export: &Export, detail: Detail, dialect: Dialect) -> String {
    let mut text = Text {
        text: String::new(),
        detail,
        dialect,
    };
    export.families().for_each(|family| text.family(&family));
    if dialect != Dialect::Plain {
        text.line(format_args!("# EOF"));
    }
    text.text
}

/// The bound of a classic bucket.
struct Bound {
    /// Of the last one of the fine buckets within.
    index: i32,
    upto: f64,
    text: String,
}

struct Text {
    text: String,
    detail: Detail,
    dialect: Dialect,
}

impl Text {
    fn family(&mut self, family: &MetricFamily<'_>) {
        let (base, full) = (family.base_name(), family.full_name());
        // OpenMetrics adds suffixes such as `_total` to the name of a family.
        let (name, base) = match self.dialect {
            Dialect::Plain => (&full, &full),
            Dialect::OpenMetrics(_) => (&base, &base),
        };
        self.line(format_args!("# HELP {name} {}", family.help));
        self.line(format_args!("# TYPE {name} {}", type_name(family.kind)));
        let unit = match family.unit {
            MetricUnit::Seconds => Some("seconds"),
            MetricUnit::Bytes => Some("bytes"),
            MetricUnit::None => None,
        };
        if let (Some(unit), Dialect::OpenMetrics(_)) = (unit, self.dialect) {
            self.line(format_args!("# UNIT {name} {unit}"));
        }
        let bounds = self.bounds(family);
        for sample in &family.samples {
            let labels = labels(&sample.labels);
            match &sample.value {
                SampleValue::Count(count) => {
                    self.line(format_args!("{full}{} {count}", InBraces(&labels)))
                }
                SampleValue::Number(number) => {
                    self.line(format_args!("{full}{} {number}", InBraces(&labels)));
                }
                SampleValue::Histogram(histogram) => {
                    let bounds = match sample.extent {
                        Extent::Full => &*bounds,
                        _ => &[],
                    };
                    self.buckets(&full, bounds, &labels, histogram, sample.exemplars);
                    let sum = family.unit.from_raw(histogram.sum as f64);
                    self.line(format_args!("{full}_sum{{{labels}}} {sum}"));
                    let count = histogram.count();
                    self.line(format_args!("{full}_count{{{labels}}} {count}"));
                }
            }
            if family.kind != MetricKind::Gauge {
                self.created(base, &labels, sample);
            }
        }
    }

    /// The bounds of classic buckets.
    fn bounds(&self, family: &MetricFamily<'_>) -> Vec<Bound> {
        let powers = self.detail.powers(family.buckets).into_iter();
        powers
            .map(|power| {
                let upto = 4_f64.powi(power);
                let text = match self.dialect {
                    Dialect::Plain => upto.to_string(),
                    Dialect::OpenMetrics(_) => canonical(upto),
                };
                let index = power * INDICES_PER_POWER;
                Bound { index, upto, text }
            })
            .collect()
    }

    fn buckets(
        &mut self,
        name: &str,
        bounds: &[Bound],
        labels: &str,
        histogram: &Histogram,
        exemplars: &[Observed],
    ) {
        let mut above = f64::NEG_INFINITY;
        for Bound { index, upto, text } in bounds {
            let count = histogram.count_up_to(*index);
            let exemplar = self.exemplar(exemplars, above, *upto);
            self.line(format_args!(
                "{name}_bucket{{{labels},le=\"{text}\"}} {count}{exemplar}"
            ));
            above = *upto;
        }
        let count = histogram.count();
        let exemplar = self.exemplar(exemplars, above, f64::INFINITY);
        self.line(format_args!(
            "{name}_bucket{{{labels},le=\"+Inf\"}} {count}{exemplar}"
        ));
    }

    /// The newest call of a bucket; nothing where there is none, or in the text that has no place for it.
    fn exemplar(&self, exemplars: &[Observed], above: f64, upto: f64) -> String {
        match (self.dialect, between(exemplars, above, upto)) {
            (Dialect::OpenMetrics(_), Some(observed)) => {
                let labels: Vec<_> = observed.exemplar.labels().collect();
                let (labels, value) = (self::labels(&labels), observed.duration.as_secs_f64());
                format!(" # {{{labels}}} {value} {}", seconds(observed.time))
            }
            _ => String::new(),
        }
    }

    fn created(&mut self, base: &str, labels: &str, sample: &Sample<'_>) {
        if let (Dialect::OpenMetrics(Created::Written), Some(start)) = (self.dialect, sample.start)
        {
            let start = seconds(start);
            self.line(format_args!("{base}_created{{{labels}}} {start}"));
        }
    }

    fn line(&mut self, line: Arguments<'_>) {
        // Writing to a string does not fail.
        let _ = writeln!(self.text, "{line}");
    }
}

/// Since 1970.
fn seconds(time: SystemTime) -> f64 {
    let since_1970 = time.duration_since(UNIX_EPOCH);
    since_1970.unwrap_or_default().as_secs_f64()
}

fn type_name(kind: MetricKind) -> &'static str {
    match kind {
        MetricKind::Counter => "counter",
        MetricKind::Gauge => "gauge",
        MetricKind::Histogram => "histogram",
    }
}

/// A bound as OpenMetrics wants it, which is as Go writes numbers, but `1.0` for 1.
fn canonical(bound: f64) -> String {
    let scientific = format!("{bound:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    match exponent.parse::<i32>() {
        Ok(exponent @ (..-4 | 6..)) => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs())
        }
        _ => format!("{bound:?}"),
    }
}

/// Labels as they stand behind a name: none are nothing.
struct InBraces<'a>(&'a str);

impl fmt::Display for InBraces<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            "" => Ok(()),
            labels => write!(f, "{{{labels}}}"),
        }
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
    // Nearly all of them.
    if !value.contains(['\\', '"', '\n']) {
        return text.push_str(value);
    }
    for character in value.chars() {
        match character {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            other => text.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_written_as_openmetrics_wants_them() {
        for (power, text) in [
            (-10, "9.5367431640625e-07"),
            (-7, "6.103515625e-05"),
            (-6, "0.000244140625"),
            (-1, "0.25"),
            (0, "1.0"),
            (9, "262144.0"),
            (10, "1.048576e+06"),
            (12, "1.6777216e+07"),
        ] {
            assert_eq!(canonical(4_f64.powi(power)), text);
        }
    }
}

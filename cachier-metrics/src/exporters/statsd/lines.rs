//! The lines of StatsD and DogStatsD. Pure.

use std::fmt::Write as _;

use crate::exporters::deltas::{Delta, SentTotals};
use crate::exporters::export::Export;
use crate::exporters::family::{MetricFamily, MetricKind, MetricUnit, Sample, SampleValue};
use crate::exporters::series::Series;

/// Which of the two protocols a daemon speaks.
///
/// ```
/// use cachier_metrics::{StatsdDialect, StatsdExporter};
///
/// let exporter = StatsdExporter::builder().dialect(StatsdDialect::DogStatsd).build()?;
/// # drop(exporter);
/// # Ok::<(), cachier_metrics::ExportError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum StatsdDialect {
    /// Values of labels are parts of names, and histograms timers, in milliseconds or bytes:
    /// `cachier.call_duration.forecast.memory.hit:3|ms`. Characters that a name may not have become `_`.
    #[default]
    Statsd,
    /// Labels are tags, and histograms distributions, in seconds or bytes:
    /// `cachier.call_duration_seconds:0.003|d|#function:forecast,backend:memory,outcome:hit`.
    DogStatsd,
}

/// A value for a daemon.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) text: String,
    /// The delta that it carries; none for a gauge.
    pub(super) delta: Option<Delta>,
}

/// The lines to send: all gauges, and the deltas of counters and histograms.
pub(super) fn lines(export: &Export, sent: &SentTotals, dialect: StatsdDialect) -> Vec<Line> {
    let mut lines = Vec::new();
    for family in export.families() {
        for sample in &family.samples {
            match dialect {
                StatsdDialect::Statsd => add(&STATSD, &family, sample, sent, &mut lines),
                StatsdDialect::DogStatsd => add(&DOGSTATSD, &family, sample, sent, &mut lines),
            }
        }
    }
    lines
}

/// How a dialect writes.
struct Grammar {
    /// The type of a histogram's values.
    histogram: &'static str,
    /// How many units of them a second has, and how their names say so.
    per_second: f64,
    seconds: &'static str,
    /// Writes a label at the end of a name, or of the tags.
    label: fn(&mut Named, &str, &str),
}

const STATSD: Grammar = Grammar {
    histogram: "ms",
    per_second: 1e3,
    seconds: "",
    label: |named, _, value| named.name.extend([".", &part(value)]),
};

const DOGSTATSD: Grammar = Grammar {
    histogram: "d",
    per_second: 1.0,
    seconds: "_seconds",
    label: |named, label, value| {
        let begin = if named.tags.is_empty() { "|#" } else { "," };
        named.tags.extend([begin, label]);
        if !value.is_empty() {
            named.tags.extend([":", &tag(value)]);
        }
    },
};

/// A name, and the tags of DogStatsD, which come last in a line.
struct Named {
    name: String,
    tags: String,
}

fn add(
    grammar: &Grammar,
    family: &MetricFamily<'_>,
    sample: &Sample<'_>,
    sent: &SentTotals,
    lines: &mut Vec<Line>,
) {
    let number = match &sample.value {
        SampleValue::Count(count) => *count as f64,
        SampleValue::Number(number) => *number,
        SampleValue::Histogram(histogram) => {
            let series = Series::of(family, sample);
            let named = grammar.named(family, sample);
            let per_unit = match family.unit {
                MetricUnit::Seconds => grammar.per_second,
                _ => 1.0,
            };
            for bucket in &histogram.buckets {
                let delta = sent.delta(&series, Some(bucket.index), bucket.count as f64);
                let value = bucket.middle() * per_unit;
                lines.extend(
                    delta.map(|delta| named.line(value, grammar.histogram, delta.new, Some(delta))),
                );
            }
            return;
        }
    };
    if family.kind == MetricKind::Gauge {
        lines.push(grammar.named(family, sample).line(number, "g", 1.0, None));
    } else if number > 0.0 {
        let delta = sent.delta(&Series::of(family, sample), None, number);
        lines.extend(delta.map(|delta| {
            let named = grammar.named(family, sample);
            named.line(delta.new, "c", 1.0, Some(delta))
        }));
    }
}

impl Grammar {
    fn named(&self, family: &MetricFamily<'_>, sample: &Sample<'_>) -> Named {
        let dot = if family.prefix.is_empty() { "" } else { "." };
        let unit = match (family.unit, family.kind) {
            (MetricUnit::Seconds, MetricKind::Histogram) => self.seconds,
            (MetricUnit::Seconds, _) => "_seconds",
            (MetricUnit::Bytes, _) => "_bytes",
            (MetricUnit::None, _) => "",
        };
        let mut named = Named {
            name: [family.prefix, dot, family.name, unit].concat(),
            tags: String::new(),
        };
        for (label, value) in &sample.labels {
            (self.label)(&mut named, label, value);
        }
        named
    }
}

impl Named {
    /// A value that stands for `count` observations.
    fn line(&self, value: f64, kind: &str, count: f64, delta: Option<Delta>) -> Line {
        let Self { name, tags } = self;
        let mut text = String::with_capacity(name.len() + tags.len() + 32);
        // Writing to a string does not fail.
        let _ = write!(text, "{name}:{value}|{kind}");
        if count > 1.0 {
            let _ = write!(text, "|@{}", rate(count));
        }
        text.push_str(tags);
        Line { text, delta }
    }
}

/// The sample rate of a value that stands for `count`: a daemon divides by it, and may round down.
fn rate(count: f64) -> f64 {
    let rate = 1.0 / count;
    match 1.0 / rate < count {
        true => rate.next_down(),
        false => rate,
    }
}

/// A value as part of a dotted name.
fn part(value: &str) -> String {
    if value.is_empty() {
        return "_".to_owned();
    }
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let fitting = |c: char| if fits(c) { c } else { '_' };
    value.chars().map(fitting).collect()
}

/// A value as that of a tag: any text but for what ends it.
fn tag(value: &str) -> String {
    let ends = |c: char| matches!(c, ',' | '|' | '#') || c.is_control();
    let fitting = |c: char| if ends(c) { '_' } else { c };
    value.chars().map(fitting).collect()
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;

    #[test]
    fn a_rate_gives_its_count_back() {
        for count in (1..100_000).map(f64::from).chain([1e12, 2_f64.powi(53)]) {
            let given_back = (1.0 / rate(count)).floor();
            assert_eq!(given_back, count);
        }
        assert!(!rate(1e15).to_string().contains('e'), "StatsD reads digits");
    }

    #[test]
    fn values_are_spelt_so_that_they_end_nothing() {
        assert_eq!(part("billing::price<T> ü.x"), "billing__price_T____x");
        assert_eq!(part(""), "_");
        assert_eq!(tag("a,b|c#d\ne:f ü"), "a_b_c_d_e:f ü");
    }
}

//! Figures as CloudWatch has them: its names, units, dimensions and limits. Pure.

use crate::exporters::catalogue::{
    catalogue, exporter_catalogue, program_catalogue, store_catalogue,
};
use crate::exporters::deltas::{Delta, SentTotals};
use crate::exporters::error::ExportError;
use crate::exporters::export::Export;
use crate::exporters::family::{MetricFamily, MetricKind, MetricUnit, Sample, SampleValue};
use crate::exporters::registry::TAKEN_LABELS;
use crate::exporters::series::Series;
use crate::histogram::Histogram;

/// A figure.
#[derive(Debug)]
pub(super) struct Datum {
    pub(super) name: String,
    pub(super) unit: &'static str,
    /// Names and values.
    pub(super) dimensions: Vec<(String, String)>,
    pub(super) value: DatumValue,
    /// The deltas that it carries; none for a gauge.
    pub(super) deltas: Vec<Delta>,
}

#[derive(Debug, PartialEq)]
pub(super) enum DatumValue {
    Number(f64),
    Distribution(Distribution),
}

/// Values, each with how often it was observed.
#[derive(Debug, PartialEq)]
pub(super) struct Distribution {
    /// Ascending, at least one.
    pub(super) values: Vec<f64>,
    pub(super) counts: Vec<f64>,
    pub(super) sum: f64,
}

/// CloudWatch's limit for a metric.
const MAX_DIMENSIONS: usize = 30;
/// The most labels that a figure of the catalogue has.
const CATALOGUE_LABELS: usize = 4;
/// Bytes of a dimension's value.
const MAX_VALUE: usize = 1024;
/// Bytes of a namespace.
const MAX_NAMESPACE: usize = 255;

/// The data to send: all gauges, and the deltas of counters and histograms. A histogram of more than `max_values` buckets is
/// more than one datum.
pub(super) fn data(export: &Export, sent: &SentTotals, max_values: usize) -> Vec<Datum> {
    let mut data = Vec::new();
    for family in export.families() {
        let name = metric_name(family.name, family.unit);
        for sample in &family.samples {
            let values = new_values(&family, sample, sent, max_values);
            data.extend(values.into_iter().map(|(value, deltas)| Datum {
                name: name.clone(),
                unit: unit(&family, &sample.value),
                dimensions: dimensions(sample),
                value,
                deltas,
            }));
        }
    }
    data
}

/// Whether CloudWatch takes it as a namespace.
pub(super) fn check_namespace(namespace: &str) -> Result<(), ExportError> {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "._-/#: ".contains(c);
    let is_namespace = (1..=MAX_NAMESPACE).contains(&namespace.len())
        && namespace.chars().all(is_allowed)
        && !namespace.starts_with(':')
        && !namespace.starts_with("AWS/");
    match is_namespace {
        true => Ok(()),
        false => Err(ExportError::new(format!(
            "`{namespace}` is no namespace of CloudWatch: it has 1 to {MAX_NAMESPACE} letters, digits, spaces and `._-/#:`, and \
             begins neither with `:` nor with `AWS/`"
        ))),
    }
}

/// Whether labels can be dimensions in addition to those of the catalogue.
pub(super) fn check_labels(labels: &[(String, String)]) -> Result<(), ExportError> {
    let most = MAX_DIMENSIONS - CATALOGUE_LABELS;
    if labels.len() > most {
        let message = format!("CloudWatch has room for {most} constant labels at most");
        return Err(ExportError::new(message));
    }
    let mut taken = metric_names();
    taken.extend(TAKEN_LABELS.map(pascal));
    for (label, _) in labels {
        let name = pascal(label);
        if taken.contains(&name) {
            return Err(ExportError::new(format!(
                "`{label}` cannot be a constant label: it would be `{name}` in CloudWatch, where that is something else"
            )));
        }
        taken.push(name);
    }
    Ok(())
}

/// The names of the whole catalogue.
fn metric_names() -> Vec<String> {
    let functions = catalogue().map(|metric| (metric.name, metric.unit));
    let stores = store_catalogue()
        .into_iter()
        .map(|metric| (metric.name, metric.unit));
    let program = program_catalogue()
        .into_iter()
        .map(|metric| (metric.name, metric.unit));
    let exporter = exporter_catalogue()
        .into_iter()
        .map(|metric| (metric.name, metric.unit));
    let all = functions.chain(stores).chain(program).chain(exporter);
    all.map(|(name, unit)| metric_name(name, unit)).collect()
}

/// `call_duration` is `CallDuration`, and sizes say that they are in bytes: `SizeBytes`.
fn metric_name(name: &str, unit: MetricUnit) -> String {
    let bytes = match unit {
        MetricUnit::Bytes => "Bytes",
        _ => "",
    };
    pascal(name) + bytes
}

fn pascal(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for word in name.split('_') {
        let (first, rest) = word.split_at(word.len().min(1));
        text.push_str(&first.to_ascii_uppercase());
        text.push_str(rest);
    }
    text
}

fn unit(family: &MetricFamily<'_>, value: &SampleValue<'_>) -> &'static str {
    match (family.unit, value) {
        (MetricUnit::Seconds, _) => "Seconds",
        (MetricUnit::Bytes, _) => "Bytes",
        // A share.
        (MetricUnit::None, SampleValue::Number(_)) => "None",
        (MetricUnit::None, _) => "Count",
    }
}

fn dimensions(sample: &Sample<'_>) -> Vec<(String, String)> {
    let labels = sample.labels.iter();
    labels
        .map(|(label, value)| (pascal(label), dimension_value(value)))
        .collect()
}

/// Visible ASCII, not empty, and not too long.
fn dimension_value(value: &str) -> String {
    let fits = |c: char| c.is_ascii_graphic() || c == ' ';
    let fitting = |c: char| if fits(c) { c } else { '_' };
    let text: String = value.chars().map(fitting).take(MAX_VALUE).collect();
    match text.trim().is_empty() {
        true => "_".to_owned(),
        false => text,
    }
}

type NewValue = (DatumValue, Vec<Delta>);

fn new_values(
    family: &MetricFamily<'_>,
    sample: &Sample<'_>,
    sent: &SentTotals,
    max_values: usize,
) -> Vec<NewValue> {
    let number = match &sample.value {
        SampleValue::Count(count) => *count as f64,
        SampleValue::Number(number) => *number,
        SampleValue::Histogram(histogram) => {
            let sum = family.unit.from_raw(histogram.sum as f64);
            let series = Series::of(family, sample);
            let parts = distributions(&series, histogram, sum, sent, max_values).into_iter();
            let parts = parts.map(|(part, deltas)| (DatumValue::Distribution(part), deltas));
            return parts.collect();
        }
    };
    if family.kind == MetricKind::Gauge {
        return vec![(DatumValue::Number(number), Vec::new())];
    }
    let delta = sent.delta(&Series::of(family, sample), None, number);
    let new = delta.map(|delta| (DatumValue::Number(delta.new), vec![delta]));
    new.into_iter().collect()
}

/// The growth of a histogram in parts, to be sent in this order. The sum is exact; each of several parts has its share by the
/// middles of its buckets.
fn distributions(
    series: &Series,
    histogram: &Histogram,
    sum: f64,
    sent: &SentTotals,
    max_values: usize,
) -> Vec<(Distribution, Vec<Delta>)> {
    let buckets = histogram.buckets.iter().filter_map(|bucket| {
        let delta = sent.delta(series, Some(bucket.index), bucket.count as f64)?;
        Some((bucket.middle(), delta))
    });
    let buckets: Vec<_> = buckets.collect();
    let estimated = |buckets: &[(f64, Delta)]| {
        let of_each = buckets.iter().map(|(middle, delta)| middle * delta.new);
        of_each.sum::<f64>()
    };
    let new_sum = sent.delta(series, None, sum);
    let new_sum = new_sum.map_or(0.0, |delta| delta.new);
    let scale = new_sum / estimated(&buckets);
    let mut sum_sent = sum - new_sum;
    let parts = buckets.chunks(max_values).map(|part| {
        let distribution = Distribution {
            values: part.iter().map(|(middle, _)| *middle).collect(),
            counts: part.iter().map(|(_, delta)| delta.new).collect(),
            sum: estimated(part) * scale,
        };
        sum_sent += distribution.sum;
        let deltas = part.iter().map(|(_, delta)| delta.clone());
        let deltas = deltas.chain(sent.delta(series, None, sum_sent));
        (distribution, deltas.collect())
    });
    parts.collect()
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn names_are_spelt_as_in_cloudwatch() {
        let names = metric_names();
        for name in [
            "Calls",
            "CallDuration",
            "SizeBytes",
            "EntrySizeBytes",
            "TimeSaved",
            "ExportSentBytes",
        ] {
            assert!(
                names.iter().any(|known| known == name),
                "{name} in {names:?}"
            );
        }
        assert_eq!(pascal("__a_b_"), "AB");
    }

    #[test]
    fn values_of_dimensions_are_ascii_and_bounded() {
        assert_eq!(dimension_value("app::größe\n<T>"), "app::gr__e_<T>");
        assert_eq!(dimension_value(""), "_");
        assert_eq!(dimension_value("  "), "_");
        assert_eq!(dimension_value(&"ü".repeat(2000)).len(), MAX_VALUE);
    }

    #[test]
    fn namespaces_and_labels_are_checked() {
        for namespace in ["", ":a", "AWS/EC2", "größe", &"x".repeat(256)] {
            let error = check_namespace(namespace).unwrap_err().to_string();
            assert!(error.contains("is no namespace"), "{error}");
        }
        assert!(check_namespace("Shop/Cache #1").is_ok());
        let labels = |names: &[&str]| {
            let labels: Vec<_> = names
                .iter()
                .map(|name| ((*name).to_owned(), String::new()))
                .collect();
            check_labels(&labels)
        };
        assert!(labels(&["service", "environment"]).is_ok());
        for taken in [&["calls"][..], &["Function"], &["service", "Service"]] {
            let error = labels(taken).unwrap_err().to_string();
            assert!(error.contains("where that is something else"), "{error}");
        }
        let many: Vec<_> = (0..27).map(|number| format!("label{number}")).collect();
        let many: Vec<_> = many.iter().map(String::as_str).collect();
        assert!(labels(&many[1..]).is_ok());
        assert!(
            labels(&many)
                .unwrap_err()
                .to_string()
                .contains("26 constant labels")
        );
    }

    /// The sum of its parts is the exact one, and what was sent of one part is not sent again.
    #[test]
    fn a_large_histogram_is_several_data() {
        let buckets = (0..250).map(|index| crate::Bucket::new(index, 2)).collect();
        let histogram = Histogram {
            buckets,
            ..Histogram::default()
        };
        let (mut sent, series) = (SentTotals::default(), Series::named("call_duration"));
        let parts = distributions(&series, &histogram, 1000.0, &sent, 100);
        let sizes = |parts: &[(Distribution, Vec<Delta>)]| {
            let parts = parts.iter();
            let parts =
                parts.map(|(part, _)| (part.values.len(), part.counts.iter().sum(), part.sum));
            parts.collect::<Vec<(usize, f64, f64)>>()
        };
        let of_parts = sizes(&parts);
        assert_eq!(
            of_parts
                .iter()
                .map(|part| (part.0, part.1))
                .collect::<Vec<_>>(),
            [(100, 200.0), (100, 200.0), (50, 100.0)]
        );
        let sum: f64 = of_parts.iter().map(|part| part.2).sum();
        assert!((sum - 1000.0).abs() < 1e-6, "{sum}");
        let (_, deltas) = parts.into_iter().next().unwrap();
        deltas.into_iter().for_each(|delta| sent.mark_sent(delta));
        let rest = sizes(&distributions(&series, &histogram, 1000.0, &sent, 100));
        assert_eq!(
            rest.iter().map(|part| part.0).collect::<Vec<_>>(),
            [100, 50]
        );
        let sum: f64 = rest.iter().map(|part| part.2).sum();
        assert!((sum + of_parts[0].2 - 1000.0).abs() < 1e-6, "{sum}");
    }
}

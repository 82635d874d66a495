//! All figures as JSON, for pages and tools.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::exporters::buckets::MAX_NATIVE_BUCKETS;
use crate::exporters::export::Export;
use crate::exporters::family::{MetricFamily, MetricKind, MetricUnit, Sample, SampleValue};
use crate::histogram::Histogram;
use crate::json::{heading, quantiles};
use crate::readiness::{StoreReadiness, StoreState};

pub(super) const CONTENT_TYPE: &str = "application/json";

/// All figures of an export.
pub(super) fn figures(export: &Export) -> Value {
    let metrics = export.families().map(|family| {
        let samples = family.samples.iter();
        let samples: Vec<_> = samples
            .map(|sample| self::sample(&family, sample))
            .collect();
        json!({
            "name": family.full_name(),
            "type": match family.kind {
                MetricKind::Counter => "counter",
                MetricKind::Gauge => "gauge",
                MetricKind::Histogram => "histogram",
            },
            "unit": match family.unit {
                MetricUnit::None => "",
                MetricUnit::Seconds => "seconds",
                MetricUnit::Bytes => "bytes",
            },
            "help": family.help,
            "samples": samples,
        })
    });
    let mut all = heading(export.time());
    all["metrics"] = metrics.collect();
    all
}

fn sample(family: &MetricFamily<'_>, sample: &Sample<'_>) -> Value {
    let labels = sample.labels.iter();
    let labels = labels.map(|(name, value)| ((*name).to_owned(), json!(value)));
    let mut fields = Map::new();
    fields.insert("labels".to_owned(), Map::from_iter(labels).into());
    match &sample.value {
        SampleValue::Count(count) => fields.insert("value".to_owned(), json!(count)),
        SampleValue::Number(number) => fields.insert("value".to_owned(), json!(number)),
        SampleValue::Histogram(histogram) => fields.insert(
            "histogram".to_owned(),
            self::histogram(family.unit, histogram),
        ),
    };
    fields.into()
}

/// Its quantiles in base units, and the upper bounds of its buckets as powers of 2^(2^-schema).
fn histogram(unit: MetricUnit, histogram: &Histogram) -> Value {
    let native = histogram.exponential(MAX_NATIVE_BUCKETS);
    let buckets = native.buckets.iter();
    let buckets = buckets.map(|bucket| json!([bucket.index, bucket.count]));
    let mut fields = match unit {
        MetricUnit::Seconds => quantiles(histogram, |duration: Duration| {
            duration.as_secs_f64().into()
        }),
        _ => quantiles(histogram, |bytes: u64| bytes.into()),
    };
    fields.extend([
        ("count".to_owned(), json!(histogram.count())),
        ("sum".to_owned(), json!(unit.from_raw(histogram.sum as f64))),
        ("schema".to_owned(), json!(native.schema)),
        ("buckets".to_owned(), buckets.collect()),
    ]);
    fields.into()
}

/// The stores, and what calls can count on.
pub(super) fn readiness(stores: &[StoreReadiness], status: &str) -> String {
    let stores = stores.iter().map(|store| {
        let (state, error) = match store.state {
            StoreState::Works => ("works", None),
            StoreState::Degraded(error) => ("degraded", Some(error)),
            StoreState::Fails(error) => ("fails", Some(error)),
        };
        json!({ "name": store.name, "store": store.store, "state": state, "error": error })
    });
    let all = json!({ "status": status, "stores": stores.collect::<Vec<_>>() });
    all.to_string()
}

//! All figures as JSON, for pages and tools.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

use crate::distribution::{Distribution, Unit};
use crate::exporters::buckets::MAX_NATIVE_BUCKETS;
use crate::exporters::export::Export;
use crate::exporters::family::{MetricFamily, MetricKind, MetricUnit, Sample, SampleValue};
use crate::histogram::Histogram;
use crate::labelled::Labelled;
use crate::labels::{Label, Outcome};
use crate::readiness::{StoreReadiness, StoreState};
use crate::snapshot::Snapshot;

pub(super) const CONTENT_TYPE: &str = "application/json";

/// Rises with each change that a reader could stumble over; fields may be added under the same one.
const VERSION: u32 = 1;

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

/// The head of every answer.
pub(super) fn heading(time: SystemTime) -> Value {
    json!({
        "version": VERSION,
        "cachier": env!("CARGO_PKG_VERSION"),
        "time_seconds": seconds_since_1970(time),
    })
}

pub(super) fn seconds_since_1970(time: SystemTime) -> f64 {
    let since_1970 = time.duration_since(UNIX_EPOCH);
    since_1970.unwrap_or_default().as_secs_f64()
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

fn quantiles<T: Unit>(histogram: &Histogram, number: fn(T) -> Value) -> Map<String, Value> {
    let distribution = Distribution::of(histogram.clone());
    let figures = [
        ("min", distribution.min()),
        ("p50", distribution.p50()),
        ("p90", distribution.p90()),
        ("p99", distribution.p99()),
        ("max", distribution.max()),
    ];
    let known = figures
        .into_iter()
        .filter_map(|(name, figure)| Some((name, figure?)));
    known
        .map(|(name, figure)| (name.to_owned(), number(figure)))
        .collect()
}

/// The counts of a span of time.
pub(super) fn counted(counted: &Snapshot) -> Value {
    let sum = |numbers: &mut dyn Iterator<Item = &u64>| numbers.sum::<u64>();
    let errors = counted.backend_errors.values();
    let saved = counted.time_saved.map(|nanos| nanos as f64 / 1e9);
    json!({
        "seconds": counted.covers.as_secs_f64(),
        "calls": by_label(&counted.calls, |calls| Some(json!(calls))),
        "abandoned": sum(&mut counted.abandoned.values()),
        "recalculations": sum(&mut counted.recalculations.values()),
        "recalculation_failures": sum(&mut counted.recalculation_failures.values()),
        "backend_errors": sum(&mut errors.flat_map(Labelled::values)),
        "time_saved_seconds": saved,
        "call_duration": by_label::<Outcome, _>(&counted.call_duration, durations),
        "compute_duration": durations(&counted.compute_duration),
    })
}

fn by_label<L: Label, V>(values: &Labelled<L, V>, figure: fn(&V) -> Option<Value>) -> Value {
    let known = values
        .iter()
        .filter_map(|(label, value)| Some((label.label().to_owned(), figure(value)?)));
    known.collect::<Map<_, _>>().into()
}

/// How many there were, and their quantiles in seconds; nothing if there were none.
pub(super) fn durations(histogram: &Histogram) -> Option<Value> {
    (histogram.count() > 0).then(|| {
        let seconds = |duration: Duration| duration.as_secs_f64().into();
        let mut fields = quantiles(histogram, seconds);
        fields.insert("count".to_owned(), json!(histogram.count()));
        fields.into()
    })
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

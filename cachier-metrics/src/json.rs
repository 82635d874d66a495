//! Figures as JSON, in the form of `/stats.json`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

use crate::distribution::{Distribution, Unit};
use crate::gauges::Gauges;
use crate::histogram::Histogram;
use crate::labelled::Labelled;
use crate::labels::{Label, Outcome};
use crate::snapshot::{Activity, Snapshot};
use crate::stores::StoreFigures;

/// Rises with each change that a reader could stumble over; fields may be added under the same one.
const VERSION: u32 = 1;

/// The head of every answer.
pub(crate) fn heading(time: SystemTime) -> Value {
    json!({
        "version": VERSION,
        "cachier": env!("CARGO_PKG_VERSION"),
        "time_seconds": seconds_since_1970(time),
    })
}

/// Of a number of nanoseconds.
pub(crate) fn seconds(nanos: u64) -> f64 {
    Duration::from_nanos(nanos).as_secs_f64()
}

pub(crate) fn seconds_since_1970(time: SystemTime) -> f64 {
    let since_1970 = time.duration_since(UNIX_EPOCH);
    since_1970.unwrap_or_default().as_secs_f64()
}

/// The counts of a span of time.
pub(crate) fn counted(counted: &Snapshot) -> Value {
    let sum = |numbers: &mut dyn Iterator<Item = &u64>| numbers.sum::<u64>();
    let errors = counted.backend_errors.values();
    let failures = counted.recalculation_failures.values();
    let saved = counted.time_saved.map(|nanos| nanos as f64 / 1e9);
    json!({
        "seconds": counted.covers.as_secs_f64(),
        "calls": by_label(&counted.calls, |calls| Some(json!(calls))),
        "abandoned": sum(&mut counted.abandoned.values()),
        "recalculations": sum(&mut counted.recalculations.values()),
        "recalculation_failures": sum(&mut failures.flat_map(Labelled::values)),
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
pub(crate) fn durations(histogram: &Histogram) -> Option<Value> {
    (histogram.count() > 0).then(|| {
        let seconds = |duration: Duration| duration.as_secs_f64().into();
        let mut fields = quantiles(histogram, seconds);
        fields.insert("count".to_owned(), json!(histogram.count()));
        fields.into()
    })
}

/// The contents of the cache now; unknown fields are absent.
pub(crate) fn held(gauges: &Gauges) -> Value {
    let backend = gauges.backend();
    known([
        ("entries", backend.entries),
        ("size_bytes", backend.bytes),
        ("near_entries", gauges.near.entries),
        ("near_size_bytes", gauges.near.bytes),
        ("capacity_entries", gauges.capacity_entries),
        ("capacity_bytes", gauges.capacity_bytes()),
    ])
}

pub(crate) fn activity(now: Activity) -> Value {
    let oldest = now.oldest_computation.map(|age| age.as_secs_f64());
    let mut fields = json!({
        "inflight_calls": now.inflight_calls,
        "inflight_computations": now.inflight_computations,
        "waiting_calls": now.waiting_calls,
    });
    if let Some(oldest) = oldest {
        fields["oldest_computation_age_seconds"] = json!(oldest);
    }
    fields
}

/// The stores: what was sent to them, and their connections.
pub(crate) fn stores<'a>(stores: impl IntoIterator<Item = &'a StoreFigures>) -> Value {
    stores.into_iter().map(store).collect()
}

fn store(store: &StoreFigures) -> Value {
    let round_trips = store.round_trips.iter();
    let round_trips =
        round_trips.map(|(operation, sent)| (operation.label().to_owned(), json!(sent)));
    json!({
        "backend": store.backend,
        "store": store.store,
        "breaker_open": store.breaker_open,
        "round_trips": round_trips.collect::<Map<_, _>>(),
        "connections": known([
            ("idle", store.idle_connections),
            ("busy", store.busy_connections),
            ("max", store.max_connections),
        ]),
        "pool_wait": durations(&store.pool_waits),
    })
}

pub(crate) fn known<const N: usize>(figures: [(&str, Option<u64>); N]) -> Value {
    let known = figures
        .into_iter()
        .filter_map(|(name, figure)| Some((name.to_owned(), json!(figure?))));
    known.collect::<Map<_, _>>().into()
}

/// Those that are known, in base units.
pub(crate) fn quantiles<T: Unit>(
    histogram: &Histogram,
    number: fn(T) -> Value,
) -> Map<String, Value> {
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

//! All functions at a glance: what each has counted in a window, what its cache holds, and what goes on.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::exporters::functions::FunctionGroup;
use crate::json::{activity, counted, held, seconds_since_1970};
use crate::metrics::CacheMetrics;
use crate::snapshot::Snapshot;

pub(super) fn functions(series: &[FunctionGroup], window: Duration) -> Value {
    series
        .iter()
        .filter_map(|series| function(series, window))
        .collect()
}

fn function(series: &FunctionGroup, window: Duration) -> Option<Value> {
    let members = || series.members.iter();
    let snapshots = members().map(|metrics| metrics.snapshot_over(window));
    let snapshot: Snapshot = snapshots.sum();
    let timed_share = |metrics: &&CacheMetrics| metrics.sampling_rate_in(|| snapshot.timed_share());
    Some(json!({
        "function": series.function,
        "backend": series.backend,
        "start_time_seconds": seconds_since_1970(members().map(|metrics| metrics.start_time()).min()?),
        "sampling_ratio": members().map(timed_share).reduce(f64::min)?,
        "counted": counted(&snapshot),
        "settings": settings(series),
        "held": held(&snapshot.gauges),
        "activity": activity(snapshot.activity),
    }))
}

/// What the program has set: of functions that share a name, the first one's.
fn settings(group: &FunctionGroup) -> Value {
    let settings = group
        .members
        .iter()
        .take(1)
        .flat_map(|metrics| metrics.settings());
    let settings = settings.map(|(name, value)| (name.to_owned(), json!(value)));
    settings.collect::<Map<_, _>>().into()
}

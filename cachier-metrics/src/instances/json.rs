//! The figures of many instances as JSON, in the form of `/stats.json`.

use std::time::SystemTime;

use serde_json::{Value, json};

use super::cluster::{ClusterFigures, InstanceState};
use super::figures::FunctionFigures;
use crate::json::{activity, counted, heading, held, seconds, stores};

impl ClusterFigures {
    /// All functions and instances. Counts are since the start of each instance, so they have no common time span.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let functions = self.figures.functions.iter();
        let functions = functions.map(|(names, figures)| function(names, figures));
        let mut all = heading(SystemTime::now());
        all["functions"] = functions.collect();
        all["stores"] = stores(self.figures.stores.values());
        all["instances"] = self.instances.iter().map(instance).collect();
        all["ended_instances"] = json!(self.ended_instances);
        all["unreadable"] = json!(self.unreadable);
        all
    }
}

fn function(names: &(String, String), figures: &FunctionFigures) -> Value {
    let (function, backend) = names;
    let snapshot = &figures.snapshot;
    let mut counted = counted(snapshot);
    counted["seconds"] = Value::Null;
    json!({
        "function": function,
        "backend": backend,
        "start_time_seconds": seconds(figures.started),
        "sampling_ratio": figures.sampling.unwrap_or_else(|| snapshot.timed_share()),
        "counted": counted,
        "held": held(&snapshot.gauges),
        "activity": activity(snapshot.activity),
    })
}

fn instance(state: &InstanceState) -> Value {
    json!({
        "id": state.header.instance.to_string(),
        "is_live": state.is_live,
        "age_seconds": state.age.map(|age| age.as_secs_f64()),
        "start_time_seconds": seconds(state.header.started),
        "uptime_seconds": state.header.uptime.as_secs_f64(),
        "interval_seconds": state.header.interval.as_secs_f64(),
    })
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::time::Duration;

    use super::*;
    use crate::instances::sample::{self, everything, header, instance as figures_of};

    #[test]
    fn sums_have_no_span_of_time() {
        let state = |is_live, age| InstanceState {
            header: header(7, 0, 3),
            age,
            is_live,
        };
        let mut figures = figures_of([everything(), everything()]);
        figures.stores = sample::stores(3);
        let all = ClusterFigures {
            figures,
            instances: vec![
                state(true, Some(Duration::from_millis(1500))),
                state(false, None),
            ],
            ended_instances: 4,
            unreadable: 1,
        };
        let json = all.to_json();
        let function = &json["functions"][0];
        let ((name, backend), figures) = all.figures.functions.iter().next().unwrap();
        assert_eq!(
            (&function["function"], &function["backend"]),
            (&json!(name), &json!(backend))
        );
        assert_eq!(function["counted"]["seconds"], Value::Null);
        let calls: u64 = figures.snapshot.calls.values().sum();
        let told = function["counted"]["calls"].as_object().unwrap().values();
        assert_eq!(
            told.map(|calls| calls.as_u64().unwrap()).sum::<u64>(),
            calls
        );
        assert_eq!(json["version"], 1);
        assert_eq!(
            (&json["ended_instances"], &json["unreadable"]),
            (&json!(4), &json!(1))
        );
        let store = &json["stores"][1];
        assert_eq!(store["round_trips"]["load"], 43);
        assert_eq!(store["breaker_open"], true);
        assert_eq!(json["instances"][0]["age_seconds"], 1.5);
        assert_eq!(json["instances"][1]["age_seconds"], Value::Null);
        assert_eq!(json["instances"][1]["is_live"], false);
        assert_eq!(json["instances"][0]["uptime_seconds"], 30.0);
    }
}

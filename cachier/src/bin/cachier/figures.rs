//! The figures of a program, as its `/stats.json` has them. Pure.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::coverage::Coverage;

/// The version of `/stats.json` that is understood.
const VERSION: u64 = 1;

/// The counts of a window, and current values.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Figures {
    /// Of the program, such as `service`.
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) functions: Vec<Function>,
    pub(crate) stores: Vec<Store>,
    /// The instances, if the figures are those of several.
    #[serde(flatten)]
    pub(crate) coverage: Coverage,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Function {
    pub(crate) function: String,
    pub(crate) backend: String,
    pub(crate) counted: Counted,
    pub(crate) held: Contents,
    pub(crate) activity: Activity,
}

/// The counts of the last `seconds`; since the start if those are unknown.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Counted {
    pub(crate) seconds: Option<f64>,
    /// By outcome.
    pub(crate) calls: BTreeMap<String, u64>,
    pub(crate) abandoned: u64,
    pub(crate) recalculations: u64,
    pub(crate) recalculation_failures: u64,
    pub(crate) backend_errors: u64,
    pub(crate) time_saved_seconds: Option<f64>,
    /// By outcome.
    pub(crate) call_duration: BTreeMap<String, Durations>,
    pub(crate) compute_duration: Option<Durations>,
}

/// In seconds.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq)]
#[serde(default)]
pub(crate) struct Durations {
    pub(crate) count: u64,
    pub(crate) p50: Option<f64>,
    pub(crate) p99: Option<f64>,
}

/// The contents of the cache now; what is unknown is absent.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Contents {
    pub(crate) entries: Option<u64>,
    pub(crate) size_bytes: Option<u64>,
    pub(crate) capacity_entries: Option<u64>,
    pub(crate) capacity_bytes: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Activity {
    pub(crate) inflight_computations: u64,
    pub(crate) waiting_calls: u64,
    pub(crate) oldest_computation_age_seconds: Option<f64>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Store {
    pub(crate) backend: String,
    pub(crate) store: String,
    pub(crate) breaker_open: bool,
}

/// Reads an answer of `/stats.json`.
///
/// # Errors
/// Where it is of another version, or none.
pub(crate) fn parse<T: DeserializeOwned>(answer: &Value) -> Result<T, String> {
    match answer["version"].as_u64() {
        Some(VERSION) => T::deserialize(answer)
            .map_err(|error| format!("its figures are not as they should be: {error}")),
        Some(other) => Err(format!(
            "its figures are of version {other}, and this program knows version {VERSION}: update the older of the two"
        )),
        None => Err("it answers, but not with figures of cachier".to_owned()),
    }
}

impl Counted {
    pub(crate) fn of(&self, outcome: &str) -> u64 {
        self.calls.get(outcome).copied().unwrap_or(0)
    }

    pub(crate) fn all_calls(&self) -> u64 {
        self.calls.values().sum()
    }

    /// The share of hits among the lookups.
    pub(crate) fn hit_rate(&self) -> Option<f64> {
        self.share(self.of("hit"))
    }

    /// The share of lookups that did not compute.
    pub(crate) fn served_rate(&self) -> Option<f64> {
        self.share(self.of("hit") + self.of("stale") + self.of("coalesced"))
    }

    fn share(&self, part: u64) -> Option<f64> {
        let lookups = ["hit", "stale", "coalesced", "miss"].map(|outcome| self.of(outcome));
        let lookups: u64 = lookups.iter().sum();
        (lookups > 0).then(|| part as f64 / lookups as f64)
    }

    /// Per second; unknown while no time has passed.
    pub(crate) fn per_second(&self, count: u64) -> Option<f64> {
        let seconds = self.seconds.filter(|seconds| *seconds > 0.0)?;
        Some(count as f64 / seconds)
    }

    /// Calls per second; the total if the time span is unknown.
    pub(crate) fn calls(&self) -> Option<f64> {
        match self.seconds {
            Some(_) => self.per_second(self.all_calls()),
            None => Some(self.all_calls() as f64),
        }
    }

    /// The seconds that hits save per hour; the total if the time span is unknown.
    pub(crate) fn saved(&self) -> Option<f64> {
        let saved = self.time_saved_seconds?;
        match self.seconds {
            Some(seconds) => (seconds > 0.0).then(|| saved / seconds * 3600.0),
            None => Some(saved),
        }
    }

    /// Adds what the same function counted elsewhere in the same window.
    pub(crate) fn add(&mut self, other: &Self) {
        self.seconds = larger(self.seconds, other.seconds);
        for (outcome, count) in &other.calls {
            *self.calls.entry(outcome.clone()).or_default() += count;
        }
        self.abandoned += other.abandoned;
        self.recalculations += other.recalculations;
        self.recalculation_failures += other.recalculation_failures;
        self.backend_errors += other.backend_errors;
        self.time_saved_seconds = added(self.time_saved_seconds, other.time_saved_seconds);
        for (outcome, durations) in &other.call_duration {
            self.call_duration
                .entry(outcome.clone())
                .or_default()
                .add(durations);
        }
        match (&mut self.compute_duration, other.compute_duration) {
            (Some(own), Some(other)) => own.add(&other),
            (own @ None, other) => *own = other,
            (Some(_), None) => {}
        }
    }
}

impl Durations {
    /// The merged quantiles are unknown, but at most the larger of the two.
    fn add(&mut self, other: &Self) {
        self.count += other.count;
        self.p50 = larger(self.p50, other.p50);
        self.p99 = larger(self.p99, other.p99);
    }
}

fn larger(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    one.into_iter().chain(other).reduce(f64::max)
}

fn added(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    one.into_iter().chain(other).reduce(|sum, one| sum + one)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    fn counted(hits: u64, misses: u64, p99: f64) -> Counted {
        let all = json!({
            "version": 1,
            "new_field": [],
            "functions": [{ "function": "f", "counted": {
                "seconds": 60.0,
                "calls": { "hit": hits, "miss": misses, "bypass": 5 },
                "call_duration": { "hit": { "count": hits, "p99": p99 } },
                "compute_duration": null,
                "time_saved_seconds": 1.5,
            } }],
        });
        parse::<Figures>(&all).unwrap().functions.remove(0).counted
    }

    #[test]
    fn sums_come_before_ratios() {
        let mut sum = counted(90, 10, 0.001);
        sum.add(&counted(0, 100, 0.002));
        assert_eq!(
            (sum.hit_rate(), sum.served_rate()),
            (Some(0.45), Some(0.45))
        );
        assert_eq!(sum.all_calls(), 210);
        assert_eq!(sum.per_second(120), Some(2.0));
        assert_eq!(sum.call_duration["hit"].p99, Some(0.002));
        assert_eq!(sum.time_saved_seconds, Some(3.0));
        assert_eq!(Counted::default().hit_rate(), None);
        assert_eq!(Counted::default().per_second(1), None);
    }

    #[test]
    fn counts_without_a_span_are_sums() {
        let mut sum = counted(90, 10, 0.001);
        assert_eq!((sum.calls(), sum.saved()), (Some(105.0 / 60.0), Some(90.0)));
        sum.seconds = None;
        assert_eq!((sum.calls(), sum.saved()), (Some(105.0), Some(1.5)));
        sum.seconds = Some(0.0);
        assert_eq!((sum.calls(), sum.saved()), (None, None));
    }

    #[test]
    fn computations_of_one_alone_stay() {
        let times = Durations {
            count: 1,
            p50: Some(1.0),
            p99: None,
        };
        let with = Counted {
            compute_duration: Some(times),
            ..Counted::default()
        };
        for (mut one, other) in [
            (with.clone(), Counted::default()),
            (Counted::default(), with.clone()),
        ] {
            one.add(&other);
            assert_eq!(one.compute_duration, Some(times));
        }
        let mut twice = with.clone();
        twice.add(&with);
        assert_eq!(twice.compute_duration.unwrap().count, 2);
    }

    #[test]
    fn other_answers_are_refused() {
        for (answer, expected) in [
            (json!({ "version": 2 }), "version 2"),
            (json!({ "hello": 1 }), "not with figures"),
            (
                json!({ "version": 1, "functions": 7 }),
                "not as they should be",
            ),
        ] {
            let error = parse::<Figures>(&answer).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}

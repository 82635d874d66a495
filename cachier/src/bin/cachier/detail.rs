//! All of one function: its recent past, how long its calls take, and what it has counted. Pure.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::figures::{self, Counted};

/// A function of one program, or of several together.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Detail {
    /// The oldest first; `None` where nothing is known.
    pub(crate) points: Vec<Option<Point>>,
    /// Calls by duration: those of up to this power of two seconds, but more than the power before.
    pub(crate) durations: BTreeMap<i32, u64>,
    /// What was counted since the start, by what it is: `calls outcome=hit`.
    pub(crate) counts: BTreeMap<String, u64>,
}

/// A step of the recent past.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Point {
    pub(crate) calls_per_second: f64,
    pub(crate) hit_rate: Option<f64>,
    pub(crate) compute_time: Option<f64>,
    pub(crate) errors: u64,
}

#[derive(Deserialize)]
struct Answer {
    metrics: Vec<Metric>,
    series: Vec<Series>,
}

#[derive(Deserialize)]
struct Metric {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    samples: Vec<Sample>,
}

#[derive(Deserialize)]
struct Sample {
    labels: BTreeMap<String, String>,
    value: Option<f64>,
    histogram: Option<Histogram>,
}

#[derive(Deserialize)]
struct Histogram {
    schema: i32,
    buckets: Vec<(i32, u64)>,
}

#[derive(Deserialize)]
struct Series {
    points: Vec<Option<Counted>>,
}

/// Labels that name the function, not what was counted.
const WHICH: [&str; 2] = ["function", "backend"];

impl Detail {
    /// Reads an answer of `/stats.json?function=…&series=…`, and merges the function's backends.
    pub(crate) fn parse(answer: &Value) -> Result<Self, String> {
        let answer: Answer = figures::parse(answer)?;
        let mut detail = Self::default();
        for series in answer.series {
            detail.add_points(
                series
                    .points
                    .into_iter()
                    .map(|point| point.map(Point::of))
                    .collect(),
            );
        }
        // Labels of the program are on all samples alike.
        let samples = answer.metrics.iter().flat_map(|metric| &metric.samples);
        let all: Vec<_> = samples.map(|sample| &sample.labels).collect();
        let is_of_all = |label: &str, value: &str| {
            let has =
                |labels: &&BTreeMap<_, _>| labels.get(label).is_some_and(|other| other == value);
            all.iter().all(has)
        };
        for metric in &answer.metrics {
            for sample in &metric.samples {
                let labels = sample.labels.iter();
                let labels = labels.filter(|(label, value)| {
                    !WHICH.contains(&&***label) && !is_of_all(label, value)
                });
                let labels = labels.map(|(label, value)| format!(" {label}={value}"));
                detail.add_sample(metric, sample, &labels.collect::<String>());
            }
        }
        Ok(detail)
    }

    fn add_sample(&mut self, metric: &Metric, sample: &Sample, labels: &str) {
        match (&*metric.kind, sample.value, &sample.histogram) {
            ("counter", Some(value), _) if value >= 1.0 && !metric.name.contains("_seconds") => {
                let name = metric
                    .name
                    .trim_start_matches("cachier_")
                    .trim_end_matches("_total");
                let name = format!("{}{labels}", name.replace('_', " "));
                *self.counts.entry(name).or_default() += value as u64;
            }
            (_, _, Some(histogram)) if metric.name == "cachier_call_duration_seconds" => {
                for (index, count) in &histogram.buckets {
                    *self
                        .durations
                        .entry(power_of_two(*index, histogram.schema))
                        .or_default() += count;
                }
            }
            _ => {}
        }
    }

    /// The same function of another program.
    pub(crate) fn add(&mut self, other: Self) {
        self.add_points(other.points);
        for (power, count) in other.durations {
            *self.durations.entry(power).or_default() += count;
        }
        for (name, count) in other.counts {
            *self.counts.entry(name).or_default() += count;
        }
    }

    /// The points of now are the last ones.
    fn add_points(&mut self, mut points: Vec<Option<Point>>) {
        if points.len() > self.points.len() {
            std::mem::swap(&mut self.points, &mut points);
        }
        for (own, other) in self.points.iter_mut().rev().zip(points.into_iter().rev()) {
            match (own, other) {
                (Some(own), Some(other)) => own.add(&other),
                (own @ None, other) => *own = other,
                (Some(_), None) => {}
            }
        }
    }
}

impl Point {
    fn of(counted: Counted) -> Self {
        Self {
            calls_per_second: counted.per_second(counted.all_calls()).unwrap_or(0.0),
            hit_rate: counted.hit_rate(),
            compute_time: counted.compute_duration.and_then(|times| times.p50),
            errors: counted.backend_errors,
        }
    }

    fn add(&mut self, other: &Self) {
        let all = self.calls_per_second + other.calls_per_second;
        // Weighted by calls.
        self.hit_rate = match (self.hit_rate, other.hit_rate) {
            (Some(own), Some(others)) if all > 0.0 => {
                Some((own * self.calls_per_second + others * other.calls_per_second) / all)
            }
            (own, others) => own.or(others),
        };
        self.compute_time = self
            .compute_time
            .into_iter()
            .chain(other.compute_time)
            .reduce(f64::max);
        self.calls_per_second = all;
        self.errors += other.errors;
    }
}

/// The power of two at or above the upper bound of a bucket, which is 2^(index · 2^-schema).
pub(crate) fn power_of_two(index: i32, schema: i32) -> i32 {
    let exponent = f64::from(index) * (-f64::from(schema)).exp2();
    exponent.ceil().clamp(-1100.0, 1100.0) as i32
}

/// At most `most` bars: their upper bounds in seconds, at each power of two, of four, of sixteen …, and their counts.
pub(crate) fn bars(durations: &BTreeMap<i32, u64>, most: usize) -> Vec<(f64, u64)> {
    let (Some(first), Some(last)) = (durations.keys().next(), durations.keys().next_back()) else {
        return Vec::new();
    };
    let mut step = 1;
    let bar =
        |power: i32, step: i32| power.div_euclid(step) + i32::from(power.rem_euclid(step) > 0);
    while (bar(*last, step) - bar(*first, step)) as usize >= most.max(1) && step < 1024 {
        step *= 2;
    }
    let bars = bar(*first, step)..=bar(*last, step);
    let bars = bars.map(|number| {
        let within = durations
            .iter()
            .filter(|(power, _)| bar(**power, step) == number);
        (
            f64::from(number * step).exp2(),
            within.map(|(_, count)| count).sum(),
        )
    });
    bars.collect()
}

const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The last `width` values as a line of blocks, scaled to the largest; a gap where a value is unknown.
pub(crate) fn sparkline(
    values: impl DoubleEndedIterator<Item = Option<f64>>,
    width: usize,
) -> String {
    let mut last: Vec<_> = values.rev().take(width).collect();
    last.reverse();
    let most = last.iter().flatten().copied().fold(0.0, f64::max);
    let block = |value: Option<f64>| match value {
        None => ' ',
        Some(value) if most > 0.0 => LEVELS[(value / most * 7.0).round().clamp(0.0, 7.0) as usize],
        Some(_) => LEVELS[0],
    };
    last.into_iter().map(block).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    fn answer(hits: u64) -> Value {
        json!({
            "version": 1,
            "metrics": [
                { "name": "cachier_calls_total", "type": "counter", "samples": [
                    { "labels": { "service": "s", "function": "f", "backend": "file", "outcome": "hit" }, "value": hits },
                    { "labels": { "service": "s", "function": "f", "backend": "file", "outcome": "miss" }, "value": 0 },
                ] },
                { "name": "cachier_time_saved_seconds_total", "type": "counter", "samples": [
                    { "labels": { "service": "s", "function": "f" }, "value": 7.5 },
                ] },
                { "name": "cachier_entries", "type": "gauge", "samples": [
                    { "labels": { "service": "s", "function": "f", "tier": "near" }, "value": 7 },
                ] },
                { "name": "cachier_call_duration_seconds", "type": "histogram", "samples": [
                    { "labels": { "service": "s", "function": "f", "outcome": "hit" },
                      "histogram": { "schema": 1, "buckets": [[-4, 1], [-3, 2], [0, 4]] } },
                    { "labels": { "service": "s", "function": "f", "outcome": "miss" },
                      "histogram": { "schema": -1, "buckets": [[1, 8]] } },
                ] },
            ],
            "series": [{ "points": [null, { "seconds": 1.0, "calls": { "hit": hits, "miss": hits }, "backend_errors": 1 }] }],
        })
    }

    #[test]
    fn counts_and_durations_are_read() {
        let mut detail = Detail::parse(&answer(3)).unwrap();
        assert_eq!(
            detail.counts,
            BTreeMap::from([("calls outcome=hit".to_owned(), 3)])
        );
        assert_eq!(
            detail.durations,
            BTreeMap::from([(-2, 1), (-1, 2), (0, 4), (2, 8)])
        );
        detail.add(Detail::parse(&answer(1)).unwrap());
        assert_eq!(detail.counts["calls outcome=hit"], 4);
        assert_eq!(detail.durations[&2], 16);
        let point = detail.points[1].clone().unwrap();
        assert_eq!(
            (point.calls_per_second, point.hit_rate, point.errors),
            (8.0, Some(0.5), 2)
        );
        assert_eq!(detail.points[0], None);
    }

    #[test]
    fn points_end_now() {
        let point = |calls| {
            Some(Point {
                calls_per_second: calls,
                ..Point::default()
            })
        };
        let mut detail = Detail {
            points: vec![point(1.0)],
            ..Detail::default()
        };
        detail.add(Detail {
            points: vec![point(5.0), None],
            ..Detail::default()
        });
        assert_eq!(detail.points, [point(5.0), point(1.0)]);
        detail.add(Detail {
            points: vec![None, point(2.0)],
            ..Detail::default()
        });
        assert_eq!(detail.points, [point(5.0), point(3.0)]);
    }

    #[test]
    fn bars_are_no_more_than_fit() {
        let durations = BTreeMap::from([(-2, 1), (-1, 2), (0, 4), (5, 8)]);
        let all = bars(&durations, 8);
        assert_eq!(all.len(), 8);
        assert_eq!((all[0], all[3], all[7]), ((0.25, 1), (2.0, 0), (32.0, 8)));
        assert_eq!(
            bars(&durations, 5),
            [(0.25, 1), (1.0, 6), (4.0, 0), (16.0, 0), (64.0, 8)]
        );
        assert_eq!(bars(&durations, 1).iter().map(|bar| bar.1).sum::<u64>(), 15);
        assert_eq!(bars(&BTreeMap::new(), 8), []);
    }

    #[test]
    fn sparklines_have_gaps() {
        let values = [Some(9.0), Some(0.0), None, Some(1.0), Some(2.0)];
        assert_eq!(sparkline(values.into_iter(), 4), "▁ ▅█");
        assert_eq!(sparkline([Some(0.0)].into_iter(), 4), "▁");
    }
}

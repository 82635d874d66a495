//! How many bytes an instance of 200 functions publishes.

use std::time::Duration;

use super::figures::InstanceFigures;
use super::publication::InstanceId;
use super::publisher::Publisher;
use crate::clock::Clock;
use crate::gauges::{Gauges, Holding, Shared};
use crate::labels::{Operation, Outcome, Reason};
use crate::metrics::CacheMetrics;
use crate::options::MetricsOptions;
use crate::recorder::ComputeResult;
use crate::sampling::Sampled;

const FUNCTIONS: usize = 200;
const INTERVAL: Duration = Duration::from_secs(10);

fn function(number: usize, clock: &Clock) -> &'static CacheMetrics {
    let name = format!("shop::catalogue::function_{number}");
    let options = MetricsOptions::new(name.clone(), "redis").clock(clock.clone());
    let metrics = CacheMetrics::create(options.unlisted());
    metrics.set_gauges(Box::new(move || {
        let held = Shared::new(Holding::new(Some(number as u64), Some(1000)), None);
        let mut gauges = Gauges::default();
        let store = format!("redis.internal:6379/default/{name}");
        gauges.shared.insert(store, held);
        gauges
    }));
    metrics
}

/// Nine hits of ten calls, of different durations; the tenth computes and stores.
fn one_call(metrics: &'static CacheMetrics, clock: &Clock, seed: usize, call: usize) {
    let nanos = |base: usize| Duration::from_nanos((base * (1 + seed % 90)) as u64);
    let started = metrics.start_call(Some(Sampled::ONE), None);
    let load = metrics.start_operation(Operation::Load, Some(Sampled::ONE));
    clock.advance(nanos(2_000));
    drop(load);
    if !call.is_multiple_of(10) {
        started.finish(Outcome::Hit, Some(5_000_000), Some(60_000_000_000));
        return;
    }
    let compute = metrics.start_compute(Reason::Absent);
    clock.advance(nanos(300_000));
    compute.finish(ComputeResult::Value);
    started.stored(900 + call as u64);
    started.finish(Outcome::Miss, None, None);
}

/// The mean size of a publication where one function in `share` is called 40 times in each interval, all of them timed.
fn mean_bytes(share: usize) -> usize {
    const INTERVALS: usize = 60;
    let clock = Clock::manual();
    let functions: Vec<_> = (0..FUNCTIONS)
        .map(|number| function(number, &clock))
        .collect();
    let mut publisher = Publisher::new(InstanceId(7), 0, INTERVAL);
    let mut bytes = 0;
    for interval in 0..INTERVALS {
        for (number, metrics) in functions.iter().enumerate() {
            if (number * 7 + interval).is_multiple_of(share) {
                (0..40).for_each(|call| one_call(metrics, &clock, number * 31 + call * 17, call));
            }
        }
        clock.advance(INTERVAL);
        let figures = InstanceFigures::of(functions.iter().copied());
        let (_, published) = publisher.publish(&figures, INTERVAL);
        publisher.confirm();
        bytes += published.len();
    }
    bytes / INTERVALS
}

/// Where each function is called in each interval, what is new alone takes more than where few are.
#[test]
fn an_interval_publishes_few_kilobytes() {
    for (share, kilobytes) in [(1, 32), (5, 18), (20, 8)] {
        let bytes = mean_bytes(share);
        assert!(bytes <= kilobytes << 10, "{bytes} bytes of 1 in {share}");
    }
}

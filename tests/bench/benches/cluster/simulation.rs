//! Instances of 200 functions, recorded once and told by many: bytes published, and time to merge them.

use std::time::{Duration, Instant};

use cachier_metrics::{
    CacheMetrics, Clock, Cluster, ClusterFigures, ComputeResult, Form, Gauges, Holding,
    InstanceFigures, InstanceId, MetricsOptions, Operation, Outcome, Publisher, Reason, Sampled,
    Shared,
};

pub(crate) const FUNCTIONS: usize = 200;
pub(crate) const INTERVAL: Duration = Duration::from_secs(10);

/// The figures of one instance after each interval.
pub(crate) struct Recorded(Vec<InstanceFigures>);

/// What publishing took.
#[derive(Debug, Default)]
pub(crate) struct Published {
    pub(crate) publications: usize,
    pub(crate) bytes: usize,
    pub(crate) largest_change: usize,
    pub(crate) largest_full: usize,
}

/// What merging took.
pub(crate) struct Merged {
    pub(crate) instances: usize,
    pub(crate) hits: u64,
    pub(crate) took: Duration,
    /// The longest time without a point at which others may go on.
    pub(crate) longest_piece: Duration,
}

impl Recorded {
    /// Records `intervals` in which one function in `share` is called, on a store, with hits and misses.
    pub(crate) fn of(intervals: usize, share: usize) -> Self {
        let clock = Clock::manual();
        let functions: Vec<_> = (0..FUNCTIONS)
            .map(|number| function(number, &clock))
            .collect();
        let record = |interval: usize| {
            for (number, metrics) in functions.iter().enumerate() {
                if (number * 7 + interval).is_multiple_of(share) {
                    (0..40).for_each(|call| one_call(metrics, &clock, number, call));
                }
            }
            clock.advance(INTERVAL);
            InstanceFigures::of(functions.iter().copied())
        };
        Self((0..intervals).map(record).collect())
    }

    /// Publishes all of it, and counts.
    pub(crate) fn publish(&self) -> Published {
        let mut publisher = Publisher::new(InstanceId::random(), 0, INTERVAL);
        let mut published = Published::default();
        for figures in &self.0 {
            let (form, bytes) = publisher.publish(figures, INTERVAL);
            publisher.confirm();
            published.publications += 1;
            published.bytes += bytes.len();
            let largest = match form {
                Form::Full => &mut published.largest_full,
                Form::Change => &mut published.largest_change,
            };
            *largest = bytes.len().max(*largest);
        }
        published
    }

    /// What is stored of an instance that has published all of it: its last full publication, and the change since.
    pub(crate) fn stored(&self, id: u128) -> Vec<Vec<u8>> {
        let mut publisher = Publisher::new(InstanceId(id), 0, INTERVAL);
        let latest = &self.0[self.0.len() - 2..];
        let publish = |figures: &InstanceFigures| {
            let (_, bytes) = publisher.publish(figures, INTERVAL);
            publisher.confirm();
            bytes
        };
        latest.iter().map(publish).collect()
    }

    /// Merges so many instances, in pieces of a few.
    pub(crate) fn merge(&self, instances: usize, piece: usize) -> Merged {
        let mut all = ClusterFigures::default();
        let mut merged = Merged {
            instances: 0,
            hits: 0,
            took: Duration::ZERO,
            longest_piece: Duration::ZERO,
        };
        while merged.instances < instances {
            let ids = merged.instances..merged.instances + piece;
            let stored: Vec<_> = ids.flat_map(|id| self.stored(id as u128)).collect();
            let begun = Instant::now();
            let mut cluster = Cluster::default();
            for bytes in &stored {
                cluster.add(bytes, 0).expect("it was just written");
            }
            let part = cluster.merge(0);
            for ((function, backend), figures) in &part.figures.functions {
                all.figures.add(function, backend, figures);
            }
            let took = begun.elapsed();
            merged.took += took;
            merged.longest_piece = merged.longest_piece.max(took);
            merged.instances += piece;
        }
        let functions = all.figures.functions.values();
        merged.hits = functions
            .map(|figures| figures.snapshot.calls[Outcome::Hit])
            .sum();
        merged
    }
}

fn function(number: usize, clock: &Clock) -> &'static CacheMetrics {
    let name = format!("shop::catalogue::function_{number}");
    let options = MetricsOptions::new(name.clone(), "redis").clock(clock.clone());
    let metrics = CacheMetrics::create(options.unlisted());
    metrics.set_gauges(Box::new(move || {
        let mut gauges = Gauges::default();
        let held = Shared::new(Holding::new(Some(number as u64), Some(1000)), None);
        gauges
            .shared
            .insert(format!("redis.internal:6379/default/{name}"), held);
        gauges
    }));
    metrics
}

/// Nine hits of ten calls, of different durations; the tenth computes and stores.
fn one_call(metrics: &'static CacheMetrics, clock: &Clock, function: usize, call: usize) {
    let started = metrics.start_call(Some(Sampled::ONE), None);
    let nanos =
        |base: usize| Duration::from_nanos((base * (1 + (function * 31 + call * 17) % 90)) as u64);
    let load = metrics.start_operation(Operation::Load, Some(Sampled::ONE));
    clock.advance(nanos(2_000));
    drop(load);
    if call % 10 > 0 {
        started.finish(Outcome::Hit, Some(5_000_000), Some(60_000_000_000));
        return;
    }
    let compute = metrics.start_compute(Reason::Absent);
    clock.advance(nanos(300_000));
    compute.finish(ComputeResult::Value);
    started.stored(900 + call as u64);
    started.finish(Outcome::Miss, None, None);
}

//! Seeded trials of sampling, from sampler to estimate: its effect on the figures.

use std::time::Duration;

use crate::block::{Block, Blocks};
use crate::counter::Writers;
use crate::distribution::Distribution;
use crate::histogram::{Histogram, LiveHistogram, SECONDS};
use crate::sampling::{Sampler, SamplingRate, mixed, next_draw, unit};

/// Durations in nanoseconds, over several orders of magnitude.
fn durations(count: usize) -> Vec<u64> {
    let mut draw = 42;
    let mut uniform = || {
        draw = next_draw(draw);
        unit(mixed(draw))
    };
    let mut normal = || (-2.0 * uniform().ln()).sqrt() * (std::f64::consts::TAU * uniform()).cos();
    (0..count)
        .map(|_| (1e6 * (1.5 * normal()).exp()) as u64)
        .collect()
}

/// Records these calls with sampling, at a rate and with a seed.
type Observe = fn(&[u64], f64, u64) -> Histogram;

/// Calls off the hit path, which are sampled one by one.
fn observe(calls: &[u64], rate: f64, seed: u64) -> Histogram {
    let sampler = Sampler::new(SamplingRate::new(rate));
    let histogram = LiveHistogram::new(&SECONDS);
    let mut draw = seed;
    for call in calls {
        draw = next_draw(draw);
        if sampler.threshold().admits(draw) {
            let weight = sampler.weigh(draw).weight();
            histogram.record(*call, weight, Writers::One);
        }
    }
    histogram.read()
}

/// Hits, for which the gap to the next timed one is drawn in advance.
fn observe_hits(hits: &[u64], rate: f64, seed: u64) -> Histogram {
    let blocks = Box::leak(Box::new(Blocks::new(SamplingRate::new(rate))));
    let block = Block::new(blocks, Writers::One, seed);
    for hit in hits {
        if block.times_hit() {
            block.record(*hit, 0, None, Writers::One);
        }
        block.hits.add(1, Writers::One);
    }
    assert_eq!(block.hits.get(), hits.len() as u64);
    block.latency.read()
}

fn quantile(calls: &[u64], q: f64) -> u64 {
    let mut sorted = calls.to_vec();
    sorted.sort_unstable();
    sorted[(q * calls.len() as f64).ceil().max(1.0) as usize - 1]
}

#[test]
fn sampled_counts_and_sums_are_unbiased() {
    assert_all_unbiased(observe);
}

#[test]
fn counts_and_sums_of_timed_hits_are_unbiased() {
    assert_all_unbiased(observe_hits);
}

fn assert_all_unbiased(observe: Observe) {
    let calls = durations(5000);
    let values: Vec<f64> = calls.iter().map(|call| *call as f64).collect();
    for rate in [0.03, 0.1, 0.4, 0.9, 1.0] {
        let observed: Vec<_> = (0..TRIALS)
            .map(|seed| observe(&calls, rate, seed * 1_000_003))
            .collect();
        let counts = observed.iter().map(|histogram| histogram.count() as f64);
        assert_unbiased(counts, &vec![1.0; calls.len()], rate);
        assert_unbiased(
            observed.iter().map(|histogram| histogram.sum as f64),
            &values,
            rate,
        );
    }
}

const TRIALS: u64 = 400;

/// The mean of the estimated totals is within four standard errors of the true total.
fn assert_unbiased(estimates: impl Iterator<Item = f64>, values: &[f64], rate: f64) {
    let weight = 1.0 / rate;
    let rounding = weight.fract() * (1.0 - weight.fract());
    let variance = rate * (weight * weight + rounding) - 1.0;
    let squares: f64 = values.iter().map(|value| value * value).sum();
    let standard_error = (variance.max(0.0) * squares / TRIALS as f64).sqrt();
    let (total, mean) = (
        values.iter().sum::<f64>(),
        estimates.sum::<f64>() / TRIALS as f64,
    );
    let limit = 4.0 * standard_error + 1e-9 * total;
    assert!(
        (mean - total).abs() < limit,
        "at rate {rate}: {mean} of {total}"
    );
}

#[test]
fn the_interval_holds_its_promise() {
    assert_covered(observe);
}

#[test]
fn the_interval_of_timed_hits_holds_the_quantile() {
    assert_covered(observe_hits);
}

fn assert_covered(observe: Observe) {
    let cases = [
        (0.1, 0.5, 3000),
        (0.1, 0.9, 6000),
        (0.5, 0.5, 600),
        (0.9, 0.5, 3000),
        (0.05, 0.99, 20_000),
    ];
    for (rate, q, count) in cases {
        let calls = durations(count);
        let exact = Duration::from_nanos(quantile(&calls, q));
        let trials = 2000;
        let held = |seed: &u64| {
            let distribution =
                Distribution::<Duration>::of(observe(&calls, rate, seed * 1_000_003));
            distribution
                .interval(q)
                .is_some_and(|(lower, upper)| (lower..=upper).contains(&exact))
        };
        let share = (0..trials).filter(held).count() as f64 / trials as f64;
        assert!(
            (0.93..=0.97).contains(&share),
            "rate {rate}, q {q}: {share}"
        );
    }
}

#[test]
fn without_sampling_the_interval_is_the_bucket() {
    let calls = durations(500);
    let distribution = Distribution::<Duration>::of(observe(&calls, 1.0, 1));
    for q in [0.0, 0.1, 0.5, 0.99, 1.0] {
        let exact = Duration::from_nanos(quantile(&calls, q));
        let interval = distribution.interval(q);
        let holds = interval.is_some_and(|(lower, upper)| {
            (lower..=upper).contains(&exact) && upper.as_secs_f64() < lower.as_secs_f64() * 1.0443
        });
        assert!(holds, "{exact:?} and {interval:?}");
    }
}

#[test]
fn too_few_samples_give_no_interval() {
    let distribution = Distribution::<Duration>::of(observe(&durations(1000), 0.05, 3));
    assert!(distribution.interval(0.5).is_some());
    assert_eq!(distribution.interval(0.99), None);
    assert_eq!(distribution.interval(0.01), None);
    assert_eq!(distribution.interval(1.5), None);
    // The extremes of unsampled calls are unknown.
    assert_eq!(
        (distribution.interval(0.0), distribution.interval(1.0)),
        (None, None)
    );
    assert_eq!(
        Distribution::<Duration>::of(Histogram::default()).interval(0.5),
        None
    );
}

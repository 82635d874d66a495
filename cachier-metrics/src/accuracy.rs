//! Seeded trials of sampling, from sampler to estimate: its effect on the figures.

use std::time::Duration;

use crate::block::{Block, Blocks};
use crate::counter::Writers;
use crate::distribution::Distribution;
use crate::histogram::{Histogram, LiveHistogram, SECONDS};
use crate::sampling::{SamplingRate, Strata, mixed, next_draw, unit};
use crate::schedule::Schedule;

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
type Observe = fn(&[u64], SamplingRate, u64) -> Histogram;

/// Calls off the hit path.
fn observe(calls: &[u64], rate: SamplingRate, seed: u64) -> Histogram {
    let schedule = Schedule::new(Strata::of_others(rate), seed);
    let histogram = LiveHistogram::new(&SECONDS);
    for (number, call) in (0..).zip(calls) {
        if schedule.is_due(number) {
            histogram.record(*call, schedule.advance(0).weight(), Writers::One);
        }
    }
    histogram.read()
}

/// Hits, one right after the other.
fn observe_hits(hits: &[u64], rate: SamplingRate, seed: u64) -> Histogram {
    let blocks = Box::leak(Box::new(Blocks::new(rate)));
    let block = Block::new(blocks, Writers::One, seed);
    let histogram = LiveHistogram::new(&SECONDS);
    let mut now = 0;
    for hit in hits {
        now += hit;
        if block.times_hit() {
            let weight = block.timed_hits.advance(now).weight();
            histogram.record(*hit, weight, Writers::One);
        }
        block.hits.add(1, Writers::One);
    }
    assert_eq!(block.hits.get(), hits.len() as u64);
    histogram.read()
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
            .map(|seed| observe(&calls, SamplingRate::new(rate), seed * 1_000_003))
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
        let rate = SamplingRate::new(rate);
        let share = covered(observe, &durations(count), rate, q);
        assert!(
            (0.93..=0.97).contains(&share),
            "rate {rate:?}, q {q}: {share}"
        );
    }
}

/// The share of trials in which the interval holds the true quantile.
fn covered(observe: Observe, calls: &[u64], rate: SamplingRate, q: f64) -> f64 {
    const TRIALS: u64 = 2000;
    let exact = Duration::from_nanos(quantile(calls, q));
    let held = |seed: &u64| {
        let observed = observe(calls, rate, seed * 1_000_003);
        let distribution = Distribution::<Duration>::of(observed);
        distribution
            .interval(q)
            .is_some_and(|(lower, upper)| (lower..=upper).contains(&exact))
    };
    (0..TRIALS).filter(held).count() as f64 / TRIALS as f64
}

/// Calls that get slower all the time, and calls of which each tenth is slow, as long as a stratum is.
#[test]
fn trends_and_periods_keep_the_interval() {
    let mut rising = durations(3000);
    rising.sort_unstable();
    let periodic = |number: u64| if number.is_multiple_of(10) { 90 } else { 3 } * 1_000_000;
    let periodic: Vec<u64> = (0..3000)
        .map(|number| periodic(number) + number * 100)
        .collect();
    for calls in [rising, periodic] {
        for observe in [observe as Observe, observe_hits] {
            for (rate, q) in [(0.1, 0.5), (0.1, 0.95), (0.3, 0.5)] {
                let share = covered(observe, &calls, SamplingRate::new(rate), q);
                assert!(share >= 0.93, "rate {rate}, q {q}: {share}");
            }
        }
    }
}

#[test]
fn adaptive_sampling_keeps_count_and_interval() {
    // Bursts of hits within 20 to 200 ns, and pauses.
    let hits: Vec<u64> = (0..20_000)
        .map(|number| match number % 5_000 {
            0 => 50_000_000,
            place => 20 + mixed(place) % 180,
        })
        .collect();
    for seed in 0..20 {
        let observed = observe_hits(&hits, SamplingRate::AUTO, seed * 1_000_003);
        // All but the last stratum are whole.
        assert!(observed.count().abs_diff(20_000) < 512);
        assert!((30..400).contains(&observed.samples), "{observed:?}");
    }
    let share = covered(observe_hits, &hits, SamplingRate::AUTO, 0.5);
    assert!(share >= 0.93, "{share}");
}

#[test]
fn without_sampling_the_interval_is_the_bucket() {
    let calls = durations(500);
    let distribution = Distribution::<Duration>::of(observe(&calls, SamplingRate::ALL, 1));
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
    let distribution =
        Distribution::<Duration>::of(observe(&durations(1000), SamplingRate::new(0.05), 3));
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

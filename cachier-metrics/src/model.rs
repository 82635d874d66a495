//! Model checking: random schedules of counting threads, readers and the ticker. Run with `RUSTFLAGS="--cfg shuttle"
//! cargo test -p cachier-metrics --lib model`.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::thread;

use crate::block::Blocks;
use crate::counter::Writers;
use crate::labels::{NearResult, Outcome};
use crate::local::Local;
use crate::metrics::CacheMetrics;
use crate::options::MetricsOptions;
use crate::ring::{Ring, Room};
use crate::sampling::{Sampled, SamplingRate};
use crate::snapshot::Snapshot;
use crate::sync::{AtomicU64, Mutex, lock};
use crate::timed_hits::{TimedHit, TimedHits, Weighted};
use crate::{Clock, Stats};

const SCHEDULES: usize = 500;
const HITS: u64 = 3;

/// Runs `check` under many random schedules. Blocks are built on the stack, which must be large.
fn explore(check: impl Fn() + Send + Sync + 'static) {
    explore_by(RandomScheduler::new(SCHEDULES), check);
}

fn explore_by(scheduler: impl Scheduler + 'static, check: impl Fn() + Send + Sync + 'static) {
    let mut config = shuttle::Config::new();
    config.stack_size = 4 << 20;
    shuttle::Runner::new(scheduler, config).run(check);
}

fn count_hits(blocks: &'static Blocks) {
    let block = blocks.acquire();
    (0..HITS).for_each(|_| Local::of(block, Writers::One).hit());
    blocks.release(block);
}

fn total(blocks: &Blocks) -> u64 {
    read(blocks).calls[Outcome::Hit]
}

fn read(blocks: &Blocks) -> Snapshot {
    let mut snapshot = Snapshot::default();
    blocks.add_to(&mut snapshot);
    snapshot
}

const HIT: TimedHit = TimedHit {
    started: 90,
    ended: 100,
    computed: 80,
    compute: 50,
};

#[test]
fn a_block_keeps_its_counts_across_threads() {
    let check = || {
        let blocks: &'static Blocks = Box::leak(Box::new(Blocks::new(SamplingRate::NONE)));
        let writers = [(); 3].map(|()| thread::spawn(move || count_hits(blocks)));
        let reader = thread::spawn(move || {
            let (first, second) = (total(blocks), total(blocks));
            assert!(first <= second, "a counter fell from {first} to {second}");
        });
        writers
            .into_iter()
            .for_each(|writer| writer.join().unwrap());
        reader.join().unwrap();
        assert_eq!(total(blocks), 3 * HITS);
    };
    explore(check);
}

/// The timed hits of a thread, which ends after them.
fn time_hits(blocks: &'static Blocks) {
    let block = blocks.acquire();
    (0..HITS).for_each(|_| Local::of(block, Writers::One).timed_hit(HIT));
    blocks.release(block);
}

/// How many hits each of the figures shows.
fn timed(snapshot: &Snapshot) -> [u64; 4] {
    let (latency, age) = (&snapshot.call_duration[Outcome::Hit], &snapshot.entry_age);
    let saved = snapshot.time_saved.unwrap_or(0) / 40;
    [latency.count(), latency.samples, age.count(), saved as u64]
}

#[test]
fn timed_hits_pass_to_the_function_unnoticed() {
    let check = || {
        let metrics = metrics_at(SamplingRate::ALL, &Clock::manual());
        let writers = [(); 3].map(|()| thread::spawn(move || time_hits(&metrics.blocks)));
        let reader = thread::spawn(move || {
            let [first, second] = [(); 2].map(|()| timed(&metrics.snapshot()));
            for (first, second) in first.into_iter().zip(second) {
                assert!(first <= second, "a count fell from {first} to {second}");
                assert!(second <= 3 * HITS, "a hit was read twice");
            }
        });
        writers
            .into_iter()
            .for_each(|writer| writer.join().unwrap());
        reader.join().unwrap();
        assert_eq!(timed(&metrics.snapshot()), [3 * HITS; 4]);
    };
    explore(check);
    // Few switches: a thread must add its hits between two steps of the reader.
    explore_by(PctScheduler::new(3, 2 * SCHEDULES), check);
}

#[test]
#[should_panic = "a hit was read twice"]
fn the_checker_notices_misordered_hit_reads() {
    let check = || {
        let (ring, timed) = &*Box::leak(Box::new((Ring::new(), TimedHits::new())));
        let put = move || {
            ring.put(Weighted {
                hit: HIT,
                weight: 1,
            })
        };
        assert_eq!(put(), Room::Left);
        let writer = thread::spawn(move || {
            assert_eq!(put(), Room::None);
            ring.drain(|hits| timed.add(hits, &AtomicU64::new(0)));
        });
        let waiting = ring.waiting().hits.len() as u64;
        thread::yield_now();
        let mut snapshot = Snapshot::default();
        timed.read().add_to(&mut snapshot);
        let added = snapshot.call_duration[Outcome::Hit].samples;
        assert!(waiting + added <= 2, "a hit was read twice");
        writer.join().unwrap();
    };
    explore_by(PctScheduler::new(2, SCHEDULES), check);
}

#[test]
#[should_panic = "counts were lost"]
fn the_checker_notices_a_block_released_early() {
    let check = || {
        let blocks: &'static Blocks = Box::leak(Box::new(Blocks::new(SamplingRate::NONE)));
        let count_after_release = move || {
            let block = blocks.acquire();
            blocks.release(block);
            (0..HITS).for_each(|_| Local::of(block, Writers::One).hit());
        };
        let writers = [(); 2].map(|()| thread::spawn(count_after_release));
        writers
            .into_iter()
            .for_each(|writer| writer.join().unwrap());
        assert!(total(blocks) == 2 * HITS, "counts were lost");
    };
    explore(check);
}

fn metrics(clock: &Clock) -> &'static CacheMetrics {
    metrics_at(SamplingRate::AUTO, clock)
}

fn metrics_at(sampling: SamplingRate, clock: &Clock) -> &'static CacheMetrics {
    CacheMetrics::create(
        MetricsOptions::new("checked", "memory")
            .sampling(sampling)
            .clock(clock.clone())
            .unlisted(),
    )
}

#[test]
fn windows_conserve_counts_under_concurrency() {
    let check = || {
        let clock = Clock::manual();
        let metrics = metrics(&clock);
        let hits = thread::spawn(move || {
            let block = metrics.blocks.acquire();
            (0..HITS).for_each(|_| Local::of(block, Writers::One).hit());
        });
        let misses = thread::spawn(move || {
            metrics.near_lookup(NearResult::Miss);
            metrics
                .start_call(None, None)
                .finish(Outcome::Miss, None, None);
        });
        let ticker = thread::spawn(move || {
            let mut seen = 0;
            for _ in 0..3 {
                clock.advance(Duration::from_secs(1));
                metrics.tick();
                // The last second and what came before make up the whole.
                let (whole, last) = (metrics.stats(), metrics.stats_over(Duration::from_secs(1)));
                assert!(whole.calls >= seen && last.calls >= whole.calls - seen);
                seen = whole.calls;
            }
        });
        [hits, misses, ticker]
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
        let all = Stats::from(&metrics.snapshot());
        assert_eq!((all.hits, all.misses), (HITS, 1));
        assert_eq!(metrics.stats_over(Duration::from_secs(60)).calls, HITS + 1);
    };
    explore(check);
}

#[test]
fn an_ended_call_is_recorded_completely() {
    let check = || {
        let clock = Clock::manual();
        let metrics = metrics(&clock);
        let caller = thread::spawn(move || {
            let call = metrics.start_call(Some(Sampled::ONE), None);
            call.finish(Outcome::Hit, Some(1), Some(1_000_000_000));
        });
        let reader = thread::spawn(move || metrics.tick());
        [caller, reader]
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
        let stats = metrics.stats();
        assert_eq!(stats.latency.count(), Some(1));
        assert_eq!(stats.time_saved, Some(Duration::from_secs(1)));
    };
    // Few context switches at rare places: the whole reader must run between two steps of the caller.
    explore_by(PctScheduler::new(2, 2 * SCHEDULES), check);
}

/// A broken variant: the first writer of a new second claims and clears a slot.
#[derive(Default)]
struct SlotClearedInPlace {
    second: AtomicU64,
    count: AtomicU64,
    cleared: Mutex<u64>,
}

impl SlotClearedInPlace {
    fn hit(&self, second: u64) {
        if self.second.swap(second, SeqCst) != second {
            *lock(&self.cleared) += self.count.load(SeqCst);
            self.count.store(0, SeqCst);
        }
        self.count.fetch_add(1, SeqCst);
    }
}

#[test]
#[should_panic = "counts were lost"]
fn the_checker_notices_slots_cleared_in_place() {
    let check = || {
        let slot = Arc::new(SlotClearedInPlace::default());
        let writers = [1, 1, 2].map(|second| {
            let slot = Arc::clone(&slot);
            thread::spawn(move || slot.hit(second))
        });
        writers
            .into_iter()
            .for_each(|writer| writer.join().unwrap());
        let counted = *lock(&slot.cleared) + slot.count.load(SeqCst);
        assert!(counted == 3, "counts were lost");
    };
    explore(check);
}

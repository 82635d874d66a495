//! Per-thread counts of a function's hits, in blocks that are passed from thread to thread.
//!
//! A block has a single writer, so counting is a load and a store. When its thread ends, the block returns to the
//! function's free list with its counts and its latest timed hits, and the next thread continues in it. Readers sum all
//! blocks.

use std::hash::{BuildHasher, RandomState};

use once_cell::race::OnceRef;

use crate::append_list::AppendList;
use crate::counter::{Counter, Writers};
#[cfg(feature = "prometheus")]
use crate::exemplars::Exemplars;
use crate::labels::{NearResult, Outcome};
use crate::per_process::{PerProcess, copied};
use crate::ring::{Ring, Room};
use crate::sampling::{SamplingRate, Strata, mixed};
use crate::schedule::Schedule;
use crate::snapshot::Snapshot;
use crate::sync::{AtomicU64, Mutex, MutexGuard, lock};
use crate::timed_hits::{TimedHits, TimedTotals, Weighted};

/// The counts of one thread, 1.6 KB.
#[repr(C, align(128))]
pub(crate) struct Block {
    pub(crate) hits: Counter,
    pub(crate) timed_hits: Schedule,
    owner: &'static Blocks,
    pub(crate) near_hits: Counter,
    /// Calls that were no hits on the fast path, if some of them are sampled.
    pub(crate) others: Counter,
    pub(crate) sampled_others: Schedule,
    latest: Ring,
    /// The part of the function's timed hits that this thread adds to.
    part: AtomicU64,
}

/// All blocks of one function.
pub(crate) struct Blocks {
    rate: SamplingRate,
    all: AppendList<&'static Block>,
    /// Blocks that ended threads have left.
    free: PerProcess<Mutex<Vec<&'static Block>>>,
    /// For threads whose thread-locals are already destroyed.
    shared: OnceRef<'static, Block>,
    timed: TimedHits,
    #[cfg(feature = "prometheus")]
    pub(crate) exemplars: Exemplars,
}

/// The timed hits that a reader found.
struct TimedRead {
    totals: TimedTotals,
    /// Whether none was being added meanwhile, and may be missing.
    is_complete: bool,
}

/// How often a reader looks at most, as long as timed hits are added meanwhile.
const MAX_LOOKS: usize = if cfg!(shuttle) { 2 } else { 8 };

impl Blocks {
    pub(crate) fn new(rate: SamplingRate) -> Self {
        Self {
            rate,
            all: AppendList::new(),
            free: PerProcess::new(),
            shared: OnceRef::new(),
            timed: TimedHits::new(),
            #[cfg(feature = "prometheus")]
            exemplars: Exemplars::default(),
        }
    }

    /// A block without another writer: one left by an ended thread, or a new one.
    pub(crate) fn acquire(&'static self) -> &'static Block {
        let left = self.free().pop();
        left.unwrap_or_else(|| self.create(Writers::One))
    }

    /// Leaves a block with its counts to the next thread.
    pub(crate) fn release(&self, block: &'static Block) {
        self.free().push(block);
    }

    /// The block that any number of threads may write, atomically.
    pub(crate) fn shared(&'static self) -> &'static Block {
        self.shared.get_or_init(|| self.create(Writers::Many))
    }

    /// Increases with every change.
    pub(crate) fn activity(&self) -> u64 {
        let counted = self.all.iter().map(|block| block.activity());
        let counted = counted.fold(0, u64::wrapping_add);
        counted.wrapping_add(self.timed.shared_activity())
    }

    /// Adds everything counted so far. While threads are adding their timed hits, some of these may be missing that were
    /// there before.
    pub(crate) fn add_to(&self, snapshot: &mut Snapshot) {
        let blocks: Vec<&Block> = self.all.iter().copied().collect();
        let total = |read: fn(&Block) -> u64| blocks.iter().map(|block| read(block)).sum::<u64>();
        snapshot.calls[Outcome::Hit] += total(|block| block.hits.get());
        snapshot.near_lookups[NearResult::Hit] += total(|block| block.near_hits.get());
        let mut looks = (1..MAX_LOOKS).map(|_| self.read_timed(&blocks));
        let complete = looks.find(|timed| timed.is_complete);
        let timed = complete.unwrap_or_else(|| self.read_timed(&blocks));
        timed.totals.add_to(snapshot);
    }

    fn read_timed(&self, blocks: &[&Block]) -> TimedRead {
        // The added hits first, then the waiting ones, so that none is read twice.
        let added: Vec<u64> = blocks.iter().map(|block| block.latest.added()).collect();
        let mut totals = self.timed.read();
        let waiting = blocks.iter().map(|block| block.latest.waiting());
        let (taken, hits): (Vec<u64>, Vec<_>) =
            waiting.map(|found| (found.taken, found.hits)).unzip();
        totals.add_waiting(&hits.concat());
        TimedRead {
            totals,
            is_complete: added == taken,
        }
    }

    /// Empty in a child process that was forked while another thread held the lock.
    fn free(&self) -> MutexGuard<'_, Vec<&'static Block>> {
        lock(self.free.get(copied))
    }

    fn create(&'static self, writers: Writers) -> &'static Block {
        let seed = RandomState::new().hash_one(0_u64);
        let block: &'static Block = Box::leak(Box::new(Block::new(self, writers, seed)));
        self.all.add(block, |one, other| std::ptr::eq(*one, *other));
        block
    }
}

impl Block {
    pub(crate) fn new(owner: &'static Blocks, writers: Writers, seed: u64) -> Self {
        // Drawing needs a single writer: the shared block times all calls or none.
        let schedule = |strata, seed| match (strata, writers) {
            (Strata::Single, _) | (_, Writers::One) => Schedule::new(strata, seed),
            (_, Writers::Many) => Schedule::new(Strata::None, seed),
        };
        Self {
            hits: Counter::default(),
            timed_hits: schedule(Strata::of_hits(owner.rate), seed),
            owner,
            near_hits: Counter::default(),
            others: Counter::default(),
            sampled_others: schedule(Strata::of_others(owner.rate), mixed(seed)),
            latest: Ring::new(),
            part: AtomicU64::new(0),
        }
    }

    pub(crate) fn owner(&self) -> &'static Blocks {
        self.owner
    }

    pub(crate) fn owned_by(&self, blocks: &Blocks) -> bool {
        std::ptr::eq(self.owner, blocks)
    }

    /// Whether the next hit is timed.
    #[inline]
    pub(crate) fn times_hit(&self) -> bool {
        self.timed_hits.is_due(self.hits.get())
    }

    /// Records a timed hit. By the thread that counts in this block.
    #[inline]
    pub(crate) fn record(&self, hit: Weighted) {
        if self.latest.put(hit) == Room::None {
            self.add_latest();
        }
    }

    /// Keeps an exemplar of a timed hit if the program wants some.
    #[cfg(feature = "prometheus")]
    #[inline]
    pub(crate) fn take_exemplar(&self, nanos: u64) {
        self.owner.exemplars.take(Outcome::Hit, nanos);
    }

    /// Records a timed hit in the block of any number of threads.
    #[cold]
    pub(crate) fn record_shared(&self, hit: Weighted) {
        self.owner.timed.add_shared(&[hit]);
    }

    #[cold]
    #[inline(never)]
    fn add_latest(&self) {
        self.latest
            .drain(|hits| self.owner.timed.add(hits, &self.part));
    }

    /// Increases with every change.
    fn activity(&self) -> u64 {
        let counted = self.hits.get().wrapping_add(self.near_hits.get());
        counted.wrapping_add(self.latest.activity())
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::cell::RefCell;
    use std::thread;

    use super::*;
    use crate::metrics::CacheMetrics;
    use crate::options::MetricsOptions;
    use crate::slot::LocalSlot;
    use crate::timed_hits::TimedHit;

    thread_local! {
        static SLOT: LocalSlot = const { LocalSlot::new() };
        static OTHER: LocalSlot = const { LocalSlot::new() };
        static LAST: RefCell<Option<AtTheEnd>> = const { RefCell::new(None) };
    }

    fn metrics(sampling: SamplingRate) -> &'static CacheMetrics {
        let options = MetricsOptions::new("blocks", "memory");
        CacheMetrics::create(options.sampling(sampling).unlisted())
    }

    fn hits(metrics: &CacheMetrics) -> u64 {
        metrics.snapshot().calls[Outcome::Hit]
    }

    #[test]
    fn hits_being_added_are_looked_for_again() {
        let metrics = metrics(SamplingRate::ALL);
        metrics.local(&SLOT).hit();
        let hit = TimedHit {
            started: 0,
            ended: 1,
            computed: 0,
            compute: 2,
        };
        for block in metrics.blocks.all.iter() {
            block.record(Weighted { hit, weight: 1 });
            block.latest.drain(|_| assert_eq!(hits(metrics), 1));
        }
    }

    #[test]
    fn consecutive_threads_count_in_one_block() {
        let metrics = metrics(SamplingRate::ALL);
        for _ in 0..10 {
            thread::spawn(|| (0..100).for_each(|_| metrics.local(&SLOT).hit()))
                .join()
                .unwrap();
        }
        assert_eq!(metrics.blocks.all.iter().count(), 1);
        assert_eq!(hits(metrics), 1000);
    }

    #[test]
    fn timed_hits_outlive_their_threads() {
        let metrics = metrics(SamplingRate::ALL);
        let call = move || {
            for _ in 0..100 {
                metrics.local(&SLOT).timed_hit(HIT);
                metrics.local(&SLOT).hit();
            }
        };
        for round in 1..=3 {
            let crowd = [(); 8].map(|()| thread::spawn(call));
            crowd.into_iter().for_each(|thread| thread.join().unwrap());
            let snapshot = metrics.snapshot();
            assert_eq!(snapshot.calls[Outcome::Hit], round * 800);
            let latency = &snapshot.call_duration[Outcome::Hit];
            assert_eq!(
                (latency.count(), latency.samples),
                (round * 800, round * 800)
            );
            assert_eq!((latency.min, latency.max), (10, 10));
            assert_eq!(snapshot.entry_age.sum, u128::from(round) * 16_000);
            assert_eq!(snapshot.time_saved, Some(u128::from(round) * 32_000));
        }
        assert!(metrics.blocks.all.iter().count() <= 8);
    }

    #[test]
    fn timed_hits_outlive_a_panic() {
        let metrics = metrics(SamplingRate::ALL);
        let call = move || {
            (0..40).for_each(|_| metrics.local(&SLOT).timed_hit(HIT));
            panic!("on purpose");
        };
        assert!(thread::spawn(call).join().is_err());
        let snapshot = metrics.snapshot();
        assert_eq!(snapshot.call_duration[Outcome::Hit].samples, 40);
    }

    #[test]
    fn a_thread_takes_two_kilobytes() {
        assert!(size_of::<Block>() <= 2048, "{}", size_of::<Block>());
    }

    #[test]
    fn ended_threads_leave_nothing_for_each() {
        let (earlier, metrics) = (metrics(SamplingRate::ALL), metrics(SamplingRate::ALL));
        let call = move || {
            // Sets up what a thread has until it ends.
            earlier.local(&OTHER).hit();
            let taken = allocation_counter::measure(|| {
                for _ in 0..100 {
                    metrics.local(&SLOT).timed_hit(HIT);
                    metrics.local(&SLOT).hit();
                }
            });
            taken.bytes_current
        };
        let threads = (0..1_000).map(|_| thread::spawn(call).join().unwrap());
        let grown: i64 = threads.sum();
        // A block, and a part of the function's timed hits.
        assert!(grown < 20 << 10, "{grown} bytes for threads that are gone");
    }

    #[test]
    fn the_latest_timed_hits_are_read_at_once() {
        let metrics = metrics(SamplingRate::ALL);
        for hits in 1..=100 {
            metrics.local(&SLOT).timed_hit(HIT);
            metrics.local(&SLOT).hit();
            let latency = &metrics.snapshot().call_duration[Outcome::Hit];
            assert_eq!(
                (latency.count(), latency.sum),
                (hits, u128::from(hits) * 10)
            );
        }
    }

    #[test]
    fn a_thread_keeps_its_block() {
        let metrics = metrics(SamplingRate::ALL);
        assert!(metrics.attached(&SLOT).is_none());
        metrics.local(&SLOT).hit();
        assert!(metrics.attached(&SLOT).is_some());
    }

    #[test]
    fn functions_that_share_a_slot_are_counted_apart() {
        let (one, two) = (metrics(SamplingRate::ALL), metrics(SamplingRate::ALL));
        for _ in 0..10 {
            one.local(&SLOT).hit();
            two.local(&SLOT).hit();
            two.local(&OTHER).hit();
            assert!(one.attached(&OTHER).is_none());
        }
        assert_eq!((hits(one), hits(two)), (10, 20));
        assert_eq!(two.blocks.all.iter().count(), 1);
    }

    const HIT: TimedHit = TimedHit {
        started: 90,
        ended: 100,
        computed: 80,
        compute: 50,
    };

    /// A thread-local that calls a cached function when it is dropped.
    struct AtTheEnd(&'static CacheMetrics);

    impl Drop for AtTheEnd {
        fn drop(&mut self) {
            let local = self.0.local(&SLOT);
            if local.times_hit() {
                local.timed_hit(HIT);
            }
            local.hit();
            local.near_hit();
            let times_all = self.0.sampling_rate() == 1.0;
            assert_eq!(local.sample().is_some(), times_all);
        }
    }

    /// Thread-locals are dropped in the reverse order of their first use: `LAST` after `THREAD_BLOCKS`.
    fn call_while_the_thread_ends(metrics: &'static CacheMetrics) {
        let thread = thread::spawn(move || {
            LAST.with(|last| *last.borrow_mut() = Some(AtTheEnd(metrics)));
            metrics.local(&SLOT).hit();
        });
        thread.join().unwrap();
    }

    #[test]
    fn calls_at_thread_exit_are_counted() {
        let metrics = metrics(SamplingRate::ALL);
        (0..3).for_each(|_| call_while_the_thread_ends(metrics));
        assert_eq!(hits(metrics), 6);
        let shared = metrics.blocks.shared.get();
        assert_eq!(shared.map(|block| block.hits.get()), Some(3));
        let snapshot = metrics.snapshot();
        assert_eq!(snapshot.call_duration[Outcome::Hit].count(), 3);
        assert_eq!(snapshot.time_saved, Some(120));
    }

    #[test]
    fn with_sampling_such_a_call_is_not_timed() {
        let metrics = metrics(SamplingRate::new(0.9));
        (0..20).for_each(|_| call_while_the_thread_ends(metrics));
        assert_eq!(hits(metrics), 40);
        assert_eq!(metrics.snapshot().call_duration[Outcome::Hit].count(), 0);
    }

    #[test]
    fn the_share_of_timed_calls_is_the_rate() {
        let metrics = metrics(SamplingRate::new(0.25));
        let (mut hits, mut others) = (0, 0);
        for _ in 0..100_000 {
            let local = metrics.local(&SLOT);
            if local.times_hit() {
                local.timed_hit(HIT);
                hits += 1;
            }
            local.hit();
            // Asking repeatedly before the next hit does not use up what was drawn.
            let _ = local.times_hit();
            others += u32::from(local.sample().is_some());
        }
        assert!((24_000..26_000).contains(&hits), "{hits} of 100000");
        assert!((24_000..26_000).contains(&others), "{others} of 100000");
        let latency = &metrics.snapshot().call_duration[Outcome::Hit];
        assert_eq!(latency.samples, hits);
        assert_eq!(latency.count(), 4 * hits);
    }

    #[test]
    fn at_rate_zero_no_call_is_timed() {
        let metrics = metrics(SamplingRate::NONE);
        for _ in 0..1000 {
            let local = metrics.local(&SLOT);
            assert!(!local.times_hit() && local.sample().is_none());
            local.hit();
        }
        let _ = LocalSlot::default();
    }
}

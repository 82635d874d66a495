//! A thread's handle for counting hits.

use std::marker::PhantomData;

use crate::block::Block;
use crate::counter::Writers;
use crate::sampling::Sampled;
use crate::timed_hits::{TimedHit, Weighted};

/// A handle for counting hits on this thread. Cheap to get; used at once, not stored.
///
/// ```
/// use cachier_metrics::{CacheMetrics, LocalSlot, MetricsOptions};
///
/// thread_local! {
///     static SLOT: LocalSlot = const { LocalSlot::new() };
/// }
///
/// let metrics = CacheMetrics::create(MetricsOptions::new("forecast", "memory"));
/// metrics.local(&SLOT).hit();
/// assert_eq!(metrics.stats().hits, 1);
/// ```
#[derive(Clone, Copy)]
pub struct Local {
    block: &'static Block,
    writers: Writers,
    /// Not `Send`: the block belongs to this thread.
    not_send: PhantomData<*const ()>,
}

impl Local {
    #[inline]
    pub(crate) fn of(block: &'static Block, writers: Writers) -> Self {
        Self {
            block,
            writers,
            not_send: PhantomData,
        }
    }

    /// Whether this call is timed if it turns out to be a hit.
    #[inline]
    pub fn times_hit(self) -> bool {
        self.block.times_hit()
    }

    /// Decides whether to time a call that is not a hit; once per call.
    pub fn sample(self) -> Option<Sampled> {
        let schedule = &self.block.sampled_others;
        let number = self.block.others.get();
        self.block.others.add(1, self.writers);
        // Calls adapt to nothing: their time does not matter.
        schedule.is_due(number).then(|| schedule.advance(0))
    }

    /// Counts a call served with a fresh value.
    #[inline]
    pub fn hit(self) {
        self.block.hits.add(1, self.writers);
    }

    /// Counts a lookup that found a fresh entry in the near tier.
    #[inline]
    pub fn near_hit(self) {
        self.block.near_hits.add(1, self.writers);
    }

    /// Records a timed hit. The call itself is still counted by [`hit`](Self::hit).
    #[inline]
    pub fn timed_hit(self, hit: TimedHit) {
        let weight = self.block.timed_hits.advance(hit.ended).weight();
        #[cfg(feature = "prometheus")]
        self.block.take_exemplar(hit.latency());
        let hit = Weighted { hit, weight };
        match self.writers {
            Writers::One => self.block.record(hit),
            Writers::Many => self.block.record_shared(hit),
        }
    }
}

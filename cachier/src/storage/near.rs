//! A bounded tier in the process, in front of a persistent backend.

use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};

use cachier_backends::memory::{Bounds, Entry, MemoryStore, NewEntry};
use cachier_metrics::RemovalCause;
use equivalent::Equivalent;

use crate::function::Function;

/// What the near tier of one function holds.
pub struct Near<K, V> {
    store: MemoryStore<K, NearValue<V>>,
    /// Counts invalidations, so that a value which was fetched before one is not kept after it.
    epoch: AtomicU64,
}

/// A value and when it was computed; the entry around it counts from when it came near.
#[derive(Clone)]
pub(crate) struct NearValue<V> {
    pub(crate) value: V,
    /// Nanoseconds of the monotonic clock.
    pub(crate) computed: u64,
}

/// The state of the tier when a fetch began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NearEpoch(u64);

impl<K, V> Near<K, V>
where
    K: Eq + Hash + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    pub(crate) fn open(function: &Function) -> Self {
        let bounds = Bounds {
            entries: function.options.near_cache,
            bytes: None,
        };
        Self {
            store: MemoryStore::new(bounds),
            epoch: AtomicU64::new(0),
        }
    }

    #[inline]
    pub(crate) fn get<Q>(
        &self,
        key: &Q,
        fresh: impl FnOnce(u64) -> bool,
    ) -> Option<Entry<NearValue<V>>>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        self.store.get(key, fresh)
    }

    pub(crate) fn epoch(&self) -> NearEpoch {
        NearEpoch(self.epoch.load(Ordering::Acquire))
    }

    /// Keeps a value that was fetched or computed since `epoch`, unless something was invalidated meanwhile.
    pub(crate) fn keep(
        &self,
        function: &Function,
        epoch: NearEpoch,
        key: &K,
        near: NearValue<V>,
        compute_nanos: u64,
    ) {
        let created = near_moment(function, near.computed);
        let entry = NewEntry {
            value: near,
            created,
            compute_nanos,
            bytes: None,
        };
        let inserted = self.store.insert(key.clone(), entry);
        if let Some(metrics) = function.metrics {
            metrics.removed(RemovalCause::Evicted, inserted.evicted);
        }
        if self.epoch() != epoch {
            self.store.remove(key);
        }
    }

    pub(crate) fn forget<Q>(&self, key: &Q)
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        self.epoch.fetch_add(1, Ordering::AcqRel);
        self.store.remove(key);
    }

    pub(crate) fn forget_all(&self) {
        self.epoch.fetch_add(1, Ordering::AcqRel);
        self.store.clear();
    }

    pub(crate) fn entries(&self) -> u64 {
        self.store.entries()
    }
}

/// The moment from which an entry's near age counts, so that one comparison covers both bounds: the value must be
/// younger than `stale_after`, and its copy here younger than `near_stale_after`.
fn near_moment(function: &Function, computed: u64) -> u64 {
    let now = function.world.clock.now();
    let near_for = function.fresh_nanos();
    let usable_until = match function.policy().rules.stale_after {
        Some(stale_after) => computed.saturating_add(crate::timer::nanos(stale_after)),
        None => u64::MAX,
    };
    // Fresh while now - moment <= near_for, that is until moment + near_for.
    now.min(usable_until.saturating_sub(near_for))
}

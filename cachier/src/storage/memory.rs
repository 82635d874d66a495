//! Values in the memory of the process, under typed keys.

use std::hash::Hash;
use std::sync::Once;
use std::time::Duration;

use cachier_backends::memory::{Bounds, DeferDrops, MemoryStore, NewEntry};
use cachier_backends::{Error, Usage};
use cachier_metrics::RemovalCause;

use super::{Claim, Found, Loaded, Stamp, Stored, Tiers};
use crate::drive::Session;
use crate::flight::Recheck;
use crate::function::Function;
use crate::trace;

/// The values of one function.
pub struct Memory<K, V> {
    pub(crate) store: MemoryStore<K, V>,
    /// Whether the program has been told that the store is large.
    warned: Once,
}

/// From so many entries on a store without bounds is worth a warning.
const MANY: u64 = 1_000_000;

impl<K, V> Memory<K, V>
where
    K: Eq + Hash + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    pub(crate) fn open(function: &Function) -> Self {
        let options = &function.options;
        let bounds = Bounds {
            entries: options.capacity,
            bytes: options.capacity_bytes,
        };
        Self {
            store: MemoryStore::new(bounds),
            warned: Once::new(),
        }
    }
}

impl<K, V> Tiers for Memory<K, V>
where
    K: Eq + Hash + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    type Key = K;
    type Value = V;
    /// When the value that was seen was created.
    type Seen = Option<u64>;
    type Lease = ();

    fn now(&self, function: &Function) -> u64 {
        function.world.clock.now()
    }

    fn age(&self, function: &Function, created: u64) -> Duration {
        Duration::from_nanos(self.now(function).saturating_sub(created))
    }

    async fn load(&self, _: &Session<'_>, key: &K) -> Result<Loaded<V, Option<u64>>, Error> {
        let found = self.find(key);
        let seen = found.as_ref().map(|found| found.stamp.created);
        Ok(Loaded { found, seen })
    }

    fn recheck(&self, key: &K, seen: &Option<u64>) -> Recheck {
        let mut recheck = Recheck::Unchanged;
        self.store.get(key, |created| {
            if Some(created) != *seen {
                recheck = Recheck::Stored;
            }
            false
        });
        recheck
    }

    async fn claim(&self, _: &Session<'_>, _: &K, _: &Option<u64>) -> Result<Claim<()>, Error> {
        Ok(Claim::Granted(()))
    }

    async fn release(&self, _: &Session<'_>, (): ()) {}

    async fn store(
        &self,
        _: &Session<'_>,
        _: &K,
        _: &Found<V>,
        _: Option<()>,
    ) -> Result<Stored, Error> {
        Ok(Stored::Done)
    }

    fn insert(&self, function: &Function, key: K, found: Found<V>) {
        let Found {
            value,
            stamp,
            bytes,
        } = found;
        let Stamp {
            created,
            compute_nanos,
        } = stamp;
        let entry = NewEntry {
            value,
            created,
            compute_nanos,
            bytes,
        };
        let inserted = self.store.insert(key, entry);
        if let Some(metrics) = function.metrics {
            metrics.removed(RemovalCause::Evicted, inserted.evicted);
        }
        let options = &function.options;
        let is_bounded = options.capacity.or(options.capacity_bytes).is_some();
        if inserted.entries >= MANY && !is_bounded {
            self.warned
                .call_once(|| trace::memory_is_large(&function.name, inserted.entries));
        }
    }

    fn defer_drops() -> impl Sized {
        DeferDrops::new()
    }

    async fn remove(&self, _: &Session<'_>, key: &K) -> Result<bool, Error> {
        Ok(self.store.remove(key))
    }

    async fn clear(&self, _: &Session<'_>) -> Result<Option<u64>, Error> {
        Ok(Some(self.store.clear()))
    }

    async fn clear_leases(&self, _: &Session<'_>) -> Result<(), Error> {
        Ok(())
    }

    async fn cleanup(&self, session: &Session<'_>, older_than: Duration) -> Result<u64, Error> {
        let now = self.now(session.function());
        let cutoff = now.saturating_sub(crate::timer::nanos(older_than));
        Ok(self.store.remove_older_than(cutoff))
    }

    async fn usage(&self, _: &Session<'_>) -> Result<Usage, Error> {
        Ok(Usage {
            entries: Some(self.store.entries()),
            bytes: self.store.bytes(),
        })
    }
}

impl<K, V> Memory<K, V>
where
    K: Eq + Hash + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    fn find(&self, key: &K) -> Option<Found<V>> {
        let entry = self.store.peek(key)?;
        let stamp = Stamp {
            created: entry.created,
            compute_nanos: entry.compute_nanos,
        };
        Some(Found {
            value: entry.value,
            stamp,
            bytes: None,
        })
    }
}

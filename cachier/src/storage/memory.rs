//! Values in the memory of the process, under typed keys.

use std::hash::Hash;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cachier_backends::memory::{Bounds, DeferDrops, MemoryStore, NewEntry};
use cachier_backends::{Error, Usage};
use cachier_metrics::RemovalCause;
use once_cell::race::OnceBox;

use super::erased::{AnyKey, AnyValue, MemorySize};
use super::since::Times;
use super::{Claim, Found, Loaded, Store, StoreOutcome, Vacated, store::Insertion};
use crate::flight::Recheck;
use crate::function::{Function, OWN_LIMITS_AGE};
use crate::options::AgeLimits;
use crate::session::Session;
use crate::stamp::Stamp;
use crate::timer::nanos;
use crate::trace;

/// The values of one function.
pub struct Memory<K, V> {
    pub(crate) store: MemoryStore<K, V>,
    limits: AgeLimits,
    /// Whether the large store has been reported.
    warned: AtomicBool,
}

/// From this size on, an unbounded store is reported.
const LARGE_STORE_ENTRIES: u64 = 1_000_000;

impl<K, V> Memory<K, V>
where
    K: Eq + Hash + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    pub(crate) fn open(function: &Function) -> Self {
        let options = &function.options;
        let bounds = Bounds::new(options.capacity, options.capacity_bytes);
        Self {
            store: MemoryStore::new(bounds),
            limits: options.age_limits,
            warned: AtomicBool::new(false),
        }
    }

    /// The bytes of an entry, if its value was measured: all that it takes where that is bounded, else its serialized value.
    fn bytes(key: &AnyKey, value: &AnyValue) -> Option<u64> {
        Some(match value.size()? {
            MemorySize::Serialized(bytes) => bytes,
            MemorySize::Heap(heap) => MemoryStore::<K, V>::footprint(key.get(), heap),
        })
    }
}

/// The values of one function, type-erased for the driver.
#[derive(Default)]
pub struct ErasedMemory(OnceBox<&'static dyn ErasedValues>);

impl ErasedMemory {
    /// Connects the values; once, before the first call.
    pub(crate) fn connect(&self, values: &'static dyn ErasedValues) {
        self.0.get_or_init(|| Box::new(values));
    }

    fn values(&self) -> &'static dyn ErasedValues {
        match self.0.get() {
            Some(values) => *values,
            None => unreachable!("a function is connected before its first call"),
        }
    }
}

impl Store for ErasedMemory {
    type Key = AnyKey;
    type Value = AnyValue;
    /// The creation time of the value that was loaded.
    type Seen = Option<u64>;
    type Lease = ();

    fn now(&self, function: &Function) -> u64 {
        function.context.clock.now()
    }

    fn created_at(&self, _: &Function, moment: u64) -> u64 {
        moment
    }

    fn age(&self, function: &Function, created: u64) -> Duration {
        Duration::from_nanos(self.now(function).saturating_sub(created))
    }

    async fn load(
        &self,
        _: &Session<'_>,
        key: &AnyKey,
    ) -> Result<Loaded<AnyValue, Option<u64>>, Error> {
        let found = self.values().find(key);
        let seen = found.as_ref().map(|found| found.stamp.created);
        Ok(Loaded { found, seen })
    }

    fn recheck(&self, key: &AnyKey, seen: &Option<u64>) -> Recheck {
        match self.values().created(key) {
            Some(created) if Some(created) != *seen => Recheck::Stored,
            _ => Recheck::Unchanged,
        }
    }

    async fn claim(
        &self,
        _: &Session<'_>,
        _: &AnyKey,
        _: &Option<u64>,
    ) -> Result<Claim<()>, Error> {
        Ok(Claim::Granted(()))
    }

    fn claim_at_once(&self) -> Option<()> {
        Some(())
    }

    fn used(&self, key: &AnyKey) {
        self.values().touch(key);
    }

    fn seen_absent(&self) -> Option<Option<u64>> {
        Some(None)
    }

    async fn take_over(&self, _: &Session<'_>, _: &AnyKey) -> Result<(), Error> {
        Ok(())
    }

    /// There is no shared store; [`removal`](Store::removal) removes.
    async fn vacate(&self, _: &Session<'_>, lease: ()) -> Result<Vacated<()>, Error> {
        let removed = false;
        Ok(Vacated::Done { lease, removed })
    }

    async fn release(&self, _: &Session<'_>, (): ()) {}

    /// Decides whether there is room; [`insert`](Store::insert) stores.
    async fn store(
        &self,
        session: &Session<'_>,
        key: &AnyKey,
        found: &Found<AnyValue>,
        _: Option<()>,
    ) -> Result<StoreOutcome, Error> {
        if self.values().is_lost() {
            return Ok(StoreOutcome::Refused);
        }
        if self.keeps(key, found) {
            return Ok(StoreOutcome::Done);
        }
        if let Some(metrics) = session.function().metrics {
            metrics.rejected(found.bytes.unwrap_or_default());
        }
        Ok(StoreOutcome::TooLarge)
    }

    fn keeps(&self, key: &AnyKey, found: &Found<AnyValue>) -> bool {
        !self.values().is_lost() && self.values().admits(key, &found.value)
    }

    fn insert(
        &self,
        function: &Function,
        key: &AnyKey,
        found: Found<AnyValue>,
        commit: impl FnOnce(Insertion<'_>),
    ) {
        let mut commit = Some(commit);
        let once = &mut |insert: Insertion<'_>| {
            if let Some(commit) = commit.take() {
                commit(insert);
            }
        };
        self.values().insert(function, key, found, once);
    }

    fn removal<'a>(
        &'a self,
        function: &'a Function,
        key: &'a AnyKey,
    ) -> impl FnOnce() -> bool + 'a {
        move || {
            let removed = self.values().remove(key);
            // The value is served no more either way: a function out of service asks no store.
            let _ = end_if_lost(function, self.values().is_lost());
            removed
        }
    }

    fn defer_drops() -> impl Sized {
        DeferDrops::new()
    }

    async fn remove(&self, session: &Session<'_>, key: &AnyKey) -> Result<bool, Error> {
        let removed = self.values().remove(key);
        end_if_lost(session.function(), self.values().is_lost())?;
        Ok(removed)
    }

    async fn clear(&self, session: &Session<'_>) -> Result<Option<u64>, Error> {
        let removed = self.values().clear();
        end_if_lost(session.function(), self.values().is_lost())?;
        Ok(Some(removed))
    }

    async fn clear_leases(&self, _: &Session<'_>) -> Result<(), Error> {
        Ok(())
    }

    async fn cleanup(&self, session: &Session<'_>, older_than: Duration) -> Result<u64, Error> {
        let function = session.function();
        let counted_from_age = match function.options.age_limits {
            AgeLimits::OfFunction => Duration::ZERO,
            AgeLimits::OfValues => OWN_LIMITS_AGE,
        };
        let age = older_than.saturating_add(counted_from_age);
        let cutoff = self.now(function).saturating_sub(nanos(age));
        let removed = self.values().remove_older_than(cutoff);
        end_if_lost(function, self.values().is_lost())?;
        Ok(removed)
    }

    fn usage_at_hand(&self) -> Option<Usage> {
        Some(self.values().usage())
    }

    async fn usage(&self, _: &Session<'_>) -> Result<Usage, Error> {
        Ok(self.values().usage())
    }
}

/// The driver's operations on the values of a function.
pub(crate) trait ErasedValues: Send + Sync {
    fn find(&self, key: &AnyKey) -> Option<Found<AnyValue>>;
    /// Counts a use of the value, against its eviction.
    fn touch(&self, key: &AnyKey);
    /// When the value was created, if there is one.
    fn created(&self, key: &AnyKey) -> Option<u64>;
    /// Whether there is room for this entry.
    fn admits(&self, key: &AnyKey, value: &AnyValue) -> bool;
    fn insert(
        &self,
        function: &Function,
        key: &AnyKey,
        found: Found<AnyValue>,
        commit: &mut dyn FnMut(Insertion<'_>),
    );
    fn remove(&self, key: &AnyKey) -> bool;
    fn remove_older_than(&self, cutoff: u64) -> u64;
    fn clear(&self) -> u64;
    fn usage(&self) -> Usage;
    /// Whether a fork has left the store unusable.
    fn is_lost(&self) -> bool;
}

impl<K, V> ErasedValues for Memory<K, V>
where
    K: Eq + Hash + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    fn find(&self, key: &AnyKey) -> Option<Found<AnyValue>> {
        let (entry, since) = self.store.peek_since(key.get::<K>())?;
        let created = entry.created;
        let times = Times { created, since };
        let stamp = Stamp {
            created: entry.created,
            compute_nanos: entry.compute_nanos,
            expires: None,
            confirmed: entry.created,
            ageing: times.ageing(self.limits),
        };
        Some(Found {
            value: AnyValue::new(entry.value),
            stamp,
            bytes: None,
        })
    }

    fn touch(&self, key: &AnyKey) {
        self.store.touch(key.get::<K>());
    }

    fn created(&self, key: &AnyKey) -> Option<u64> {
        self.store.created(key.get::<K>())
    }

    fn admits(&self, key: &AnyKey, value: &AnyValue) -> bool {
        self.store.admits(Self::bytes(key, value))
    }

    fn insert(
        &self,
        function: &Function,
        key: &AnyKey,
        found: Found<AnyValue>,
        commit: &mut dyn FnMut(Insertion<'_>),
    ) {
        let bytes = Self::bytes(key, &found.value);
        let key = key.get::<K>().clone();
        let Found { value, stamp, .. } = found;
        let Times { created, since } = Times::new(function, stamp);
        let entry = NewEntry::new(value.into_inner::<V>(), created, stamp.compute_nanos)
            .fresh_since(since)
            .sized(bytes);
        // What is not kept is dropped, and what is wrong is told, after the commit, which holds a lock.
        let mut entering = Some((key, entry));
        let (mut inserted, mut is_lost) = (None, false);
        commit(&mut || {
            let done = inserted.insert(self.store.insert_or_leave(&mut entering));
            is_lost = self.store.is_lost();
            match (is_lost, done.kept) {
                (true, _) => StoreOutcome::Refused,
                (false, true) => StoreOutcome::Done,
                (false, false) => StoreOutcome::TooLarge,
            }
        });
        if let Some(inserted) = inserted {
            note(function, &self.warned, inserted.evicted, inserted.entries);
        }
        // The call has its value all the same.
        let _ = end_if_lost(function, is_lost);
    }

    fn remove(&self, key: &AnyKey) -> bool {
        self.store.remove(key.get::<K>())
    }

    fn remove_older_than(&self, cutoff: u64) -> u64 {
        self.store.remove_older_than(cutoff)
    }

    fn clear(&self) -> u64 {
        self.store.clear()
    }

    fn usage(&self) -> Usage {
        Usage::new(Some(self.store.entries()), self.store.bytes())
    }

    fn is_lost(&self) -> bool {
        self.store.is_lost()
    }
}

/// Takes a function out of service whose values cannot be changed any more, and fails.
fn end_if_lost(function: &Function, is_lost: bool) -> Result<(), Error> {
    if is_lost && function.out_of_service().is_none() {
        function.report(function.mark_lost(), function.metrics);
    }
    match is_lost {
        true => function.in_service(),
        false => Ok(()),
    }
}

/// Counts evictions; reports a store that grows without bounds, once.
fn note(function: &Function, warned: &AtomicBool, evicted: u64, entries: u64) {
    if let Some(metrics) = function.metrics {
        metrics.removed(RemovalCause::Evicted, evicted);
    }
    let options = &function.options;
    let is_bounded = options.capacity.or(options.capacity_bytes).is_some();
    let is_large = entries >= LARGE_STORE_ENTRIES && !is_bounded;
    if is_large && !warned.swap(true, Ordering::Relaxed) {
        trace::memory_is_large(&function.name, entries);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context;
    use crate::identity::{FunctionSpec, Package};
    use crate::options::{BackendName, Options};

    #[test]
    fn a_large_unbounded_store_is_reported_once() {
        let is_told = |options: Options, entries| {
            let spec = FunctionSpec {
                identity: "grown".to_owned(),
                path: "grown".to_owned(),
                package: Package::named("app"),
                options,
            };
            let function = Function::new(spec, context::current(), None);
            let warned = AtomicBool::new(false);
            note(&function, &warned, 0, entries);
            warned.load(Ordering::Relaxed)
        };
        let unbounded = || Options {
            backend: BackendName::Memory,
            ..Options::new()
        };
        assert!(!is_told(unbounded(), LARGE_STORE_ENTRIES - 1));
        assert!(is_told(unbounded(), LARGE_STORE_ENTRIES));
        let bounded = Options {
            capacity: Some(2 * LARGE_STORE_ENTRIES),
            ..unbounded()
        };
        assert!(!is_told(bounded, LARGE_STORE_ENTRIES));
    }
}

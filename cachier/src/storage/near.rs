//! A bounded tier in the process, in front of a persistent backend.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cachier_backends::memory::{BorrowedKey, Bounds, DeferDrops, Entry, MemoryStore, NewEntry};
use cachier_backends::process::PerProcess;
use cachier_backends::{Change, KeyHash};
use cachier_metrics::RemovalCause;

use super::since::near_moment;
use crate::function::Function;
use crate::stamp::Stamp;
use crate::timer::nanos;

/// The near tier of one function.
pub struct Near<K, V> {
    store: MemoryStore<K, V>,
    /// The changes that this process has seen. A forked child has missed some, and clears the tier before its first use.
    log: PerProcess<Mutex<ChangeLog<K>>>,
    /// How many keys of entries, and how many changes of others, the log remembers: in proportion to the tier.
    log_size: usize,
    /// Until when hits need not check for a fork, in nanoseconds of the monotonic clock.
    usable_until: AtomicU64,
}

/// How long a forked child may serve inherited values that others have changed: the interval in which hits check for a fork.
const RENEWAL_INTERVAL: Duration = Duration::from_millis(100);

/// How long a call in a forked child may wait for the tier, on its thread and outside of its budget. A child does well without one
/// that another thread was changing during the fork.
const MAX_WAIT_IN_CHILD: Duration = Duration::from_millis(100);

/// The key of a near entry, for the function and for the backend.
#[derive(Clone)]
pub struct NearKey<K> {
    pub(crate) key: K,
    pub(crate) hash: KeyHash,
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
        let entries = function.options.near_cache;
        let capacity = usize::try_from(entries.unwrap_or_default()).unwrap_or(usize::MAX);
        let bounds = Bounds::new(entries, None);
        Self {
            store: MemoryStore::new(bounds).max_wait_in_child(MAX_WAIT_IN_CHILD),
            log: PerProcess::new(|before| {
                let has_missed = before.is_some();
                Mutex::new(ChangeLog {
                    has_missed,
                    ..ChangeLog::default()
                })
            }),
            log_size: 2 * capacity.min(usize::MAX / 4) + 64,
            usable_until: AtomicU64::new(0),
        }
    }

    /// The near value, if it is fresh.
    #[inline]
    pub(crate) fn get<Q>(&self, key: &Q, function: &Function) -> Option<V>
    where
        Q: BorrowedKey<K> + ?Sized,
    {
        let get = || {
            let until = self.usable_until.load(Ordering::Relaxed);
            self.store.get(key, Some(function.near_freshness(until)))
        };
        get().or_else(|| self.renew(function).then(get)?)
    }

    /// The same with its times.
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(crate) fn get_entry<Q>(&self, key: &Q, function: &Function) -> Option<Entry<V>>
    where
        Q: BorrowedKey<K> + ?Sized,
    {
        let get = || {
            let until = self.usable_until.load(Ordering::Relaxed);
            self.store
                .get_entry(key, Some(function.near_freshness(until)))
        };
        get().or_else(|| self.renew(function).then(get)?)
    }

    /// Makes the tier usable again after the interval; whether it did. In a forked child this clears inherited values.
    #[cold]
    #[inline(never)]
    fn renew(&self, function: &Function) -> bool {
        let now = function.near_now();
        if now <= self.usable_until.load(Ordering::Relaxed) {
            return false;
        }
        drop(self.log());
        if self.store.is_lost() {
            return false;
        }
        let until = now.saturating_add(nanos(RENEWAL_INTERVAL));
        self.usable_until.store(until, Ordering::Relaxed);
        true
    }

    pub(crate) fn epoch(&self) -> NearEpoch {
        NearEpoch(self.log().changes)
    }

    /// Inserts a value loaded since `epoch`, unless its entry has changed meanwhile. The stamp is in nanoseconds of the
    /// monotonic clock.
    pub(crate) fn insert_loaded(
        &self,
        function: &Function,
        epoch: NearEpoch,
        key: &NearKey<K>,
        value: V,
        stamp: Stamp,
    ) {
        let _drops = DeferDrops::new();
        let mut log = self.log();
        if !log.concerns_since(epoch, key.hash) {
            log.keep(key);
            self.insert(log, function, key, value, stamp);
        }
    }

    /// Inserts a value stored since `epoch`, in place of what was loaded until now. If others have changed the entry
    /// meanwhile, nobody knows which value the store holds, and no copy stays.
    pub(crate) fn insert_stored(
        &self,
        function: &Function,
        epoch: NearEpoch,
        key: &NearKey<K>,
        value: V,
        stamp: Stamp,
    ) {
        let _drops = DeferDrops::new();
        let mut log = self.log();
        // Loads under way may return the previous value.
        if log.concerns_since(epoch, key.hash) {
            log.note(Change::Entry(key.hash), self.log_size);
            self.store.remove(&key.key);
        } else {
            log.keep_stored(key);
            self.insert(log, function, key, value, stamp);
        }
    }

    /// Under the lock of the log, so that nobody is served a value before it is known to be current, and no change misses it.
    fn insert(
        &self,
        mut log: MutexGuard<'_, ChangeLog<K>>,
        function: &Function,
        key: &NearKey<K>,
        value: V,
        stamp: Stamp,
    ) {
        let Some(since) = near_moment(function, stamp) else {
            self.store.remove(&key.key);
            return;
        };
        let entry = NewEntry::new(value, stamp.created, stamp.compute_nanos).fresh_since(since);
        let mut entering = Some((key.key.clone(), entry));
        let inserted = self.store.insert_or_leave(&mut entering);
        if log.keys.len() > self.log_size {
            let keys = log.keys.iter().map(|(hash, known)| (*hash, &known.key));
            let evicted = self.store.absent(keys);
            log.forget(evicted, self.log_size);
        }
        drop(log);
        if let Some(metrics) = function.metrics {
            metrics.removed(RemovalCause::Evicted, inserted.evicted);
        }
    }

    /// Forgets what has changed in the backend.
    pub(crate) fn changed(&self, change: &Change) {
        let mut log = self.log();
        let known = log.note(*change, self.log_size);
        drop(log);
        match change {
            Change::Entry(hash) => {
                if let Some(known) = known.get(hash) {
                    self.store.remove(&known.key);
                }
            }
            _ => {
                self.store.clear();
            }
        }
    }

    pub(crate) fn entries(&self) -> u64 {
        self.store.entries()
    }

    fn log(&self) -> MutexGuard<'_, ChangeLog<K>> {
        let lock = || self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let mut log = lock();
        if log.has_missed {
            // Not under the lock, as it drops values. Until it is done, others do the same.
            drop(log);
            self.store.clear();
            log = lock();
            log.has_missed = false;
        }
        log
    }
}

/// Recent changes, so that a value fetched before a change of its entry is not inserted after it.
///
/// Own stores that the tier holds are remembered with their keys. Other changes are remembered up to a limit, so
/// that those of cold keys are soon forgotten, and own stores that stay near push none out.
struct ChangeLog<K> {
    /// The number of changes so far.
    changes: u64,
    /// The number of the last change of all entries, or of the last one that is no longer remembered.
    all_changed: u64,
    /// The number of each entry's last change, if it is recent.
    changed: HashMap<KeyHash, u64>,
    /// Recent changes of single entries, in the order in which they are forgotten.
    recent: VecDeque<(u64, KeyHash)>,
    /// The entries, and some that have gone, by the backend's hash.
    keys: Keys<K>,
    /// Whether the tier is older than this log.
    has_missed: bool,
}

type Keys<K> = HashMap<KeyHash, KnownKey<K>>;

/// An entry of the tier.
struct KnownKey<K> {
    key: K,
    /// The number of this process's last store of it; 0 if it has been loaded.
    stored: u64,
}

impl<K> Default for ChangeLog<K> {
    fn default() -> Self {
        Self {
            changes: 0,
            all_changed: 0,
            changed: HashMap::new(),
            recent: VecDeque::new(),
            keys: HashMap::new(),
            has_missed: false,
        }
    }
}

impl<K> ChangeLog<K> {
    /// Notes a change of an entry that the tier does not hold any more, or of all; returns those that were known of it.
    fn note(&mut self, change: Change, size: usize) -> Keys<K> {
        self.changes += 1;
        let Change::Entry(hash) = change else {
            self.all_changed = self.changes;
            // Their memory is given back.
            self.changed = HashMap::new();
            self.recent = VecDeque::new();
            return mem::take(&mut self.keys);
        };
        self.remember(hash, self.changes, size);
        self.keys.remove_entry(&hash).into_iter().collect()
    }

    /// Remembers the number of an entry's change, in place of the oldest that is remembered.
    fn remember(&mut self, hash: KeyHash, number: u64, size: usize) {
        if self.recent.len() >= size
            && let Some((number, oldest)) = self.recent.pop_front()
        {
            self.all_changed = self.all_changed.max(number);
            if self.changed.get(&oldest) == Some(&number) {
                self.changed.remove(&oldest);
            }
        }
        self.recent.push_back((number, hash));
        self.changed.insert(hash, number);
    }

    /// Forgets the keys of evicted entries, but not at once that they were stored.
    fn forget(&mut self, evicted: Vec<KeyHash>, size: usize) {
        for hash in evicted {
            if let Some(known) = self.keys.remove(&hash)
                && known.stored > self.all_changed
            {
                self.remember(hash, known.stored, size);
            }
        }
    }

    /// Whether the entry of this hash may have changed since then.
    fn concerns_since(&self, NearEpoch(epoch): NearEpoch, hash: KeyHash) -> bool {
        let changed = self.changed.get(&hash).copied().unwrap_or(0);
        let stored = self.keys.get(&hash).map_or(0, |known| known.stored);
        self.all_changed.max(changed).max(stored) > epoch
    }
}

impl<K: Clone> ChangeLog<K> {
    /// Notes that the tier is to hold an entry that was loaded.
    fn keep(&mut self, key: &NearKey<K>) -> &mut KnownKey<K> {
        self.keys.entry(key.hash).or_insert_with(|| KnownKey {
            key: key.key.clone(),
            stored: 0,
        })
    }

    /// Notes that the tier is to hold an entry that this process has stored.
    fn keep_stored(&mut self, key: &NearKey<K>) {
        self.changes += 1;
        let number = self.changes;
        self.keep(key).stored = number;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};
    use std::hash::Hasher;
    use std::rc::Rc;

    use super::*;
    use crate::context;
    use crate::identity::{FunctionSpec, Package};
    use crate::options::Options;
    use crate::stamp::Ageing;

    fn hash(byte: u8) -> KeyHash {
        KeyHash::from_bytes([byte; 32])
    }

    fn after(changes: impl IntoIterator<Item = Change>) -> ChangeLog<u8> {
        let mut log = ChangeLog::default();
        for change in changes {
            log.note(change, 100);
        }
        log
    }

    #[test]
    fn a_change_concerns_earlier_fetches_of_its_entry() {
        let log = after([Change::Entry(hash(1)), Change::Entry(hash(2))]);
        assert!(log.concerns_since(NearEpoch(0), hash(1)));
        assert!(!log.concerns_since(NearEpoch(1), hash(1)));
        assert!(log.concerns_since(NearEpoch(1), hash(2)));
        assert!(!log.concerns_since(NearEpoch(0), hash(3)));
        assert!(!log.concerns_since(NearEpoch(2), hash(2)));
    }

    #[test]
    fn a_clearance_concerns_every_entry() {
        let log = after([Change::All]);
        assert!(log.concerns_since(NearEpoch(0), hash(1)));
        assert!(!log.concerns_since(NearEpoch(1), hash(1)));
    }

    #[test]
    fn too_many_changes_concern_every_entry() {
        let log = after((0..500).map(|_| Change::Entry(hash(1))));
        assert!(log.concerns_since(NearEpoch(500 - 101), hash(2)));
        assert!(!log.concerns_since(NearEpoch(500 - 100), hash(2)));
        assert!(log.concerns_since(NearEpoch(500 - 1), hash(1)));
    }

    fn key(byte: u8) -> NearKey<u8> {
        NearKey {
            key: byte,
            hash: hash(byte),
        }
    }

    #[test]
    fn kept_stores_concern_nobody_else() {
        let mut log = after([Change::Entry(hash(1))]);
        let epoch = NearEpoch(log.changes);
        for byte in 100..=250 {
            log.keep_stored(&key(byte));
        }
        assert!(log.concerns_since(epoch, hash(100)));
        assert!(!log.concerns_since(epoch, hash(1)), "others are remembered");
        assert!(log.concerns_since(NearEpoch(0), hash(1)));
        assert_eq!((log.all_changed, log.recent.len()), (0, 1));
    }

    #[test]
    fn evicted_stores_are_remembered_for_a_while() {
        const SIZE: usize = 10;
        let mut log = ChangeLog::default();
        let epoch = NearEpoch(log.changes);
        log.keep_stored(&key(1));
        log.keep(&key(2));
        log.forget(vec![hash(1), hash(2)], SIZE);
        assert!(log.keys.is_empty());
        assert!(log.concerns_since(epoch, hash(1)));
        assert!(!log.concerns_since(epoch, hash(2)), "it has been loaded");
        log.keep(&key(1));
        assert!(log.concerns_since(epoch, hash(1)), "it is loaded again");
        for byte in 100..200 {
            log.keep_stored(&key(byte));
            log.forget(vec![hash(byte)], SIZE);
        }
        assert!(log.recent.len() <= SIZE && log.changed.len() <= SIZE);
        assert!(log.concerns_since(epoch, hash(1)), "like any other");
        log.keep_stored(&key(3));
        assert_eq!(log.note(Change::Entry(hash(3)), SIZE).len(), 1);
        assert_eq!(log.note(Change::All, SIZE).len(), 1);
        assert_eq!(
            log.recent.capacity() + log.changed.capacity() + log.keys.capacity(),
            0
        );
    }

    /// A key that looks at the tier whenever it is hashed, as other threads may at any time.
    #[derive(Clone, PartialEq, Eq)]
    struct Watched;

    thread_local! {
        static LOOK: RefCell<Option<Rc<dyn Fn()>>> = const { RefCell::new(None) };
    }

    impl Hash for Watched {
        fn hash<H: Hasher>(&self, _: &mut H) {
            let look = LOOK.take();
            if let Some(look) = look {
                look();
                LOOK.set(Some(look));
            }
        }
    }

    #[test]
    fn values_older_than_a_change_are_never_served() {
        let spec = FunctionSpec {
            identity: "near".to_owned(),
            path: "near".to_owned(),
            package: Package::named("app"),
            options: Options {
                near_cache: Some(10),
                ..Options::new()
            },
        };
        let function = Function::new(spec, context::current(), None);
        let near = Rc::new(Near::<Watched, u8>::open(&function));
        let is_served = Rc::new(Cell::new(false));
        let (seen, watched) = (Rc::clone(&is_served), Rc::clone(&near));
        LOOK.set(Some(Rc::new(move || {
            let value = watched.store.get(&Watched, Some(|_| true));
            seen.set(seen.get() || value.is_some());
        })));
        let insert = |epoch| {
            let key = NearKey {
                key: Watched,
                hash: hash(1),
            };
            let stamp = Stamp {
                created: 0,
                compute_nanos: 0,
                expires: None,
                confirmed: 0,
                ageing: Ageing::default(),
            };
            near.insert_loaded(&function, epoch, &key, 1, stamp);
        };
        let epoch = near.epoch();
        near.changed(&Change::Entry(hash(1)));
        insert(epoch);
        let outdated = is_served.get();
        insert(near.epoch());
        near.store.remove(&Watched);
        let current = is_served.get();
        LOOK.set(None);
        assert_eq!((outdated, current), (false, true));
    }
}

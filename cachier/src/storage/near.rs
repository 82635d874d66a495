//! A bounded tier in the process, in front of a persistent backend.

use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cachier_backends::Change;
use cachier_backends::memory::{BorrowedKey, Bounds, DeferDrops, Entry, MemoryStore, NewEntry};
use cachier_backends::process::PerProcess;
use cachier_metrics::RemovalCause;

use super::change_log::{ChangeLog, NearEpoch, NearKey};
use super::since::near_moment;
use crate::function::Function;
use crate::stamp::Stamp;
use crate::sync::{Mutex, MutexGuard, lock};
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
                Mutex::new(match before {
                    Some(_) => ChangeLog::with_gap(),
                    None => ChangeLog::default(),
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
        self.log().epoch()
    }

    /// Inserts a copy of a value loaded since `epoch`, unless its entry has changed meanwhile.
    pub(crate) fn insert_loaded(
        &self,
        function: &Function,
        epoch: NearEpoch,
        key: &NearKey<K>,
        copy: NewEntry<V>,
    ) {
        let _drops = DeferDrops::new();
        let mut log = self.log();
        if !log.concerns_since(epoch, key.hash) {
            log.keep(key);
            self.insert(log, function, key, copy);
        }
    }

    /// Inserts a copy of a value stored since `epoch`, if it can be served, in place of what was loaded until now. If others have
    /// changed the entry meanwhile, nobody knows which value the store holds, and no copy stays.
    pub(crate) fn insert_stored(
        &self,
        function: &Function,
        epoch: NearEpoch,
        key: &NearKey<K>,
        copy: Option<NewEntry<V>>,
    ) {
        let _drops = DeferDrops::new();
        let mut log = self.log();
        // Loads under way may return the previous value.
        if log.concerns_since(epoch, key.hash) {
            log.note(Change::Entry(key.hash), self.log_size);
            self.store.remove(&key.key);
            return;
        }
        log.keep_stored(key);
        match copy {
            Some(copy) => self.insert(log, function, key, copy),
            None => {
                // That it was stored is remembered, its key is not.
                log.forget(vec![key.hash], self.log_size);
                self.store.remove(&key.key);
            }
        }
    }

    /// Under the lock of the log, so that nobody is served a value before it is known to be current, and no change misses it.
    fn insert(
        &self,
        mut log: MutexGuard<'_, ChangeLog<K>>,
        function: &Function,
        key: &NearKey<K>,
        copy: NewEntry<V>,
    ) {
        let mut entering = Some((key.key.clone(), copy));
        let inserted = self.store.insert_or_leave(&mut entering);
        if log.len() > self.log_size {
            let evicted = self.store.absent(log.keys());
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
                if let Some(key) = known.get(hash) {
                    self.store.remove(key);
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
        let mut log = lock(&self.log);
        if log.has_gap() {
            // Not under the lock, as it drops values. Until it is done, others do the same.
            drop(log);
            self.store.clear();
            log = lock(&self.log);
            log.close_gap();
        }
        log
    }
}

/// A copy for the near tier of a value with this stamp, in nanoseconds of the monotonic clock; `None` if none can be served from
/// now on. To be made in the epoch in which it is inserted, and outside of locks, as it clones.
pub(crate) fn near_copy<V: Clone>(
    function: &Function,
    value: &V,
    stamp: Stamp,
    rests_until: Option<u64>,
) -> Option<NewEntry<V>> {
    let since = near_moment(function, stamp, rests_until)?;
    Some(NewEntry::new(value.clone(), stamp.created, stamp.compute_nanos).fresh_since(since))
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used)]

    use std::cell::{Cell, RefCell};
    use std::hash::Hasher;
    use std::rc::Rc;

    use cachier_backends::KeyHash;
    use cachier_backends::entry::AgeLimit;

    use cachier_metrics::Clock;

    use super::*;
    use crate::context::{Context, ContextId};
    use crate::identity::{FunctionSpec, Package};
    use crate::options::{EarlyRefresh, GlobalParams, Options, Params};
    use crate::random::Random;
    use crate::refresh_after::RefreshAfter;
    use crate::stamp::Ageing;
    use crate::switches::Switches;
    use crate::timer::Timer;

    pub(in super::super) fn hash(byte: u8) -> KeyHash {
        KeyHash::from_bytes([byte; 32])
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

    pub(in super::super) fn function(options: Options) -> Function {
        let spec = FunctionSpec {
            identity: "near".to_owned(),
            path: "near".to_owned(),
            package: Package::named("app"),
            options: Options {
                near_cache: Some(10),
                ..options
            },
        };
        let standing_still = Context::new(
            ContextId::MAIN,
            Clock::manual(),
            Timer::system(),
            GlobalParams::new(),
            Switches::default(),
            Random::seeded(0),
        );
        Function::new(spec, Box::leak(Box::new(standing_still)), None)
    }

    pub(in super::super) fn computed_at(moment: u64) -> Stamp {
        Stamp {
            created: moment,
            compute_nanos: 0,
            expires: None,
            confirmed: moment,
            ageing: Ageing::default(),
        }
    }

    #[test]
    fn values_that_are_never_fresh_leave_nothing() {
        let function = function(Options::new());
        let near = Near::<u32, u8>::open(&function);
        for number in 0..1000_u32 {
            let key = NearKey {
                key: number,
                hash: KeyHash::from_bytes([(number % 251) as u8; 32]),
            };
            let stamp = Stamp {
                ageing: Ageing {
                    limit: Some(AgeLimit::Of(Duration::ZERO)),
                    ..Ageing::default()
                },
                ..computed_at(function.context.clock.now())
            };
            let copy = near_copy(&function, &1, stamp, None);
            near.insert_stored(&function, near.epoch(), &key, copy);
        }
        assert_eq!((near.log().len(), near.entries()), (0, 0));
    }

    /// A value that a hit may refresh is loaded anew by each, and has no copy.
    #[test]
    fn due_values_have_copies_only_in_a_pause() {
        const MINUTE: Duration = Duration::from_secs(60);
        let function = function(Options {
            stale_after: Some(MINUTE),
            refresh_after: EarlyRefresh::After(RefreshAfter::from(MINUTE / 2)),
            near_stale_after: Some(MINUTE * 9),
            ..Options::new()
        });
        let now = function.context.clock.now();
        let until = |age: Duration, rests_until| {
            let stamp = computed_at(now - nanos(age));
            let copy = near_copy(&function, &1_u8, stamp, rests_until)?;
            Some(copy.since + function.fresh_nanos() + 1 - now)
        };
        let seconds = |seconds| nanos(Duration::from_secs(seconds));
        let (young, due) = (Duration::from_secs(10), Duration::from_secs(40));
        assert_eq!(until(young, None), Some(seconds(20)));
        assert_eq!(until(due, None), None);
        assert_eq!(until(due, Some(now + seconds(5))), Some(seconds(5)));
        assert_eq!(until(young, Some(now + seconds(5))), Some(seconds(20)));
        // Not past its age limit.
        assert_eq!(until(due, Some(now + seconds(99))), Some(seconds(20) + 1));
    }

    /// Until it is cleared, the tier holds copies of former bounds.
    #[test]
    fn wider_bounds_revive_no_copies() {
        let second = Duration::from_secs(1);
        let function = function(Options::new());
        let near = Near::<u32, u8>::open(&function);
        let Context { clock, .. } = function.context;
        let bound = |age| {
            let change = |all: &mut Params| all.program.near_stale_after = age;
            function.context.change_params(change);
            function.update_params();
        };
        let copy = || near_copy(&function, &1, computed_at(clock.now()), None);
        let key = NearKey {
            key: 1,
            hash: hash(1),
        };
        for first in [second / 2, second, second * 30] {
            bound(first);
            near.insert_loaded(&function, near.epoch(), &key, copy().unwrap());
            clock.advance(first);
            assert_eq!(near.get(&1, &function), Some(1));
            clock.advance(Duration::from_nanos(2));
            for wider in [second, second * 31, second * 3600] {
                bound(wider);
                assert_eq!(near.get(&1, &function), None, "{first:?} {wider:?}");
            }
        }
        bound(Duration::ZERO);
        assert!(copy().is_none());
    }

    #[test]
    fn values_older_than_a_change_are_never_served() {
        let function = function(Options::new());
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
            let stamp = computed_at(function.context.clock.now());
            let copy = near_copy(&function, &1, stamp, None).unwrap();
            near.insert_loaded(&function, epoch, &key, copy);
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

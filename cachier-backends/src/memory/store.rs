//! The store: entries under typed keys, with bounds.

use std::fmt;
use std::hash::Hash;
use std::time::Duration;

use equivalent::Equivalent;
use foldhash::fast::RandomState;

use super::catalog::Position;
use super::contents::{self, Contents};
use super::entry::{Bounds, Entry, Inserted, NewEntry};
use super::footprint;
use super::guard::{guarded, pin, pin_inline};
use super::index::Index;
use super::lock::WriterLock;
use super::node::Node;
use super::slots::{Destination, Insertion};
use super::sync::Guard;
use super::word;
use super::word_index::{TornRead, WordIndex, WordRef};

/// The bytes of a key and a value that are machine words.
const PAIR_OF_WORDS: u64 = 2 * size_of::<u64>() as u64;

/// Typed entries of one function in the memory of the process.
///
/// A lookup takes no lock, and writes to shared memory only for the first use of an entry. In a store of machine words
/// it takes the writers' lock if it meets a writer that was preempted during a change. Changes take one lock briefly;
/// it is never held while code of the value's type runs, and of the key's code only `Eq`.
///
/// **When values are dropped.** A removed value lives on until no lookup can be cloning it any more. It is dropped by a
/// later call of the same thread to this or another store, mostly the one that removed it. No lock of the store is held
/// then, so its `Drop` may use the store; see [`DeferDrops`](super::DeferDrops) for callers with locks of their own. A
/// panic in `Drop` is ignored.
///
/// **After a fork.** A child process has all entries, too, unless another thread was changing the store during the
/// fork: then the store [is lost](Self::is_lost) to it.
///
/// **At the end of a thread.** In destructors of thread-locals initialised before the first use of any store, `get` and
/// `get_entry` may find nothing. All else is done as ever, if more slowly: on a thread of its own.
///
/// ```
/// use cachier_backends::memory::{Bounds, MemoryStore, NewEntry};
///
/// let store = MemoryStore::<String, u32>::new(Bounds::new(Some(100), None));
/// assert!(store.insert("Oslo".to_owned(), NewEntry::new(7, 100, 5)).kept);
///
/// let is_fresh = |since: u64| 160 - since <= 60;
/// assert_eq!(store.get("Oslo", Some(is_fresh)), Some(7));
/// let is_fresh = |since: u64| 161 - since <= 60;
/// assert_eq!(store.get("Oslo", Some(is_fresh)), None);
/// ```
pub struct MemoryStore<K, V> {
    hasher: RandomState,
    /// Whether bytes are those of whole entries, as a bound in bytes needs them.
    is_bounded_in_bytes: bool,
    /// Only a bounded store counts uses.
    counts_uses: bool,
    contents: Contents<K, V>,
    lock: WriterLock,
}

/// Where a value was found, with its times.
enum FoundEntry<'a, K, V> {
    Node(&'a Node<K, V>),
    Word(WordRef<'a>),
}

impl<K, V> FoundEntry<'_, K, V> {
    fn entry(self, value: V) -> Entry<V> {
        match self {
            Self::Node(node) => node.entry(value),
            Self::Word(found) => found.entry(value),
        }
    }
}

/// A key or a borrowed form of it with the same hash, for lookups.
///
/// ```
/// use cachier_backends::memory::BorrowedKey;
///
/// fn is_key_of_texts<Q: BorrowedKey<String> + ?Sized>(_: &Q) {}
///
/// is_key_of_texts("Oslo"); // no `String` is made for a lookup
/// is_key_of_texts(&"Oslo".to_owned());
/// ```
pub trait BorrowedKey<K>: Hash + Equivalent<K> {
    /// The key as a machine word, if it is one: see [`word`].
    fn word(&self) -> Option<u64> {
        None
    }
}

impl<K: Eq + Hash + 'static> BorrowedKey<K> for K {
    #[inline]
    fn word(&self) -> Option<u64> {
        word::of(self)
    }
}

impl BorrowedKey<String> for str {}

impl<K, V> MemoryStore<K, V>
where
    K: Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// An empty store.
    pub fn new(bounds: Bounds) -> Self {
        let is_bounded_in_bytes = bounds.bytes.is_some();
        let bounds = Contents::<K, V>::bounds(bounds);
        let hasher = RandomState::default();
        let contents = Contents::new(hasher.clone());
        Self {
            hasher,
            is_bounded_in_bytes,
            counts_uses: bounds.are_set(),
            contents,
            lock: WriterLock::new(bounds),
        }
    }

    /// Sets how long the first change in a forked child may wait, on its thread, for another thread to end its own, before
    /// the store [is lost](Self::is_lost): 2 s unless set. For a store that can be done without.
    #[must_use]
    pub fn max_wait_in_child(mut self, max_wait: Duration) -> Self {
        self.lock.max_wait_in_child = max_wait;
        self
    }

    /// The value of this key, if `fresh` holds for the time since which it counts as fresh; without `fresh`, any value.
    /// Counts as a use of the entry. A value that is not fresh is not cloned.
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub fn get<Q>(&self, key: &Q, fresh: Option<impl Fn(u64) -> bool + Copy>) -> Option<V>
    where
        Q: BorrowedKey<K> + ?Sized,
    {
        self.hit(key, fresh, |value, _| value)
    }

    /// The same, with the entry's times.
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub fn get_entry<Q>(
        &self,
        key: &Q,
        fresh: Option<impl Fn(u64) -> bool + Copy>,
    ) -> Option<Entry<V>>
    where
        Q: BorrowedKey<K> + ?Sized,
    {
        self.hit(key, fresh, |value, place| place.entry(value))
    }

    /// The entry of this key, fresh or not. Does not count as a use.
    pub fn peek<Q>(&self, key: &Q) -> Option<Entry<V>>
    where
        Q: BorrowedKey<K> + Sync + ?Sized,
    {
        self.peek_since(key).map(|(entry, _)| entry)
    }

    /// The same, with the time since which the entry counts as fresh.
    pub fn peek_since<Q>(&self, key: &Q) -> Option<(Entry<V>, u64)>
    where
        Q: BorrowedKey<K> + Sync + ?Sized,
    {
        guarded(|guard| match self.contents.words() {
            Some(index) if const { Contents::<K, V>::CAN_BE_WORDS } => {
                let any = None::<fn(u64) -> bool>;
                self.take_word(index, key, any, |value, found| {
                    (found.entry(value), found.fresh_since())
                })
            }
            _ => {
                let node = self.node(key, &guard)?;
                Some((node.entry(node.value.clone()), node.since))
            }
        })?
    }

    /// Counts a use of the entry of this key, which was [peeked](Self::peek) at.
    pub fn touch<Q>(&self, key: &Q)
    where
        Q: BorrowedKey<K> + Sync + ?Sized,
    {
        if !self.counts_uses {
            return;
        }
        guarded(|guard| match self.contents.words() {
            Some(index) if const { Contents::<K, V>::CAN_BE_WORDS } => {
                let any = None::<fn(u64) -> bool>;
                self.take_word(index, key, any, |_, found| found.count_use())
            }
            _ => self.node(key, &guard).map(|node| node.uses.count()),
        });
    }

    /// When the value of this key was computed. Clones nothing, and does not count as a use.
    pub fn created<Q>(&self, key: &Q) -> Option<u64>
    where
        Q: BorrowedKey<K> + Sync + ?Sized,
    {
        guarded(|guard| match self.contents.words() {
            Some(index) if const { Contents::<K, V>::CAN_BE_WORDS } => {
                let any = None::<fn(u64) -> bool>;
                self.take_word(index, key, any, |_, found| found.created())
            }
            _ => Some(self.node(key, &guard)?.created),
        })?
    }

    /// The keys that have no entry, by the names given to them.
    pub fn absent<'k, N: Send>(&self, keys: impl IntoIterator<Item = (N, &'k K)> + Send) -> Vec<N> {
        let absent = |_guard| {
            let absent = keys
                .into_iter()
                .filter(|(_, key)| self.created(*key).is_none());
            absent.map(|(name, _)| name).collect()
        };
        guarded(absent).unwrap_or_default()
    }

    /// How many bytes an entry takes: key, value, and what the store needs to hold them. The value takes so many beside its
    /// own `size_of`: see [`heap`](crate::entry::heap).
    pub fn footprint(key: &K, value_heap: u64) -> u64 {
        footprint::of_node::<K, V>(key, value_heap)
    }

    /// Whether there is room for an entry of this size, others gone. One whose size is unknown has none where the store is
    /// bounded in bytes.
    pub fn admits(&self, bytes: Option<u64>) -> bool {
        self.lock.admits(bytes)
    }

    /// Stores an entry in place of the key's current one, and evicts others to keep within the bounds.
    ///
    /// An entry that exceeds a bound by itself, or has no known size in a store bounded in bytes, is not kept. The
    /// key's current entry is removed all the same, as it is outdated.
    pub fn insert(&self, key: K, entry: NewEntry<V>) -> Inserted {
        self.insert_or_leave(&mut Some((key, entry)))
    }

    /// [`insert`](Self::insert), which leaves to the caller what is not kept: for callers with a lock, under which a value's
    /// `Drop` must not run.
    ///
    /// ```
    /// use cachier_backends::memory::{Bounds, MemoryStore, NewEntry};
    ///
    /// let store = MemoryStore::new(Bounds::new(None, Some(10)));
    /// let mut entry = Some((1_u64, NewEntry::new("a value", 0, 0).sized(Some(1_000))));
    /// assert!(!store.insert_or_leave(&mut entry).kept);
    /// assert!(entry.is_some());
    /// ```
    ///
    /// # Panics
    /// Without an entry.
    pub fn insert_or_leave(&self, entry: &mut Option<(K, NewEntry<V>)>) -> Inserted {
        let (key, new) = entry.as_ref().expect("an entry to insert");
        let (hash, bytes) = (self.hash(key), new.bytes);
        let mut entering = Entering {
            contents: &self.contents,
            hash,
            entry,
        };
        self.lock
            .insert(self.contents.slots(), (hash, bytes), &mut entering)
    }

    /// Removes the entry of this key; `false` if there is none.
    pub fn remove<Q>(&self, key: &Q) -> bool
    where
        Q: BorrowedKey<K> + Sync + ?Sized,
    {
        let (hash, word) = (self.hash(key), key.word());
        let find = |guard: &Guard| {
            let is_match = |known: &K| key.equivalent(known);
            self.contents.find((hash, word), &is_match, guard)
        };
        self.lock.remove(self.contents.slots(), &find)
    }

    /// Removes all entries created before this time; returns how many.
    pub fn remove_older_than(&self, created_before: u64) -> u64 {
        let slots = self.contents.slots();
        self.lock.remove_older_than(slots, created_before)
    }

    /// How many entries there are.
    pub fn entries(&self) -> u64 {
        self.lock.state().map_or(0, |state| state.entries())
    }

    /// How many bytes they take, if the size of each is known. A store of machine words knows by itself, and does not ask
    /// for the sizes of entries.
    pub fn bytes(&self) -> Option<u64> {
        match self.contents.words() {
            Some(index) if self.is_bounded_in_bytes => self.lock.bytes_of_words(index),
            // The words themselves, as of other values their serialized size.
            Some(_) => Some(self.lock.state()?.entries() * PAIR_OF_WORDS),
            None => self.lock.state()?.bytes(),
        }
    }

    /// Reads a fresh entry, and counts a use.
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn hit<Q, R>(
        &self,
        key: &Q,
        fresh: Option<impl Fn(u64) -> bool + Copy>,
        take: impl FnOnce(V, FoundEntry<'_, K, V>) -> R,
    ) -> Option<R>
    where
        Q: BorrowedKey<K> + ?Sized,
    {
        if const { Contents::<K, V>::CAN_BE_WORDS }
            && let Some(index) = self.contents.words()
        {
            return self.take_word(index, key, fresh, |value, found| {
                if self.counts_uses {
                    found.count_use();
                }
                take(value, FoundEntry::Word(found))
            });
        }
        let index = self.contents.nodes()?;
        let guard = pin_inline()?;
        let node = self.find_node(index, key, &guard)?;
        if fresh.is_some_and(|fresh| !fresh(node.since)) {
            return None;
        }
        if self.counts_uses {
            node.uses.count();
        }
        Some(take(node.value.clone(), FoundEntry::Node(node)))
    }

    /// The node of this key, off the path of hits: shares its code with writers.
    fn node<'g, Q>(&self, key: &Q, guard: &'g Guard) -> Option<&'g Node<K, V>>
    where
        Q: BorrowedKey<K> + ?Sized,
    {
        let is_match: &dyn Fn(&Node<K, V>) -> bool = &|node| key.equivalent(&node.key);
        let index = self.contents.nodes()?;
        index.find(self.hash(key), is_match, guard)
    }

    #[inline]
    fn find_node<'g, Q>(
        &self,
        index: &Index<Node<K, V>>,
        key: &Q,
        guard: &'g Guard,
    ) -> Option<&'g Node<K, V>>
    where
        Q: BorrowedKey<K> + ?Sized,
    {
        index.find(self.hash(key), |node| key.equivalent(&node.key), guard)
    }

    /// Reads a fresh word.
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn take_word<Q, R>(
        &self,
        index: &WordIndex,
        key: &Q,
        fresh: Option<impl Fn(u64) -> bool + Copy>,
        take: impl FnOnce(V, WordRef<'_>) -> R,
    ) -> Option<R>
    where
        Q: BorrowedKey<K> + ?Sized,
    {
        let (hash, word) = (self.hash(key), key.word()?);
        match index.find_fresh(hash, word, fresh) {
            Ok(Some((value, found))) => Some(take(word::from(value)?, found)),
            Ok(None) => None,
            Err(TornRead) => self.take_word_under_guard(key, fresh, take),
        }
    }

    /// The same in a table that may be large, and if need be while the lock is held, so that no writer can be at work. Finds
    /// out anew what the caller knew already, which therefore need not keep it.
    #[cold]
    #[inline(never)]
    fn take_word_under_guard<Q, R>(
        &self,
        key: &Q,
        fresh: Option<impl Fn(u64) -> bool + Copy>,
        take: impl FnOnce(V, WordRef<'_>) -> R,
    ) -> Option<R>
    where
        Q: BorrowedKey<K> + ?Sized,
    {
        let (hash, word, index) = (self.hash(key), key.word()?, self.contents.words()?);
        let guard = pin()?;
        let find = || index.find_fresh_under(&guard, hash, word, fresh);
        let found = find().or_else(|TornRead| {
            let _lock = self.lock.state().ok_or(TornRead)?;
            find()
        });
        let (value, found) = found.ok()??;
        Some(take(word::from(value)?, found))
    }

    #[inline]
    fn hash<Q: Hash + ?Sized>(&self, key: &Q) -> u32 {
        contents::hash(&self.hasher, key)
    }
}

impl<K, V> MemoryStore<K, V>
where
    K: Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    /// Removes all entries; returns how many. Their memory is given back, but for less than 2 MB of a store of machine
    /// words.
    pub fn clear(&self) -> u64 {
        self.lock.clear(self.contents.slots())
    }
}

impl<K, V> MemoryStore<K, V> {
    /// Whether the store cannot be changed any more: this process was forked while another thread was changing it, or at the
    /// end of a thread no other could be had. The first attempt to change something finds out. Lookups may still succeed.
    pub fn is_lost(&self) -> bool {
        self.lock.is_lost()
    }
}

impl<K, V> fmt::Debug for MemoryStore<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lock.fmt(f)
    }
}

/// An entry on its way into a store.
struct Entering<'a, K, V> {
    contents: &'a Contents<K, V>,
    hash: u32,
    entry: &'a mut Option<(K, NewEntry<V>)>,
}

impl<K, V> Insertion for Entering<'_, K, V>
where
    K: Eq + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    fn find(&self, guard: &Guard) -> Option<Position> {
        let (key, _) = self.entry.as_ref()?;
        let wanted = (self.hash, word::of(key));
        self.contents.find(wanted, &|known| known == key, guard)
    }

    fn put(&mut self, destination: Destination<'_>, guard: &Guard) -> Position {
        let entry = self.entry.take().expect("an entry is put once");
        self.contents.put(destination, self.hash, entry, guard)
    }
}

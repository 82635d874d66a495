//! Entries whose key and value are one word each, in place: a lookup follows no pointer, and takes a guard only if there
//! are very many.
//!
//! The table in use is replaced as a whole when it is full or nearly empty:
//!
//! - A *small* table lives as long as the index: a reader that has just found it in use may still be reading it.
//!   While out of use it is closed, so that such a reader notices and looks again; it is reopened once it is refilled.
//! - A *large* table is read under a guard, which costs little there, as the lookup waits for memory. It does not change
//!   once it is out of use, and is freed when no guard that may see it is left.

use std::sync::OnceLock;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

use super::catalog::{Position, Positions};
use super::entry::Entry;
use super::ids::Ids;
use super::index::Moved;
use super::node::Uses;
use super::sync::{AtomicShared, AtomicU64, AtomicUsize, Guard, Shared, Tag};
use super::table::MIN_SHRUNK;
use super::times::Times;
use super::word_bucket::{Lookup, SLOTS, State, WordBucket};
use super::word_sizes::{SMALL, bytes_up_to, most_items};

/// The tables, as readers and writers share them.
pub(super) struct WordIndex {
    /// The number of the small table in use, or [`LARGE`].
    current: AtomicUsize,
    /// Created on first use, each twice the size of the one before. Together they take less than 2 MB. The one that
    /// stands for the large table is always closed: a lookup notices as it notices a writer, without a branch for it.
    small: [SmallTable; TABLES],
    large: AtomicShared<Table>,
    hash: WordHash,
}

/// The size of this type is a power of two, so that indexing needs no multiplication.
#[repr(align(128))]
struct SmallTable(OnceLock<Table>);

/// The hash of a key, as lookups have it.
pub(super) type WordHash = Box<dyn Fn(u64) -> u32 + Send + Sync>;

/// The number that stands for the large table.
const LARGE: usize = SMALL;

/// A power of two, so that a lookup need not compare a number with it.
const TABLES: usize = (LARGE + 1).next_power_of_two();

/// The last one has as many buckets as a [`Position`] can name.
const MAX_TABLES: usize = 29;

/// Buckets as in [`table`](super::table): an item goes into the bucket of its hash, or the next one with a vacant slot.
struct Table {
    buckets: Vec<WordBucket>,
    // Parallel to the slots, in separate arrays: a hit touches only what it needs.
    times: Vec<AtomicU64>,
    /// Since when each entry counts as fresh; absent while that is every entry's creation, to the microsecond.
    since: OnceLock<Box<[AtomicU64]>>,
    ids: Ids,
}

/// An item to insert.
#[derive(Clone, Copy)]
pub(super) struct WordItem {
    pub(super) key: u64,
    pub(super) value: u64,
    pub(super) times: Times,
    /// The time since which it counts as fresh.
    pub(super) since: u64,
}

/// Where a value was found, and the state of the bucket.
#[derive(Clone, Copy)]
pub(super) struct WordRef<'a> {
    table: &'a Table,
    position: Position,
    state: State,
}

/// The read is inconsistent, as a writer was active or the table is large: look again under a guard.
pub(super) struct TornRead;

/// The result of a lookup.
pub(super) type Found<'a> = Result<Option<(u64, WordRef<'a>)>, TornRead>;

impl WordIndex {
    pub(super) fn new(hash: WordHash) -> Self {
        let index = Self {
            current: AtomicUsize::new(0),
            small: [const { SmallTable(OnceLock::new()) }; TABLES],
            large: AtomicShared::null(),
            hash,
        };
        index.small_table(0);
        index.small[LARGE].0.get_or_init(|| {
            let table = Table::new(1);
            table.close();
            table
        });
        index
    }

    /// The value of this key, unless it is not fresh. Finds nothing in a large table.
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(super) fn find_fresh(
        &self,
        hash: u32,
        key: u64,
        fresh: Option<impl Fn(u64) -> bool + Copy>,
    ) -> Found<'_> {
        let small = self.small[self.current.load(Acquire) % TABLES].0.get();
        let small = small.expect("the table in use was made");
        small.find_fresh(hash, key, fresh)
    }

    /// The same in the table in use, large or small. Never a torn read under the writers' lock.
    pub(super) fn find_fresh_under<'a>(
        &'a self,
        guard: &'a Guard,
        hash: u32,
        key: u64,
        fresh: Option<impl Fn(u64) -> bool + Copy>,
    ) -> Found<'a> {
        match self.table_in_use(guard) {
            Some(table) => table.find_fresh(hash, key, fresh),
            None => Err(TornRead),
        }
    }

    /// Where the item of this key is; for the writer.
    pub(super) fn position(&self, hash: u32, key: u64, guard: &Guard) -> Option<Position> {
        let (_, found) = self.table(guard).find(hash, key).ok()??;
        Some(found.position)
    }

    /// All slots, taken or not.
    pub(super) fn positions(&self, guard: &Guard) -> Positions {
        self.table(guard).positions()
    }

    /// The id of an item in the catalog, if there is one.
    pub(super) fn id(&self, position: Position, guard: &Guard) -> u32 {
        self.table(guard).ids.get(slot_index(position))
    }

    pub(super) fn set_id(&self, position: Position, id: u32, guard: &Guard) {
        self.table(guard).set_id(position, id);
    }

    /// Since when the item counts as fresh that is in this slot, if it is taken.
    pub(super) fn since(&self, position: Position, guard: &Guard) -> Option<u64> {
        let table = self.table(guard);
        table.is_taken(position).then(|| table.since(position))
    }

    pub(super) fn uses<'a>(&'a self, position: Position, guard: &'a Guard) -> &'a Uses {
        self.table(guard).uses(position)
    }

    /// Adds an item with a new key. `items` is the number of items before.
    pub(super) fn insert(
        &self,
        items: usize,
        hash: u32,
        item: WordItem,
        moved: Moved<'_>,
        guard: &Guard,
    ) -> Position {
        let table = self.table(guard);
        if table.is_full(items) {
            self.resize(table.buckets.len() * 2, moved, guard);
        }
        self.table(guard).insert_item(hash, item)
    }

    /// Replaces the item at a position by one with the same key.
    pub(super) fn replace(&self, position: Position, item: WordItem, guard: &Guard) {
        self.table(guard).put(position, item);
    }

    pub(super) fn remove(&self, position: Position, guard: &Guard) {
        let table = self.table(guard);
        let hash = (self.hash)(table.item(position).key);
        table.take(hash, position);
    }

    /// The bytes of all tables, including those kept for later use.
    pub(super) fn bytes(&self, guard: &Guard) -> u64 {
        bytes_up_to(self.table(guard).buckets.len())
    }

    /// The most items that keep the store within `limit` bytes. `bytes` gives the size of a number of items with tables of
    /// a given size.
    pub(super) fn most_within(limit: u64, bytes: impl Fn(u64, u64) -> u64) -> u64 {
        let most_of = |number: usize| {
            let tables = bytes_up_to(1 << number);
            let room = limit.checked_sub(tables)?;
            Some((room / bytes(1, 0)).min(most_items(1 << number) as u64))
        };
        (0..MAX_TABLES).map_while(most_of).max().unwrap_or(0)
    }

    /// Whether the table is nearly empty.
    pub(super) fn is_sparse(&self, items: usize, guard: &Guard) -> bool {
        self.table(guard).is_sparse(items)
    }

    /// Halves the table.
    pub(super) fn shrink(&self, moved: Moved<'_>, guard: &Guard) {
        self.resize(self.table(guard).buckets.len() / 2, moved, guard);
    }

    /// Removes all items.
    pub(super) fn clear(&self, guard: &Guard) {
        let table = self.table(guard);
        match table.buckets.len() {
            1 => table.clear(),
            _ => self.replace_table(1, |_, _| {}, guard),
        }
    }

    /// Switches to a table with this many buckets, and moves all items.
    fn resize(&self, buckets: usize, moved: Moved<'_>, guard: &Guard) {
        let fill = |new: &Table, old: &Table| new.take_over(old, &*self.hash, moved);
        self.replace_table(buckets, fill, guard);
    }

    /// Switches to a table with this many buckets, filled from the old one.
    fn replace_table(&self, buckets: usize, fill: impl FnOnce(&Table, &Table), guard: &Guard) {
        let (old, number) = (self.table(guard), buckets.trailing_zeros() as usize);
        let was_small = self.current.load(Relaxed) != LARGE;
        if number < SMALL {
            let new = self.small_table(number);
            fill(new, old);
            new.open();
            self.current.store(number, Release);
            drop(self.large.swap((None, Tag::None), AcqRel));
        } else {
            let new = Shared::new(Table::new(buckets));
            fill(&new, old);
            drop(self.large.swap((Some(new), Tag::None), AcqRel));
            self.current.store(LARGE, Release);
        }
        if was_small {
            old.close();
        }
    }

    /// The small table of this number.
    fn small_table(&self, number: usize) -> &Table {
        self.small[number].0.get_or_init(|| Table::new(1 << number))
    }

    /// The table in use, unless a writer is switching tables.
    fn table_in_use<'a>(&'a self, guard: &'a Guard) -> Option<&'a Table> {
        match self.current.load(Acquire) {
            LARGE => self.large.load(Acquire, guard).as_ref(),
            number => self.small[number].0.get(),
        }
    }

    /// The table in use, for the writer.
    fn table<'a>(&'a self, guard: &'a Guard) -> &'a Table {
        let table = self.table_in_use(guard);
        table.expect("only a writer changes which table is in use")
    }
}

impl WordRef<'_> {
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(super) fn count_use(self) {
        self.table.uses(self.position).count();
    }

    /// The time since which the value counts as fresh.
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(super) fn since(self) -> Result<u64, TornRead> {
        let since = self.table.since(self.position);
        let bucket = &self.table.buckets[self.position.bucket()];
        match bucket.is_still(self.state) {
            true => Ok(since),
            false => Err(TornRead),
        }
    }

    /// When the value, or one that has replaced it, was computed.
    pub(super) fn created(self) -> u64 {
        let times = self.table.times(self.position);
        times.created_near(self.table.since(self.position))
    }

    /// The time since which it counts as fresh, or that of one that has replaced it.
    pub(super) fn fresh_since(self) -> u64 {
        self.table.since(self.position)
    }

    /// The value with its times, or those of one that has replaced it.
    pub(super) fn entry<V>(self, value: V) -> Entry<V> {
        Entry {
            value,
            created: self.created(),
            compute_nanos: self.table.times(self.position).compute_nanos(),
        }
    }
}

impl Table {
    fn new(buckets: usize) -> Self {
        Self {
            buckets: zeros(buckets),
            times: zeros(buckets * SLOTS),
            since: OnceLock::new(),
            ids: Ids::new(),
        }
    }

    fn positions(&self) -> Positions {
        Position::all(self.buckets.len(), SLOTS)
    }

    fn is_taken(&self, position: Position) -> bool {
        self.buckets[position.bucket()].is_taken(position.slot())
    }

    #[cfg_attr(not(debug_assertions), inline(always))]
    fn find(&self, hash: u32, key: u64) -> Found<'_> {
        let home = self.home(hash);
        let mut bucket = home;
        loop {
            match self.buckets[bucket].find(key) {
                Lookup::Value(value, slot, state) => {
                    let position = Position::new(bucket, slot);
                    let found = WordRef {
                        table: self,
                        position,
                        state,
                    };
                    return Ok(Some((value, found)));
                }
                Lookup::Overflow => bucket = self.next(bucket),
                Lookup::Absent => return Ok(None),
                Lookup::TornRead => return Err(TornRead),
            }
            // All buckets of a small table may have passed an item on.
            if bucket == home {
                return Ok(None);
            }
        }
    }

    #[cfg_attr(not(debug_assertions), inline(always))]
    fn find_fresh(
        &self,
        hash: u32,
        key: u64,
        fresh: Option<impl Fn(u64) -> bool + Copy>,
    ) -> Found<'_> {
        let Some((value, found)) = self.find(hash, key)? else {
            return Ok(None);
        };
        match fresh {
            Some(fresh) if !fresh(found.since()?) => Ok(None),
            _ => Ok(Some((value, found))),
        }
    }

    /// Copies the items of another table into this one, which is empty and not in use.
    fn take_over(&self, old: &Self, hash: &dyn Fn(u64) -> u32, moved: Moved<'_>) {
        for from in old.positions().filter(|slot| old.is_taken(*slot)) {
            let item = old.item(from);
            let position = self.insert_item(hash(item.key), item);
            self.uses(position).set(old.uses(from).copy());
            let id = old.ids.get(slot_index(from));
            self.set_id(position, moved(id, position));
        }
    }

    /// Whether one more item would make too many buckets overflow.
    fn is_full(&self, items: usize) -> bool {
        items >= most_items(self.buckets.len())
    }

    /// Whether a table of half the size would be far from full too.
    fn is_sparse(&self, items: usize) -> bool {
        self.buckets.len() >= MIN_SHRUNK && items * 8 < self.buckets.len() * SLOTS
    }

    /// Puts an item into the first bucket with a vacant slot.
    fn insert_item(&self, hash: u32, item: WordItem) -> Position {
        let mut bucket = self.home(hash);
        loop {
            if let Some(slot) = self.buckets[bucket].vacant() {
                let position = Position::new(bucket, slot);
                self.uses(position).set(0);
                self.put(position, item);
                return position;
            }
            self.buckets[bucket].add_overflow();
            bucket = self.next(bucket);
        }
    }

    fn put(&self, position: Position, item: WordItem) {
        let (bucket, index) = (&self.buckets[position.bucket()], slot_index(position));
        bucket.put(position.slot(), (item.key, item.value), || {
            self.times[index].store(item.times.to_word(), Relaxed);
            self.set_since(index, item);
        });
    }

    fn set_id(&self, position: Position, id: u32) {
        let slots = self.times.len();
        self.ids.set(slot_index(position), slots, id);
    }

    /// Called after the item's times are set.
    fn set_since(&self, index: usize, item: WordItem) {
        let created = |times: &AtomicU64| Times::from_word(times.load(Relaxed)).created();
        let as_created = || self.times.iter().map(created).map(AtomicU64::new).collect();
        if item.since != item.times.created() || self.since.get().is_some() {
            self.since.get_or_init(as_created)[index].store(item.since, Relaxed);
        }
    }

    fn item(&self, position: Position) -> WordItem {
        let (key, value) = self.buckets[position.bucket()].entry(position.slot());
        WordItem {
            key,
            value,
            times: self.times(position),
            since: self.since(position),
        }
    }

    #[cfg_attr(not(debug_assertions), inline(always))]
    fn times(&self, position: Position) -> Times {
        Times::from_word(self.times[slot_index(position)].load(Relaxed))
    }

    /// The time since which an item counts as fresh.
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn since(&self, position: Position) -> u64 {
        match self.since.get() {
            Some(since) => since[slot_index(position)].load(Relaxed),
            None => self.times(position).created(),
        }
    }

    fn take(&self, hash: u32, position: Position) {
        self.buckets[position.bucket()].take(position.slot());
        let mut bucket = self.home(hash);
        while bucket != position.bucket() {
            self.buckets[bucket].remove_overflow();
            bucket = self.next(bucket);
        }
    }

    #[cfg_attr(not(debug_assertions), inline(always))]
    fn uses(&self, position: Position) -> &Uses {
        self.buckets[position.bucket()].uses(position.slot())
    }

    fn clear(&self) {
        self.buckets.iter().for_each(WordBucket::clear);
    }

    fn close(&self) {
        self.buckets.iter().for_each(WordBucket::close);
    }

    fn open(&self) {
        self.buckets.iter().for_each(WordBucket::open);
    }

    #[cfg_attr(not(debug_assertions), inline(always))]
    fn home(&self, hash: u32) -> usize {
        hash as usize & (self.buckets.len() - 1)
    }

    #[cfg_attr(not(debug_assertions), inline(always))]
    fn next(&self, bucket: usize) -> usize {
        (bucket + 1) & (self.buckets.len() - 1)
    }
}

/// A vector of `count` default values.
fn zeros<T: Default>(count: usize) -> Vec<T> {
    std::iter::repeat_with(T::default).take(count).collect()
}

/// The index of a slot among all slots of its table.
fn slot_index(position: Position) -> usize {
    position.bucket() * SLOTS + position.slot()
}

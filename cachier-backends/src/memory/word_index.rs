//! Entries whose key and value are one word each, in place: a lookup follows no pointer, and takes no guard unless there
//! are very many.
//!
//! The table in use is replaced as a whole when it is full or nearly empty:
//!
//! - A *small* table stays for as long as the index: who has just looked which one is in use may still be reading it.
//!   Out of use it is closed, so that such a reader notices, and looks again; it is opened again once it is filled anew.
//! - A *large* one is read under a guard, which a lookup there can afford, as it waits for memory. It does not change any
//!   more when it is out of use, and is freed when no guard is left that may see it.

use std::sync::OnceLock;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

use super::catalog::{Catalog, Position, Record};
use super::entry::Times;
use super::node::Uses;
use super::sync::{AtomicShared, AtomicU32, AtomicU64, AtomicUsize, Guard, Shared, Tag};
use super::table::MIN_SHRUNK;
use super::word_bucket::{Lookup, SLOTS, State, WordBucket};

/// The tables, as readers and writers share them.
pub(super) struct WordIndex {
    /// The number of the small table in use, or [`LARGE`].
    current: AtomicUsize,
    /// Made when they are first needed, of growing size. Together they take less than 3 MB. The one that
    /// stands for the large table is always closed: a lookup notices as it notices a writer, without a branch for it.
    small: [OnceLock<Table>; SMALL + 1],
    large: AtomicShared<Table>,
}

/// The last of them has room for 17,000 entries. The model checker wants less to do.
const SMALL: usize = if cfg!(shuttle) { 2 } else { 14 };

/// The number that stands for the large table.
const LARGE: usize = SMALL;

/// The last one has as many buckets as a [`Position`] can name.
const MAX_TABLES: usize = 29;

/// Buckets as in [`table`](super::table): an item goes into the bucket of its hash, or the next one with a vacant slot.
struct Table {
    buckets: Vec<WordBucket>,
    // Parallel to the slots, in separate arrays: a hit touches only what it needs.
    since: Vec<AtomicU64>,
    timestamps: Vec<Timestamps>,
    ids: Vec<AtomicU32>,
}

/// Times of an entry, read by timed hits: in one cache line.
#[derive(Default)]
#[repr(align(16))]
struct Timestamps {
    created: AtomicU64,
    compute_nanos: AtomicU64,
}

/// An item to insert.
#[derive(Clone, Copy)]
pub(super) struct WordItem {
    pub(super) key: u64,
    pub(super) value: u64,
    /// The time since which it counts as fresh.
    pub(super) since: u64,
    pub(super) times: Times,
}

/// Where a value was found, and the state of the bucket.
#[derive(Clone, Copy)]
pub(super) struct WordRef<'a> {
    table: &'a Table,
    position: Position,
    state: State,
}

/// A writer was at work, or the table is large: what was read does not belong together. Look again, under a guard.
pub(super) struct TornRead;

/// The result of a lookup.
pub(super) type Found<'a> = Result<Option<(u64, WordRef<'a>)>, TornRead>;

impl WordIndex {
    pub(super) fn new() -> Self {
        let index = Self {
            current: AtomicUsize::new(0),
            small: [const { OnceLock::new() }; SMALL + 1],
            large: AtomicShared::null(),
        };
        index.small_table(0);
        index.small[LARGE].get_or_init(|| {
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
        let small = self.small[self.current.load(Acquire)].get();
        let small = small.expect("the table in use was made");
        small.find_fresh(hash, key, fresh)
    }

    /// The same, in whichever table is in use. Under the lock of the writers it is never unsteady.
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

    /// The id of the entry of this key; for the writer.
    pub(super) fn id(&self, hash: u32, key: u64, guard: &Guard) -> Option<u32> {
        let (_, place) = self.table(guard).find(hash, key).ok()??;
        Some(place.id())
    }

    /// Since when the entry of this id counts as fresh.
    pub(super) fn since(&self, catalog: &Catalog, id: u32, guard: &Guard) -> u64 {
        self.table(guard).since[slot_index(catalog.position(id))].load(Relaxed)
    }

    pub(super) fn uses<'a>(&'a self, catalog: &Catalog, id: u32, guard: &'a Guard) -> &'a Uses {
        self.table(guard).uses(catalog.position(id))
    }

    /// Adds an item whose key is not in the index; the catalog's next id becomes its id.
    pub(super) fn insert(&self, catalog: &mut Catalog, hash: u32, item: WordItem, guard: &Guard) {
        let table = self.table(guard);
        if table.is_full(catalog.len()) {
            self.resize(catalog, table.buckets.len() * 2, guard);
        }
        let id = catalog.next_id();
        let position = self.table(guard).insert_item(hash, id, item);
        catalog.insert(Record { hash, position });
    }

    /// Puts an item of the same key and id in the place of the one that is there.
    pub(super) fn replace(&self, catalog: &Catalog, id: u32, item: WordItem, guard: &Guard) {
        let position = catalog.position(id);
        self.table(guard).put(position, id, item);
    }

    pub(super) fn remove(&self, catalog: &mut Catalog, id: u32, guard: &Guard) {
        let Record { hash, position } = catalog.remove(id);
        self.table(guard).take(hash, position);
    }

    /// What the tables take, those included that are kept for when they are needed again.
    pub(super) fn bytes(&self, guard: &Guard) -> u64 {
        bytes_up_to(self.table(guard).buckets.len())
    }

    /// The most items that leave the store within so many bytes; `bytes` is what so many items take whose tables take
    /// that much.
    pub(super) fn most_within(limit: u64, bytes: impl Fn(u64, u64) -> u64) -> u64 {
        let most_of = |number: usize| {
            let tables = bytes_up_to(1 << number);
            let room = limit.checked_sub(tables)?;
            Some((room / bytes(1, 0)).min(most_items(1 << number) as u64))
        };
        (0..MAX_TABLES).map_while(most_of).max().unwrap_or(0)
    }

    /// Whether few items are left of many.
    pub(super) fn is_sparse(&self, items: usize, guard: &Guard) -> bool {
        self.table(guard).is_sparse(items)
    }

    /// Halves the table. The items take the ids that the catalog has for them.
    pub(super) fn shrink(&self, catalog: &mut Catalog, guard: &Guard) {
        self.resize(catalog, self.table(guard).buckets.len() / 2, guard);
    }

    /// Removes all items.
    pub(super) fn clear(&self, catalog: &mut Catalog, guard: &Guard) {
        *catalog = Catalog::default();
        let table = self.table(guard);
        match table.buckets.len() {
            1 => table.clear(),
            _ => self.resize(catalog, 1, guard),
        }
    }

    /// Puts another table into use, of so many buckets.
    fn resize(&self, catalog: &mut Catalog, buckets: usize, guard: &Guard) {
        let (old, number) = (self.table(guard), buckets.trailing_zeros() as usize);
        let was_small = self.current.load(Relaxed) != LARGE;
        if number < SMALL {
            let new = self.small_table(number);
            new.take_over(old, catalog);
            new.open();
            self.current.store(number, Release);
            drop(self.large.swap((None, Tag::None), AcqRel));
        } else {
            let new = Shared::new(Table::new(buckets));
            new.take_over(old, catalog);
            drop(self.large.swap((Some(new), Tag::None), AcqRel));
            self.current.store(LARGE, Release);
        }
        if was_small {
            old.close();
        }
    }

    /// The small table of this number.
    fn small_table(&self, number: usize) -> &Table {
        self.small[number].get_or_init(|| Table::new(1 << number))
    }

    /// The table in use, unless that changes just now.
    fn table_in_use<'a>(&'a self, guard: &'a Guard) -> Option<&'a Table> {
        match self.current.load(Acquire) {
            LARGE => self.large.load(Acquire, guard).as_ref(),
            number => self.small[number].get(),
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
        let since = self.table.since[slot_index(self.position)].load(Relaxed);
        let bucket = &self.table.buckets[self.position.bucket()];
        match bucket.is_still(self.state) {
            true => Ok(since),
            false => Err(TornRead),
        }
    }

    /// The times of the value, or of one that has replaced it.
    pub(super) fn times(self) -> Times {
        self.table.timestamps[slot_index(self.position)].times()
    }

    pub(super) fn id(self) -> u32 {
        self.table.ids[slot_index(self.position)].load(Relaxed)
    }
}

impl Table {
    fn new(buckets: usize) -> Self {
        fn filled<T: Default>(count: usize) -> Vec<T> {
            std::iter::repeat_with(T::default).take(count).collect()
        }
        Self {
            buckets: filled(buckets),
            since: filled(buckets * SLOTS),
            timestamps: filled(buckets * SLOTS),
            ids: filled(buckets * SLOTS),
        }
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
    fn take_over(&self, old: &Self, catalog: &mut Catalog) {
        for (id, record) in catalog.records_mut() {
            let item = old.item(record.position);
            let uses = old.uses(record.position).copy();
            record.position = self.insert_item(record.hash, id, item);
            self.uses(record.position).set(uses);
        }
    }

    /// Whether with one more item too many buckets would overflow.
    fn is_full(&self, items: usize) -> bool {
        items >= most_items(self.buckets.len())
    }

    /// Whether a table of half the size would be far from full too.
    fn is_sparse(&self, items: usize) -> bool {
        self.buckets.len() >= MIN_SHRUNK && items * 8 < self.buckets.len() * SLOTS
    }

    /// Puts an item into the first bucket with a vacant slot.
    fn insert_item(&self, hash: u32, id: u32, item: WordItem) -> Position {
        let mut bucket = self.home(hash);
        loop {
            if let Some(slot) = self.buckets[bucket].vacant() {
                let position = Position::new(bucket, slot);
                self.uses(position).set(0);
                self.put(position, id, item);
                return position;
            }
            self.buckets[bucket].add_overflow();
            bucket = self.next(bucket);
        }
    }

    fn put(&self, position: Position, id: u32, item: WordItem) {
        let (bucket, index) = (&self.buckets[position.bucket()], slot_index(position));
        bucket.put(position.slot(), (item.key, item.value), || {
            self.since[index].store(item.since, Relaxed);
            self.timestamps[index].set(item.times);
            self.ids[index].store(id, Relaxed);
        });
    }

    fn item(&self, position: Position) -> WordItem {
        let (key, value) = self.buckets[position.bucket()].entry(position.slot());
        WordItem {
            key,
            value,
            since: self.since[slot_index(position)].load(Relaxed),
            times: self.timestamps[slot_index(position)].times(),
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

impl Timestamps {
    fn set(&self, times: Times) {
        self.created.store(times.created, Relaxed);
        self.compute_nanos.store(times.compute_nanos, Relaxed);
    }

    fn times(&self) -> Times {
        Times {
            created: self.created.load(Relaxed),
            compute_nanos: self.compute_nanos.load(Relaxed),
        }
    }
}

/// How many items so many buckets take before too many of them overflow.
fn most_items(buckets: usize) -> usize {
    buckets * SLOTS * 7 / 10
}

/// What a table of so many buckets takes, with the smaller ones that stay.
fn bytes_up_to(buckets: usize) -> u64 {
    let index = size_of::<AtomicU64>() + size_of::<Timestamps>() + size_of::<AtomicU32>();
    let bucket = size_of::<WordBucket>() + SLOTS * index;
    let largest_small = 1 << (SMALL - 1);
    let small = 2 * buckets.min(largest_small) - 1;
    let large = if buckets > largest_small { buckets } else { 0 };
    (bucket * (small + large)) as u64
}

/// Where a slot stands among all slots of its table.
fn slot_index(position: Position) -> usize {
    position.bucket() * SLOTS + position.slot()
}

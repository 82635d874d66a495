//! Entries whose key and value are one word each, in place: a lookup follows no pointer, and nothing that it reads is
//! ever freed under it.

use std::sync::OnceLock;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use super::catalog::{Catalog, Position, Record};
use super::entry::Times;
use super::node::Uses;
use super::sync::{AtomicU32, AtomicU64, AtomicUsize};
use super::word_bucket::{SLOTS, Seen, State, WordBucket};

/// Tables of growing size, of which one is in use. Former ones stay: readers may still be in them, and together they are
/// not larger than the one in use.
pub(super) struct WordIndex {
    tables: [OnceLock<Table>; TABLES],
    current: AtomicUsize,
}

/// The last one has as many buckets as a [`Position`] can name.
const TABLES: usize = 29;

/// Buckets as in [`table`](super::table): an item belongs into the bucket that its hash names, or the next one that has a
/// slot to spare.
struct Table {
    buckets: Vec<WordBucket>,
    // Beside each slot, apart from it and from each other: a hit touches only what it asks for.
    since: Vec<AtomicU64>,
    notes: Vec<Note>,
    ids: Vec<AtomicU32>,
}

/// What timed hits ask for, beside each slot: in one cache line, and few of them for all slots.
#[derive(Default)]
#[repr(align(16))]
struct Note {
    created: AtomicU64,
    compute_nanos: AtomicU64,
}

/// An item on its way into an index.
#[derive(Clone, Copy)]
pub(super) struct WordItem {
    pub(super) key: u64,
    pub(super) value: u64,
    /// Since when it counts as fresh.
    pub(super) since: u64,
    pub(super) times: Times,
}

/// Where a value was found, and in which state the bucket was.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    table: &'a Table,
    position: Position,
    state: State,
}

/// A writer was at work: what was read does not belong together.
pub(super) struct Unsteady;

/// What a lookup came to.
pub(super) type Found<'a> = Result<Option<(u64, Place<'a>)>, Unsteady>;

impl WordIndex {
    pub(super) fn new() -> Self {
        let index = Self {
            tables: [const { OnceLock::new() }; TABLES],
            current: AtomicUsize::new(0),
        };
        index.open(0);
        index
    }

    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(super) fn find(&self, hash: u32, key: u64) -> Found<'_> {
        let table = self.table();
        let home = table.home(hash);
        let mut bucket = home;
        loop {
            match table.buckets[bucket].find(key) {
                Seen::Value(value, slot, state) => {
                    let position = Position::new(bucket, slot);
                    let place = Place {
                        table,
                        position,
                        state,
                    };
                    return Ok(Some((value, place)));
                }
                Seen::GoOn => bucket = table.next(bucket),
                Seen::Absent => return Ok(None),
                Seen::Unsteady => return Err(Unsteady),
            }
            // All buckets of a small table may have passed an item on.
            if bucket == home {
                return Ok(None);
            }
        }
    }

    /// The same, unless the value is not fresh.
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(super) fn find_fresh(
        &self,
        hash: u32,
        key: u64,
        fresh: Option<impl Fn(u64) -> bool + Copy>,
    ) -> Found<'_> {
        let Some((value, place)) = self.find(hash, key)? else {
            return Ok(None);
        };
        match fresh {
            Some(fresh) if !fresh(place.since()?) => Ok(None),
            _ => Ok(Some((value, place))),
        }
    }

    /// Since when the entry of this id counts as fresh.
    pub(super) fn since(&self, catalog: &Catalog, id: u32) -> u64 {
        self.table().since[flat(catalog.position(id))].load(Relaxed)
    }

    pub(super) fn uses(&self, catalog: &Catalog, id: u32) -> &Uses {
        self.table().uses(catalog.position(id))
    }

    /// Adds an item whose key is not in the index; the catalog's next id becomes its id.
    pub(super) fn insert(&self, catalog: &mut Catalog, hash: u32, item: WordItem) {
        if self.table().is_full(catalog.len()) {
            self.grow(catalog);
        }
        let id = catalog.next_id();
        let position = self.table().place(hash, id, item);
        catalog.enter(Record { hash, position });
    }

    /// Puts an item of the same key and id in the place of the one that is there.
    pub(super) fn replace(&self, catalog: &Catalog, id: u32, item: WordItem) {
        let position = catalog.position(id);
        self.table().put(position, id, item);
    }

    pub(super) fn remove(&self, catalog: &mut Catalog, id: u32) {
        let Record { hash, position } = catalog.strike_out(id);
        self.table().take(hash, position);
    }

    /// Removes all items. Takes time in proportion to the size of the table, which stays.
    pub(super) fn clear(&self, catalog: &mut Catalog) {
        *catalog = Catalog::default();
        self.table().clear();
    }

    fn grow(&self, catalog: &mut Catalog) {
        let old = self.table();
        let next = self.current.load(Relaxed) + 1;
        let new = self.open(next);
        for (id, record) in catalog.records_mut() {
            let item = old.item(record.position);
            let uses = old.uses(record.position).copy();
            record.position = new.place(record.hash, id, item);
            new.uses(record.position).set(uses);
        }
        self.current.store(next, Release);
    }

    /// The table of this number, empty.
    fn open(&self, number: usize) -> &Table {
        self.tables[number].get_or_init(|| Table::new(1 << number))
    }

    #[cfg_attr(not(debug_assertions), inline(always))]
    fn table(&self) -> &Table {
        let table = self.tables[self.current.load(Acquire)].get();
        table.expect("the table in use was opened")
    }
}

impl Place<'_> {
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(super) fn count_use(self) {
        self.table.uses(self.position).count();
    }

    /// Since when the value that was found counts as fresh.
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(super) fn since(self) -> Result<u64, Unsteady> {
        let since = self.table.since[flat(self.position)].load(Relaxed);
        let bucket = &self.table.buckets[self.position.bucket()];
        match bucket.is_still(self.state) {
            true => Ok(since),
            false => Err(Unsteady),
        }
    }

    /// Those of the value that was found, or of one that has come in its place since.
    pub(super) fn times(self) -> Times {
        self.table.notes[flat(self.position)].times()
    }

    pub(super) fn id(self) -> u32 {
        self.table.ids[flat(self.position)].load(Relaxed)
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
            notes: filled(buckets * SLOTS),
            ids: filled(buckets * SLOTS),
        }
    }

    /// Whether with one more item too many buckets would overflow.
    fn is_full(&self, items: usize) -> bool {
        (items + 1) * 10 > self.buckets.len() * SLOTS * 7
    }

    /// Puts an item into the first bucket with a slot to spare.
    fn place(&self, hash: u32, id: u32, item: WordItem) -> Position {
        let mut bucket = self.home(hash);
        loop {
            if let Some(slot) = self.buckets[bucket].vacant() {
                let position = Position::new(bucket, slot);
                self.uses(position).set(0);
                self.put(position, id, item);
                return position;
            }
            self.buckets[bucket].pass();
            bucket = self.next(bucket);
        }
    }

    fn put(&self, position: Position, id: u32, item: WordItem) {
        let (bucket, beside) = (&self.buckets[position.bucket()], flat(position));
        bucket.put(position.slot(), (item.key, item.value), || {
            self.since[beside].store(item.since, Relaxed);
            self.notes[beside].set(item.times);
            self.ids[beside].store(id, Relaxed);
        });
    }

    fn item(&self, position: Position) -> WordItem {
        let (key, value) = self.buckets[position.bucket()].entry(position.slot());
        WordItem {
            key,
            value,
            since: self.since[flat(position)].load(Relaxed),
            times: self.notes[flat(position)].times(),
        }
    }

    fn take(&self, hash: u32, position: Position) {
        self.buckets[position.bucket()].take(position.slot());
        let mut bucket = self.home(hash);
        while bucket != position.bucket() {
            self.buckets[bucket].unpass();
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

    #[cfg_attr(not(debug_assertions), inline(always))]
    fn home(&self, hash: u32) -> usize {
        hash as usize & (self.buckets.len() - 1)
    }

    #[cfg_attr(not(debug_assertions), inline(always))]
    fn next(&self, bucket: usize) -> usize {
        (bucket + 1) & (self.buckets.len() - 1)
    }
}

impl Note {
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

/// Where a slot stands among all slots of its table.
fn flat(position: Position) -> usize {
    position.bucket() * SLOTS + position.slot()
}

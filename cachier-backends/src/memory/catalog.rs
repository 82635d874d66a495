//! The positions of items by id, for writers only.

#[derive(Default)]
pub(super) struct Catalog {
    records: Vec<Record>,
    vacant: Vec<u32>,
}

/// No item has this id.
pub(super) const NO_ID: u32 = u32::MAX;

/// What is known about one item.
#[derive(Clone, Copy)]
pub(super) struct Record {
    pub(super) hash: u32,
    pub(super) position: Position,
}

/// A slot in a table.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Position(u32);

impl Catalog {
    pub(super) fn len(&self) -> usize {
        self.records.len() - self.vacant.len()
    }

    pub(super) fn ids(&self) -> Vec<u32> {
        let live = |(id, record): (usize, &Record)| {
            (record.position != Position::VACANT).then_some(id as u32)
        };
        self.records.iter().enumerate().filter_map(live).collect()
    }

    pub(super) fn position(&self, id: u32) -> Position {
        self.records[id as usize].position
    }

    /// The ids and records of all items, to be updated when items move.
    pub(super) fn records_mut(&mut self) -> impl Iterator<Item = (u32, &mut Record)> {
        let records = (0..).zip(self.records.iter_mut());
        records.filter(|(_, record)| record.position != Position::VACANT)
    }

    /// Numbers the items anew, without gaps; returns the new id of each former one, [`NO_ID`] for those that were vacant.
    pub(super) fn renumber(&mut self) -> Vec<u32> {
        let mut records = Vec::with_capacity(self.len());
        let mut number = |record: &Record| {
            let id = records.len() as u32;
            records.push(*record);
            id
        };
        let is_vacant = |record: &Record| record.position == Position::VACANT;
        let ids = self.records.iter().map(|record| match is_vacant(record) {
            true => NO_ID,
            false => number(record),
        });
        let ids = ids.collect();
        self.records = records;
        self.vacant = Vec::new();
        ids
    }

    /// The id that the next item will have.
    pub(super) fn next_id(&self) -> u32 {
        let fresh = || u32::try_from(self.records.len()).expect("fewer than 2^32 entries");
        self.vacant.last().copied().unwrap_or_else(fresh)
    }

    /// Adds an item under the next id.
    pub(super) fn insert(&mut self, record: Record) {
        match self.vacant.pop() {
            Some(id) => self.records[id as usize] = record,
            None => {
                make_room(&mut self.records);
                self.records.push(record);
            }
        }
    }

    /// Removes an item, and frees its id.
    pub(super) fn remove(&mut self, id: u32) -> Record {
        let record = self.records[id as usize];
        self.records[id as usize].position = Position::VACANT;
        self.vacant.push(id);
        record
    }
}

/// Makes room for one more, and a few: lists of what is known of entries take little more than they hold.
pub(super) fn make_room<T>(list: &mut Vec<T>) {
    if list.len() == list.capacity() {
        list.reserve_exact(list.len() / 4 + 4);
    }
}

impl Position {
    const VACANT: Self = Self(u32::MAX);

    /// A bucket has fewer than eight slots, a table fewer than 2^29 buckets.
    pub(super) fn new(bucket: usize, slot: usize) -> Self {
        Self((bucket << 3 | slot) as u32)
    }

    pub(super) fn bucket(self) -> usize {
        self.0 as usize >> 3
    }

    pub(super) fn slot(self) -> usize {
        self.0 as usize & 7
    }
}

//! The ids of entries, and where each of them is: for stores that evict, as the policy knows entries by id.

#[derive(Default)]
pub(super) struct Catalog {
    positions: Vec<Position>,
    vacant: Vec<u32>,
}

/// No item has this id.
pub(super) const NO_ID: u32 = u32::MAX;

/// A slot in a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position(u32);

impl Catalog {
    pub(super) fn position(&self, id: u32) -> Position {
        self.positions[id as usize]
    }

    /// An item has moved.
    pub(super) fn set_position(&mut self, id: u32, position: Position) {
        self.positions[id as usize] = position;
    }

    /// Renumbers the items without gaps; returns the new id of each former one, [`NO_ID`] for those that were vacant.
    pub(super) fn renumber(&mut self) -> Vec<u32> {
        let mut positions = Vec::with_capacity(self.positions.len() - self.vacant.len());
        let mut number = |position: &Position| {
            let id = positions.len() as u32;
            positions.push(*position);
            id
        };
        let is_vacant = |position: &Position| *position == Position::VACANT;
        let ids = self
            .positions
            .iter()
            .map(|position| match is_vacant(position) {
                true => NO_ID,
                false => number(position),
            });
        let ids = ids.collect();
        self.positions = positions;
        self.vacant = Vec::new();
        ids
    }

    /// The id that the next item will have.
    pub(super) fn next_id(&self) -> u32 {
        let fresh = || u32::try_from(self.positions.len()).expect("fewer than 2^32 entries");
        self.vacant.last().copied().unwrap_or_else(fresh)
    }

    /// Adds an item under the next id.
    pub(super) fn insert(&mut self, position: Position) {
        match self.vacant.pop() {
            Some(id) => self.set_position(id, position),
            None => {
                make_room(&mut self.positions);
                self.positions.push(position);
            }
        }
    }

    /// Frees the id of an item.
    pub(super) fn remove(&mut self, id: u32) {
        self.set_position(id, Position::VACANT);
        self.vacant.push(id);
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

    /// All slots of a table, by bucket.
    pub(super) fn all(buckets: usize, slots: usize) -> Positions {
        Positions {
            next: (0, 0),
            buckets,
            slots,
        }
    }

    pub(super) fn bucket(self) -> usize {
        self.0 as usize >> 3
    }

    pub(super) fn slot(self) -> usize {
        self.0 as usize & 7
    }
}

/// All slots of a table. Compiled once, for tables of whatever types.
pub(super) struct Positions {
    /// Bucket and slot.
    next: (usize, usize),
    buckets: usize,
    slots: usize,
}

impl Iterator for Positions {
    type Item = Position;

    fn next(&mut self) -> Option<Position> {
        let (bucket, slot) = self.next;
        self.next = match slot + 1 < self.slots {
            true => (bucket, slot + 1),
            false => (bucket + 1, 0),
        };
        (bucket < self.buckets).then(|| Position::new(bucket, slot))
    }
}

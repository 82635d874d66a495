//! The writing side of a store: what it holds, kept within its bounds.

use std::sync::MutexGuard;

use sdd::{Guard, Shared};

use super::entry::{Bounds, Entry, Inserted, Node, Used};
use super::index::{Index, Occupancy, Position, Retired};
use super::policy::Segment;
use super::residents::Residents;

/// What writers alone need to know, under the lock.
pub(super) struct Ledger<K, V> {
    occupancy: Occupancy,
    entries: u64,
    bytes: u64,
    /// How many entries have no known size.
    unsized_entries: u64,
    /// Absent from a store without bounds.
    residents: Option<Residents<Node<K, V>>>,
}

/// The one writer of a store, for as long as it holds the lock.
///
/// What it removes is dropped when the outermost `guard` of the thread goes, or later: so the guard
/// has to be older than the lock.
pub(super) struct Writer<'a, K, V> {
    pub(super) bounds: Bounds,
    pub(super) index: &'a Index<Node<K, V>>,
    pub(super) ledger: MutexGuard<'a, Ledger<K, V>>,
    pub(super) guard: &'a Guard,
}

/// What a store held when it was cleared.
pub(super) struct Cleared<K, V> {
    pub(super) entries: u64,
    table: Retired<Node<K, V>>,
    _residents: Option<Residents<Node<K, V>>>,
}

type Place<'a, K, V> = (Position, &'a Node<K, V>);

impl<'a, K, V> Writer<'a, K, V>
where
    K: Eq + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    pub(super) fn insert(&mut self, key: K, hash: u64, entry: Entry<V>) -> Inserted {
        let former = self.locate(hash, |node| node.key == key);
        let kept = self.bounds.admit(&entry);
        let evicted = match former {
            _ if kept => self.put(former, key, hash, entry),
            Some(former) => {
                self.take_out(former);
                0
            }
            None => 0,
        };
        Inserted {
            kept,
            evicted,
            entries: self.ledger.entries(),
        }
    }

    pub(super) fn remove(&mut self, hash: u64, is_match: impl Fn(&Node<K, V>) -> bool) -> bool {
        let found = self.locate(hash, is_match);
        found.map(|place| self.take_out(place)).is_some()
    }

    pub(super) fn remove_older_than(&mut self, created_before: u64) -> u64 {
        let before = self.ledger.entries();
        for (position, node) in self.index.iter(self.guard) {
            if node.entry.created < created_before {
                self.take_out((position, node));
            }
        }
        before - self.ledger.entries()
    }

    pub(super) fn clear(&mut self) -> Cleared<K, V> {
        let entries = self.ledger.entries();
        let table = self.index.clear(&mut self.ledger.occupancy, self.guard);
        let old = std::mem::replace(&mut *self.ledger, Ledger::new(self.bounds));
        Cleared {
            entries,
            table,
            _residents: old.residents,
        }
    }

    fn locate(&self, hash: u64, is_match: impl Fn(&Node<K, V>) -> bool) -> Option<Place<'a, K, V>> {
        self.index
            .locate(hash, is_match, &self.ledger.occupancy, self.guard)
    }

    /// Makes room for the entry and puts it in; returns how many others went.
    fn put(&mut self, former: Option<Place<'a, K, V>>, key: K, hash: u64, entry: Entry<V>) -> u64 {
        // The former entry leaves the ledger first, so that it is not evicted to make room for its
        // successor; it stays in the index until the successor replaces it there.
        let segment = former.and_then(|(_, node)| self.strike_out(node));
        let evicted = self.make_room(entry.bytes.unwrap_or(0));
        self.ledger.add(entry.bytes);
        let make = |id| {
            Shared::new(Node {
                key,
                entry,
                hash,
                id,
                used: Used::default(),
            })
        };
        let node = match &mut self.ledger.residents {
            Some(residents) => residents.admit(hash, segment, make),
            None => make(0),
        };
        match former {
            Some((position, _)) => {
                self.index
                    .replace(position, node, &mut self.ledger.occupancy, self.guard)
            }
            None => self
                .index
                .insert(node, &mut self.ledger.occupancy, self.guard),
        }
        evicted
    }

    fn make_room(&mut self, size: u64) -> u64 {
        let mut evicted = 0;
        while !self
            .bounds
            .have_room(self.ledger.entries, self.ledger.bytes, size)
        {
            let residents = self.ledger.residents.as_mut();
            let Some(victim) = residents.and_then(|r| r.evict(|node| node.used.take())) else {
                break;
            };
            let place = self.locate(victim.hash, |node| std::ptr::eq(node, &*victim));
            let (position, _) = place.expect("a resident is in the index");
            self.index
                .remove(position, &mut self.ledger.occupancy, self.guard);
            self.ledger.subtract(victim.entry.bytes);
            evicted += 1;
        }
        evicted
    }

    fn take_out(&mut self, (position, node): Place<'a, K, V>) {
        self.strike_out(node);
        self.index
            .remove(position, &mut self.ledger.occupancy, self.guard);
    }

    /// Takes an entry out of the ledger; it is still in the index.
    fn strike_out(&mut self, node: &Node<K, V>) -> Option<Segment> {
        self.ledger.subtract(node.entry.bytes);
        let residents = self.ledger.residents.as_mut();
        residents.map(|residents| residents.remove(node.id))
    }
}

impl<K, V> Ledger<K, V> {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            occupancy: Occupancy::default(),
            entries: 0,
            bytes: 0,
            unsized_entries: 0,
            residents: bounds.are_set().then(Residents::new),
        }
    }

    pub(super) fn entries(&self) -> u64 {
        self.entries
    }

    /// Absent while an entry's size is unknown.
    pub(super) fn bytes(&self) -> Option<u64> {
        (self.unsized_entries == 0).then_some(self.bytes)
    }

    fn add(&mut self, bytes: Option<u64>) {
        self.entries += 1;
        match bytes {
            Some(bytes) => self.bytes = self.bytes.saturating_add(bytes),
            None => self.unsized_entries += 1,
        }
    }

    fn subtract(&mut self, bytes: Option<u64>) {
        self.entries -= 1;
        match bytes {
            Some(bytes) => self.bytes = self.bytes.saturating_sub(bytes),
            None => self.unsized_entries -= 1,
        }
    }
}

impl<K, V> Cleared<K, V>
where
    K: Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    /// Lets go of the entries; takes time in proportion, so the lock should be free by now.
    pub(super) fn release(self) -> u64 {
        self.table.drain();
        self.entries
    }
}

//! Entries as their writer sees them, whatever the types of key and value: so a writer is compiled once for all.

use super::catalog::{Position, Positions};
use super::index::{Index, Item, Moved, Release};
use super::node::Node;
use super::sizes::Size;
use super::sync::Guard;
use super::word_index::WordIndex;

/// The slots of a table, each with an entry or vacant.
pub(super) trait Slots: Sync {
    /// All slots, taken or not.
    fn positions(&self, guard: &Guard) -> Positions;
    /// The time since which an entry counts as fresh; `None` for a vacant slot.
    fn since(&self, position: Position, guard: &Guard) -> Option<u64>;
    /// The id of an entry in the catalog.
    fn id(&self, position: Position, guard: &Guard) -> u32;
    fn set_id(&self, position: Position, id: u32, guard: &Guard);
    /// Whether entries have sizes of their own.
    fn are_sized(&self) -> bool;
    fn size(&self, position: Position, guard: &Guard) -> Size;
    /// Spends one use of an entry; `false` if it has none left.
    fn spend_use(&self, position: Position, guard: &Guard) -> bool;
    fn remove(&self, position: Position, guard: &Guard);
    /// Whether few of so many slots would be taken by so many entries.
    fn are_sparse(&self, entries: usize, guard: &Guard) -> bool;
    /// Makes the table smaller. All entries move.
    fn shrink(&self, moved: Moved<'_>, guard: &Guard);
    /// Removes all entries. The result should be released after unlocking.
    fn clear(&self, guard: &Guard) -> Option<Box<dyn Release>>;
}

/// An entry on its way into the slots.
pub(super) trait Insertion: Send {
    /// Where the current entry of its key is.
    fn find(&self, guard: &Guard) -> Option<Position>;
    /// Puts it there, once.
    fn put(&mut self, destination: Destination<'_>, guard: &Guard) -> Position;
}

/// Where an entry goes.
pub(super) enum Destination<'m> {
    /// In the place of its key's current one.
    Former(Position),
    /// Beside so many others, which may move.
    New(usize, Moved<'m>),
}

impl<K: Send + Sync + 'static, V: Send + Sync + 'static> Slots for Index<Node<K, V>> {
    fn positions(&self, guard: &Guard) -> Positions {
        self.positions(guard)
    }

    fn since(&self, position: Position, guard: &Guard) -> Option<u64> {
        Some(self.get(position, guard)?.since)
    }

    fn id(&self, position: Position, guard: &Guard) -> u32 {
        match self.get(position, guard) {
            Some(node) => node.id(),
            None => 0,
        }
    }

    fn set_id(&self, position: Position, id: u32, guard: &Guard) {
        if let Some(node) = self.get(position, guard) {
            node.set_id(id);
        }
    }

    fn are_sized(&self) -> bool {
        true
    }

    fn size(&self, position: Position, guard: &Guard) -> Size {
        match self.get(position, guard) {
            Some(node) => node.size,
            None => Size::UNKNOWN,
        }
    }

    fn spend_use(&self, position: Position, guard: &Guard) -> bool {
        match self.get(position, guard) {
            Some(node) => node.uses.spend(),
            None => false,
        }
    }

    fn remove(&self, position: Position, guard: &Guard) {
        self.remove(position, guard);
    }

    fn are_sparse(&self, entries: usize, guard: &Guard) -> bool {
        self.is_sparse(entries, guard)
    }

    fn shrink(&self, moved: Moved<'_>, guard: &Guard) {
        self.shrink(moved, guard);
    }

    fn clear(&self, guard: &Guard) -> Option<Box<dyn Release>> {
        Some(Box::new(self.clear(guard)))
    }
}

impl Slots for WordIndex {
    fn positions(&self, guard: &Guard) -> Positions {
        self.positions(guard)
    }

    fn since(&self, position: Position, guard: &Guard) -> Option<u64> {
        self.since(position, guard)
    }

    fn id(&self, position: Position, guard: &Guard) -> u32 {
        self.id(position, guard)
    }

    fn set_id(&self, position: Position, id: u32, guard: &Guard) {
        self.set_id(position, id, guard);
    }

    fn are_sized(&self) -> bool {
        false
    }

    fn size(&self, _: Position, _: &Guard) -> Size {
        Size::UNKNOWN
    }

    fn spend_use(&self, position: Position, guard: &Guard) -> bool {
        self.uses(position, guard).spend()
    }

    fn remove(&self, position: Position, guard: &Guard) {
        self.remove(position, guard);
    }

    fn are_sparse(&self, entries: usize, guard: &Guard) -> bool {
        self.is_sparse(entries, guard)
    }

    fn shrink(&self, moved: Moved<'_>, guard: &Guard) {
        self.shrink(moved, guard);
    }

    fn clear(&self, guard: &Guard) -> Option<Box<dyn Release>> {
        self.clear(guard);
        None
    }
}

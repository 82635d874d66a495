//! The entries of a store, represented as suits their types.

use std::hash::{BuildHasher, Hash};

use foldhash::fast::RandomState;

use super::catalog::Position;
use super::entry::{Bounds, NewEntry};
use super::footprint;
use super::index::{Index, Item, Moved, Retired};
use super::node::Node;
use super::sizes::Size;
use super::sync::Guard;
use super::times::Times;
use super::word::{self, fits, may_fit};
use super::word_index::{WordIndex, WordItem};

/// Nodes behind pointers; or, where key and value are one word each, the words themselves.
#[expect(
    clippy::large_enum_variant,
    reason = "there is one for each function, and an indirection would cost every hit"
)]
pub(super) enum Contents<K, V> {
    Nodes(Index<Node<K, V>>),
    Words(WordIndex),
}

/// A key to look for: its hash, its word if it has one, and how to compare it.
pub(super) struct Wanted<'a, K> {
    pub(super) hash: u32,
    pub(super) word: Option<u64>,
    pub(super) is_match: &'a dyn Fn(&K) -> bool,
}

impl<K, V> Contents<K, V>
where
    K: Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    pub(super) fn new(hasher: RandomState) -> Self
    where
        K: Hash,
    {
        if are_words::<K, V>() {
            let hash = move |key| word::from::<K>(key).map_or(0, |key| hash(&hasher, &key));
            Self::Words(WordIndex::new(Box::new(hash)))
        } else {
            Self::Nodes(Index::new())
        }
    }

    /// Whether the types can be words at all. Code for words is compiled only if they can.
    pub(super) const CAN_BE_WORDS: bool = may_fit::<K>() && may_fit::<V>();

    /// A bound in bytes is one in entries, where all are of one size.
    pub(super) fn bounds(bounds: Bounds) -> Bounds {
        let Some(limit) = bounds.bytes.filter(|_| are_words::<K, V>()) else {
            return bounds;
        };
        let most = WordIndex::most_within(limit, footprint::of_words);
        Bounds {
            entries: Some(bounds.entries.map_or(most, |entries| entries.min(most))),
            bytes: None,
        }
    }

    /// The bytes of so many entries, where all are of one size.
    pub(super) fn bytes(&self, entries: u64, guard: &Guard) -> Option<u64> {
        let index = self.words()?;
        Some(footprint::of_words(entries, index.bytes(guard)))
    }

    /// The words, if it is words.
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(super) fn words(&self) -> Option<&WordIndex> {
        match self {
            Self::Words(index) if are_words::<K, V>() => Some(index),
            _ => None,
        }
    }

    /// The nodes, if it has nodes.
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(super) fn nodes(&self) -> Option<&Index<Node<K, V>>> {
        match self {
            Self::Nodes(index) if !are_words::<K, V>() => Some(index),
            _ => None,
        }
    }

    /// Where a key's entry is; for writers.
    pub(super) fn find(&self, wanted: &Wanted<'_, K>, guard: &Guard) -> Option<Position> {
        match self {
            Self::Nodes(index) => {
                let is_match = |node: &Node<K, V>| (wanted.is_match)(&node.key);
                index.position(wanted.hash, is_match, guard)
            }
            Self::Words(index) => index.position(wanted.hash, wanted.word?, guard),
        }
    }

    /// The positions of all entries created before this time, one after another. Entries may be removed meanwhile.
    pub(super) fn older_than(
        &self,
        created_before: u64,
        guard: &Guard,
    ) -> impl Iterator<Item = Position> {
        let positions: Box<dyn Iterator<Item = Position>> = match self {
            Self::Nodes(index) => Box::new(index.positions(guard)),
            Self::Words(index) => Box::new(index.positions(guard)),
        };
        positions.filter(move |position| {
            let since = self.since(*position, guard);
            since.is_some_and(|since| since < created_before)
        })
    }

    /// The time since which an entry counts as fresh; `None` for a vacant slot.
    fn since(&self, position: Position, guard: &Guard) -> Option<u64> {
        match self {
            Self::Nodes(index) => Some(index.get(position, guard)?.since),
            Self::Words(index) => index.since(position, guard),
        }
    }

    /// The id of an entry in the catalog.
    pub(super) fn id(&self, position: Position, guard: &Guard) -> u32 {
        match self {
            Self::Nodes(index) => index.get(position, guard).map_or(0, Item::id),
            Self::Words(index) => index.id(position, guard),
        }
    }

    pub(super) fn set_id(&self, position: Position, id: u32, guard: &Guard) {
        match self {
            Self::Nodes(index) => {
                if let Some(node) = index.get(position, guard) {
                    node.set_id(id);
                }
            }
            Self::Words(index) => index.set_id(position, id, guard),
        }
    }

    /// The size of an entry. Words have no sizes of their own.
    pub(super) fn size(&self, position: Position, guard: &Guard) -> Size {
        let nodes = self.nodes();
        let node = nodes.and_then(|index| index.get(position, guard));
        node.map_or(Size::UNKNOWN, |node| node.size)
    }

    /// Spends one use of an entry; `false` if it has none left.
    pub(super) fn spend_use(&self, position: Position, guard: &Guard) -> bool {
        match self {
            Self::Nodes(index) => {
                let node = index.get(position, guard);
                node.is_some_and(|node| node.uses.spend())
            }
            Self::Words(index) => index.uses(position, guard).spend(),
        }
    }

    /// Adds an entry for a new key to so many entries. Others may move.
    pub(super) fn insert(
        &self,
        entries: usize,
        hash: u32,
        (key, new): (K, NewEntry<V>),
        moved: Moved<'_>,
        guard: &Guard,
    ) -> Position {
        match self {
            Self::Nodes(index) => index.insert(entries, Node::new(hash, key, new), moved, guard),
            Self::Words(index) => index.insert(entries, hash, item(&key, &new), moved, guard),
        }
    }

    /// Replaces the entry of this key. The new one has no id yet.
    pub(super) fn replace(
        &self,
        position: Position,
        hash: u32,
        (key, new): (K, NewEntry<V>),
        guard: &Guard,
    ) {
        match self {
            Self::Nodes(index) => index.replace(position, Node::new(hash, key, new), guard),
            Self::Words(index) => index.replace(position, item(&key, &new), guard),
        }
    }

    pub(super) fn remove(&self, position: Position, guard: &Guard) {
        match self {
            Self::Nodes(index) => index.remove(position, guard),
            Self::Words(index) => index.remove(position, guard),
        }
    }

    /// Whether few entries are left of many.
    pub(super) fn are_sparse(&self, entries: usize, guard: &Guard) -> bool {
        match self {
            Self::Nodes(index) => index.is_sparse(entries, guard),
            Self::Words(index) => index.is_sparse(entries, guard),
        }
    }

    /// Makes the table smaller. All entries move.
    pub(super) fn shrink(&self, moved: Moved<'_>, guard: &Guard) {
        match self {
            Self::Nodes(index) => index.shrink(moved, guard),
            Self::Words(index) => index.shrink(moved, guard),
        }
    }

    /// Removes all entries. The result should be released after unlocking.
    pub(super) fn clear(&self, guard: &Guard) -> Option<Retired<Node<K, V>>> {
        match self {
            Self::Nodes(index) => Some(index.clear(guard)),
            Self::Words(index) => {
                index.clear(guard);
                None
            }
        }
    }
}

/// The hash by which an entry is found.
#[inline]
pub(super) fn hash<Q: Hash + ?Sized>(hasher: &RandomState, key: &Q) -> u32 {
    hasher.hash_one(key) as u32
}

/// Whether a store of these types uses words. A compile-time decision, so that hits are compiled for one of the two.
#[cfg_attr(not(debug_assertions), inline(always))]
fn are_words<K: 'static, V: 'static>() -> bool {
    fits::<K>() && fits::<V>()
}

fn item<K: 'static, V: 'static>(key: &K, new: &NewEntry<V>) -> WordItem {
    let word = "the contents are words only where keys and values are";
    WordItem {
        key: word::of(key).expect(word),
        value: word::of(&new.value).expect(word),
        times: Times::new(new.created, new.compute_nanos),
        since: new.since,
    }
}

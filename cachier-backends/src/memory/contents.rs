//! The entries of a store, represented as suits their types.

use std::sync::atomic::Ordering::Relaxed;

use super::catalog::Catalog;
use super::entry::{Bounds, NewEntry};
use super::footprint;
use super::index::{Index, Retired};
use super::node::Node;
use super::sync::Guard;
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
    pub(super) fn new() -> Self {
        if are_words::<K, V>() {
            Self::Words(WordIndex::new())
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

    /// What so many entries take, where all are of one size.
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

    /// The id of a key's entry; for writers.
    pub(super) fn find(&self, wanted: &Wanted<'_, K>, guard: &Guard) -> Option<u32> {
        match self {
            Self::Nodes(index) => {
                let is_match = |node: &Node<K, V>| (wanted.is_match)(&node.key);
                let node = index.find(wanted.hash, is_match, guard)?;
                Some(node.id.load(Relaxed))
            }
            Self::Words(index) => index.id(wanted.hash, wanted.word?, guard),
        }
    }

    /// The time since which an entry counts as fresh.
    pub(super) fn since(&self, catalog: &Catalog, id: u32, guard: &Guard) -> u64 {
        match self {
            Self::Nodes(index) => index.get(catalog, id, guard).since,
            Self::Words(index) => index.since(catalog, id, guard),
        }
    }

    /// Spends one use of an entry; `false` if it has none left.
    pub(super) fn spend_use(&self, catalog: &Catalog, id: u32, guard: &Guard) -> bool {
        match self {
            Self::Nodes(index) => index.get(catalog, id, guard).uses.spend(),
            Self::Words(index) => index.uses(catalog, id, guard).spend(),
        }
    }

    /// Adds an entry for a new key, under the catalog's next id.
    pub(super) fn insert(
        &self,
        catalog: &mut Catalog,
        hash: u32,
        key: K,
        new: NewEntry<V>,
        guard: &Guard,
    ) {
        match self {
            Self::Nodes(index) => {
                let node = Node::new(catalog.next_id(), key, new);
                index.insert(catalog, hash, node, guard);
            }
            Self::Words(index) => index.insert(catalog, hash, item(&key, &new), guard),
        }
    }

    /// Replaces the entry of this key and id.
    pub(super) fn replace(
        &self,
        catalog: &mut Catalog,
        id: u32,
        key: K,
        new: NewEntry<V>,
        guard: &Guard,
    ) {
        match self {
            Self::Nodes(index) => index.replace(catalog, id, Node::new(id, key, new), guard),
            Self::Words(index) => index.replace(catalog, id, item(&key, &new), guard),
        }
    }

    pub(super) fn remove(&self, catalog: &mut Catalog, id: u32, guard: &Guard) {
        match self {
            Self::Nodes(index) => index.remove(catalog, id, guard),
            Self::Words(index) => index.remove(catalog, id, guard),
        }
    }

    /// Whether few entries are left of many.
    pub(super) fn are_sparse(&self, entries: usize, guard: &Guard) -> bool {
        match self {
            Self::Nodes(index) => index.is_sparse(entries, guard),
            Self::Words(index) => index.is_sparse(entries, guard),
        }
    }

    /// Makes the table smaller. The entries take the ids that the catalog has for them.
    pub(super) fn shrink(&self, catalog: &mut Catalog, guard: &Guard) {
        match self {
            Self::Nodes(index) => {
                let tell = |node: &Node<K, V>, id| node.id.store(id, Relaxed);
                index.shrink(catalog, tell, guard);
            }
            Self::Words(index) => index.shrink(catalog, guard),
        }
    }

    /// Removes all entries. The result should be released after unlocking.
    pub(super) fn clear(
        &self,
        catalog: &mut Catalog,
        guard: &Guard,
    ) -> Option<Retired<Node<K, V>>> {
        match self {
            Self::Nodes(index) => Some(index.clear(catalog, guard)),
            Self::Words(index) => {
                index.clear(catalog, guard);
                None
            }
        }
    }
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
        since: new.since,
        times: new.times(),
    }
}

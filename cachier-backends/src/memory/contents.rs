//! The entries of a store, represented as suits their types.

use std::hash::{BuildHasher, Hash};

use foldhash::fast::RandomState;

use super::catalog::Position;
use super::entry::{Bounds, NewEntry};
use super::footprint;
use super::index::Index;
use super::node::Node;
use super::slots::{Destination, Slots};
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

    /// The slots, whatever the types.
    pub(super) fn slots(&self) -> &dyn Slots {
        match self {
            Self::Nodes(index) => index,
            Self::Words(index) => index,
        }
    }

    /// Where the entry is of a key with this hash, and this word if it has one; for writers.
    pub(super) fn find(
        &self,
        (hash, word): (u32, Option<u64>),
        is_match: &dyn Fn(&K) -> bool,
        guard: &Guard,
    ) -> Option<Position> {
        match self {
            Self::Nodes(index) => index.position(hash, &|node| is_match(&node.key), guard),
            Self::Words(index) => index.position(hash, word?, guard),
        }
    }

    /// Puts an entry where it goes. One that replaces another has no id yet.
    pub(super) fn put(
        &self,
        destination: Destination<'_>,
        hash: u32,
        (key, new): (K, NewEntry<V>),
        guard: &Guard,
    ) -> Position {
        match (self, destination) {
            (Self::Nodes(index), Destination::New(entries, moved)) => {
                index.insert(entries, Node::new(hash, key, new), moved, guard)
            }
            (Self::Nodes(index), Destination::Former(position)) => {
                index.replace(position, Node::new(hash, key, new), guard);
                position
            }
            (Self::Words(index), Destination::New(entries, moved)) => {
                index.insert(entries, hash, item(&key, &new), moved, guard)
            }
            (Self::Words(index), Destination::Former(position)) => {
                index.replace(position, item(&key, &new), guard);
                position
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

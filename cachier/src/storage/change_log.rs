//! What a near tier knows of changes in its store.

use std::collections::{HashMap, VecDeque};
use std::mem;

use cachier_backends::{Change, KeyHash};

/// The key of a near entry, for the function and for the backend.
#[derive(Clone)]
pub struct NearKey<K> {
    pub(crate) key: K,
    pub(crate) hash: KeyHash,
}

/// The state of the tier when a fetch began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NearEpoch(u64);

/// Recent changes, so that a value fetched before a change of its entry is not inserted after it.
///
/// Own stores that the tier holds are remembered with their keys. Other changes are remembered up to a limit, so
/// that those of cold keys are soon forgotten, and own stores that stay near push none out.
pub(super) struct ChangeLog<K> {
    /// The number of changes so far.
    changes: u64,
    /// The number of the last change of all entries, or of the last one that is no longer remembered.
    all_changed: u64,
    /// The number of each entry's last change, if it is recent.
    changed: HashMap<KeyHash, u64>,
    /// Recent changes of single entries, in the order in which they are forgotten.
    recent: VecDeque<(u64, KeyHash)>,
    /// The entries, and some that have gone, by the backend's hash.
    keys: Keys<K>,
    /// Whether the tier is older than this log.
    has_missed: bool,
}

type Keys<K> = HashMap<KeyHash, KnownKey<K>>;

/// An entry of the tier.
struct KnownKey<K> {
    key: K,
    /// The number of this process's last store of it; 0 if it has been loaded.
    stored: u64,
}

impl<K> Default for ChangeLog<K> {
    fn default() -> Self {
        Self {
            changes: 0,
            all_changed: 0,
            changed: HashMap::new(),
            recent: VecDeque::new(),
            keys: HashMap::new(),
            has_missed: false,
        }
    }
}

impl<K> ChangeLog<K> {
    /// The log of a forked child, which misses what was changed before its first use.
    pub(super) fn with_gap() -> Self {
        Self {
            has_missed: true,
            ..Self::default()
        }
    }

    pub(super) fn has_gap(&self) -> bool {
        self.has_missed
    }

    /// The tier was cleared, so nothing in it is older than the log.
    pub(super) fn close_gap(&mut self) {
        self.has_missed = false;
    }

    pub(super) fn epoch(&self) -> NearEpoch {
        NearEpoch(self.changes)
    }

    /// How many entries are known.
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = (KeyHash, &K)> {
        self.keys.iter().map(|(hash, known)| (*hash, &known.key))
    }

    /// Notes a change of an entry that the tier does not hold any more, or of all; returns the keys that were known of it.
    pub(super) fn note(&mut self, change: Change, size: usize) -> HashMap<KeyHash, K> {
        self.changes += 1;
        let Change::Entry(hash) = change else {
            self.all_changed = self.changes;
            // Their memory is given back.
            self.changed = HashMap::new();
            self.recent = VecDeque::new();
            return keys_of(mem::take(&mut self.keys));
        };
        self.remember(hash, self.changes, size);
        keys_of(self.keys.remove_entry(&hash))
    }

    /// Remembers the number of an entry's change, in place of the oldest that is remembered.
    fn remember(&mut self, hash: KeyHash, number: u64, size: usize) {
        if self.recent.len() >= size
            && let Some((number, oldest)) = self.recent.pop_front()
        {
            self.all_changed = self.all_changed.max(number);
            if self.changed.get(&oldest) == Some(&number) {
                self.changed.remove(&oldest);
            }
        }
        self.recent.push_back((number, hash));
        self.changed.insert(hash, number);
    }

    /// Forgets the keys of evicted entries, but not at once that they were stored.
    pub(super) fn forget(&mut self, evicted: Vec<KeyHash>, size: usize) {
        for hash in evicted {
            if let Some(known) = self.keys.remove(&hash)
                && known.stored > self.all_changed
            {
                self.remember(hash, known.stored, size);
            }
        }
    }

    /// Whether the entry of this hash may have changed since then.
    pub(super) fn concerns_since(&self, NearEpoch(epoch): NearEpoch, hash: KeyHash) -> bool {
        let changed = self.changed.get(&hash).copied().unwrap_or(0);
        let stored = self.keys.get(&hash).map_or(0, |known| known.stored);
        self.all_changed.max(changed).max(stored) > epoch
    }
}

impl<K: Clone> ChangeLog<K> {
    /// Notes that the tier is to hold an entry that was loaded.
    pub(super) fn keep(&mut self, key: &NearKey<K>) {
        self.known(key);
    }

    fn known(&mut self, key: &NearKey<K>) -> &mut KnownKey<K> {
        self.keys.entry(key.hash).or_insert_with(|| KnownKey {
            key: key.key.clone(),
            stored: 0,
        })
    }

    /// Notes that the tier is to hold an entry that this process has stored.
    pub(super) fn keep_stored(&mut self, key: &NearKey<K>) {
        self.changes += 1;
        let number = self.changes;
        self.known(key).stored = number;
    }
}

fn keys_of<K>(known: impl IntoIterator<Item = (KeyHash, KnownKey<K>)>) -> HashMap<KeyHash, K> {
    let keys = known.into_iter().map(|(hash, known)| (hash, known.key));
    keys.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(byte: u8) -> KeyHash {
        KeyHash::from_bytes([byte; 32])
    }

    fn after(changes: impl IntoIterator<Item = Change>) -> ChangeLog<u8> {
        let mut log = ChangeLog::default();
        for change in changes {
            log.note(change, 100);
        }
        log
    }

    #[test]
    fn a_change_concerns_earlier_fetches_of_its_entry() {
        let log = after([Change::Entry(hash(1)), Change::Entry(hash(2))]);
        assert!(log.concerns_since(NearEpoch(0), hash(1)));
        assert!(!log.concerns_since(NearEpoch(1), hash(1)));
        assert!(log.concerns_since(NearEpoch(1), hash(2)));
        assert!(!log.concerns_since(NearEpoch(0), hash(3)));
        assert!(!log.concerns_since(NearEpoch(2), hash(2)));
    }

    #[test]
    fn a_clearance_concerns_every_entry() {
        let log = after([Change::All]);
        assert!(log.concerns_since(NearEpoch(0), hash(1)));
        assert!(!log.concerns_since(NearEpoch(1), hash(1)));
    }

    #[test]
    fn too_many_changes_concern_every_entry() {
        let log = after((0..500).map(|_| Change::Entry(hash(1))));
        assert!(log.concerns_since(NearEpoch(500 - 101), hash(2)));
        assert!(!log.concerns_since(NearEpoch(500 - 100), hash(2)));
        assert!(log.concerns_since(NearEpoch(500 - 1), hash(1)));
    }

    fn key(byte: u8) -> NearKey<u8> {
        NearKey {
            key: byte,
            hash: hash(byte),
        }
    }

    #[test]
    fn kept_stores_concern_nobody_else() {
        let mut log = after([Change::Entry(hash(1))]);
        let epoch = NearEpoch(log.changes);
        for byte in 100..=250 {
            log.keep_stored(&key(byte));
        }
        assert!(log.concerns_since(epoch, hash(100)));
        assert!(!log.concerns_since(epoch, hash(1)), "others are remembered");
        assert!(log.concerns_since(NearEpoch(0), hash(1)));
        assert_eq!((log.all_changed, log.recent.len()), (0, 1));
    }

    #[test]
    fn evicted_stores_are_remembered_for_a_while() {
        const SIZE: usize = 10;
        let mut log = ChangeLog::default();
        let epoch = NearEpoch(log.changes);
        log.keep_stored(&key(1));
        log.keep(&key(2));
        log.forget(vec![hash(1), hash(2)], SIZE);
        assert!(log.keys.is_empty());
        assert!(log.concerns_since(epoch, hash(1)));
        assert!(!log.concerns_since(epoch, hash(2)), "it has been loaded");
        log.keep(&key(1));
        assert!(log.concerns_since(epoch, hash(1)), "it is loaded again");
        for byte in 100..200 {
            log.keep_stored(&key(byte));
            log.forget(vec![hash(byte)], SIZE);
        }
        assert!(log.recent.len() <= SIZE && log.changed.len() <= SIZE);
        assert!(log.concerns_since(epoch, hash(1)), "like any other");
        log.keep_stored(&key(3));
        assert_eq!(log.note(Change::Entry(hash(3)), SIZE).len(), 1);
        assert_eq!(log.note(Change::All, SIZE).len(), 1);
        assert_eq!(
            log.recent.capacity() + log.changed.capacity() + log.keys.capacity(),
            0
        );
    }
}

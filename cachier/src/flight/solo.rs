//! Computations outside any flight: of calls that replace what is stored, or that could not wait for another one.

use std::collections::HashMap;
use std::hash::Hash;

use cachier_backends::process::Process;
use foldhash::fast::RandomState;

use super::{Flights, Storing};

/// A computation outside any flight. Its result gives way to whatever happened to its key meanwhile.
pub(crate) struct Solo<'a, K: Eq + Hash, V> {
    flights: &'a Flights<K, V>,
    key: K,
    /// How often the key had been forgotten when this began.
    forgotten: u64,
}

impl<'a, K: Eq + Hash, V> Solo<'a, K, V> {
    /// Keys are cloned by the caller: it holds no lock.
    pub(super) fn begin(flights: &'a Flights<K, V>, key: K, in_table: K) -> Self {
        let forgotten = flights.shard(&key).solos.begin(in_table);
        Self {
            flights,
            key,
            forgotten,
        }
    }

    /// The process in which this began.
    pub(crate) fn process(&self) -> Process {
        self.flights.process
    }

    /// Whether the key was forgotten since this began.
    pub(crate) fn is_superseded(&self) -> bool {
        let forgotten = self.flights.shard(&self.key).solos.forgotten(&self.key);
        forgotten != self.forgotten
    }

    /// Runs `store`, under the lock of the key, unless that was forgotten since this began.
    pub(crate) fn store(&self, store: impl FnOnce()) -> Storing {
        let shard = self.flights.shard(&self.key);
        if shard.solos.forgotten(&self.key) != self.forgotten {
            return Storing::Superseded;
        }
        store();
        Storing::Done
    }
}

impl<K: Eq + Hash, V> Drop for Solo<'_, K, V> {
    fn drop(&mut self) {
        if !self.flights.process.is_current() {
            return;
        }
        let last = self.flights.shard(&self.key).solos.end(&self.key);
        // Not under the lock: it is the user's code that drops a key.
        drop(last);
    }
}

/// How often the keys of the computations outside any flight were forgotten while these were under way.
pub(super) struct Solos<K>(HashMap<K, OfKey, RandomState>);

#[derive(Default)]
struct OfKey {
    under_way: usize,
    forgotten: u64,
}

impl<K> Solos<K> {
    pub(super) fn new() -> Self {
        Self(HashMap::default())
    }

    pub(super) fn forget_all(&mut self) {
        for of_key in self.0.values_mut() {
            of_key.forgotten += 1;
        }
    }
}

impl<K: Eq + Hash> Solos<K> {
    pub(super) fn forget(&mut self, key: &K) {
        if let Some(of_key) = self.0.get_mut(key) {
            of_key.forgotten += 1;
        }
    }

    /// One more of a key; how often that was forgotten.
    fn begin(&mut self, key: K) -> u64 {
        let of_key = self.0.entry(key).or_default();
        of_key.under_way += 1;
        of_key.forgotten
    }

    fn forgotten(&self, key: &K) -> u64 {
        self.0.get(key).map_or(0, |of_key| of_key.forgotten)
    }

    /// One less of a key; the key, if it was the last.
    fn end(&mut self, key: &K) -> Option<K> {
        let of_key = self.0.get_mut(key)?;
        of_key.under_way -= 1;
        if of_key.under_way > 0 {
            return None;
        }
        self.0.remove_entry(key).map(|(key, _)| key)
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;

    #[test]
    fn what_happens_to_other_keys_is_no_matter() {
        let flights: Flights<u32, u8> = Flights::new();
        let solo = flights.solo(&0);
        (1..1_000).for_each(|other| flights.forget(&other));
        assert!(!solo.is_superseded());
        assert_eq!(solo.store(|| ()), Storing::Done);
    }

    #[test]
    fn each_that_began_before_its_key_was_forgotten_is_superseded_and_none_that_began_later() {
        let flights: Flights<u32, u8> = Flights::new();
        let (first, second) = (flights.solo(&1), flights.solo(&1));
        flights.forget(&1);
        let third = flights.solo(&1);
        drop(first);
        assert!(second.is_superseded() && !third.is_superseded());
        assert_eq!(second.store(|| unreachable!()), Storing::Superseded);
        flights.forget_all();
        assert!(third.is_superseded());
        drop((second, third));
        assert!(
            flights
                .shards
                .iter()
                .all(|shard| shard.lock().is_ok_and(|shard| shard.solos.0.is_empty()))
        );
    }
}

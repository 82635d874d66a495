//! Computations outside any flight: those that replace an entry, and those that could not wait for a flight.

use std::hash::Hash;

use cachier_backends::process::Process;

use super::table::{Flights, Storing};

/// A computation outside any flight. Its result is not stored if the key is invalidated meanwhile.
pub(crate) struct UnsharedComputation<'a, K: Eq + Hash, V> {
    flights: &'a Flights<K, V>,
    key: K,
    /// The key's count of invalidations when the computation began.
    forgotten: u64,
}

impl<K: Eq + Hash + Clone, V> Flights<K, V> {
    /// Begins a computation outside any flight.
    pub(crate) fn unshared(&self, key: &K) -> UnsharedComputation<'_, K, V> {
        UnsharedComputation::begin(self, key.clone(), key.clone())
    }
}

impl<'a, K: Eq + Hash, V> UnsharedComputation<'a, K, V> {
    /// The caller clones the keys, outside the lock.
    fn begin(flights: &'a Flights<K, V>, key: K, in_table: K) -> Self {
        let forgotten = flights.shard(&key).invalidations.begin(in_table);
        Self {
            flights,
            key,
            forgotten,
        }
    }

    /// The process in which the computation began.
    pub(crate) fn process(&self) -> Process {
        self.flights.process
    }

    /// Whether the key was invalidated since the computation began.
    pub(crate) fn is_superseded(&self) -> bool {
        let forgotten = self
            .flights
            .shard(&self.key)
            .invalidations
            .forgotten(&self.key);
        forgotten != self.forgotten
    }

    /// Runs `store` under the lock of the key, unless that was invalidated meanwhile.
    pub(crate) fn store(&self, store: impl FnOnce()) -> Storing {
        let shard = self.flights.shard(&self.key);
        if shard.invalidations.forgotten(&self.key) != self.forgotten {
            return Storing::Superseded;
        }
        store();
        Storing::Done
    }
}

impl<K: Eq + Hash, V> Drop for UnsharedComputation<'_, K, V> {
    fn drop(&mut self) {
        if !self.flights.process.is_current() {
            return;
        }
        let last = self.flights.shard(&self.key).invalidations.end(&self.key);
        // Not under the lock: dropping a key runs the user's code.
        drop(last);
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;

    #[test]
    fn invalidating_other_keys_changes_nothing() {
        let flights: Flights<u32, u8> = Flights::new();
        let unshared = flights.unshared(&0);
        (1..1_000).for_each(|other| flights.forget(&other));
        assert!(!unshared.is_superseded());
        assert_eq!(unshared.store(|| ()), Storing::Done);
    }

    #[test]
    fn an_invalidation_supersedes_earlier_computations_only() {
        let flights: Flights<u32, u8> = Flights::new();
        let (first, second) = (flights.unshared(&1), flights.unshared(&1));
        flights.forget(&1);
        let third = flights.unshared(&1);
        drop(first);
        assert!(second.is_superseded() && !third.is_superseded());
        assert_eq!(second.store(|| unreachable!()), Storing::Superseded);
        flights.forget_all();
        assert!(third.is_superseded());
        drop((second, third));
        assert!(flights.shards.iter().all(|shard| {
            shard
                .lock()
                .is_ok_and(|shard| shard.invalidations.is_empty())
        }));
    }
}

//! The table of flights: leaders, waiters, reservations, invalidations.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, Hash};

use cachier_backends::process::Process;
use foldhash::fast::RandomState;

use super::computation::ComputationId;
use super::invalidation_counts::InvalidationCounts;
use super::phase::{Flight, Phase};
use super::result::FlightResult;
use crate::sync::{Arc, Mutex, MutexGuard, lock};

const SHARDS: usize = 16;

/// The flights of one function. Keys are cheap to clone and to hash.
pub(crate) struct Flights<K, V> {
    pub(super) shards: [Mutex<Shard<K, V>>; SHARDS],
    hasher: RandomState,
    /// The process that owns the flights; forked children leave them alone.
    pub(super) process: Process,
}

/// The role of a caller that asks to compute a key.
pub(crate) enum Joined<'a, K: Eq + Hash, V> {
    /// Nobody computes the key: this caller leads a flight.
    Leader(Leader<'a, K, V>),
    /// Another caller computes it.
    Waiter(Arc<Flight<V>>),
    /// A flight has finished meanwhile: its value can be loaded.
    Finished,
}

impl<K: Eq + Hash + Clone, V> Flights<K, V> {
    pub(crate) fn new() -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::new(Shard::new())),
            hasher: RandomState::default(),
            process: Process::current(),
        }
    }

    /// Leads a flight for the key, or joins the running one.
    ///
    /// `recheck` looks for a value stored since the caller loaded. It runs under the lock that finishing a flight takes too,
    /// so that no caller can miss both the flight and its result.
    pub(crate) fn join(
        &self,
        key: &K,
        computation: ComputationId,
        recheck: impl FnOnce() -> Recheck,
    ) -> Joined<'_, K, V> {
        let shard = self.shard(key);
        if let Some(running) = shard.running.get(key) {
            return Joined::Waiter(Arc::clone(running));
        }
        match self.lead_vacant(shard, key.clone(), computation, |_| recheck()) {
            Ok(leader) => Joined::Leader(leader),
            Err(_) => Joined::Finished,
        }
    }

    /// Leads a flight for the key, or returns the key: where [`join`](Self::join) would find something else to do.
    pub(crate) fn lead(
        &self,
        key: K,
        computation: ComputationId,
        recheck: impl FnOnce(&K) -> Recheck,
    ) -> Result<Leader<'_, K, V>, K> {
        let shard = self.shard(&key);
        match shard.running.contains_key(&key) {
            true => Err(key),
            false => self.lead_vacant(shard, key, computation, recheck),
        }
    }

    /// Leads a flight for a key that has none, unless something was stored.
    fn lead_vacant<'a>(
        &'a self,
        mut shard: MutexGuard<'_, Shard<K, V>>,
        key: K,
        computation: ComputationId,
        recheck: impl FnOnce(&K) -> Recheck,
    ) -> Result<Leader<'a, K, V>, K> {
        if recheck(&key) == Recheck::Stored {
            return Err(key);
        }
        let flight = Arc::new(Flight::new(computation));
        shard.running.insert(key.clone(), Arc::clone(&flight));
        drop(shard);
        Ok(Leader::new(self, key, flight))
    }

    /// Reserves a flight to be led later, unless one is running, reserved or no longer needed.
    ///
    /// Nobody waits for a reserved flight: a caller that needs the key at once leads one of its own.
    pub(crate) fn reserve(
        &self,
        key: &K,
        recheck: impl FnOnce() -> Recheck,
    ) -> Option<Reservation<'_, K, V>> {
        if self.shard(key).is_taken(key) {
            return None;
        }
        let (in_table, own) = (key.clone(), key.clone());
        let mut shard = self.shard(key);
        if shard.is_taken(key) || recheck() == Recheck::Stored {
            return None;
        }
        shard.reserved.insert(in_table);
        drop(shard);
        Some(Reservation {
            flights: self,
            key: own,
        })
    }

    /// Leads a flight in place of the running one, which ends outside the table.
    pub(crate) fn replace_leader(&self, key: &K, computation: ComputationId) -> Leader<'_, K, V> {
        let flight = Arc::new(Flight::new(computation));
        let mut shard = self.shard(key);
        let former = shard.running.insert(key.clone(), Arc::clone(&flight));
        if let Some(former) = &former {
            former.leave_table();
        }
        drop(shard);
        Leader::new(self, key.clone(), flight)
    }

    /// Removes the flight of a computation from the table, if it is there: the next caller leads a new one.
    pub(crate) fn withdraw(&self, key: &K, computation: ComputationId) {
        let mut shard = self.shard(key);
        let is_there = |flight: &Arc<Flight<V>>| flight.computation == computation;
        if shard.running.get(key).is_some_and(is_there) {
            shard.remove(key);
        }
    }

    /// Invalidates the key: the running flight's result will not be stored, and the next caller leads a new one.
    pub(crate) fn forget(&self, key: &K) {
        let mut shard = self.shard(key);
        shard.invalidations.forget(key);
        shard.remove(key);
    }

    /// Invalidates every key.
    pub(crate) fn forget_all(&self) {
        for shard in &self.shards {
            let mut shard = lock(shard);
            shard.invalidations.forget_all();
            shard
                .running
                .values()
                .for_each(|flight| flight.leave_table());
            shard.running.clear();
        }
    }
}

impl<K: Eq + Hash, V> Flights<K, V> {
    pub(super) fn shard(&self, key: &K) -> MutexGuard<'_, Shard<K, V>> {
        // The top bits: the low ones choose the bucket in the shard's own table.
        let index = (self.hasher.hash_one(key) >> 60) as usize % SHARDS;
        lock(&self.shards[index])
    }
}

/// Whether a result was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Storing {
    /// It was stored.
    Done,
    /// The key was invalidated meanwhile.
    Superseded,
}

/// Whether something was stored since the caller loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recheck {
    Stored,
    Unchanged,
}

/// The reservation of a flight: used by [`lead`](Self::lead), or dropped.
pub(crate) struct Reservation<'a, K: Eq + Hash, V> {
    flights: &'a Flights<K, V>,
    key: K,
}

impl<'a, K: Eq + Hash + Clone, V> Reservation<'a, K, V> {
    /// Leads the flight, unless another caller does or it is no longer needed.
    pub(crate) fn lead(self, recheck: impl FnOnce() -> Recheck) -> Option<Leader<'a, K, V>> {
        match self.flights.join(&self.key, ComputationId::next(), recheck) {
            Joined::Leader(leader) => Some(leader),
            Joined::Waiter(_) | Joined::Finished => None,
        }
    }
}

impl<K: Eq + Hash, V> Drop for Reservation<'_, K, V> {
    fn drop(&mut self) {
        if self.flights.process.is_current() {
            self.flights.shard(&self.key).reserved.remove(&self.key);
        }
    }
}

pub(super) struct Shard<K, V> {
    running: HashMap<K, Arc<Flight<V>>, RandomState>,
    reserved: HashSet<K, RandomState>,
    pub(super) invalidations: InvalidationCounts<K>,
}

impl<K: Eq + Hash, V> Shard<K, V> {
    /// Whether a flight of the key is running or reserved.
    fn is_taken(&self, key: &K) -> bool {
        self.running.contains_key(key) || self.reserved.contains(key)
    }

    /// Removes the flight of the key from the table, if there is one.
    fn remove(&mut self, key: &K) {
        if let Some(flight) = self.running.remove(key) {
            flight.leave_table();
        }
    }
}

impl<K, V> Shard<K, V> {
    fn new() -> Self {
        Self {
            running: HashMap::default(),
            reserved: HashSet::default(),
            invalidations: InvalidationCounts::new(),
        }
    }
}

/// The right and the duty to finish a flight. Dropped before that, it abandons the flight.
pub(crate) struct Leader<'a, K: Eq + Hash, V> {
    flights: &'a Flights<K, V>,
    key: K,
    flight: Arc<Flight<V>>,
    finished: bool,
}

impl<'a, K: Eq + Hash, V> Leader<'a, K, V> {
    fn new(flights: &'a Flights<K, V>, key: K, flight: Arc<Flight<V>>) -> Self {
        Self {
            flights,
            key,
            flight,
            finished: false,
        }
    }
}

impl<K: Eq + Hash + Clone, V> Leader<'_, K, V> {
    pub(crate) fn key(&self) -> &K {
        &self.key
    }

    pub(crate) fn computation(&self) -> ComputationId {
        self.flight.computation
    }

    /// The process that owns the flight.
    pub(crate) fn process(&self) -> Process {
        self.flights.process
    }

    /// Whether the key was invalidated since the flight began.
    pub(crate) fn is_superseded(&self) -> bool {
        !self.flight.is_in_table()
    }

    /// Whether anybody waits for the result.
    pub(crate) fn is_awaited(&self) -> bool {
        let in_table = usize::from(!self.is_superseded());
        Arc::strong_count(&self.flight) > 1 + in_table
    }

    /// Enters a phase and tells the waiters.
    pub(crate) fn enter(&self, phase: Phase) {
        self.flight.update(|state| state.phase = phase);
    }

    /// Shares a [`FlightResult::Storing`] with the waiters. The flight goes on until it [finishes](Self::finish).
    pub(crate) fn share(&self, result: FlightResult<V>) {
        self.flight.update(|state| state.result = Some(result));
    }

    /// Finishes the flight: stores the result if it is still wanted, and shares it with the waiters, if any.
    ///
    /// `store` runs under the lock of the key, `share` outside it.
    pub(crate) fn finish(
        mut self,
        store: impl FnOnce(),
        share: impl FnOnce() -> FlightResult<V>,
    ) -> Storing {
        let storing = self.leave(store);
        // Nobody can join any more: without other owners there are no waiters.
        if Arc::strong_count(&self.flight) > 1 {
            self.flight.finish(share());
        }
        // Only now: a value whose `clone` panics abandons the flight.
        self.finished = true;
        storing
    }

    fn leave(&self, store: impl FnOnce()) -> Storing {
        let mut shard = self.flights.shard(&self.key);
        if !self.flight.is_in_table() {
            return Storing::Superseded;
        }
        store();
        shard.remove(&self.key);
        Storing::Done
    }
}

impl<K: Eq + Hash, V> Drop for Leader<'_, K, V> {
    fn drop(&mut self) {
        if self.finished || !self.flights.process.is_current() {
            return;
        }
        let mut shard = self.flights.shard(&self.key);
        if self.flight.is_in_table() {
            shard.remove(&self.key);
        }
        drop(shard);
        self.flight.finish(FlightResult::Abandoned);
    }
}

#[cfg(all(test, not(shuttle)))]
#[path = "table_tests.rs"]
mod tests;

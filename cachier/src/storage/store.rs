//! The driver's requests to a store, and the answers.

use std::fmt::Debug;
use std::hash::Hash;
use std::time::{Duration, Instant};

use cachier_backends::{Error, Usage};

use crate::budget::Bounded;
use crate::flight::Recheck;
use crate::function::Function;
use crate::session::Session;
use crate::stamp::Stamp;

/// A value with its stamp.
#[derive(Clone, Debug)]
pub struct Found<V> {
    /// The encoded value.
    pub(crate) value: V,
    pub(crate) stamp: Stamp,
    /// Size of the value in bytes, where it is known.
    pub(crate) bytes: Option<u64>,
}

/// The content of a store under a key.
pub struct Loaded<V, Seen> {
    pub(crate) found: Option<Found<V>>,
    /// The version of the entry; an absent one may have a version too.
    pub(crate) seen: Seen,
}

/// The answer to a claim.
#[derive(Debug)]
pub enum Claim<L> {
    /// This call computes, and holds the lease.
    Granted(L),
    /// Another process computes the key; this call may store under its lease too.
    Held(Option<L>),
    /// The entry is no longer the one that was loaded: load again.
    Changed,
}

/// The result of removing an entry under a lease.
pub enum Vacated<L> {
    /// The entry is gone, and the lease is still held.
    Done {
        lease: L,
        /// Whether there was one.
        removed: bool,
    },
    /// Nothing is removed: the entry may have changed.
    Superseded,
}

/// The end of a wait for changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notification {
    /// Something may have changed.
    Received,
    /// The store does not notify: poll it.
    Unsupported,
}

/// A store that the driver can work with.
pub trait Store: Send + Sync + Sized + 'static {
    /// The key of a value.
    type Key: Clone + Eq + Hash + Send + Sync + 'static;
    /// An encoded value.
    type Value: Clone + Send + Sync + 'static;
    /// The version of an entry that a claim is conditional on.
    type Seen: Clone + Debug + Send + Sync + 'static;
    /// The right to compute a key, against other processes.
    type Lease: Send + Sync + 'static;

    /// Whether storing may take long, so that large values are stored in the background.
    const IS_REMOTE: bool = false;

    /// The current time of the clock that creation times use, in nanoseconds.
    fn now(&self, function: &Function) -> u64;
    /// The creation time of a value that is computed now, at this moment of the monotonic clock.
    fn created_at(&self, function: &Function, moment: u64) -> u64 {
        let _ = moment;
        self.now(function)
    }
    /// The age of a value created at this moment.
    fn age(&self, function: &Function, created: u64) -> Duration;

    /// Loads the value and the version of its entry.
    fn load(
        &self,
        session: &Session<'_>,
        key: &Self::Key,
    ) -> impl Future<Output = Result<Loaded<Self::Value, Self::Seen>, Error>> + Send;
    /// Whether this process has stored something since the version was seen. Called under a lock, so it must not wait.
    fn recheck(&self, key: &Self::Key, seen: &Self::Seen) -> Recheck;
    /// Asks for the right to compute.
    fn claim(
        &self,
        session: &Session<'_>,
        key: &Self::Key,
        seen: &Self::Seen,
    ) -> impl Future<Output = Result<Claim<Self::Lease>, Error>> + Send;
    /// Grants the right to compute without a wait, where no other process can have it.
    fn claim_at_once(&self) -> Option<Self::Lease> {
        None
    }
    /// Counts a use of a loaded value that is served, where that keeps it from being evicted.
    fn used(&self, key: &Self::Key) {
        let _ = key;
    }
    /// What a load sees of an absent entry, where others need not be asked.
    fn seen_absent(&self) -> Option<Self::Seen> {
        None
    }
    /// Takes the right to compute from its owner.
    fn take_over(
        &self,
        session: &Session<'_>,
        key: &Self::Key,
    ) -> impl Future<Output = Result<Self::Lease, Error>> + Send;
    /// Whether a store under a lease is refused once others have changed the entry.
    fn fences(&self, function: &Function) -> bool {
        let _ = function;
        false
    }
    /// When the queue of this process's operations on the store last moved.
    fn queue_moved_at(&self, function: &Function) -> Option<u64> {
        let _ = function;
        None
    }
    /// Whether the lease is one's own rather than another owner's.
    fn owns(lease: &Self::Lease) -> bool {
        let _ = lease;
        true
    }
    /// When the lease was last known to be valid; `None` where changes of the entry do not end leases.
    fn valid_at(lease: &Self::Lease) -> Option<Instant> {
        let _ = lease;
        None
    }
    /// Calls back when the lease is known to be lost.
    fn on_loss(
        &self,
        function: &Function,
        lease: &Self::Lease,
        callback: impl FnOnce() + Send + 'static,
    ) {
        let _ = (function, lease, callback);
    }
    /// Asks whether the lease is still valid; [`valid_at`](Self::valid_at) tells afterwards.
    fn renew(&self, session: &Session<'_>, lease: &Self::Lease) -> impl Future<Output = ()> + Send {
        let _ = (session, lease);
        async {}
    }
    /// Removes the shared entry, if it is the one that the lease was granted for.
    fn vacate(
        &self,
        session: &Session<'_>,
        lease: Self::Lease,
    ) -> impl Future<Output = Result<Vacated<Self::Lease>, Error>> + Send;
    /// Waits until another process may have changed the value or freed its lease, where the store notifies.
    fn changed(
        &self,
        session: &Session<'_>,
        key: &Self::Key,
        seen: &Self::Seen,
        bounded: Bounded,
    ) -> impl Future<Output = Notification> + Send {
        let _ = (session, key, seen, bounded);
        async { Notification::Unsupported }
    }
    /// Gives up the right to compute, without a result.
    fn release(&self, session: &Session<'_>, lease: Self::Lease)
    -> impl Future<Output = ()> + Send;
    /// Stores where other processes see it; a no-op for the memory of the process.
    fn store(
        &self,
        session: &Session<'_>,
        key: &Self::Key,
        found: &Found<Self::Value>,
        lease: Option<Self::Lease>,
    ) -> impl Future<Output = Result<StoreOutcome, Error>> + Send;
    /// Whether the memory of the process is all that has to keep the value, and has room for it: then nothing need be
    /// [stored](Self::store) elsewhere.
    fn keeps(&self, key: &Self::Key, found: &Found<Self::Value>) -> bool {
        let _ = (key, found);
        false
    }
    /// Inserts into the memory of the process: prepares an insertion, and lets `commit` call it, once, under a lock. So it must
    /// not wait.
    fn insert(
        &self,
        function: &Function,
        key: &Self::Key,
        found: Found<Self::Value>,
        commit: impl FnOnce(Insertion<'_>),
    );

    /// Prepares to remove from the memory of the process. The returned closure removes and tells whether there was a value;
    /// it is called under a lock, so it must not wait.
    fn removal<'a>(
        &'a self,
        function: &'a Function,
        key: &'a Self::Key,
    ) -> impl FnOnce() -> bool + 'a {
        let _ = (function, key);
        || false
    }

    /// Forgets the near copy of a value, which has changed in the shared store.
    fn forget_near(&self, key: &Self::Key) {
        let _ = key;
    }

    /// A guard to hold while inserting, so that no value is dropped under the lock.
    fn defer_drops() -> impl Sized {}

    /// Removes one value; whether there was one.
    fn remove(
        &self,
        session: &Session<'_>,
        key: &Self::Key,
    ) -> impl Future<Output = Result<bool, Error>> + Send;
    /// Removes all values of the function; how many, where the store can tell.
    fn clear(
        &self,
        session: &Session<'_>,
    ) -> impl Future<Output = Result<Option<u64>, Error>> + Send;
    /// Drops all leases that other processes see.
    fn clear_leases(&self, session: &Session<'_>)
    -> impl Future<Output = Result<(), Error>> + Send;
    /// Removes values older than this; how many.
    fn cleanup(
        &self,
        session: &Session<'_>,
        older_than: Duration,
    ) -> impl Future<Output = Result<u64, Error>> + Send;
    /// The space taken by the function's values, where it is known without I/O.
    fn usage_at_hand(&self) -> Option<Usage> {
        None
    }
    /// The name of the function's values among the processes that share them.
    fn shared_name(&self, function: &Function) -> Option<String> {
        let _ = function;
        None
    }
    /// The space taken by the function's values.
    fn usage(&self, session: &Session<'_>) -> impl Future<Output = Result<Usage, Error>> + Send;
}

/// A prepared insertion, to be called once.
pub type Insertion<'a> = &'a mut dyn FnMut() -> StoreOutcome;

/// The result of storing a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreOutcome {
    Done,
    /// The value is too large for the store.
    TooLarge,
    /// The value was invalidated or overtaken by a newer one meanwhile.
    Refused,
}

//! Where values are kept, as the driver sees it: the memory of the process, or a persistent backend.

mod active_leases;
pub(crate) mod encoded;
#[cfg(feature = "memory")]
pub(crate) mod erased;
mod lease_guard;
#[cfg(feature = "memory")]
pub(crate) mod memory;
#[cfg(feature = "memory")]
pub(crate) mod near;
pub(crate) mod persistent;
mod target;

use std::fmt::Debug;
use std::hash::Hash;
use std::time::{Duration, Instant};

use cachier_backends::{Error, Usage};

use crate::flight::Recheck;
use crate::function::Function;
use crate::session::Session;
use crate::stamp::Stamp;

/// One value and where it comes from.
#[derive(Clone, Debug)]
pub struct Found<V> {
    /// The value in its kept form.
    pub(crate) value: V,
    pub(crate) stamp: Stamp,
    /// Size of the value in bytes, where it is known.
    pub(crate) bytes: Option<u64>,
}

/// What a storage has under a key.
pub struct Loaded<V, Seen> {
    pub(crate) found: Option<Found<V>>,
    /// The version of the entry; no value may have a version too.
    pub(crate) seen: Seen,
}

/// Whether this call may compute, as the storage says.
#[derive(Debug)]
pub enum Claim<L> {
    /// It may, and holds the lease.
    Granted(L),
    /// Another process computes the key, under a lease under which this call may store too.
    Held(Option<L>),
    /// The stored value is no longer the one that was seen: look again.
    Changed,
}

/// What became of an entry that was to be removed under a lease.
pub enum Vacated<L> {
    /// It is gone, and the lease goes on.
    Done {
        lease: L,
        /// Whether there was one.
        removed: bool,
    },
    /// Nothing is removed: it is not known to be what it was.
    Superseded,
}

/// Whether a storage tells of changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notification {
    /// Something may have changed.
    Received,
    /// It does not tell: look again and again.
    Unsupported,
}

/// A storage that the driver can work with.
pub trait Store: Send + Sync + Sized + 'static {
    /// What a value is kept under.
    type Key: Clone + Eq + Hash + Send + Sync + 'static;
    /// The kept form of a value.
    type Value: Clone + Send + Sync + 'static;
    /// The version of an entry that a claim is conditional on.
    type Seen: Clone + Debug + Send + Sync + 'static;
    /// The right to compute a key, against other processes.
    type Lease: Send + Sync + 'static;

    /// Whether storing may take long, so that a large value is stored in the background.
    const IS_REMOTE: bool = false;

    /// Now, in nanoseconds of the clock that creation times count by.
    fn now(&self, function: &Function) -> u64;
    /// Age of a value that was created at this moment.
    fn age(&self, function: &Function, created: u64) -> Duration;

    /// Reads the value and the version of its entry.
    fn load(
        &self,
        session: &Session<'_>,
        key: &Self::Key,
    ) -> impl Future<Output = Result<Loaded<Self::Value, Self::Seen>, Error>> + Send;
    /// Whether this process has stored something since the version was seen; called under a lock, so it must not wait.
    fn recheck(&self, key: &Self::Key, seen: &Self::Seen) -> Recheck;
    /// Asks for the right to compute.
    fn claim(
        &self,
        session: &Session<'_>,
        key: &Self::Key,
        seen: &Self::Seen,
    ) -> impl Future<Output = Result<Claim<Self::Lease>, Error>> + Send;
    /// Takes the right to compute, whoever has it.
    fn take_over(
        &self,
        session: &Session<'_>,
        key: &Self::Key,
    ) -> impl Future<Output = Result<Self::Lease, Error>> + Send;
    /// Whether a store under a lease gives way to whatever others have done to the entry meanwhile.
    fn fences(&self, function: &Function) -> bool {
        let _ = function;
        false
    }
    /// When the lines moved last in which operations of this process wait for the storage.
    fn queue_moved_at(&self, function: &Function) -> Option<u64> {
        let _ = function;
        None
    }
    /// Whether the lease is one's own, not that of another under which one may store.
    fn owns(lease: &Self::Lease) -> bool {
        let _ = lease;
        true
    }
    /// When the lease was last known to be valid; `None` where leases do not end when others change the entry.
    fn valid_at(lease: &Self::Lease) -> Option<Instant> {
        let _ = lease;
        None
    }
    /// Has `callback` called when it becomes known that the lease has ended.
    fn on_loss(lease: &Self::Lease, callback: impl FnOnce() + Send + 'static) {
        let _ = (lease, callback);
    }
    /// Asks whether the lease is still valid, which [`valid_at`](Self::valid_at) tells then.
    fn renew(&self, session: &Session<'_>, lease: &Self::Lease) -> impl Future<Output = ()> + Send {
        let _ = (session, lease);
        async {}
    }
    /// Removes the entry that other processes see, if it is the one that the lease was granted for.
    fn vacate(
        &self,
        session: &Session<'_>,
        lease: Self::Lease,
    ) -> impl Future<Output = Result<Vacated<Self::Lease>, Error>> + Send;
    /// Waits until another process has changed the value, or its lease may be free, where the storage notifies.
    fn changed(
        &self,
        session: &Session<'_>,
        key: &Self::Key,
        seen: &Self::Seen,
    ) -> impl Future<Output = Notification> + Send {
        let _ = (session, key, seen);
        async { Notification::Unsupported }
    }
    /// Gives the right to compute back without a result.
    fn release(&self, session: &Session<'_>, lease: Self::Lease)
    -> impl Future<Output = ()> + Send;
    /// Stores where other processes see it; the memory of the process has nothing to do here.
    fn store(
        &self,
        session: &Session<'_>,
        key: &Self::Key,
        found: &Found<Self::Value>,
        lease: Option<Self::Lease>,
    ) -> impl Future<Output = Result<StoreOutcome, Error>> + Send;
    /// Prepares to store in the memory of the process. What it returns does so, and tells what became of it; it is called
    /// under a lock, so it must not wait.
    fn insertion<'a>(
        &'a self,
        function: &'a Function,
        key: &Self::Key,
        found: Found<Self::Value>,
    ) -> impl FnOnce() -> StoreOutcome + 'a;

    /// Prepares to remove from the memory of the process. What it returns does so, and tells whether there was a value; it is
    /// called under a lock, so it must not wait.
    fn removal<'a>(&'a self, key: &'a Self::Key) -> impl FnOnce() -> bool + 'a {
        let _ = key;
        || false
    }

    /// What to hold while inserting, so that no value is dropped under the lock.
    fn defer_drops() -> impl Sized {}

    /// Removes one value; whether there was one.
    fn remove(
        &self,
        session: &Session<'_>,
        key: &Self::Key,
    ) -> impl Future<Output = Result<bool, Error>> + Send;
    /// Removes all values of the function; how many, where the storage can tell.
    fn clear(
        &self,
        session: &Session<'_>,
    ) -> impl Future<Output = Result<Option<u64>, Error>> + Send;
    /// Drops all marks of running computations that other processes see.
    fn clear_leases(&self, session: &Session<'_>)
    -> impl Future<Output = Result<(), Error>> + Send;
    /// Removes values of more than this age; how many.
    fn cleanup(
        &self,
        session: &Session<'_>,
        older_than: Duration,
    ) -> impl Future<Output = Result<u64, Error>> + Send;
    /// What the function's values occupy, where that can be told without asking anyone.
    fn usage_at_hand(&self) -> Option<Usage> {
        None
    }
    /// What names the function's values among the processes that share them.
    fn shared_as(&self, function: &Function) -> Option<String> {
        let _ = function;
        None
    }
    /// What the function's values occupy.
    fn usage(&self, session: &Session<'_>) -> impl Future<Output = Result<Usage, Error>> + Send;
}

/// What became of a value that was to be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreOutcome {
    /// It is stored.
    Done,
    /// It is not: too large for the store.
    TooLarge,
    /// It is not: invalidated or overtaken by a newer one meanwhile.
    Refused,
}

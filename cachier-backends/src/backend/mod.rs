//! The trait that every backend implements.

mod capability;
mod change;
mod figures;
#[cfg(feature = "_network")]
mod instance;
mod lease;
mod types;
mod version;

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::error::Error;
use crate::key::{Key, Scope};
pub use capability::{Capabilities, Capability};
pub use change::{Change, Watch, Watcher};
pub use figures::{Figures, Pool, WaitObserver};
#[cfg(feature = "_network")]
pub(crate) use instance::{Instance, Reopen, backend_by_instance, instance};
pub use lease::{Lease, LeaseReply, Renewal, Vacated};
pub use types::{Loaded, StoreReply, StoreRequest, Usage};
pub use version::EntryVersion;

/// What the operations of a [`Backend`] return.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

/// Keeps entries: opaque bytes under keys.
///
/// A backend loads, stores, removes and clears, and knows nothing of functions, freshness or
/// metrics. Six methods are required; the others have defaults that say what the backend cannot
/// do. Errors are for failures only: an entry that is not there is none.
///
/// For a client that blocks, implement [`BlockingBackend`](crate::BlockingBackend) instead.
///
/// # Leases
///
/// A *lease* makes one caller, of all processes that share the store, the owner of the computation
/// of an entry. It stands beside the entry, which stays as it is until the owner stores a new one.
/// A backend with [`Capability::Leases`] promises that
///
/// - at any time at most one lease on a key is valid;
/// - [`lease`](Self::lease) grants nothing when the entry is not the one that the caller has seen;
/// - [`store`](Self::store) under a lease stores nothing when the lease is not valid any more, or
///   when the entry has changed since: after a store by somebody else, a [`remove`](Self::remove),
///   a [`clear`](Self::clear) or a [`clear_leases`](Self::clear_leases). So does a store under a lease
///   that somebody else [holds](LeaseReply::Held);
/// - [`take_over`](Self::take_over) ends the lease that there is;
/// - a lease whose owner is gone ends: at once, or when its period is over without a
///   [`renew`](Self::renew). The clock of the server counts where there is one.
///
/// # Example
///
/// A backend that keeps entries in a map. Its entries are as old as their bytes, so that a hash of
/// these can serve as their version.
///
/// ```
/// use std::collections::HashMap;
/// use std::sync::{Arc, Mutex, PoisonError};
/// use cachier_backends::{
///     Backend, BoxFuture, EntryVersion, Key, Loaded, Scope, StoreReply, StoreRequest,
/// };
///
/// #[derive(Default)]
/// struct MapBackend {
///     entries: Mutex<HashMap<Key, Vec<u8>>>,
/// }
///
/// impl MapBackend {
///     fn with<T>(&self, use_entries: impl FnOnce(&mut HashMap<Key, Vec<u8>>) -> T) -> T {
///         use_entries(&mut self.entries.lock().unwrap_or_else(PoisonError::into_inner))
///     }
/// }
///
/// impl Backend for MapBackend {
///     fn kind(&self) -> &str {
///         "map"
///     }
///
///     fn store_name(&self) -> String {
///         "this process".to_owned()
///     }
///
///     fn load<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Option<Loaded>> {
///         Box::pin(async move {
///             let bytes = self.with(|entries| entries.get(key).cloned());
///             Ok(bytes.map(|bytes| Loaded {
///                 version: EntryVersion::of_content(&bytes),
///                 bytes,
///             }))
///         })
///     }
///
///     fn store<'a>(
///         &'a self,
///         key: &'a Key,
///         request: StoreRequest<'a>,
///     ) -> BoxFuture<'a, StoreReply> {
///         Box::pin(async move {
///             self.with(|entries| entries.insert(key.clone(), request.entry.to_vec()));
///             Ok(StoreReply::Stored { evicted: 0 })
///         })
///     }
///
///     fn remove<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, bool> {
///         Box::pin(async move { Ok(self.with(|entries| entries.remove(key).is_some())) })
///     }
///
///     fn clear<'a>(&'a self, scope: &'a Arc<Scope>) -> BoxFuture<'a, Option<u64>> {
///         Box::pin(async move {
///             let of_scope = |key: &Key, _: &mut Vec<u8>| key.scope() == scope;
///             let removed = self.with(|entries| entries.extract_if(of_scope).count());
///             Ok(Some(removed as u64))
///         })
///     }
/// }
/// ```
pub trait Backend: Send + Sync + 'static {
    /// What kind of backend this is, in one lower-case word: `redis`.
    fn kind(&self) -> &str;

    /// Which store this is: its path or address, without credentials.
    fn store_name(&self) -> String;

    /// What this backend can do beyond the required methods.
    fn capabilities(&self) -> Capabilities {
        Capabilities::NONE
    }

    /// The entry of a key, and which of its versions it is.
    fn load<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Option<Loaded>>;

    /// Stores an entry, or replaces the one that is there.
    ///
    /// Under a lease, which this ends in any case, it does so only while the lease is valid and the
    /// entry the one that the lease was granted for; without one it does so always.
    fn store<'a>(&'a self, key: &'a Key, request: StoreRequest<'a>) -> BoxFuture<'a, StoreReply>;

    /// Removes an entry and ends the lease on it. Whether there was an entry.
    fn remove<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, bool>;

    /// Removes all entries of a function, of all versions, and ends all leases on them.
    ///
    /// How many entries there were; `None` if the store does not tell.
    fn clear<'a>(&'a self, scope: &'a Arc<Scope>) -> BoxFuture<'a, Option<u64>>;

    /// Asks for the lease on a key, for an entry that was `seen`, or for none.
    ///
    /// The lease ends when `period` is over without [`renew`](Self::renew), unless it says
    /// otherwise. The default grants every lease: each process computes for itself.
    fn lease<'a>(
        &'a self,
        key: &'a Key,
        seen: Option<&'a EntryVersion>,
        period: Duration,
    ) -> BoxFuture<'a, LeaseReply> {
        let _ = period;
        let lease = Lease::new(key.clone(), seen.cloned(), ());
        Box::pin(async { Ok(LeaseReply::Granted(lease)) })
    }

    /// Takes the lease on a key, for the entry as it is now, and ends the one that somebody may hold: what its owner
    /// computes began earlier.
    ///
    /// A backend with [`Capability::Leases`] has its own way. The default grants every lease, as that of
    /// [`lease`](Self::lease) does.
    fn take_over<'a>(&'a self, key: &'a Key, period: Duration) -> BoxFuture<'a, Lease> {
        let _ = period;
        let lease = Lease::new(key.clone(), None, ());
        Box::pin(async { Ok(lease) })
    }

    /// Removes the entry that a lease was granted for, under the conditions of a [`store`](Self::store) under it. The lease
    /// goes on, for an entry that is not there.
    ///
    /// A backend with [`Capability::Leases`] has its own way. The default removes whatever entry there is.
    fn vacate(&self, lease: Lease) -> BoxFuture<'_, Vacated> {
        Box::pin(async move {
            let removed = self.remove(lease.key()).await?;
            let lease = Lease::new(lease.key().clone(), None, ());
            Ok(Vacated::Done { lease, removed })
        })
    }

    /// Prolongs a lease by its period from now.
    fn renew<'a>(&'a self, lease: &'a Lease) -> BoxFuture<'a, Renewal> {
        let _ = lease;
        Box::pin(async { Ok(Renewal::Renewed) })
    }

    /// Ends a lease without storing anything.
    fn release(&self, lease: Lease) -> BoxFuture<'_, ()> {
        drop(lease);
        Box::pin(async { Ok(()) })
    }

    /// Waits until the entry of a key may differ from the one that was `seen`, or its lease may be free.
    ///
    /// May end early; ends at once if that is so already. `None` if the store does not notify: the caller polls with
    /// increasing delays.
    fn wait<'a>(
        &'a self,
        key: &'a Key,
        seen: Option<&'a EntryVersion>,
    ) -> Option<BoxFuture<'a, ()>> {
        let _ = (key, seen);
        None
    }

    /// Has `watcher` told of what others do to the entries of a function, until the watch is dropped.
    ///
    /// Others are other instances of the backend, in this process or elsewhere. `None` if the store
    /// does not notify.
    fn watch(&self, scope: &Arc<Scope>, watcher: Arc<Watcher>) -> Option<Watch> {
        let _ = (scope, watcher);
        None
    }

    /// Ends all leases on entries of a function, of all versions.
    fn clear_leases<'a>(&'a self, scope: &'a Arc<Scope>) -> BoxFuture<'a, ()> {
        let _ = scope;
        Box::pin(async { Ok(()) })
    }

    /// Removes the entries of a function, of all versions, that were created before a moment.
    ///
    /// How many there were; `None` if the store does not tell, or cannot do it.
    fn cleanup<'a>(
        &'a self,
        scope: &'a Arc<Scope>,
        created_before: SystemTime,
    ) -> BoxFuture<'a, Option<u64>> {
        let _ = (scope, created_before);
        Box::pin(async { Ok(None) })
    }

    /// What the store holds of a function, of all versions, as far as it tells cheaply.
    fn usage<'a>(&'a self, scope: &'a Arc<Scope>) -> BoxFuture<'a, Usage> {
        let _ = scope;
        Box::pin(async { Ok(Usage::default()) })
    }

    /// What there is to tell about requests and connections.
    fn figures(&self) -> Figures {
        Figures::default()
    }

    /// Has `observer` told how long operations wait for a connection, where the client tells. The first observer stays.
    fn observe_waits(&self, observer: Arc<WaitObserver>) {
        drop(observer);
    }

    /// Whether the store can be used right now, for readiness probes.
    fn check(&self) -> BoxFuture<'_, ()> {
        Box::pin(async { Ok(()) })
    }
}

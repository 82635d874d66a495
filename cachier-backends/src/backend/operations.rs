//! The trait itself, operation by operation.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::capability::Capabilities;
use super::change::{Watch, Watcher};
use super::figures::{Figures, WaitObserver};
use super::lease::{Lease, LeaseReply, Renewal, Vacated};
use super::types::{Loaded, StoreReply, StoreRequest};
use super::version::EntryVersion;
use crate::key::{Key, Scope};
use crate::usage::{BoxFuture, Usage};

/// A store of entries: opaque bytes under keys.
///
/// A backend knows nothing of functions, freshness or metrics. Six methods are required; the others have defaults for
/// backends without the capability. Errors are for failures only: an absent entry is `None`.
///
/// For a client that blocks, implement [`BlockingBackend`](crate::BlockingBackend) instead.
///
/// # Leases
///
/// A *lease* makes one caller, of all processes that share the store, the owner of an entry's computation. The entry
/// stays in place until the owner stores a new one. A backend with [`Capability::Leases`](super::Capability::Leases) guarantees:
///
/// - At any time at most one lease on a key is valid.
/// - [`lease`](Self::lease) is granted only if the entry is the one that the caller has seen.
/// - [`store`](Self::store) under a lease stores nothing if the lease has ended, or the entry has changed since it was
///   granted: by the store of another, a [`remove`](Self::remove), a [`clear`](Self::clear) or a
///   [`clear_leases`](Self::clear_leases). The same holds for a store under a lease that another owner
///   [holds](LeaseReply::Held).
/// - [`take_over`](Self::take_over) ends the current lease.
/// - A lease without an owner ends: at once, or when its period is over without a [`renew`](Self::renew), by the
///   server's clock if there is a server.
///
/// # Example
///
/// A backend that keeps entries in a map. The version of an entry is a hash of its bytes.
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
///             Ok(bytes.map(|bytes| {
///                 let version = EntryVersion::of_content(&bytes);
///                 Loaded::new(bytes, version)
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
    /// The kind of backend, as one lower-case word: `redis`.
    fn kind(&self) -> &str;

    /// The path or address of the store, without credentials.
    fn store_name(&self) -> String;

    /// The capabilities beyond the required methods.
    fn capabilities(&self) -> Capabilities {
        Capabilities::NONE
    }

    /// The entry of a key, with its version.
    fn load<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Option<Loaded>>;

    /// Stores an entry, replacing the current one.
    ///
    /// Under a lease, which ends in any case, the entry is stored only if the lease is valid and the current entry is
    /// the one that it was granted for; without one, always.
    fn store<'a>(&'a self, key: &'a Key, request: StoreRequest<'a>) -> BoxFuture<'a, StoreReply>;

    /// Removes an entry and ends the lease on it; returns whether there was an entry.
    fn remove<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, bool>;

    /// Removes all entries of a function, of all versions, and ends all leases on them.
    ///
    /// Returns how many entries there were; `None` if unknown.
    fn clear<'a>(&'a self, scope: &'a Arc<Scope>) -> BoxFuture<'a, Option<u64>>;

    /// Requests the lease on a key, for the entry that was `seen`, or for its absence.
    ///
    /// It ends when `period` is over without [`renew`](Self::renew), unless the [`Lease`] says otherwise. The default
    /// grants every lease: each process computes for itself.
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

    /// Takes the lease on a key, for the current entry, and ends any other: the computation of its owner began earlier.
    ///
    /// To be implemented with [`Capability::Leases`](super::Capability::Leases). The default grants every lease, like that of
    /// [`lease`](Self::lease).
    fn take_over<'a>(&'a self, key: &'a Key, period: Duration) -> BoxFuture<'a, Lease> {
        let _ = period;
        let lease = Lease::new(key.clone(), None, ());
        Box::pin(async { Ok(lease) })
    }

    /// Removes the entry that a lease was granted for, under the same conditions as a [`store`](Self::store). The lease
    /// continues, for the absent entry.
    ///
    /// An owner that gets no answer asks again with the same lease, and is answered as before, but that there was no entry.
    ///
    /// To be implemented with [`Capability::Leases`](super::Capability::Leases). The default removes whatever entry there is.
    fn vacate(&self, lease: Lease) -> BoxFuture<'_, Vacated> {
        Box::pin(async move {
            let removed = self.remove(lease.key()).await?;
            let lease = Lease::new(lease.key().clone(), None, ());
            Ok(Vacated::Done { lease, removed })
        })
    }

    /// Extends a lease to its period from now.
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
    /// May end early; ends at once if that is so already. `None` if the store does not notify: the caller then polls
    /// with increasing delays.
    fn wait<'a>(
        &'a self,
        key: &'a Key,
        seen: Option<&'a EntryVersion>,
    ) -> Option<BoxFuture<'a, ()>> {
        let _ = (key, seen);
        None
    }

    /// Notifies `watcher` of changes by others to the entries of a function, until the watch is dropped.
    ///
    /// Others are other instances of the backend, in this process or elsewhere. `None` if the store does not notify.
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
    /// Returns how many; `None` if unknown, or not supported.
    fn cleanup<'a>(
        &'a self,
        scope: &'a Arc<Scope>,
        created_before: SystemTime,
    ) -> BoxFuture<'a, Option<u64>> {
        let _ = (scope, created_before);
        Box::pin(async { Ok(None) })
    }

    /// The entries of a function, of all versions, as far as the store can count them cheaply.
    fn usage<'a>(&'a self, scope: &'a Arc<Scope>) -> BoxFuture<'a, Usage> {
        let _ = scope;
        Box::pin(async { Ok(Usage::default()) })
    }

    /// Waits for what the backend does in the background on its own, such as giving back space.
    fn idle(&self) -> BoxFuture<'_, ()> {
        Box::pin(async { Ok(()) })
    }

    /// Figures about requests and connections.
    fn figures(&self) -> Figures {
        Figures::default()
    }

    /// Sets an observer of the time that operations wait for a connection, if the client reports it. Later observers
    /// are ignored.
    fn observe_waits(&self, observer: Arc<WaitObserver>) {
        drop(observer);
    }

    /// Whether the store can be used right now, for readiness probes.
    fn check(&self) -> BoxFuture<'_, ()> {
        Box::pin(async { Ok(()) })
    }
}

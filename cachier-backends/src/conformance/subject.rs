//! The backends on which the properties are tried.

use std::sync::Arc;

use super::support::{LONG_PERIOD, key_of, moment, skip, succeeded};
use crate::backend::{
    Backend, Capability, EntryVersion, Lease, LeaseReply, StoreReply, StoreRequest,
};
use crate::key::{Key, Scope};
use crate::unique::unique;

/// A backend under test, in a namespace of its own.
///
/// ```
/// # #[cfg(feature = "file")] {
/// use std::sync::Arc;
/// use cachier_backends::{Blocking, conformance::Subject, file::FileBackend};
///
/// // Two connections to one store, as two processes have them.
/// let subject = Subject::new(|| Arc::new(Blocking::new(FileBackend::new("/var/cache/app"))));
/// # drop(subject);
/// # }
/// ```
pub struct Subject {
    /// Two connections to one store, like those of two processes.
    pub(super) backend: Arc<dyn Backend>,
    pub(super) other: Arc<dyn Backend>,
    pub(super) namespace: String,
}

impl Subject {
    /// A backend under test. `connect` is called twice, for two connections to the same store.
    pub fn new(connect: impl Fn() -> Arc<dyn Backend>) -> Self {
        Self {
            backend: connect(),
            other: connect(),
            namespace: format!("conformance-{:016x}", unique()),
        }
    }

    /// Whether the backend has a capability; reports a skipped property if not.
    pub(super) fn has(&self, capability: Capability) -> bool {
        let has = self.backend.capabilities().has(capability);
        if !has {
            skip(&format!("`{}` has no {capability:?}", self.backend.kind()));
        }
        has
    }

    pub(super) fn scope(&self, function: &str) -> Arc<Scope> {
        Arc::new(Scope::new(self.namespace.as_str(), function))
    }

    /// A key of the function that most properties use.
    pub(super) fn key(&self, number: u8) -> Key {
        key_of(&self.scope("function"), number)
    }

    pub(super) async fn store(&self, key: &Key, entry: &[u8]) {
        let reply = self.try_store(StoreRequest::new(entry, moment(0)), key);
        assert_eq!(reply.await, StoreReply::Stored { evicted: 0 });
    }

    pub(super) async fn try_store(&self, request: StoreRequest<'_>, key: &Key) -> StoreReply {
        succeeded(self.backend.store(key, request).await)
    }

    pub(super) async fn bytes(&self, key: &Key) -> Option<Vec<u8>> {
        let loaded = succeeded(self.backend.load(key).await);
        loaded.map(|loaded| loaded.bytes)
    }

    pub(super) async fn version(&self, key: &Key) -> Option<EntryVersion> {
        let loaded = succeeded(self.backend.load(key).await);
        loaded.map(|loaded| loaded.version)
    }

    pub(super) async fn request(&self, key: &Key, seen: Option<&EntryVersion>) -> LeaseReply {
        succeeded(self.backend.lease(key, seen, LONG_PERIOD).await)
    }

    /// A lease that must be granted.
    pub(super) async fn lease(&self, key: &Key, seen: Option<&EntryVersion>) -> Lease {
        match self.request(key, seen).await {
            LeaseReply::Granted(lease) => lease,
            reply => panic!("the lease was not granted: {reply:?}"),
        }
    }
}

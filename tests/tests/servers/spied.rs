//! A backend that tests look into, and trip up.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use cachier::{
    Backend, BoxFuture, Capabilities, EntryVersion, Figures, Key, Lease, LeaseReply, Loaded,
    Renewal, Scope, StoreReply, StoreRequest, Usage, Vacated, WaitObserver, Watch, Watcher,
};
use cachier_tests::gate::Gate;

/// A backend that records the key last used.
pub(super) struct Spied {
    pub(super) backend: Arc<dyn Backend>,
    pub(super) last_key: Arc<Mutex<Option<Key>>>,
    /// The store, as another process uses it.
    pub(super) other: Arc<dyn Backend>,
    pub(super) forgotten: Arc<AtomicBool>,
    pub(super) gate: Arc<Mutex<Option<Arc<Gate>>>>,
    pub(super) unmarked: Arc<AtomicBool>,
}

impl Backend for Spied {
    fn kind(&self) -> &str {
        self.backend.kind()
    }

    fn store_name(&self) -> String {
        self.backend.store_name()
    }

    fn capabilities(&self) -> Capabilities {
        self.backend.capabilities()
    }

    fn load<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Option<Loaded>> {
        *self.last_key.lock().unwrap_or_else(PoisonError::into_inner) = Some(key.clone());
        self.backend.load(key)
    }

    fn store<'a>(&'a self, key: &'a Key, request: StoreRequest<'a>) -> BoxFuture<'a, StoreReply> {
        let gate = self
            .gate
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(gate) = gate {
            gate.wait();
        }
        let forgotten = self.forgotten.swap(false, Ordering::SeqCst);
        let unmarked = self.unmarked.swap(false, Ordering::SeqCst);
        if !forgotten && !unmarked {
            return self.backend.store(key, request);
        }
        Box::pin(async move {
            if forgotten {
                self.other.remove(key).await?;
            }
            if unmarked {
                self.other.clear_leases(key.scope()).await?;
            }
            self.backend.store(key, request).await
        })
    }

    fn take_over<'a>(&'a self, key: &'a Key, period: Duration) -> BoxFuture<'a, Lease> {
        *self.last_key.lock().unwrap_or_else(PoisonError::into_inner) = Some(key.clone());
        self.backend.take_over(key, period)
    }

    fn vacate(&self, lease: Lease) -> BoxFuture<'_, Vacated> {
        self.backend.vacate(lease)
    }

    fn remove<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, bool> {
        self.backend.remove(key)
    }

    fn clear<'a>(&'a self, scope: &'a Arc<Scope>) -> BoxFuture<'a, Option<u64>> {
        self.backend.clear(scope)
    }

    fn lease<'a>(
        &'a self,
        key: &'a Key,
        seen: Option<&'a EntryVersion>,
        period: Duration,
    ) -> BoxFuture<'a, LeaseReply> {
        self.backend.lease(key, seen, period)
    }

    fn renew<'a>(&'a self, lease: &'a Lease) -> BoxFuture<'a, Renewal> {
        self.backend.renew(lease)
    }

    fn release(&self, lease: Lease) -> BoxFuture<'_, ()> {
        self.backend.release(lease)
    }

    fn wait<'a>(
        &'a self,
        key: &'a Key,
        seen: Option<&'a EntryVersion>,
    ) -> Option<BoxFuture<'a, ()>> {
        self.backend.wait(key, seen)
    }

    fn watch(&self, scope: &Arc<Scope>, watcher: Arc<Watcher>) -> Option<Watch> {
        self.backend.watch(scope, watcher)
    }

    fn clear_leases<'a>(&'a self, scope: &'a Arc<Scope>) -> BoxFuture<'a, ()> {
        self.backend.clear_leases(scope)
    }

    fn cleanup<'a>(
        &'a self,
        scope: &'a Arc<Scope>,
        before: SystemTime,
    ) -> BoxFuture<'a, Option<u64>> {
        self.backend.cleanup(scope, before)
    }

    fn usage<'a>(&'a self, scope: &'a Arc<Scope>) -> BoxFuture<'a, Usage> {
        self.backend.usage(scope)
    }

    fn figures(&self) -> Figures {
        self.backend.figures()
    }

    fn observe_waits(&self, observer: Arc<WaitObserver>) {
        self.backend.observe_waits(observer);
    }

    fn check(&self) -> BoxFuture<'_, ()> {
        self.backend.check()
    }
}

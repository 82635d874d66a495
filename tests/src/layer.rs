//! Backends in front of others.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use cachier::{
    Backend, BoxFuture, Capabilities, EntryVersion, Figures, Key, Lease, LeaseReply, Loaded,
    Renewal, Scope, StoreReply, StoreRequest, Usage, Vacated, WaitObserver, Watch, Watcher,
};

/// The behaviour in which a [`Layered`] backend differs from the one behind it.
pub trait Layer: Send + Sync + 'static {
    /// The backend behind.
    fn behind(&self) -> &dyn Backend;

    /// [`Backend::load`].
    fn load<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Option<Loaded>> {
        self.behind().load(key)
    }

    /// [`Backend::store`].
    fn store<'a>(&'a self, key: &'a Key, request: StoreRequest<'a>) -> BoxFuture<'a, StoreReply> {
        self.behind().store(key, request)
    }

    /// [`Backend::take_over`].
    fn take_over<'a>(&'a self, key: &'a Key, period: Duration) -> BoxFuture<'a, Lease> {
        self.behind().take_over(key, period)
    }
}

/// A layer in front of a backend, as a backend.
pub struct Layered<L>(pub L);

impl<L: Layer> Backend for Layered<L> {
    fn kind(&self) -> &str {
        self.0.behind().kind()
    }

    fn store_name(&self) -> String {
        self.0.behind().store_name()
    }

    fn capabilities(&self) -> Capabilities {
        self.0.behind().capabilities()
    }

    fn load<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Option<Loaded>> {
        self.0.load(key)
    }

    fn store<'a>(&'a self, key: &'a Key, request: StoreRequest<'a>) -> BoxFuture<'a, StoreReply> {
        self.0.store(key, request)
    }

    fn take_over<'a>(&'a self, key: &'a Key, period: Duration) -> BoxFuture<'a, Lease> {
        self.0.take_over(key, period)
    }

    fn vacate(&self, lease: Lease) -> BoxFuture<'_, Vacated> {
        self.0.behind().vacate(lease)
    }

    fn remove<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, bool> {
        self.0.behind().remove(key)
    }

    fn clear<'a>(&'a self, scope: &'a Arc<Scope>) -> BoxFuture<'a, Option<u64>> {
        self.0.behind().clear(scope)
    }

    fn lease<'a>(
        &'a self,
        key: &'a Key,
        seen: Option<&'a EntryVersion>,
        period: Duration,
    ) -> BoxFuture<'a, LeaseReply> {
        self.0.behind().lease(key, seen, period)
    }

    fn renew<'a>(&'a self, lease: &'a Lease) -> BoxFuture<'a, Renewal> {
        self.0.behind().renew(lease)
    }

    fn release(&self, lease: Lease) -> BoxFuture<'_, ()> {
        self.0.behind().release(lease)
    }

    fn wait<'a>(
        &'a self,
        key: &'a Key,
        seen: Option<&'a EntryVersion>,
    ) -> Option<BoxFuture<'a, ()>> {
        self.0.behind().wait(key, seen)
    }

    fn watch(&self, scope: &Arc<Scope>, watcher: Arc<Watcher>) -> Option<Watch> {
        self.0.behind().watch(scope, watcher)
    }

    fn clear_leases<'a>(&'a self, scope: &'a Arc<Scope>) -> BoxFuture<'a, ()> {
        self.0.behind().clear_leases(scope)
    }

    fn cleanup<'a>(
        &'a self,
        scope: &'a Arc<Scope>,
        before: SystemTime,
    ) -> BoxFuture<'a, Option<u64>> {
        self.0.behind().cleanup(scope, before)
    }

    fn usage<'a>(&'a self, scope: &'a Arc<Scope>) -> BoxFuture<'a, Usage> {
        self.0.behind().usage(scope)
    }

    fn figures(&self) -> Figures {
        self.0.behind().figures()
    }

    fn observe_waits(&self, observer: Arc<WaitObserver>) {
        self.0.behind().observe_waits(observer);
    }

    fn check(&self) -> BoxFuture<'_, ()> {
        self.0.behind().check()
    }
}

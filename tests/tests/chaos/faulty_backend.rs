//! A backend that sometimes gives another request's answer, or part of an answer.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use cachier::{
    Backend, BoxFuture, Capabilities, EntryVersion, Figures, Key, Lease, LeaseReply, Loaded,
    Renewal, Scope, StoreReply, StoreRequest, Usage, Vacated, WaitObserver, Watch, Watcher,
};

/// The frequency of false answers.
const ONCE_IN: u32 = 150;

/// Whether all answers are right from now on.
pub(crate) static IS_OVER: AtomicBool = AtomicBool::new(false);

pub(crate) struct FaultyBackend {
    backend: Arc<dyn Backend>,
    /// An earlier answer to another request.
    earlier: Mutex<Option<(Key, Vec<u8>)>>,
}

impl FaultyBackend {
    pub(crate) fn new(backend: Arc<dyn Backend>) -> Self {
        Self {
            backend,
            earlier: Mutex::default(),
        }
    }

    fn tamper(&self, key: &Key, loaded: &mut Loaded) {
        if IS_OVER.load(Ordering::Relaxed) {
            return;
        }
        let mut earlier = self.earlier.lock().unwrap_or_else(PoisonError::into_inner);
        match fastrand::u32(..ONCE_IN) {
            0 => {
                if let Some((of, bytes)) = &*earlier
                    && of != key
                {
                    loaded.bytes.clone_from(bytes);
                }
            }
            1 => loaded
                .bytes
                .truncate(fastrand::usize(..=loaded.bytes.len())),
            2 if !loaded.bytes.is_empty() => {
                let at = fastrand::usize(..loaded.bytes.len());
                loaded.bytes[at] ^= 1 << fastrand::u32(..8);
            }
            3..20 => *earlier = Some((key.clone(), loaded.bytes.clone())),
            _ => {}
        }
    }
}

impl Backend for FaultyBackend {
    fn load<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Option<Loaded>> {
        Box::pin(async move {
            let mut loaded = self.backend.load(key).await?;
            if let Some(loaded) = &mut loaded {
                self.tamper(key, loaded);
            }
            Ok(loaded)
        })
    }

    fn kind(&self) -> &str {
        self.backend.kind()
    }

    fn store_name(&self) -> String {
        self.backend.store_name()
    }

    fn capabilities(&self) -> Capabilities {
        self.backend.capabilities()
    }

    fn store<'a>(&'a self, key: &'a Key, request: StoreRequest<'a>) -> BoxFuture<'a, StoreReply> {
        self.backend.store(key, request)
    }

    fn take_over<'a>(&'a self, key: &'a Key, period: Duration) -> BoxFuture<'a, Lease> {
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

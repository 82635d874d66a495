//! A backend that tests look into, and trip up.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cachier::{Backend, BoxFuture, Key, Lease, Loaded, StoreReply, StoreRequest};
use cachier_backends::process::{PerProcess, copied};
use cachier_tests::gate::Gate;
use cachier_tests::layer::Layer;

/// A backend that records the key last used.
pub(super) struct ObservedBackend {
    pub(super) backend: Arc<dyn Backend>,
    /// The store, as another process uses it.
    pub(super) other: Arc<dyn Backend>,
    pub(super) probe: Arc<Probe>,
}

/// A test's view of its backend, and its hold on it.
pub(super) struct Probe {
    pub(super) last_key: PerProcess<Mutex<Option<Key>>>,
    /// Whether others invalidate the next entry during its store.
    pub(super) forgotten: AtomicBool,
    /// Where the next store waits.
    pub(super) gate: Mutex<Option<Arc<Gate>>>,
    /// Whether others drop the marks of running computations during it.
    pub(super) unmarked: AtomicBool,
}

impl Default for Probe {
    fn default() -> Self {
        Self {
            last_key: PerProcess::new(copied),
            forgotten: AtomicBool::default(),
            gate: Mutex::default(),
            unmarked: AtomicBool::default(),
        }
    }
}

impl ObservedBackend {
    fn record(&self, key: &Key) {
        let last = &self.probe.last_key;
        *last.lock().unwrap_or_else(PoisonError::into_inner) = Some(key.clone());
    }
}

impl Layer for ObservedBackend {
    fn behind(&self) -> &dyn Backend {
        &*self.backend
    }

    fn load<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Option<Loaded>> {
        self.record(key);
        self.backend.load(key)
    }

    fn store<'a>(&'a self, key: &'a Key, request: StoreRequest<'a>) -> BoxFuture<'a, StoreReply> {
        let mut next = self
            .probe
            .gate
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let gate = next.take();
        drop(next);
        if let Some(gate) = gate {
            gate.wait();
        }
        let forgotten = self.probe.forgotten.swap(false, Ordering::SeqCst);
        let unmarked = self.probe.unmarked.swap(false, Ordering::SeqCst);
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
        self.record(key);
        self.backend.take_over(key, period)
    }
}

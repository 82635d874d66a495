//! Who is told that others change entries of a persistent backend: computations under leases, and the near tier.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cachier_backends::process::PerProcess;
use cachier_backends::{KeyHash, Lease, Watcher};

use super::active_leases::ActiveLeases;
use super::lease_guard::LeaseGuard;
use super::near_watcher::NearWatcher;
use super::target::Target;
use crate::budget::Bounded;
use crate::heartbeat;

/// Computations longer than this watch for changes of their entry.
const WATCH_AFTER: Duration = Duration::from_millis(100);

/// The computations and the near tier of one function.
pub(super) struct ChangeListeners {
    pub(super) near: NearWatcher,
    active_leases: PerProcess<Arc<ActiveLeases>>,
}

impl ChangeListeners {
    pub(super) fn new() -> Self {
        Self {
            near: NearWatcher::default(),
            active_leases: PerProcess::new(|_| Arc::default()),
        }
    }

    /// Passes changes on to running computations and to the near tier.
    pub(super) fn watcher(&self) -> Arc<Watcher> {
        let (active_leases, near) = (Arc::clone(&self.active_leases), self.near.get().cloned());
        Arc::new(move |change| {
            active_leases.check(change);
            if let Some(near) = &near {
                near(change);
            }
        })
    }

    /// The guard of a granted lease that was requested at this moment.
    pub(super) fn own(
        &self,
        target: &Arc<Target>,
        lease: Lease,
        requested_at: Instant,
    ) -> LeaseGuard {
        let (hash, needs_renewal) = (lease.key().hash(), lease.period().is_some());
        let backend = target.handle.backend(Bounded::OUTSIDE_CALLS);
        let guard = LeaseGuard::own(lease, backend, requested_at);
        if !needs_renewal {
            return guard;
        }
        self.active_leases.add(hash, guard.status());
        self.watch_soon(target, &guard);
        guard
    }

    /// Has changes of the key end the lease of another owner: of those that others hold, nobody asks.
    pub(super) fn watch_over_shared(&self, target: &Arc<Target>, key: KeyHash, guard: &LeaseGuard) {
        self.active_leases.add_shared(key, guard.status());
        self.watch_soon(target, guard);
    }

    /// Watches for changes unless the computation under the lease has soon ended.
    fn watch_soon(&self, target: &Arc<Target>, guard: &LeaseGuard) {
        if target.watch.get().is_none() {
            let (watcher, status) = (self.watcher(), Arc::downgrade(guard.status()));
            let target = Arc::downgrade(target);
            heartbeat::run_later(WATCH_AFTER, move || {
                if let Some(target) = target.upgrade()
                    && status.strong_count() > 0
                {
                    target.watch(watcher);
                }
            });
        }
    }
}

//! Values in a persistent backend, as encoded entries.

use std::future::poll_fn;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::{Duration, Instant};

use cachier_backends as backends;
use cachier_backends::process::PerProcess;
use cachier_backends::{
    Capability, EntryVersion, Error, KeyHash, Lease, LeaseReply, Operation, Renewal, Scope,
    StoreReply, StoreRequest, Usage, blocking,
};
use cachier_metrics::RemovalCause;

use super::change_listeners::ChangeListeners;
use super::encoded::{Encoded, Read, age, moment, read, since_epoch};
use super::lease_guard::LeaseGuard;
use super::target::Target;
use super::{Claim, Found, Loaded, Notification, Store, StoreOutcome, Vacated, store::Insertion};
use crate::background::remove_unused_folders;
use crate::budget::Bounded;
use crate::call::CallMode;
use crate::flight::Recheck;
use crate::function::Function;
use crate::sent::SendTime;
use crate::session::Session;

/// The values of one function.
pub struct Persistent {
    /// One for each process, because it watches for changes.
    target: PerProcess<CachedTarget>,
    listeners: ChangeListeners,
}

/// The target, and the revision of the parameters it is based on.
type CachedTarget = RwLock<Option<(u64, Arc<Target>)>>;

impl Persistent {
    pub(crate) fn open() -> Self {
        Self {
            target: PerProcess::new(|_| RwLock::new(None)),
            listeners: ChangeListeners::new(),
        }
    }

    /// Calls `watcher` with the changes of other processes, where the backend notifies.
    #[cfg(feature = "memory")]
    pub(crate) fn watch(&self, watcher: Arc<backends::Watcher>) {
        self.listeners.near.set(watcher);
    }

    fn target(&self, function: &Function) -> Result<Arc<Target>, Error> {
        let revision = function.context.revision();
        let current = &*self.target;
        if let Some((known, target)) = &*current.read().unwrap_or_else(PoisonError::into_inner)
            && *known == revision
        {
            return Ok(Arc::clone(target));
        }
        let policy = function.policy();
        let context = function.context;
        let (backend, package) = (&function.options.backend, function.package);
        let handle = context
            .backends
            .resolve(backend, &policy, package, |folder| {
                remove_unused_folders(context, folder);
            })?;
        let scope = Scope::new(policy.namespace(), function.storage_name.as_str());
        let scope = Arc::new(scope);
        let target = Arc::new(Target {
            handle,
            scope,
            version: function.version(),
            watch: OnceLock::new(),
        });
        if self.listeners.near.get().is_some() {
            target.watch(self.listeners.watcher());
        }
        *current.write().unwrap_or_else(PoisonError::into_inner) =
            Some((revision, Arc::clone(&target)));
        Ok(target)
    }

    /// Runs one operation on the backend: unless the breaker is open, within the call's budget, and counted.
    async fn operate<R>(
        &self,
        session: &Session<'_>,
        operation: Operation,
        work: impl AsyncFnOnce(&Arc<Target>, Bounded) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let context = session.function().context;
        let (target, sent) = self.acquire(session, operation).await?;
        let _on_its_way = target.handle.in_flight(&sent);
        let result = session
            .operate(operation, &target.handle, &sent, |bounded| {
                work(&target, bounded)
            })
            .await;
        let limits = || context.breaker_limits();
        target.handle.record(&result, &sent, &context.clock, limits);
        result
    }

    /// Like [`operate`](Self::operate), for work that may be repeated.
    async fn operate_with_retry<R>(
        &self,
        session: &Session<'_>,
        operation: Operation,
        work: impl AsyncFnOnce(&Target, Bounded) -> Result<R, Error> + Clone,
    ) -> Result<R, Error> {
        self.operate(session, operation, async |target, bounded| {
            target.with_retry(bounded, work).await
        })
        .await
    }

    /// The target, if the breaker admits the operation; a refusal is counted.
    async fn acquire(
        &self,
        session: &Session<'_>,
        operation: Operation,
    ) -> Result<(Arc<Target>, SendTime), Error> {
        let acquire = async {
            let (function, budget) = (session.function(), &session.budget);
            let context = function.context;
            let target = self.target(function)?;
            let sent = match session.from_companion {
                // Boxed to keep the future of calls small.
                true => {
                    let probe = target
                        .handle
                        .acquire_probe(operation, context.timer, budget);
                    Box::pin(probe).await?
                }
                false => target.handle.acquire(operation, context.clock.now())?,
            };
            Ok((target, sent))
        };
        acquire
            .await
            .inspect_err(|error| session.record_failure(error))
    }
}

impl Store for Persistent {
    type Key = KeyHash;
    type Value = Encoded;
    type Seen = Option<EntryVersion>;
    type Lease = LeaseGuard;

    const IS_REMOTE: bool = true;

    fn now(&self, function: &Function) -> u64 {
        since_epoch(function.context.clock.wall())
    }

    fn age(&self, function: &Function, created: u64) -> Duration {
        age(self.now(function), created)
    }

    async fn load(
        &self,
        session: &Session<'_>,
        key: &KeyHash,
    ) -> Result<Loaded<Encoded, Option<EntryVersion>>, Error> {
        let confirmed = session.function().context.clock.now();
        let loaded =
            self.operate_with_retry(session, Operation::Load, async move |target, bounded| {
                let key = target.key(*key);
                let loaded = target.handle.backend(bounded).load(&key).await?;
                Ok(loaded.map(|loaded| (key, loaded)))
            });
        let Some((key, loaded)) = loaded.await? else {
            return Ok(Loaded {
                found: None,
                seen: None,
            });
        };
        let now = || session.function().context.clock.wall();
        let found = match read(&key, loaded.bytes, confirmed, now) {
            Ok(Read::Value(found)) => Some(found),
            Ok(Read::Foreign) => None,
            Ok(Read::Expired) => {
                session.note_expired();
                None
            }
            Err(error) => {
                session.record_failure(&error);
                None
            }
        };
        Ok(Loaded {
            found,
            seen: Some(loaded.version),
        })
    }

    fn recheck(&self, _: &KeyHash, _: &Option<EntryVersion>) -> Recheck {
        // The claim is conditional on the version that was loaded, so nothing can be missed.
        Recheck::Unchanged
    }

    async fn claim(
        &self,
        session: &Session<'_>,
        key: &KeyHash,
        seen: &Option<EntryVersion>,
    ) -> Result<Claim<LeaseGuard>, Error> {
        let period = session.policy.lease_period;
        // Not repeated: a lease that was granted and whose answer was lost would be in its own way.
        let claim = self.operate(session, Operation::Lease, async |target, bounded| {
            let backend = target.handle.backend(bounded);
            let key = target.key(*key);
            let requested_at = Instant::now();
            Ok(match backend.lease(&key, seen.as_ref(), period).await? {
                LeaseReply::Granted(lease) => {
                    Claim::Granted(self.listeners.own(target, lease, requested_at))
                }
                LeaseReply::Held(lease) => {
                    let guard = |lease| LeaseGuard::shared(lease, backend, requested_at);
                    Claim::Held(lease.map(guard))
                }
                LeaseReply::Changed => Claim::Changed,
            })
        });
        claim.await
    }

    async fn take_over(&self, session: &Session<'_>, key: &KeyHash) -> Result<LeaseGuard, Error> {
        let period = session.policy.lease_period;
        self.forget_near(key);
        let taken = self.operate(session, Operation::Lease, async |target, bounded| {
            let requested_at = Instant::now();
            let key = target.key(*key);
            let lease = target
                .handle
                .backend(bounded)
                .take_over(&key, period)
                .await?;
            Ok(self.listeners.own(target, lease, requested_at))
        });
        taken.await
    }

    fn fences(&self, function: &Function) -> bool {
        let target = self.target(function);
        target.is_ok_and(|target| target.handle.has(Capability::Leases))
    }

    fn queue_moved_at(&self, function: &Function) -> Option<u64> {
        self.target(function).ok()?.handle.queue_moved_at()
    }

    fn owns(lease: &LeaseGuard) -> bool {
        lease.shared_hash().is_none()
    }

    fn valid_at(lease: &LeaseGuard) -> Option<Instant> {
        lease.valid_at()
    }

    fn on_loss(
        &self,
        function: &Function,
        guard: &LeaseGuard,
        callback: impl FnOnce() + Send + 'static,
    ) {
        if let Some(hash) = guard.shared_hash()
            && let Ok(target) = self.target(function)
        {
            self.listeners.watch_over_shared(&target, hash, guard);
        }
        guard.status().on_loss(callback);
    }

    async fn renew(&self, session: &Session<'_>, guard: &LeaseGuard) {
        let Some(lease) = guard.own_lease() else {
            return;
        };
        let requested_at = Instant::now();
        let renewed = self.operate(session, Operation::Lease, async |target, bounded| {
            target.handle.backend(bounded).renew(&lease).await
        });
        if let Ok(Renewal::Renewed) = renewed.await {
            guard.status().confirm(requested_at);
        }
    }

    async fn vacate(
        &self,
        session: &Session<'_>,
        mut guard: LeaseGuard,
    ) -> Result<Vacated<LeaseGuard>, Error> {
        let Some(lease) = guard.share_to_vacate(self.listeners.near.get()) else {
            return Ok(Vacated::Superseded);
        };
        let _changing = self.listeners.near.changing(lease.key().hash());
        let vacated = self.operate(session, Operation::Remove, async |target, bounded| {
            let requested_at = Instant::now();
            Ok(match target.handle.backend(bounded).vacate(lease).await? {
                backends::Vacated::Done { lease, removed } => {
                    let lease = self.listeners.own(target, lease, requested_at);
                    Vacated::Done { lease, removed }
                }
                backends::Vacated::Superseded => Vacated::Superseded,
            })
        });
        let vacated = vacated.await?;
        guard.disarm();
        Ok(vacated)
    }

    async fn changed(
        &self,
        session: &Session<'_>,
        key: &KeyHash,
        seen: &Option<EntryVersion>,
        bounded: Bounded,
    ) -> Notification {
        let Ok(target) = self.target(session.function()) else {
            return Notification::Unsupported;
        };
        let key = target.key(*key);
        let Some(mut wait) = target.handle.backend(bounded).wait(&key, seen.as_ref()) else {
            return Notification::Unsupported;
        };
        let changed = poll_fn(|cx| match session.mode {
            CallMode::Async => wait.as_mut().poll(cx),
            // The thread may be the only one of a runtime, which stands still while it waits.
            CallMode::Sync => blocking::offload(|| wait.as_mut().poll(cx)),
        });
        match changed.await {
            Ok(()) => Notification::Received,
            Err(_) => Notification::Unsupported,
        }
    }

    async fn release(&self, session: &Session<'_>, mut guard: LeaseGuard) {
        let Some(lease) = guard.share_to_release() else {
            return;
        };
        let released = self.operate(session, Operation::Lease, async |target, bounded| {
            target.handle.backend(bounded).release(lease).await
        });
        // A failure has been counted, and the guard releases the lease in the background.
        if released.await.is_ok() {
            guard.disarm();
        }
    }

    async fn store(
        &self,
        session: &Session<'_>,
        key: &KeyHash,
        found: &Found<Encoded>,
        mut guard: Option<LeaseGuard>,
    ) -> Result<StoreOutcome, Error> {
        let stamp = found.stamp;
        let stale_after = session.policy.rules.for_value(stamp.ageing).stale_after;
        let lease = guard.as_mut().and_then(LeaseGuard::share_for_store);
        let lease = lease.as_ref();
        let is_leased = lease.is_some();
        let given_up = self.listeners.near.will_change(*key);
        let reply =
            self.operate_with_retry(session, Operation::Store, async move |target, bounded| {
                let key = target.key(*key);
                let entry = found.value.entry(&key);
                let mut request =
                    StoreRequest::new(&entry, moment(stamp.cleanup_moment(stale_after)));
                request.expires = stamp.expires.map(moment);
                request.lease = lease.map(Lease::share);
                request.capacity_bytes = session.function().options.capacity_bytes;
                target.handle.backend(bounded).store(&key, request).await
            });
        let reply = reply.await;
        // The call got an answer, so it informs the near tier itself.
        given_up.disarm();
        let reply = reply?;
        // Any answer has ended the lease.
        if let Some(guard) = guard {
            guard.disarm();
        }
        match reply {
            StoreReply::Stored { evicted } => {
                if let Some(metrics) = session.function().metrics {
                    metrics.removed(RemovalCause::Evicted, evicted);
                    metrics.removed(RemovalCause::Expired, session.replaces_expired().into());
                }
                Ok(StoreOutcome::Done)
            }
            StoreReply::TooLarge => {
                if let Some(metrics) = session.function().metrics {
                    metrics.rejected(found.bytes.unwrap_or_default());
                }
                Ok(StoreOutcome::TooLarge)
            }
            _ => {
                if let (Some(metrics), true) = (session.function().metrics, is_leased) {
                    metrics.lease_lost();
                }
                Ok(StoreOutcome::Refused)
            }
        }
    }

    fn insert(
        &self,
        _: &Function,
        _: &KeyHash,
        _: Found<Encoded>,
        commit: impl FnOnce(Insertion<'_>),
    ) {
        commit(&mut || StoreOutcome::Done);
    }

    async fn remove(&self, session: &Session<'_>, key: &KeyHash) -> Result<bool, Error> {
        let _changing = self.listeners.near.changing(*key);
        let removed =
            self.operate_with_retry(session, Operation::Remove, async move |target, bounded| {
                target
                    .handle
                    .backend(bounded)
                    .remove(&target.key(*key))
                    .await
            });
        removed
            .await
            .map_err(|error| session.explain_unconfirmed(error))
    }

    async fn clear(&self, session: &Session<'_>) -> Result<Option<u64>, Error> {
        let cleared =
            self.operate_with_retry(session, Operation::Clear, async move |target, bounded| {
                target.handle.backend(bounded).clear(&target.scope).await
            });
        cleared
            .await
            .map_err(|error| session.explain_unconfirmed(error))
    }

    async fn clear_leases(&self, session: &Session<'_>) -> Result<(), Error> {
        let cleared =
            self.operate_with_retry(session, Operation::Clear, async move |target, bounded| {
                target
                    .handle
                    .backend(bounded)
                    .clear_leases(&target.scope)
                    .await
            });
        cleared.await
    }

    async fn cleanup(&self, session: &Session<'_>, older_than: Duration) -> Result<u64, Error> {
        let now = session.function().context.clock.wall();
        let Some(cutoff) = now.checked_sub(older_than) else {
            return Ok(0);
        };
        let removed =
            self.operate_with_retry(session, Operation::Remove, async move |target, bounded| {
                target
                    .handle
                    .backend(bounded)
                    .cleanup(&target.scope, cutoff)
                    .await
            });
        Ok(removed.await?.unwrap_or(0))
    }

    fn forget_near(&self, key: &KeyHash) {
        self.listeners.near.forget(key);
    }

    fn shared_name(&self, function: &Function) -> Option<String> {
        let target = self.target(function).ok()?;
        let (namespace, name) = (target.scope.namespace(), target.scope.function());
        Some(format!("{}/{namespace}/{name}", target.handle.store_name()))
    }

    /// Does not count for a closed breaker: it may need rights that calls do without, and more time than they have.
    async fn usage(&self, session: &Session<'_>) -> Result<Usage, Error> {
        let (target, sent) = self.acquire(session, Operation::Load).await?;
        let _on_its_way = target.handle.in_flight(&sent);
        let is_probe = target.handle.is_open();
        let usage = async |target: &Target, bounded| {
            target.handle.backend(bounded).usage(&target.scope).await
        };
        let usage = session
            .operate(Operation::Load, &target.handle, &sent, |bounded| {
                target.with_retry(bounded, usage)
            })
            .await;
        if is_probe {
            let context = session.function().context;
            let limits = || context.breaker_limits();
            target.handle.record(&usage, &sent, &context.clock, limits);
        }
        usage
    }
}

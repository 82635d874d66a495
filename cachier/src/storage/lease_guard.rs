//! The guard of a lease.

use std::mem::{self, forget};
use std::sync::Arc;
use std::time::{Duration, Instant};

use cachier_backends::process::Process;
use cachier_backends::{Backend, Capability, Lease};

use crate::heartbeat::renewal::{self, Heartbeat};
use crate::lease_status::LeaseStatus;

/// The right to store what is being computed.
///
/// An own lease is kept alive until it is used; dropped before that, after a panic or a cancellation, it is released in the
/// background. A shared one belongs to another owner; this computation may store under it as well.
pub struct LeaseGuard {
    state: LeaseState,
    status: Arc<LeaseStatus>,
    heartbeat: Option<Heartbeat>,
    backend: Arc<dyn Backend>,
    /// How long a request under the lease may still be in flight.
    release_delay: Duration,
    /// The process that owns it; forked children leave it alone.
    owner: Process,
}

enum LeaseState {
    Own(Lease),
    Shared(Lease),
    Spent,
}

/// How long an abandoned store or vacation may still be in flight: a release should not overtake it.
const RELEASE_DELAY_AFTER_REQUEST: Duration = Duration::from_millis(100);

impl LeaseGuard {
    /// An own lease, requested at this moment.
    pub(super) fn own(lease: Lease, backend: &Arc<dyn Backend>, requested_at: Instant) -> Self {
        let status = Arc::new(LeaseStatus::new(requested_at));
        Self {
            heartbeat: Heartbeat::start(backend, &lease, &status),
            state: LeaseState::Own(lease),
            status,
            backend: Arc::clone(backend),
            release_delay: Duration::ZERO,
            owner: Process::current(),
        }
    }

    /// Another owner's lease, seen by a request at this moment.
    pub(super) fn shared(lease: Lease, backend: &Arc<dyn Backend>, requested_at: Instant) -> Self {
        Self {
            state: LeaseState::Shared(lease),
            status: Arc::new(LeaseStatus::new(requested_at)),
            heartbeat: None,
            backend: Arc::clone(backend),
            release_delay: Duration::ZERO,
            owner: Process::current(),
        }
    }

    pub(super) fn status(&self) -> &Arc<LeaseStatus> {
        &self.status
    }

    /// When the lease was last known to be valid; `None` where changes of the entry do not end leases.
    pub(super) fn valid_at(&self) -> Option<Instant> {
        let ends = self.backend.capabilities().has(Capability::Leases);
        ends.then(|| self.status.valid_at())
    }

    /// Shares the lease with a store request, which may fail.
    pub(super) fn share_for_store(&mut self) -> Option<Lease> {
        self.release_delay = RELEASE_DELAY_AFTER_REQUEST;
        match &self.state {
            LeaseState::Own(lease) | LeaseState::Shared(lease) => Some(lease.share()),
            LeaseState::Spent => None,
        }
    }

    /// Shares an own lease with a request that renews it.
    pub(super) fn own_lease(&self) -> Option<Lease> {
        match &self.state {
            LeaseState::Own(lease) => Some(lease.share()),
            LeaseState::Shared(_) | LeaseState::Spent => None,
        }
    }

    /// Shares an own lease with a request that ends it, and stops its renewal. Without an answer the guard stays armed.
    pub(super) fn share_to_end(&mut self) -> Option<Lease> {
        self.heartbeat = None;
        self.release_delay = RELEASE_DELAY_AFTER_REQUEST;
        self.own_lease()
    }

    /// Drops the guard of a lease that has ended.
    pub(super) fn disarm(mut self) {
        self.state = LeaseState::Spent;
    }
}

impl Drop for LeaseGuard {
    fn drop(&mut self) {
        let LeaseState::Own(lease) = mem::replace(&mut self.state, LeaseState::Spent) else {
            return;
        };
        if self.owner.is_current() {
            renewal::release_later(&self.backend, lease, self.release_delay);
        } else {
            forget((lease, self.heartbeat.take()));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::future::pending;
    use std::sync::atomic::AtomicU64;
    use std::sync::atomic::Ordering::SeqCst;
    use std::sync::mpsc::{Receiver, Sender, channel};

    use cachier_backends::{
        BoxFuture, Key, KeyHash, Loaded, Scope, StoreReply, StoreRequest, Vacated, Version,
    };
    use futures_lite::future::{block_on, poll_once};

    use super::super::Store;
    use super::super::persistent::Persistent;
    use super::*;
    use crate::call::CallMode;
    use crate::context;
    use crate::function::Function;
    use crate::identity::{FunctionSpec, Package};
    use crate::options::{BackendName, Options};
    use crate::session::Session;

    /// Reports releases, by the periods of the leases.
    struct Releases {
        sender: Sender<Duration>,
        /// How many are never answered.
        hanging: AtomicU64,
    }

    impl Backend for Releases {
        fn kind(&self) -> &str {
            "releases"
        }

        fn store_name(&self) -> String {
            "nothing".to_owned()
        }

        fn load<'a>(&'a self, _: &'a Key) -> BoxFuture<'a, Option<Loaded>> {
            unreachable!("nothing is asked for")
        }

        fn store<'a>(&'a self, _: &'a Key, _: StoreRequest<'a>) -> BoxFuture<'a, StoreReply> {
            unreachable!("nothing is stored")
        }

        fn remove<'a>(&'a self, _: &'a Key) -> BoxFuture<'a, bool> {
            unreachable!("nothing is removed")
        }

        fn clear<'a>(&'a self, _: &'a Arc<Scope>) -> BoxFuture<'a, Option<u64>> {
            unreachable!("nothing is cleared")
        }

        fn vacate(&self, _: Lease) -> BoxFuture<'_, Vacated> {
            Box::pin(pending())
        }

        fn release(&self, lease: Lease) -> BoxFuture<'_, ()> {
            self.sender.send(lease.period().unwrap()).unwrap();
            let fewer = |hanging: u64| hanging.checked_sub(1);
            let hangs = self.hanging.fetch_update(SeqCst, SeqCst, fewer).is_ok();
            Box::pin(async move {
                match hangs {
                    true => pending().await,
                    false => Ok(()),
                }
            })
        }
    }

    fn releases(hanging: u64) -> (Arc<dyn Backend>, Receiver<Duration>) {
        let (sender, released) = channel();
        let hanging = AtomicU64::new(hanging);
        (Arc::new(Releases { sender, hanging }), released)
    }

    /// The guard of a lease with a period of so many seconds.
    fn guard(backend: &Arc<dyn Backend>, seconds: u64) -> LeaseGuard {
        let scope = Arc::new(Scope::new("default", "guard"));
        let key = Key::new(scope, Version::Number(1), KeyHash::from_bytes([7; 32]));
        let period = Duration::from_secs(seconds);
        let lease = Lease::new(key, None, ()).expiring_after(period);
        LeaseGuard::own(lease, backend, Instant::now())
    }

    /// On another connection, perhaps: the first may be lost.
    #[test]
    fn a_release_without_an_answer_is_sent_again() {
        let (backend, released) = releases(1);
        drop(guard(&backend, 60));
        let next = || released.recv_timeout(Duration::from_secs(30));
        let period = Ok(Duration::from_secs(60));
        assert_eq!([next(), next()], [period; 2]);
        drop(backend);
        assert!(released.recv().is_err(), "an answer is the end");
    }

    #[test]
    fn a_lease_whose_end_is_cancelled_is_released() {
        let (backend, released) = releases(1);
        let context = context::current();
        context.backends.register("releases", Arc::clone(&backend));
        let spec = FunctionSpec {
            identity: "cancelled".to_owned(),
            path: "cancelled".to_owned(),
            package: Package::named("app"),
            options: Options {
                backend: BackendName::Named("releases"),
                ..Options::new()
            },
        };
        let function = Function::new(spec, context, None);
        let session = Session::in_background(&function, CallMode::Async);
        let persistent = Persistent::open();
        let next = || released.recv_timeout(Duration::from_secs(30));
        let period = |seconds| Ok(Duration::from_secs(seconds));
        let cancelled = block_on(poll_once(persistent.release(&session, guard(&backend, 60))));
        assert!(cancelled.is_none());
        assert_eq!([next(), next()], [period(60); 2]);
        let cancelled = block_on(poll_once(persistent.vacate(&session, guard(&backend, 61))));
        assert!(cancelled.is_none());
        assert_eq!(next(), period(61));
    }

    /// On two connections the one sent last may come first.
    #[test]
    fn a_release_does_not_overtake_an_unanswered_request() {
        let (backend, released) = releases(0);
        for share in [LeaseGuard::share_for_store, LeaseGuard::share_to_end] {
            let mut guard = guard(&backend, 60);
            assert!(share(&mut guard).is_some());
            let given_up = Instant::now();
            drop(guard);
            assert!(released.recv_timeout(Duration::from_secs(30)).is_ok());
            assert!(given_up.elapsed() >= RELEASE_DELAY_AFTER_REQUEST);
        }
    }

    #[test]
    fn unused_leases_are_released_on_drop() {
        let (backend, released) = releases(0);
        let guard = |seconds| guard(&backend, seconds);
        let shared = guard(59).own_lease().unwrap();
        assert_eq!(
            released.recv_timeout(Duration::from_secs(30)),
            Ok(Duration::from_secs(59))
        );
        drop(LeaseGuard::shared(shared, &backend, Instant::now()));
        drop(guard(60));
        let mut stored = guard(61);
        assert!(stored.share_for_store().is_some());
        stored.disarm();
        let mut in_vain = guard(62);
        assert!(in_vain.share_for_store().is_some());
        drop(in_vain);
        let next = || released.recv_timeout(Duration::from_secs(30)).unwrap();
        let mut periods = [next(), next()];
        periods.sort_unstable();
        assert_eq!(periods, [60, 62].map(Duration::from_secs));
        drop(backend);
        assert!(released.recv().is_err(), "no other is");
    }
}

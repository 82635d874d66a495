//! The guard of a lease.

use std::mem::{self, forget};
use std::sync::Arc;
use std::time::Instant;

use cachier_backends::process::Process;
use cachier_backends::{Backend, Capability, KeyHash, Lease, Watcher};

use crate::heartbeat::renewal::{self, Heartbeat, Unanswered};
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
    /// What was sent under the lease last, until the guard is disarmed.
    unanswered: Unanswered,
    /// The process that owns it; forked children leave it alone.
    owner: Process,
}

enum LeaseState {
    Own(Lease),
    Shared(Lease),
    Spent,
}

impl LeaseGuard {
    /// An own lease, requested at this moment.
    pub(super) fn own(lease: Lease, backend: &Arc<dyn Backend>, requested_at: Instant) -> Self {
        let status = Arc::new(LeaseStatus::new(requested_at));
        Self {
            heartbeat: Heartbeat::start(backend, &lease, &status),
            state: LeaseState::Own(lease),
            status,
            backend: Arc::clone(backend),
            unanswered: Unanswered::Nothing,
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
            unanswered: Unanswered::Nothing,
            owner: Process::current(),
        }
    }

    /// The hash of the key, if the lease belongs to another owner.
    pub(super) fn shared_hash(&self) -> Option<KeyHash> {
        match &self.state {
            LeaseState::Shared(lease) => Some(lease.key().hash()),
            LeaseState::Own(_) | LeaseState::Spent => None,
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
        self.unanswered = Unanswered::Store;
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

    /// Shares an own lease with a request that releases it, and stops its renewal. Without an answer the guard stays armed.
    pub(super) fn share_to_release(&mut self) -> Option<Lease> {
        self.heartbeat = None;
        self.own_lease()
    }

    /// Shares an own lease with a request that removes its entry, of which this watcher has near copies, and stops its renewal.
    /// Without an answer the guard stays armed, and has the entry removed before the lease is released.
    pub(super) fn share_to_vacate(&mut self, near: Option<&Arc<Watcher>>) -> Option<Lease> {
        self.heartbeat = None;
        self.unanswered = Unanswered::Removal(near.cloned());
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
            let unanswered = mem::replace(&mut self.unanswered, Unanswered::Nothing);
            renewal::end_later(&self.backend, lease, unanswered);
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
    use std::time::{Duration, SystemTime};

    use cachier_backends as backends;
    use cachier_backends::entry::Header;
    use cachier_backends::{
        BoxFuture, Capabilities, Capability, Change, Key, Loaded, Scope, StoreReply, StoreRequest,
        Vacated, Version,
    };
    use futures_lite::future::{block_on, poll_once};

    use super::super::encoded::{Encoded, since_epoch};
    use super::super::persistent::Persistent;
    use super::super::{Found, Store, StoreOutcome};
    use super::*;
    use crate::call::CallMode;
    use crate::context;
    use crate::function::Function;
    use crate::identity::{FunctionSpec, Package};
    use crate::options::{BackendName, Options};
    use crate::session::Session;
    use crate::stamp::{Ageing, Stamp};

    /// What a backend is asked, by the period of the lease in seconds.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
    enum Request {
        Vacate(u64),
        Release(u64),
        Store(u64),
    }
    use Request::{Release, Vacate};

    /// A backend that reports what it is asked.
    struct Reporting {
        sender: Sender<Request>,
        capabilities: Capabilities,
        /// How many requests of each kind are never answered.
        lost_removals: AtomicU64,
        lost_releases: AtomicU64,
    }

    impl Reporting {
        /// A backend with leases that leaves this many releases and removals unanswered, and the requests that it gets.
        fn new(lost_releases: u64, lost_removals: u64) -> (Self, Receiver<Request>) {
            let (sender, asked) = channel();
            let backend = Self {
                sender,
                capabilities: Capabilities::NONE.with(Capability::Leases),
                lost_removals: AtomicU64::new(lost_removals),
                lost_releases: AtomicU64::new(lost_releases),
            };
            (backend, asked)
        }

        async fn answer<T>(
            &self,
            asked: Request,
            lost: &AtomicU64,
            answer: T,
        ) -> Result<T, backends::Error> {
            self.sender.send(asked).unwrap();
            let fewer = |lost: u64| lost.checked_sub(1);
            match lost.fetch_update(SeqCst, SeqCst, fewer).is_ok() {
                true => pending().await,
                false => Ok(answer),
            }
        }
    }

    impl Backend for Reporting {
        fn kind(&self) -> &str {
            "reporting"
        }

        fn store_name(&self) -> String {
            "nothing".to_owned()
        }

        fn capabilities(&self) -> Capabilities {
            self.capabilities
        }

        fn load<'a>(&'a self, _: &'a Key) -> BoxFuture<'a, Option<Loaded>> {
            unreachable!("nothing is asked for")
        }

        fn store<'a>(&'a self, _: &'a Key, request: StoreRequest<'a>) -> BoxFuture<'a, StoreReply> {
            static NONE_LOST: AtomicU64 = AtomicU64::new(0);
            let asked = Request::Store(request.lease.as_ref().map_or(0, seconds));
            Box::pin(self.answer(asked, &NONE_LOST, StoreReply::Stored { evicted: 0 }))
        }

        fn remove<'a>(&'a self, _: &'a Key) -> BoxFuture<'a, bool> {
            unreachable!("nothing is removed")
        }

        fn clear<'a>(&'a self, _: &'a Arc<Scope>) -> BoxFuture<'a, Option<u64>> {
            unreachable!("nothing is cleared")
        }

        fn vacate(&self, lease: Lease) -> BoxFuture<'_, Vacated> {
            let asked = Vacate(seconds(&lease));
            let removed = true;
            let answer = Vacated::Done { lease, removed };
            Box::pin(self.answer(asked, &self.lost_removals, answer))
        }

        fn release(&self, lease: Lease) -> BoxFuture<'_, ()> {
            let asked = Release(seconds(&lease));
            Box::pin(self.answer(asked, &self.lost_releases, ()))
        }
    }

    /// 0 without a period.
    fn seconds(lease: &Lease) -> u64 {
        lease.period().map_or(0, |period| period.as_secs())
    }

    fn reporting(lost_releases: u64, lost_removals: u64) -> (Arc<dyn Backend>, Receiver<Request>) {
        let (backend, asked) = Reporting::new(lost_releases, lost_removals);
        (Arc::new(backend), asked)
    }

    fn lease() -> Lease {
        let scope = Arc::new(Scope::new("default", "guard"));
        let key = Key::new(scope, Version::Number(1), KeyHash::from_bytes([7; 32]));
        Lease::new(key, None, ())
    }

    /// The guard of a lease with a period of this many seconds.
    fn guard(backend: &Arc<dyn Backend>, seconds: u64) -> LeaseGuard {
        let lease = lease().expiring_after(Duration::from_secs(seconds));
        LeaseGuard::own(lease, backend, Instant::now())
    }

    /// A function whose values this backend keeps.
    fn function(name: &'static str, backend: &Arc<dyn Backend>) -> Function {
        let context = context::current();
        context.backends.register(name, Arc::clone(backend));
        let spec = FunctionSpec {
            identity: name.to_owned(),
            path: name.to_owned(),
            package: Package::named("app"),
            options: Options {
                backend: BackendName::Named(name),
                ..Options::new()
            },
        };
        Function::new(spec, context, None)
    }

    /// The next requests.
    fn next<const N: usize>(asked: &Receiver<Request>) -> [Request; N] {
        [(); N].map(|()| asked.recv_timeout(Duration::from_secs(30)).unwrap())
    }

    /// On another connection, perhaps: the first may be lost.
    #[test]
    fn a_release_without_an_answer_is_sent_again() {
        let (backend, asked) = reporting(1, 0);
        drop(guard(&backend, 60));
        assert_eq!(next(&asked), [Release(60); 2]);
        drop(backend);
        assert!(asked.recv().is_err(), "an answer is the end");
    }

    /// Nobody waits for it any more then.
    #[test]
    fn unanswered_releases_end_with_their_lease() {
        let (backend, asked) = reporting(u64::MAX, 0);
        drop((guard(&backend, 2), backend));
        let attempts = asked.iter().count();
        assert!((2..=3).contains(&attempts), "{attempts}");
    }

    #[test]
    fn a_lease_whose_end_is_cancelled_is_released() {
        let (backend, asked) = reporting(1, 1);
        let function = function("cancelled", &backend);
        let session = Session::in_background(&function, CallMode::Async);
        let persistent = Persistent::open();
        let cancelled = block_on(poll_once(persistent.release(&session, guard(&backend, 60))));
        assert!(cancelled.is_none());
        assert_eq!(next(&asked), [Release(60); 2]);
        let cancelled = block_on(poll_once(persistent.vacate(&session, guard(&backend, 61))));
        assert!(cancelled.is_none());
        assert_eq!(next(&asked), [Vacate(61), Vacate(61), Release(61)]);
    }

    /// On two connections the one sent last may come first, and a removal after the release is refused.
    #[test]
    fn a_release_waits_until_the_removal_is_answered() {
        let (backend, asked) = reporting(0, 2);
        let (sender, told) = channel();
        let near: Arc<Watcher> = Arc::new(move |change: &Change| {
            sender.send(matches!(change, Change::Entry(_))).unwrap();
        });
        let mut guard = guard(&backend, 60);
        assert!(guard.share_to_vacate(Some(&near)).is_some());
        drop((guard, near));
        assert_eq!(
            next(&asked),
            [Vacate(60), Vacate(60), Vacate(60), Release(60)]
        );
        assert!(told.recv().unwrap(), "near copies go, too");
        assert!(told.recv().is_err(), "once");
    }

    /// Such as one on a file.
    #[test]
    fn removals_under_leases_without_period_are_repeated() {
        let (backend, asked) = reporting(0, 1);
        let mut guard = LeaseGuard::own(lease(), &backend, Instant::now());
        assert!(guard.share_to_vacate(None).is_some());
        drop(guard);
        assert_eq!(next(&asked), [Vacate(0), Vacate(0), Release(0)]);
    }

    /// A late removal would take what others have stored meanwhile.
    #[test]
    fn without_leases_removals_are_not_repeated() {
        let (mut backend, asked) = Reporting::new(0, 0);
        backend.capabilities = Capabilities::NONE;
        let backend: Arc<dyn Backend> = Arc::new(backend);
        let with_period = guard(&backend, 60);
        let without_period = LeaseGuard::own(lease(), &backend, Instant::now());
        for mut guard in [with_period, without_period] {
            assert!(guard.share_to_vacate(None).is_some());
        }
        assert_eq!(next(&asked), [Release(60)]);
        drop(backend);
        assert!(asked.recv().is_err(), "nothing else");
    }

    /// In whatever order: it ends the lease itself, and is refused after that.
    #[test]
    fn a_lease_is_released_after_an_unanswered_store() {
        let (backend, asked) = reporting(0, 0);
        let mut guard = guard(&backend, 60);
        assert!(guard.share_for_store().is_some());
        drop(guard);
        assert_eq!(next(&asked), [Release(60)]);
    }

    #[test]
    fn unused_leases_are_released_on_drop() {
        let (backend, asked) = reporting(0, 0);
        let guard = |seconds| guard(&backend, seconds);
        let shared = guard(59).own_lease().unwrap();
        assert_eq!(next(&asked), [Release(59)]);
        drop(LeaseGuard::shared(shared, &backend, Instant::now()));
        drop(guard(60));
        let mut stored = guard(61);
        assert!(stored.share_for_store().is_some());
        stored.disarm();
        drop(guard(62));
        let mut released: [_; 2] = next(&asked);
        released.sort_unstable();
        assert_eq!(released, [Release(60), Release(62)]);
        drop(backend);
        assert!(asked.recv().is_err(), "no other is");
    }

    /// Without it the store would not be refused once another process has invalidated the entry.
    #[test]
    fn a_value_is_stored_under_its_lease() {
        let (backend, asked) = reporting(0, 0);
        let function = function("leased", &backend);
        let session = Session::in_background(&function, CallMode::Async);
        let now = SystemTime::now();
        let found = Found {
            value: Encoded::computed(Header::new(now), Vec::new()),
            stamp: Stamp {
                created: since_epoch(now),
                compute_nanos: 0,
                expires: None,
                confirmed: 0,
                ageing: Ageing::default(),
            },
            bytes: None,
        };
        let (persistent, key) = (Persistent::open(), KeyHash::from_bytes([7; 32]));
        let lease = Some(guard(&backend, 60));
        let stored = block_on(persistent.store(&session, &key, &found, lease));
        assert!(matches!(stored, Ok(StoreOutcome::Done)));
        assert_eq!(next(&asked), [Request::Store(60)]);
    }
}

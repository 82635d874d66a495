//! The lease of one computation, from its granting to its end.

use std::mem::forget;
use std::sync::Arc;
use std::time::Duration;

use cachier_backends::process::Process;
use cachier_backends::{Backend, Lease};

use crate::heartbeat::{self, Heartbeat};

/// A lease, kept alive until it is used. One that is dropped before, because its owner has panicked or was cancelled, is
/// given back in the background.
pub struct Held {
    /// `None` once it is used.
    lease: Option<Lease>,
    heartbeat: Option<Heartbeat>,
    backend: Arc<dyn Backend>,
    /// How long what was sent under it may be on its way.
    settles_in: Duration,
    /// Whose it is. Its children leave it alone.
    owner: Process,
}

/// How long a store may be on its way whose caller has given up: a release should not overtake it.
const ON_ITS_WAY: Duration = Duration::from_millis(100);

impl Held {
    pub(super) fn new(lease: Lease, backend: &Arc<dyn Backend>) -> Self {
        Self {
            heartbeat: Heartbeat::start(backend, &lease),
            lease: Some(lease),
            backend: Arc::clone(backend),
            settles_in: Duration::ZERO,
            owner: Process::current(),
        }
    }

    /// The same lease, for a request to store under it, which may come to nothing.
    pub(super) fn for_storing(&mut self) -> Option<Lease> {
        self.settles_in = ON_ITS_WAY;
        self.lease.as_ref().map(Lease::share)
    }

    /// The lease, for whoever ends it; `None` if that was done.
    pub(super) fn used(mut self) -> Option<Lease> {
        self.lease.take()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let Some(lease) = self.lease.take() else {
            return;
        };
        if self.owner.is_current() {
            heartbeat::give_back(&self.backend, lease, self.settles_in);
        } else {
            forget((lease, self.heartbeat.take()));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::mpsc::{Receiver, Sender, channel};

    use cachier_backends::{
        BoxFuture, Key, KeyHash, Loaded, Scope, StoreReply, StoreRequest, Version,
    };

    use super::*;

    /// Tells which leases it is given back, by their periods.
    struct Releases(Sender<Duration>);

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

        fn release(&self, lease: Lease) -> BoxFuture<'_, ()> {
            self.0.send(lease.period().unwrap()).unwrap();
            Box::pin(async { Ok(()) })
        }
    }

    fn releases() -> (Arc<dyn Backend>, Receiver<Duration>) {
        let (tell, released) = channel();
        (Arc::new(Releases(tell)), released)
    }

    #[test]
    fn whatever_is_not_used_is_given_back_also_where_storing_came_to_nothing() {
        let (backend, released) = releases();
        let held = |seconds| {
            let scope = Arc::new(Scope::new("default", "held"));
            let key = Key::new(scope, Version::Number(1), KeyHash::from_bytes([7; 32]));
            let period = Duration::from_secs(seconds);
            Held::new(Lease::new(key, None, ()).expiring_after(period), &backend)
        };
        drop(held(60));
        let mut stored = held(61);
        assert!(stored.for_storing().is_some());
        assert!(stored.used().is_some());
        let mut in_vain = held(62);
        assert!(in_vain.for_storing().is_some());
        drop(in_vain);
        let next = || released.recv_timeout(Duration::from_secs(30)).unwrap();
        let mut periods = [next(), next()];
        periods.sort_unstable();
        assert_eq!(periods, [60, 62].map(Duration::from_secs));
        drop(backend);
        assert!(released.recv().is_err(), "no other is");
    }
}

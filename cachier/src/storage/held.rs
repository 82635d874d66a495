//! The lease of one computation, from its granting to its end.

use std::mem::{self, forget};
use std::sync::Arc;
use std::time::{Duration, Instant};

use cachier_backends::process::Process;
use cachier_backends::{Backend, Capability, Lease};

use crate::heartbeat::{self, Heartbeat};
use crate::pulse::Pulse;

/// The right to store what is being computed.
///
/// It is a lease, kept alive until it is used; one that is dropped before, because its owner has panicked or was cancelled,
/// is given back in the background. Or it is the lease of somebody else, under which this computation may store as well.
pub struct Held {
    right: Right,
    pulse: Arc<Pulse>,
    heartbeat: Option<Heartbeat>,
    backend: Arc<dyn Backend>,
    /// How long what was sent under it may be on its way.
    settles_in: Duration,
    /// Whose it is. Its children leave it alone.
    owner: Process,
}

enum Right {
    Own(Lease),
    OfAnother(Lease),
    Used,
}

/// How long a store may be on its way whose caller has given up: a release should not overtake it.
const ON_ITS_WAY: Duration = Duration::from_millis(100);

impl Held {
    /// A lease of one's own, which was asked for at this moment.
    pub(super) fn own(lease: Lease, backend: &Arc<dyn Backend>, asked_at: Instant) -> Self {
        let pulse = Arc::new(Pulse::new(asked_at));
        Self {
            heartbeat: Heartbeat::start(backend, &lease, &pulse),
            right: Right::Own(lease),
            pulse,
            backend: Arc::clone(backend),
            settles_in: Duration::ZERO,
            owner: Process::current(),
        }
    }

    /// The lease of somebody else, which was seen when it was asked for at this moment.
    pub(super) fn of_another(lease: Lease, backend: &Arc<dyn Backend>, asked_at: Instant) -> Self {
        Self {
            right: Right::OfAnother(lease),
            pulse: Arc::new(Pulse::new(asked_at)),
            heartbeat: None,
            backend: Arc::clone(backend),
            settles_in: Duration::ZERO,
            owner: Process::current(),
        }
    }

    pub(super) fn pulse(&self) -> &Arc<Pulse> {
        &self.pulse
    }

    /// When it was last known to be valid; `None` where leases do not end when others change the entry.
    pub(super) fn valid_at(&self) -> Option<Instant> {
        let ends = self.backend.capabilities().has(Capability::Leases);
        ends.then(|| self.pulse.valid_at())
    }

    /// The same lease, for a request to store under it, which may come to nothing.
    pub(super) fn for_storing(&mut self) -> Option<Lease> {
        self.settles_in = ON_ITS_WAY;
        match &self.right {
            Right::Own(lease) | Right::OfAnother(lease) => Some(lease.share()),
            Right::Used => None,
        }
    }

    /// The same lease, if it is one's own, for a request that asks after it.
    pub(super) fn owned(&self) -> Option<Lease> {
        match &self.right {
            Right::Own(lease) => Some(lease.share()),
            Right::OfAnother(_) | Right::Used => None,
        }
    }

    /// The lease, if it is one's own, for whoever ends it.
    pub(super) fn used(mut self) -> Option<Lease> {
        match mem::replace(&mut self.right, Right::Used) {
            Right::Own(lease) => Some(lease),
            Right::OfAnother(_) | Right::Used => None,
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let Right::Own(lease) = mem::replace(&mut self.right, Right::Used) else {
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
            let lease = Lease::new(key, None, ()).expiring_after(period);
            Held::own(lease, &backend, Instant::now())
        };
        let of_another = held(59).owned().unwrap();
        assert_eq!(
            released.recv_timeout(Duration::from_secs(30)),
            Ok(Duration::from_secs(59))
        );
        drop(Held::of_another(of_another, &backend, Instant::now()));
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

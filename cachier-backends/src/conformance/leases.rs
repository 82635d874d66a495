//! Leases: one owner at a time, and no outdated stores.

use std::sync::OnceLock;
use std::time::Duration;

use super::subject::Subject;
use super::support::{LONG_PERIOD, all, entry, moment, skip, succeeded, until};
use crate::backend::{Capability, Lease, LeaseReply, Renewal, StoreReply, StoreRequest, Vacated};
use crate::key::Key;

/// Without and with an entry: each of these prepares a key for a property.
const WARM: [bool; 2] = [false, true];

impl Subject {
    async fn prepare(&self, key: &Key, warm: bool) {
        if warm {
            self.store(key, &entry(b"old")).await;
        }
    }

    /// The lease on a key held by somebody else, as shown to others who ask for it.
    async fn held(&self, key: &Key) -> Lease {
        let seen = self.version(key).await;
        match succeeded(self.other.lease(key, seen.as_ref(), LONG_PERIOD).await) {
            LeaseReply::Held(Some(held)) => held,
            reply => panic!("somebody holds it: {reply:?}"),
        }
    }

    async fn lease_on_current(&self, key: &Key) -> Lease {
        let seen = self.version(key).await;
        self.lease(key, seen.as_ref()).await
    }

    async fn store_under(&self, key: &Key, lease: Lease, value: &[u8]) -> StoreReply {
        let value = entry(value);
        let request = StoreRequest::new(&value, moment(0)).under(lease);
        self.try_store(request, key).await
    }
}

const STORED: StoreReply = StoreReply::Stored { evicted: 0 };

pub(super) async fn one_lease_at_a_time(subject: &Subject) {
    let key = subject.key(1);
    let _lease = subject.lease(&key, None).await;
    assert!(matches!(
        subject.request(&key, None).await,
        LeaseReply::Held(_)
    ));
    let elsewhere = succeeded(subject.other.lease(&key, None, LONG_PERIOD).await);
    assert!(matches!(elsewhere, LeaseReply::Held(_)));
}

pub(super) async fn leases_on_other_keys_are_free(subject: &Subject) {
    let _first = subject.lease(&subject.key(1), None).await;
    let _second = subject.lease(&subject.key(2), None).await;
}

pub(super) async fn a_released_lease_is_free(subject: &Subject) {
    let key = subject.key(1);
    for _ in 0..3 {
        let lease = subject.lease(&key, None).await;
        succeeded(subject.backend.release(lease).await);
    }
    assert_eq!(subject.bytes(&key).await, None);
}

pub(super) async fn an_unattended_lease_ends(subject: &Subject) {
    let key = subject.key(1);
    let short = Duration::from_millis(100);
    let lease = succeeded(subject.backend.lease(&key, None, short).await);
    assert!(matches!(lease, LeaseReply::Granted(_)));
    drop(lease);
    let free = || async {
        let reply = succeeded(subject.other.lease(&key, None, LONG_PERIOD).await);
        matches!(reply, LeaseReply::Granted(_))
    };
    until("the lease of an owner that is gone is free", free).await;
}

pub(super) async fn a_renewed_lease_stays(subject: &Subject) {
    let key = subject.key(1);
    let lease = subject.lease(&key, None).await;
    let renewed = succeeded(subject.backend.renew(&lease).await);
    assert_eq!(renewed, Renewal::Renewed);
    let reply = subject.store_under(&key, lease, b"one").await;
    assert_eq!(reply, STORED);
}

pub(super) async fn a_lease_leaves_the_entry_alone(subject: &Subject) {
    let key = subject.key(1);
    subject.store(&key, &entry(b"one")).await;
    let before = succeeded(subject.backend.load(&key).await);
    let seen = before.as_ref().map(|loaded| &loaded.version);
    let lease = subject.lease(&key, seen).await;
    assert_eq!(before, succeeded(subject.backend.load(&key).await));
    succeeded(subject.backend.release(lease).await);
    assert_eq!(before, succeeded(subject.backend.load(&key).await));
}

pub(super) async fn a_store_consumes_its_lease(subject: &Subject) {
    let key = subject.key(1);
    for value in [b"one", b"two"] {
        let lease = subject.lease_on_current(&key).await;
        let stored = entry(value);
        let request = StoreRequest::new(&stored, moment(0)).under(lease);
        let reply = subject.try_store(request, &key).await;
        assert_eq!(reply, StoreReply::Stored { evicted: 0 });
        assert_eq!(subject.bytes(&key).await, Some(stored));
    }
}

pub(super) async fn an_oversized_store_ends_its_lease(subject: &Subject) {
    let (key, large) = (subject.key(1), entry(&vec![7; 16 << 20]));
    // Without and with an entry.
    for _ in 0..2 {
        let lease = subject.lease_on_current(&key).await;
        let request = StoreRequest::new(&large, moment(0)).under(lease);
        let reply = subject.try_store(request, &key).await;
        assert_ne!(reply, StoreReply::Superseded);
        let next = subject.lease_on_current(&key).await;
        let reply = subject.store_under(&key, next, b"small").await;
        assert_eq!(reply, STORED);
    }
}

pub(super) async fn a_lease_is_granted_for_what_was_seen(subject: &Subject) {
    let key = subject.key(1);
    let changed = |reply| matches!(reply, LeaseReply::Changed);
    subject.store(&key, &entry(b"one")).await;
    let first = subject.version(&key).await;
    assert!(changed(subject.request(&key, None).await), "an unseen one");

    subject.store(&key, &entry(b"two")).await;
    let reply = subject.request(&key, first.as_ref()).await;
    assert!(changed(reply), "another one");

    let second = subject.version(&key).await;
    succeeded(subject.backend.remove(&key).await);
    let reply = subject.request(&key, second.as_ref()).await;
    assert!(changed(reply), "one that is gone");

    let _lease = subject.lease(&key, None).await;
}

pub(super) async fn remove_ends_the_lease(subject: &Subject) {
    let key = subject.key(1);
    // Without and with an entry.
    for _ in 0..2 {
        let lease = subject.lease_on_current(&key).await;
        succeeded(subject.other.remove(&key).await);
        let next = subject.lease(&key, None).await;
        let reply = subject.store_under(&key, lease, b"outdated").await;
        assert_eq!(reply, StoreReply::Superseded);
        assert_eq!(subject.bytes(&key).await, None);

        let reply = subject.store_under(&key, next, b"new").await;
        assert_eq!(reply, STORED);
    }
}

pub(super) async fn clear_ends_the_leases(subject: &Subject) {
    let (cold, warm) = (subject.key(1), subject.key(2));
    subject.store(&warm, &entry(b"old")).await;
    let seen = subject.version(&warm).await;
    let on_cold = subject.lease(&cold, None).await;
    let on_warm = subject.lease(&warm, seen.as_ref()).await;
    succeeded(subject.other.clear(&subject.scope("function")).await);
    for (key, lease) in [(&cold, on_cold), (&warm, on_warm)] {
        let reply = subject.store_under(key, lease, b"outdated").await;
        assert_eq!(reply, StoreReply::Superseded);
        assert_eq!(subject.bytes(key).await, None);
        let _lease = subject.lease(key, None).await;
    }
}

pub(super) async fn clear_leases_ends_the_leases_alone(subject: &Subject) {
    let key = subject.key(1);
    subject.store(&key, &entry(b"old")).await;
    let seen = subject.version(&key).await;
    let lease = subject.lease(&key, seen.as_ref()).await;
    let scope = subject.scope("function");
    succeeded(subject.other.clear_leases(&scope).await);
    assert_eq!(subject.bytes(&key).await, Some(entry(b"old")));
    let _next = subject.lease(&key, seen.as_ref()).await;
    let reply = subject.store_under(&key, lease, b"outdated").await;
    assert_eq!(reply, StoreReply::Superseded);
    assert_eq!(subject.bytes(&key).await, Some(entry(b"old")));
}

pub(super) async fn a_newer_entry_is_not_overwritten(subject: &Subject) {
    let key = subject.key(1);
    let lease = subject.lease(&key, None).await;
    subject.store(&key, &entry(b"newer")).await;
    let reply = subject.store_under(&key, lease, b"outdated").await;
    assert_eq!(reply, StoreReply::Superseded);
    assert_eq!(subject.bytes(&key).await, Some(entry(b"newer")));
    let _lease = subject.lease_on_current(&key).await;
}

pub(super) async fn others_may_store_under_a_lease(subject: &Subject) {
    for (key, warm) in [1, 2].map(|number| subject.key(number)).iter().zip(WARM) {
        subject.prepare(key, warm).await;
        let lease = subject.lease_on_current(key).await;
        let held = subject.held(key).await;
        assert_eq!(
            succeeded(subject.backend.renew(&lease).await),
            Renewal::Renewed
        );
        assert_eq!(subject.store_under(key, held, b"first").await, STORED);
        let late = subject.store_under(key, lease, b"late").await;
        assert_eq!(late, StoreReply::Superseded);
        assert_eq!(subject.bytes(key).await, Some(entry(b"first")));
        let _free = subject.lease_on_current(key).await;
    }
}

pub(super) async fn a_forgotten_value_is_not_stored_by_others(subject: &Subject) {
    let keys: Vec<_> = (0..6).map(|number| subject.key(number)).collect();
    for (number, key) in keys.iter().enumerate() {
        subject.prepare(key, WARM[number % 2]).await;
        let lease = subject.lease_on_current(key).await;
        let held = subject.held(key).await;
        let scope = subject.scope("function");
        match number / 2 {
            0 => drop(succeeded(subject.other.remove(key).await)),
            1 => succeeded(subject.other.clear_leases(&scope).await),
            // The earlier result must not be lost, and a failed one must not be followed.
            _ => assert_eq!(subject.store_under(key, lease, b"newer").await, STORED),
        }
        let there = subject.bytes(key).await;
        let late = subject.store_under(key, held, b"late").await;
        assert_eq!(late, StoreReply::Superseded, "{number}");
        assert_eq!(subject.bytes(key).await, there, "{number}");
    }
}

pub(super) async fn whoever_takes_over_is_the_owner(subject: &Subject) {
    for (key, warm) in [1, 2].map(|number| subject.key(number)).iter().zip(WARM) {
        subject.prepare(key, warm).await;
        let (seen, there) = (subject.version(key).await, subject.bytes(key).await);
        let early = subject.lease(key, seen.as_ref()).await;
        let taken = succeeded(subject.other.take_over(key, LONG_PERIOD).await);
        let reply = subject.request(key, seen.as_ref()).await;
        assert!(matches!(reply, LeaseReply::Held(_)), "{reply:?}");
        let renewed = succeeded(subject.backend.renew(&early).await);
        assert_eq!(renewed, Renewal::Lost);
        let late = subject.store_under(key, early, b"late").await;
        assert_eq!(late, StoreReply::Superseded);
        assert_eq!(subject.bytes(key).await, there);
        let renewed = succeeded(subject.other.renew(&taken).await);
        assert_eq!(renewed, Renewal::Renewed);
        assert_eq!(subject.store_under(key, taken, b"new").await, STORED);
        assert_eq!(subject.bytes(key).await, Some(entry(b"new")));
    }
}

pub(super) async fn a_forgotten_value_is_not_stored_after_takeover(subject: &Subject) {
    for (key, warm) in [1, 2].map(|number| subject.key(number)).iter().zip(WARM) {
        subject.prepare(key, warm).await;
        let taken = succeeded(subject.backend.take_over(key, LONG_PERIOD).await);
        assert_eq!(succeeded(subject.other.remove(key).await), warm);
        let late = subject.store_under(key, taken, b"late").await;
        assert_eq!(late, StoreReply::Superseded);
        assert_eq!(subject.bytes(key).await, None);
    }
}

pub(super) async fn an_overtaken_lease_can_be_released(subject: &Subject) {
    for (key, warm) in [1, 2].map(|number| subject.key(number)).iter().zip(WARM) {
        subject.prepare(key, warm).await;
        let taken = succeeded(subject.backend.take_over(key, LONG_PERIOD).await);
        succeeded(subject.backend.release(taken).await);
        let seen = subject.version(key).await;
        assert_eq!(seen.is_some(), warm);
        let _free = subject.lease(key, seen.as_ref()).await;
    }
}

pub(super) async fn a_vacated_entry_keeps_its_lease(subject: &Subject) {
    for number in 0..4 {
        let (key, warm) = (subject.key(number), WARM[usize::from(number % 2)]);
        subject.prepare(&key, warm).await;
        let seen = subject.version(&key).await;
        let lease = match number / 2 {
            0 => subject.lease(&key, seen.as_ref()).await,
            _ => succeeded(subject.backend.take_over(&key, LONG_PERIOD).await),
        };
        let vacated = succeeded(subject.backend.vacate(lease).await);
        let Vacated::Done { lease, removed } = vacated else {
            panic!("the lease is valid: {vacated:?}");
        };
        assert_eq!(removed, warm);
        assert_eq!(subject.bytes(&key).await, None);
        if subject.has(Capability::Leases) {
            let reply = subject.request(&key, None).await;
            assert!(matches!(reply, LeaseReply::Held(_)), "{reply:?}");
            let renewed = succeeded(subject.backend.renew(&lease).await);
            assert_eq!(renewed, Renewal::Renewed);
        }
        assert_eq!(subject.store_under(&key, lease, b"new").await, STORED);
        assert_eq!(subject.bytes(&key).await, Some(entry(b"new")));
    }
}

/// The answers to the first requests may have been lost.
pub(super) async fn an_entry_may_be_vacated_repeatedly(subject: &Subject) {
    for number in 0..4 {
        let (key, warm) = (subject.key(number), WARM[usize::from(number % 2)]);
        subject.prepare(&key, warm).await;
        let lease = match number / 2 {
            0 => subject.lease_on_current(&key).await,
            _ => succeeded(subject.backend.take_over(&key, LONG_PERIOD).await),
        };
        let mut last = None;
        for is_first in [true, false, false] {
            let vacated = succeeded(subject.backend.vacate(lease.share()).await);
            let Vacated::Done { lease, removed } = vacated else {
                panic!("the lease is valid: {vacated:?}");
            };
            assert_eq!(removed, warm && is_first);
            last = Some(lease);
        }
        assert_eq!(subject.bytes(&key).await, None);
        // The lease on a file ends with its last handle.
        drop(lease);
        let Some(lease) = last else {
            panic!("it was granted")
        };
        succeeded(subject.backend.release(lease).await);
        let _free = subject.lease(&key, None).await;
    }
}

pub(super) async fn nothing_newer_is_vacated(subject: &Subject) {
    for (key, warm) in [1, 2].map(|number| subject.key(number)).iter().zip(WARM) {
        subject.prepare(key, warm).await;
        let lease = subject.lease_on_current(key).await;
        succeeded(subject.other.remove(key).await);
        subject.store(key, &entry(b"newer")).await;
        let vacated = succeeded(subject.backend.vacate(lease).await);
        assert!(matches!(vacated, Vacated::Superseded), "{vacated:?}");
        assert_eq!(subject.bytes(key).await, Some(entry(b"newer")));
    }
}

pub(super) async fn of_many_requests_one_gets_the_lease(subject: &Subject) {
    for number in 0..4 {
        let key = subject.key(number);
        let backends = [&subject.backend, &subject.other];
        let asking = (0..16).map(|asker| backends[asker % 2].lease(&key, None, LONG_PERIOD));
        let replies: Vec<_> = all(asking.collect())
            .await
            .into_iter()
            .map(succeeded)
            .collect();
        let granted = |reply: &&LeaseReply| matches!(reply, LeaseReply::Granted(_));
        assert_eq!(replies.iter().filter(granted).count(), 1, "{replies:?}");
    }
}

pub(super) async fn a_former_owner_stores_and_releases_nothing(subject: &Subject) {
    let key = subject.key(1);
    // Without and with an entry.
    for value in [b"one", b"two"] {
        let before = succeeded(subject.backend.load(&key).await);
        let seen = before.as_ref().map(|loaded| &loaded.version);
        let late = subject
            .backend
            .lease(&key, seen, Duration::from_millis(100))
            .await;
        let LeaseReply::Granted(late) = succeeded(late) else {
            panic!("the lease was not granted");
        };
        if late.period().is_none() {
            return skip("its leases do not end by themselves");
        }
        let next = OnceLock::new();
        until("the lease ends", || async {
            let reply = succeeded(subject.other.lease(&key, seen, LONG_PERIOD).await);
            if let LeaseReply::Granted(lease) = reply {
                return next.set(lease).is_ok();
            }
            false
        })
        .await;
        let Some(next) = next.into_inner() else {
            panic!("it was granted")
        };
        assert_eq!(succeeded(subject.backend.renew(&late).await), Renewal::Lost);
        succeeded(subject.backend.release(late.share()).await);
        let third = subject.request(&key, seen).await;
        assert!(matches!(third, LeaseReply::Held(_)), "{third:?}");
        let reply = subject.store_under(&key, late, b"outdated").await;
        assert_eq!(reply, StoreReply::Superseded);
        assert_eq!(before, succeeded(subject.backend.load(&key).await));
        let newer = entry(value);
        let request = StoreRequest::new(&newer, moment(0)).under(next);
        let reply = succeeded(subject.other.store(&key, request).await);
        assert_eq!(reply, StoreReply::Stored { evicted: 0 });
        assert_eq!(subject.bytes(&key).await, Some(newer));
    }
}

pub(super) async fn whoever_waits_learns_of_the_entry(subject: &Subject) {
    let key = subject.key(1);
    let Some(wait) = subject.other.wait(&key, None) else {
        skip(&format!("`{}` does not notify", subject.backend.kind()));
        return;
    };
    subject.store(&key, &entry(b"one")).await;
    succeeded(wait.await);
}

//! Capacity, cleaning up, and usage.

use super::subject::Subject;
use super::support::{entry, moment, succeeded};
use crate::backend::{LeaseReply, Renewal, StoreReply, StoreRequest, Usage};

pub(super) async fn the_oldest_go_when_it_is_full(subject: &Subject) {
    let stored = entry(&[0; 1000]);
    let capacity = 20 * stored.len() as u64;
    let mut evicted = 0;
    for number in 0..100 {
        let mut request = StoreRequest::new(&stored, moment(number));
        request.capacity_bytes = Some(capacity);
        match subject.try_store(request, &subject.key(number as u8)).await {
            StoreReply::Stored { evicted: some } => evicted += some,
            reply => panic!("not stored: {reply:?}"),
        }
    }
    let mut kept = Vec::new();
    for number in 0..100 {
        if subject.bytes(&subject.key(number)).await.is_some() {
            kept.push(number);
        }
    }
    let count = kept.len() as u64;
    assert!((10..=20).contains(&count), "{count} of 20 are kept");
    assert_eq!(count + evicted, 100);
    assert!(kept.iter().all(|number| u64::from(*number) >= 100 - count));
}

pub(super) async fn what_exceeds_the_capacity_is_refused(subject: &Subject) {
    let (small, large) = (subject.key(1), subject.key(2));
    subject.store(&small, &entry(b"small")).await;
    let lease = subject.lease(&large, None).await;
    let stored = entry(&[0; 1000]);
    let mut request = StoreRequest::new(&stored, moment(0)).under(lease);
    request.capacity_bytes = Some(1000);
    let reply = subject.try_store(request, &large).await;
    assert_eq!(reply, StoreReply::TooLarge);
    assert_eq!(subject.bytes(&large).await, None);
    assert_eq!(subject.bytes(&small).await, Some(entry(b"small")));
    let _free = subject.lease(&large, None).await;
}

pub(super) async fn cleanup_removes_the_old_ones(subject: &Subject) {
    let stored = entry(b"one");
    for number in 0..10 {
        let request = StoreRequest::new(&stored, moment(number));
        subject.try_store(request, &subject.key(number as u8)).await;
    }
    let scope = subject.scope("function");
    let removed = succeeded(subject.other.cleanup(&scope, moment(4)).await);
    assert!(removed.is_none_or(|count| count == 4), "{removed:?}");
    for number in 0..10 {
        let there = subject.bytes(&subject.key(number)).await.is_some();
        assert_eq!(there, number >= 4, "entry {number}");
    }
}

pub(super) async fn cleanup_ends_no_lease(subject: &Subject) {
    let (cold, warm, scope) = (subject.key(1), subject.key(2), subject.scope("function"));
    subject.store(&warm, &entry(b"old")).await;
    let seen = subject.version(&warm).await;
    let on_cold = subject.lease(&cold, None).await;
    let on_warm = subject.lease(&warm, seen.as_ref()).await;
    succeeded(subject.other.cleanup(&scope, moment(9)).await);
    for (key, lease) in [(&cold, on_cold), (&warm, on_warm)] {
        let seen = subject.version(key).await;
        let asked = subject.request(key, seen.as_ref()).await;
        assert!(matches!(asked, LeaseReply::Held(_)), "{asked:?}");
        let renewed = succeeded(subject.backend.renew(&lease).await);
        assert_eq!(renewed, Renewal::Renewed);
        let new = entry(b"new");
        let request = StoreRequest::new(&new, moment(10)).under(lease);
        let reply = subject.try_store(request, key).await;
        assert_eq!(reply, StoreReply::Stored { evicted: 0 });
        assert_eq!(subject.bytes(key).await, Some(new));
    }
    succeeded(subject.other.cleanup(&scope, moment(11)).await);
    assert_eq!(subject.bytes(&warm).await, None);
}

pub(super) async fn usage_follows_what_happens(subject: &Subject) {
    let scope = subject.scope("function");
    let usage = || async { succeeded(subject.other.usage(&scope).await) };
    let holds = |entries, bytes| {
        move |usage: Usage| {
            assert!(
                usage.entries.is_none_or(|count| count == entries),
                "{usage:?}"
            );
            // A store may count overhead.
            assert!(usage.bytes.is_none_or(|count| count >= bytes), "{usage:?}");
        }
    };
    let (one, other) = (entry(&[1; 10]), entry(&[2; 1000]));
    let of = |stored: &Vec<u8>| stored.len() as u64;
    holds(0, 0)(usage().await);
    subject.store(&subject.key(1), &one).await;
    subject.store(&subject.key(2), &one).await;
    holds(2, 2 * of(&one))(usage().await);
    subject.store(&subject.key(2), &other).await;
    holds(2, of(&one) + of(&other))(usage().await);
    subject.store(&subject.key(2), &one).await;
    succeeded(subject.backend.remove(&subject.key(1)).await);
    holds(1, of(&one))(usage().await);
    succeeded(subject.backend.clear(&scope).await);
    holds(0, 0)(usage().await);
}

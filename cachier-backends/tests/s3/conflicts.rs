//! S3 answers 409 to a conditional request that races with another, whether or not the condition holds.

use std::time::Duration;

use cachier_backends::s3::S3Backend;
use cachier_backends::{
    Backend, Error, ErrorKind, Key, LeaseReply, Renewal, StoreReply, StoreRequest,
};
use cachier_servers::proxy::Proxy;
use cachier_servers::s3::conflict;

use crate::support::{
    ask, backend, behind_a_proxy, created, entry, key, lease, load, place, private, scope, store,
};

const PERIOD: Duration = Duration::from_secs(60);

fn is_a_conflict(error: &Error) {
    assert_eq!(error.kind(), ErrorKind::Connect, "{error:#}");
    assert!(error.is_transient());
    assert!(error.is_of_the_caller(), "the store works");
    let said = format!("{error:#}");
    assert!(said.contains("another request was changing"), "{said}");
    assert!(said.contains("ConditionalRequestConflict"), "{said}");
}

/// A backend behind a proxy, a key without an entry, and one with.
async fn cold_and_warm(name: &str) -> Option<(S3Backend, Proxy, [Key; 2])> {
    let (proxy, behind) = behind_a_proxy(place()?);
    let (backend, scope) = (backend(&behind), scope(name));
    let keys = [key(&scope, 1), key(&scope, 2)];
    store(&backend, &keys[1], b"old").await;
    Some((backend, proxy, keys))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conflicting_store_may_be_retried() {
    let Some((backend, proxy, keys)) = cold_and_warm("storing").await else {
        return;
    };
    for key in &keys {
        let lease = lease(&backend, key, PERIOD).await;
        let stored = entry(b"new");
        let store = async || {
            let request = StoreRequest::new(&stored, created()).under(lease.share());
            backend.store(key, request).await
        };
        conflict(&proxy, &["PUT /", "cachier-created", "if-match: "]);
        is_a_conflict(&store().await.unwrap_err());
        assert!(proxy.has_answered());
        assert_eq!(store().await.unwrap(), StoreReply::Stored { evicted: 0 });
        assert_eq!(load(&backend, key).await, Some(entry(b"new")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conflicting_lease_request_finds_it_held() {
    let Some((backend, proxy, keys)) = cold_and_warm("leasing").await else {
        return;
    };
    for key in &keys {
        conflict(&proxy, &["PUT /", "cachier-lease", "if-none-match: "]);
        let reply = ask(&backend, key, PERIOD).await;
        assert!(matches!(reply, LeaseReply::Held(_)), "{reply:?}");
        assert!(proxy.has_answered());
        // The other one was not a lease.
        let _granted = lease(&backend, key, PERIOD).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conflicting_successor_finds_the_lease_held() {
    let Some(server) = private() else { return };
    let (proxy, behind) = behind_a_proxy(server.place());
    let (backend, key) = (backend(&behind), key(&scope("following"), 1));
    let _gone = lease(&backend, &key, PERIOD).await;
    server.age(PERIOD + Duration::from_secs(1));
    conflict(&proxy, &["PUT /", "cachier-lease", "if-match: "]);
    let reply = ask(&backend, &key, PERIOD).await;
    assert!(matches!(reply, LeaseReply::Held(_)), "{reply:?}");
    assert!(proxy.has_answered());
    let _follows = lease(&backend, &key, PERIOD).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewal_that_meets_another_request_loses_nothing() {
    let Some((backend, proxy, keys)) = cold_and_warm("renewing").await else {
        return;
    };
    for key in &keys {
        let lease = lease(&backend, key, PERIOD).await;
        conflict(&proxy, &["PUT /", "cachier-lease", "if-match: "]);
        is_a_conflict(&backend.renew(&lease).await.unwrap_err());
        assert!(proxy.has_answered());
        assert_eq!(backend.renew(&lease).await.unwrap(), Renewal::Renewed);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conflicting_release_is_retried() {
    let Some((backend, proxy, keys)) = cold_and_warm("releasing").await else {
        return;
    };
    for key in &keys {
        let lease = lease(&backend, key, PERIOD).await;
        conflict(&proxy, &["DELETE /", "if-match: "]);
        backend.release(lease).await.unwrap();
        assert!(proxy.has_answered());
    }
}

//! Servers that are absent, hang, break connections, recover, or deny access.

use std::time::{Duration, Instant};

use cachier_backends::s3::S3Backend;
use cachier_backends::{Backend, Error, ErrorKind, StoreReply, StoreRequest};
use cachier_servers::s3::{Place, start_private};

use crate::program_client;
use crate::server_support::{closed, everywhere, failures, hangs, resumes};
use crate::support::{
    backend, behind_a_proxy, client, created, entry, key, lease, load, place, private, runtime,
    scope, store, store_under,
};

const LEASE_PERIOD: Duration = Duration::from_secs(60);

fn says_nothing_of(secret: &str, backend: &S3Backend, error: &Error) {
    let name = backend.store_name();
    let said = format!("{error} {error:#} {error:?} {backend:?} {name}");
    assert!(!said.contains(secret), "{said}");
}

#[test]
fn every_operation_fails_without_a_server() {
    let nowhere = cachier_servers::free_port();
    for scheme in ["http", "https"] {
        let backend = S3Backend::new("bucket")
            .endpoint(format!("{scheme}://me:hidden@127.0.0.1:{nowhere}"))
            .credentials("me", "hidden");
        let started = Instant::now();
        for error in runtime().block_on(failures(&backend)) {
            assert_eq!(error.kind(), ErrorKind::Connect, "{error:#}");
            assert!(error.is_transient());
            says_nothing_of("hidden", &backend, &error);
        }
        assert!(started.elapsed() < Duration::from_secs(20));
    }
}

#[test]
fn wrong_credentials_are_denied_and_not_shown() {
    let Some(place) = place() else { return };
    for (access_key, secret) in [(place.access_key.as_str(), "wrong0"), ("nobody", "wrong0")] {
        let place = Place {
            access_key: access_key.to_owned(),
            secret: secret.to_owned(),
            ..place.clone()
        };
        let backend = backend(&place);
        for error in runtime().block_on(failures(&backend)) {
            assert_eq!(error.kind(), ErrorKind::Denied, "{error:#}");
            says_nothing_of("wrong0", &backend, &error);
            says_nothing_of(&place.secret, &backend, &error);
        }
    }
}

#[test]
fn every_operation_fails_without_a_bucket() {
    let Some(place) = place() else { return };
    let place = Place {
        bucket: "another".to_owned(),
        ..place.clone()
    };
    for error in runtime().block_on(failures(&backend(&place))) {
        assert_eq!(error.kind(), ErrorKind::Protocol, "{error:#}");
        assert!(!error.is_transient());
        assert!(format!("{error:#}").contains("s3://another"), "{error:#}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_may_only_read_reads() {
    let Some(server) = private() else { return };
    let (writer, scope) = (backend(server.place()), scope("reader"));
    let reader = backend(&server.place_of_reader());
    let key = key(&scope, 1);
    store(&writer, &key, b"value").await;
    let loaded = reader.load(&key).await.unwrap().unwrap();
    assert_eq!(loaded.bytes, entry(b"value"));
    let stored = entry(b"other");
    let store = reader.store(&key, StoreRequest::new(&stored, created()));
    let denied = [
        store.await.unwrap_err(),
        reader
            .lease(&key, Some(&loaded.version), LEASE_PERIOD)
            .await
            .unwrap_err(),
        reader.remove(&key).await.unwrap_err(),
        reader.clear(&scope).await.unwrap_err(),
    ];
    for error in denied {
        assert_eq!(error.kind(), ErrorKind::Denied, "{error:#}");
    }
    assert_eq!(load(&reader, &key).await, Some(entry(b"value")));
    assert_eq!(reader.usage(&scope).await.unwrap().entries, Some(1));
}

#[test]
fn service_resumes_with_the_server() {
    let Some(mut server) = private() else { return };
    let backend = backend(server.place());
    runtime().block_on(resumes(&backend, server.server().unwrap(), start_private));
}

#[test]
fn a_server_that_hung_is_used_again() {
    let Some(mut server) = private() else { return };
    let (backend, key) = (backend(server.place()), key(&scope("hung"), 1));
    runtime().block_on(hangs(&backend, &key, server.server().unwrap()));
}

#[test]
fn a_connection_that_was_closed_is_replaced() {
    let Some(place) = place() else { return };
    let (proxy, place) = behind_a_proxy(place);
    closed(&backend(&place), 10, || proxy.break_all());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_answer_is_an_error() {
    let Some(place) = place() else { return };
    let (proxy, behind) = behind_a_proxy(place);
    let key = key(&scope("torn"), 1);
    store(&backend(place), &key, &[7; 4 << 20]).await;
    let backend = backend(&behind);
    assert!(load(&backend, &key).await.is_some());
    proxy.break_one_in(20);
    let error = backend.load(&key).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect, "{error:#}");
    proxy.break_one_in(0);
    assert!(load(&backend, &key).await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_large_entry_frees_its_lease() {
    let Some(server) = private() else { return };
    server.limit(1000);
    let (backend, key) = (backend(server.place()), key(&scope("refused"), 1));
    let on_nothing = lease(&backend, &key, LEASE_PERIOD).await;
    let reply = store_under(&backend, &key, &[0; 1000], on_nothing).await;
    assert_eq!(reply, StoreReply::TooLarge);
    let on_nothing = lease(&backend, &key, LEASE_PERIOD).await;
    store_under(&backend, &key, b"small", on_nothing).await;

    let on_an_entry = lease(&backend, &key, LEASE_PERIOD).await;
    let reply = store_under(&backend, &key, &[0; 1000], on_an_entry).await;
    assert_eq!(reply, StoreReply::TooLarge);
    assert_eq!(load(&backend, &key).await, Some(entry(b"small")));
    let _free = lease(&backend, &key, LEASE_PERIOD).await;
}

#[test]
fn one_backend_serves_all_runtimes_and_executors() {
    let Some(place) = place() else { return };
    everywhere(&backend(place));
}

#[test]
fn a_client_of_the_program_serves() {
    let Some(place) = place() else { return };
    let hand_over = async || S3Backend::with_client(&place.bucket, client(place)).prefix("own");
    program_client::serves(hand_over, &key(&scope("own"), 1));
    program_client::serves_when_its_runtime_has_ended(hand_over, &key(&scope("own"), 1));
}

//! Servers that are missing, hang, come back, are full, or deny access.

use std::time::{Duration, Instant};

use cachier_backends::redis::RedisBackend;
use cachier_backends::{Backend, ErrorKind, StoreRequest};
use cachier_servers::StoreServer;
use cachier_servers::proxy::Proxy;
use cachier_servers::redis::{start_cluster_with_password, start_private};
use futures_lite::future::block_on;
use tokio::runtime::Handle;
use tokio::time::timeout;

use crate::program_client;
use crate::server_support::{closed, everywhere, failures, hangs, resumes};
use crate::support::{
    backend, command, created, entry, key, lease, load, private, runtime, scope, store, until, url,
};

#[test]
fn every_operation_fails_without_a_server() {
    let port = cachier_servers::free_port();
    for url in [
        format!("redis://me:hidden@127.0.0.1:{port}"),
        format!("rediss://me:hidden@127.0.0.1:{port}"),
        format!("redis+sentinel://me:hidden@127.0.0.1:{port}/main"),
        format!("redis+cluster://me:hidden@127.0.0.1:{port}"),
    ] {
        let backend = backend(&url);
        let started = Instant::now();
        for error in runtime().block_on(failures(&backend)) {
            assert_eq!(error.kind(), ErrorKind::Connect, "{error:#}");
            assert!(error.is_transient());
            let shown = format!("{error} {error:#} {error:?}");
            assert!(!shown.contains("hidden"), "{shown}");
        }
        assert!(started.elapsed() < Duration::from_secs(20), "{url}");
    }
}

#[test]
fn wrong_credentials_are_denied_and_not_shown() {
    let Some(server) = private(&["--requirepass", "right"]) else {
        return;
    };
    denies(server.url(), ["", ":wrong@", "somebody:wrong@"], ":right@");
}

#[test]
fn wrong_cluster_credentials_are_denied_and_hidden() {
    let Some(cluster) = start_cluster_with_password("+@connection") else {
        return;
    };
    denies(&cluster.url(), ["", ":wrong@", "modest:wrong@"], ":pw@");
}

fn denies(url: &str, wrong: [&str; 3], right: &str) {
    let of = |credentials: &str| backend(&url.replace("://", &format!("://{credentials}")));
    for credentials in wrong {
        for error in runtime().block_on(failures(&of(credentials))) {
            assert_eq!(error.kind(), ErrorKind::Denied, "{error:#}");
            let shown = format!("{error} {error:#} {error:?}");
            assert!(!shown.contains("wrong") || shown.contains("WRONGPASS"));
            assert!(!shown.contains(":wrong"), "{shown}");
        }
    }
    runtime().block_on(of(right).check()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_may_only_read_reads() {
    let Some(server) = private(&[]) else { return };
    let (scope, url) = (scope("reader"), server.url());
    let user = [
        "ACL",
        "SETUSER",
        "reader",
        "on",
        ">pw",
        "~cachier:*",
        "+@read",
    ];
    command(url, &user);
    let more = ["+@connection", "+@scripting"];
    command(url, &[&user[..], &more[..1]].concat());
    let reader = backend(&url.replace("://", "://reader:pw@"));
    let key = key(&scope, 1);
    store(&backend(url), &key, b"value").await;
    for rights in 0..2 {
        assert_eq!(load(&reader, &key).await, Some(entry(b"value")));
        let stored = entry(b"other");
        let request = StoreRequest::new(&stored, created());
        let error = reader.store(&key, request).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied, "{error:#}");
        let seen = reader.load(&key).await.unwrap().unwrap().version;
        let error = reader
            .lease(&key, Some(&seen), Duration::from_secs(9))
            .await;
        let error = error.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied, "{rights} {error:#}");
        // Now scripts may run, but not write.
        command(url, &[&user[..], &more[..]].concat());
    }
    assert_eq!(load(&reader, &key).await, Some(entry(b"value")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_server_frees_the_lease() {
    let Some(server) = private(&["--maxmemory", "1mb"]) else {
        return;
    };
    let (backend, key) = (backend(server.url()), key(&scope("full"), 1));
    command(server.url(), &["CONFIG", "SET", "maxmemory", "100mb"]);
    let held = lease(&backend, &key, Duration::from_secs(60)).await;
    store(&backend, &crate::support::key(key.scope(), 2), b"x").await;
    command(server.url(), &["CONFIG", "SET", "maxmemory", "1"]);
    let stored = entry(&[0; 1000]);
    let request = StoreRequest::new(&stored, created()).under(held);
    let error = backend.store(&key, request).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Full, "{error:#}");
    command(server.url(), &["CONFIG", "SET", "maxmemory", "0"]);
    let _free = lease(&backend, &key, Duration::from_secs(60)).await;
}

#[test]
fn service_resumes_with_the_server() {
    let Some(mut server) = private(&[]) else {
        return;
    };
    let (backend, start) = (backend(server.url()), |port| start_private(port, &[]));
    runtime().block_on(resumes(&backend, server.server().unwrap(), start));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hung_is_used_again() {
    let Some(mut server) = private(&[]) else {
        return;
    };
    let (backend, key) = (backend(server.url()), key(&scope("hung"), 1));
    hangs(&backend, &key, server.server().unwrap()).await;
    command(server.url(), &["CLIENT", "PAUSE", "3000"]);
    let limit = Duration::from_millis(400);
    assert!(timeout(limit, backend.load(&key)).await.is_err());
    assert_eq!(load(&backend, &key).await, Some(entry(b"value")));
}

fn behind_a_proxy(server: &mut StoreServer) -> (Proxy, String) {
    let proxy = Proxy::to(server.server().unwrap().port());
    let url = format!("redis://127.0.0.1:{}", proxy.port());
    (proxy, url)
}

/// Each caller waits for less time than it takes to notice that a server is gone.
#[tokio::test(flavor = "multi_thread")]
async fn a_silently_lost_connection_is_replaced_quickly() {
    let Some(mut server) = private(&[]) else {
        return;
    };
    let (proxy, url) = behind_a_proxy(&mut server);
    let (backend, key) = (backend(&url), key(&scope("hurry"), 1));
    let hurried = async || timeout(Duration::from_millis(100), backend.load(&key)).await;
    store(&backend, &key, b"value").await;
    proxy.lose_all();
    let started = Instant::now();
    until("another connection serves", async || {
        matches!(hurried().await, Ok(Ok(Some(_))))
    })
    .await;
    let took = started.elapsed();
    assert!(took < Duration::from_secs(2), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unobserved_failure_is_not_reported_later() {
    let Some(mut server) = private(&[]) else {
        return;
    };
    let (proxy, url) = behind_a_proxy(&mut server);
    let (backend, key) = (backend(&url), key(&scope("long ago"), 1));
    let tasks = || Handle::current().metrics().num_alive_tasks();
    let before = tasks();
    proxy.hang(true);
    let early = timeout(Duration::from_millis(50), backend.load(&key)).await;
    assert!(early.is_err());
    let guards = 1;
    assert!(tasks() > before + guards, "it is being tried");
    proxy.refuse(true);
    until("it has failed", async || tasks() <= before + guards).await;
    proxy.hang(false);
    proxy.refuse(false);
    assert_eq!(load(&backend, &key).await, None);
}

/// A blocking caller drives its own connection, and is gone before that is established.
#[test]
fn a_connection_attempt_outlives_its_caller() {
    let Some(mut server) = private(&[]) else {
        return;
    };
    let (proxy, url) = behind_a_proxy(&mut server);
    let (backend, key) = (backend(&url), key(&scope("slowly"), 1));
    proxy.hang(true);
    let wait = |millis| {
        let allowance = Duration::from_millis(millis);
        cachier_backends::blocking::inline(allowance, || block_on(backend.load(&key)))
    };
    let error = wait(50).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error:#}");
    proxy.hang(false);
    runtime().block_on(until("it is connected, and nobody waits", async || {
        backend.figures().pool.is_some_and(|pool| pool.idle == 1)
    }));
    assert_eq!(wait(9_000).unwrap(), None);
    let pool = backend.figures().pool.unwrap();
    assert_eq!(pool.idle, 1, "it is the same one");
}

#[test]
fn a_connection_that_was_closed_is_replaced() {
    let Some(server) = private(&[]) else { return };
    closed(&backend(server.url()), 20, || {
        command(server.url(), &["CLIENT", "KILL", "TYPE", "normal"]);
    });
}

#[test]
fn one_backend_serves_all_runtimes_and_executors() {
    let Some(url) = url() else { return };
    let backend = backend(url);
    everywhere(&backend);
    let is_idle = || backend.figures().pool.is_some_and(|pool| pool.busy == 0);
    runtime().block_on(until("all connections are idle", async || is_idle()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_backend_leaves_no_tasks() {
    let Some(url) = url() else { return };
    let key = key(&scope("dropped"), 1);
    let tasks = || Handle::current().metrics().num_alive_tasks();
    let client = redis::Client::open(url).unwrap();
    let manager = client.get_connection_manager().await.unwrap();
    let before = tasks();
    for _ in 0..10 {
        let own = RedisBackend::with_connection_manager(manager.clone());
        for backend in [own, backend(url)] {
            assert_eq!(load(&backend, &key).await, None);
        }
    }
    until("all tasks have ended", async || tasks() <= before).await;
}

#[test]
fn a_connection_of_the_program_serves() {
    let Some(url) = url() else { return };
    let hand_over = async || {
        let client = redis::Client::open(url).unwrap();
        RedisBackend::with_connection_manager(client.get_connection_manager().await.unwrap())
    };
    program_client::serves(hand_over, &key(&scope("own"), 1));
    program_client::serves_when_its_runtime_has_ended(hand_over, &key(&scope("own"), 1));
}

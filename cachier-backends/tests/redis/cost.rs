//! Requests per operation, and limits of size.

use std::time::Duration;

use cachier_backends::{Backend, StoreReply, StoreRequest};

use crate::server_support::{counted_and_cleared, round_trips, sizes};
use crate::support::{
    backend, command, created, entry, key, lease, load, private, runtime, scope, store, until, url,
};

/// How often the server has run a command.
fn calls(url: &str, name: &str) -> u64 {
    let stats = command(url, &["INFO", "commandstats"]);
    let stats: String = redis::from_redis_value(stats).unwrap();
    let start = format!("cmdstat_{name}:calls=");
    let line = stats.lines().find_map(|line| line.strip_prefix(&start));
    line.map_or(0, |line| line.split(',').next().unwrap().parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hit_is_one_request_a_miss_three() {
    let Some(server) = private(&[]) else { return };
    let (url, backend, scope) = (server.url(), backend(server.url()), scope("cost"));
    let sent = || round_trips(&backend);
    let counted = || ["evalsha", "eval", "get"].map(|name| calls(url, name));
    let miss = async |number| {
        let key = key(&scope, number);
        let lease = lease(&backend, &key, Duration::from_secs(9)).await;
        let stored = entry(b"value");
        let request = StoreRequest::new(&stored, created()).under(lease);
        backend.store(&key, request).await.unwrap();
    };
    miss(0).await;

    let (before, [scripts, codes, _]) = (sent(), counted());
    miss(1).await;
    let [scripts_after, codes_after, gets] = counted();
    assert_eq!(sent() - before, 3);
    assert_eq!((scripts_after - scripts, codes_after - codes), (2, 0));

    let before = sent();
    assert!(load(&backend, &key(&scope, 1)).await.is_some());
    assert_eq!(sent() - before, 1);
    assert_eq!(counted(), [scripts_after, codes_after, gets + 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn forgotten_scripts_are_sent_again() {
    let Some(server) = private(&[]) else { return };
    let (backend, scope) = (backend(server.url()), scope("forgotten"));
    store(&backend, &key(&scope, 1), b"one").await;
    command(server.url(), &["SCRIPT", "FLUSH"]);
    store(&backend, &key(&scope, 2), b"two").await;
    assert_eq!(load(&backend, &key(&scope, 2)).await, Some(entry(b"two")));
}

#[test]
fn values_may_be_empty_or_large() {
    let Some(url) = url() else { return };
    runtime().block_on(sizes(&backend(url)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_beyond_the_servers_limit_is_refused() {
    let Some(server) = private(&["--proto-max-bulk-len", "1mb"]) else {
        return;
    };
    let (backend, key) = (backend(server.url()), key(&scope("refused"), 1));
    store(&backend, &key, b"small").await;
    let large = vec![7; 2 << 20];
    let request = StoreRequest::new(&large, created());
    // The server disconnects after such a request, sometimes before its refusal is read.
    match backend.store(&key, request).await {
        Ok(reply) => assert_eq!(reply, StoreReply::TooLarge),
        Err(error) => assert!(error.is_transient(), "{error:#}"),
    }
    assert_eq!(load(&backend, &key).await, Some(entry(b"small")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_large_entry_ends_its_lease() {
    let Some(server) = private(&["--proto-max-bulk-len", "1mb"]) else {
        return;
    };
    let (backend, scope) = (backend(server.url()), scope("too large"));
    let mut number = 0;
    // One is refused by the server, the other never sent.
    for size in [2 << 20, (512 << 20) + 1] {
        let large = vec![0; size];
        let refused = async |number| {
            let key = key(&scope, number);
            let held = lease(&backend, &key, Duration::from_secs(60)).await;
            let request = StoreRequest::new(&large, created()).under(held);
            match backend.store(&key, request).await {
                Ok(reply) => assert_eq!(reply, StoreReply::TooLarge),
                // The server disconnected before its refusal was read.
                Err(error) => {
                    assert!(error.is_transient(), "{error:#}");
                    return false;
                }
            }
            let _free = lease(&backend, &key, Duration::from_secs(60)).await;
            true
        };
        until("the refusal is read", async || {
            number += 1;
            refused(number).await
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_entries_are_counted_and_cleared() {
    const ENTRIES: u32 = 100_000;
    let Some(url) = url() else { return };
    let (backend, scope, neighbour) = (backend(url), scope("many"), scope("neighbour"));
    let backend = std::sync::Arc::new(backend);
    store(&*backend, &key(&neighbour, 1), b"kept").await;
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..50 {
        let (backend, scope) = (std::sync::Arc::clone(&backend), scope.clone());
        tasks.spawn(async move {
            for number in (task..ENTRIES).step_by(50) {
                store(&*backend, &key(&scope, number), b"value").await;
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    let bytes = counted_and_cleared(&*backend, ENTRIES, [&scope, &neighbour]).await;
    let size = entry(b"value").len() as u64;
    assert_eq!(bytes, Some(u64::from(ENTRIES) * size));
}

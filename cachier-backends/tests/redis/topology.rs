//! A cluster, a master with Sentinel, and TLS.

use std::collections::{BTreeSet, HashSet};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use cachier_backends::redis::RedisBackend;
use cachier_backends::{Backend, ErrorKind, Scope, blocking};
use cachier_servers::redis::{start_cluster, start_tls, start_watched};
use futures_lite::future::block_on;
use rustix::process::Signal;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::support::{backend, cluster_url, command, entry, key, load, scope, store, until};

#[tokio::test(flavor = "multi_thread")]
async fn entries_are_spread_over_a_clusters_nodes() {
    let Some(url) = cluster_url() else { return };
    let (backend, scope) = (backend(&url), scope("spread"));
    for number in 0..200 {
        store(&backend, &key(&scope, number), b"value").await;
    }
    assert_eq!(backend.usage(&scope).await.unwrap().entries, Some(200));
    let nodes = url.trim_start_matches("redis+cluster://").split(',');
    let on = |node: &str| {
        let pattern = format!("cachier:{{{scope}#*/1/*");
        let names = command(&format!("redis://{node}"), &["KEYS", &pattern]);
        let names: Vec<String> = redis::from_redis_value(names).unwrap();
        names.into_iter().filter(|name| !name.contains("/lease/"))
    };
    let counts: Vec<_> = nodes.map(|node| on(node).count()).collect();
    assert_eq!(counts.iter().sum::<usize>(), 200);
    assert!(counts.iter().all(|count| *count > 0), "{counts:?}");
    let slots: HashSet<_> = (0..200)
        .map(|number| key(&scope, number).hash().as_bytes()[0] % 16)
        .collect();
    assert_eq!(slots.len(), 16);
    assert_eq!(backend.clear(&scope).await.unwrap(), Some(200));
}

/// Which entries are served to concurrent callers.
async fn served(
    backend: &Arc<RedisBackend>,
    scope: &Arc<Scope>,
    numbers: impl IntoIterator<Item = u32>,
) -> BTreeSet<u32> {
    let mut loads = JoinSet::new();
    for number in numbers {
        let (backend, key) = (Arc::clone(backend), key(scope, number));
        let load = async move { backend.load(&key).await.ok().flatten().map(|_| number) };
        loads.spawn(timeout(Duration::from_secs(1), load));
    }
    let done = loads.join_all().await.into_iter();
    done.filter_map(Result::ok).flatten().collect()
}

const ENTRIES: u32 = 48;

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_serves_despite_an_unresponsive_seed() {
    let Some(url) = cluster_url() else { return };
    let scope = scope("named");
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let backend = backend(&format!("{url},{}", silent.local_addr().unwrap()));
    let key = key(&scope, 1);
    let asked = timeout(Duration::from_secs(5), backend.load(&key)).await;
    assert_eq!(asked.unwrap().unwrap(), None);
    store(&backend, &key, b"value").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_nodes_serve_while_one_hangs() {
    let Some(cluster) = start_cluster() else {
        return;
    };
    let (connected, scope) = (Arc::new(backend(&cluster.url())), scope("hanging"));
    for number in 0..ENTRIES {
        store(&*connected, &key(&scope, number), b"value").await;
    }
    for node in cluster
        .url()
        .trim_start_matches("redis+cluster://")
        .split(',')
    {
        // Otherwise the others fail as well, after a while.
        let node = format!("redis://{node}");
        command(&node, &["CONFIG", "SET", "cluster-node-timeout", "60000"]);
    }
    cluster.signal_first(Signal::STOP);
    let later = Arc::new(backend(&cluster.url()));
    let others = served(&connected, &scope, 0..ENTRIES).await;
    assert!((1..48).contains(&others.len()), "{others:?}");
    // Callers of the hung node take nothing from the others.
    let mut in_a_row = 0;
    until(
        "the other nodes serve by a connection that was there",
        async || {
            let are_served = served(&connected, &scope, 0..ENTRIES)
                .await
                .is_superset(&others);
            in_a_row = if are_served { in_a_row + 1 } else { 0 };
            in_a_row == 3
        },
    )
    .await;
    let other = key(&scope, *others.first().unwrap());
    until(
        "the connection stays when all gave up who used it",
        async || {
            let hanging = (0..ENTRIES).filter(|number| !others.contains(number));
            assert!(served(&connected, &scope, hanging).await.is_empty());
            // Less than connecting takes.
            let load = timeout(Duration::from_millis(250), connected.load(&other));
            load.await.is_ok_and(|loaded| loaded.is_ok())
        },
    )
    .await;
    until("the other nodes serve by a new connection", async || {
        served(&later, &scope, others.clone()).await == others
    })
    .await;
    cluster.signal_first(Signal::CONT);
    until("all serve again", async || {
        served(&connected, &scope, 0..ENTRIES).await.len() == 48
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_master_is_found() {
    let Some(mut servers) = start_watched() else {
        return;
    };
    let (backend, scope) = (backend(&servers.url()), scope("failover"));
    let (before, after) = (key(&scope, 1), key(&scope, 2));
    store(&backend, &before, b"before").await;
    let replica = format!("redis://127.0.0.1:{}", servers.replica.port());
    until("the replica has it", || async {
        matches!(command(&replica, &["DBSIZE"]), redis::Value::Int(1..))
    })
    .await;
    servers.master.kill();
    let works = || async { backend.remove(&after).await.is_ok() };
    until("the next master serves", works).await;
    store(&backend, &after, b"after").await;
    assert_eq!(load(&backend, &before).await, Some(entry(b"before")));
    assert_eq!(load(&backend, &after).await, Some(entry(b"after")));
}

#[test]
fn an_unresponsive_sentinel_delays_nobody() {
    let Some(servers) = start_watched() else {
        return;
    };
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let first = format!("://{},", silent.local_addr().unwrap());
    let (backend, key) = (
        backend(&servers.url().replace("://", &first)),
        key(&scope("silent"), 1),
    );
    // Less than the driver's limit per host.
    let allowance = Duration::from_millis(900);
    let loaded = blocking::inline(allowance, || block_on(backend.load(&key)));
    assert_eq!(loaded.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_verifies_the_servers_certificate() {
    let Some(server) = start_tls() else { return };
    let certificates = redis::TlsCertificates {
        client_tls: None,
        root_cert: Some(server.certificate.clone()),
    };
    let key = key(&scope("tls"), 1);
    let client = redis::Client::build_with_tls(server.url.as_str(), certificates).unwrap();
    let trusting = RedisBackend::with_client(client);
    store(&trusting, &key, b"value").await;
    assert_eq!(load(&trusting, &key).await, Some(entry(b"value")));
    trusting.wait(&key, None).unwrap().await.unwrap();

    let error = backend(&server.url).check().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect, "{error:#}");
    assert!(format!("{error:#}").contains("certificate"), "{error:#}");
}

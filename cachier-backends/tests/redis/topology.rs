//! A cluster, a master that Sentinel watches, and TLS.

use std::collections::HashSet;

use cachier_backends::redis::RedisBackend;
use cachier_backends::{Backend, ErrorKind};
use cachier_servers::redis::{start_tls, start_watched};

use crate::support::{
    backend, cluster_url, command, entry, key, load, runtime, scope, store, until,
};

#[test]
fn the_entries_of_a_function_are_spread_over_the_nodes_of_a_cluster() {
    let Some(url) = cluster_url() else { return };
    let (backend, scope) = (backend(&url), scope("spread"));
    runtime().block_on(async {
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
    });
}

#[test]
fn when_the_master_is_gone_the_next_one_serves() {
    let Some(mut servers) = start_watched() else {
        return;
    };
    let (backend, scope) = (backend(&servers.url()), scope("failover"));
    runtime().block_on(async {
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
    });
}

#[test]
fn a_server_is_talked_to_under_tls_if_it_proves_who_it_is() {
    let Some(server) = start_tls() else { return };
    let certificates = redis::TlsCertificates {
        client_tls: None,
        root_cert: Some(server.certificate.clone()),
    };
    let key = key(&scope("tls"), 1);
    runtime().block_on(async {
        let client = redis::Client::build_with_tls(server.url.as_str(), certificates).unwrap();
        let trusting = RedisBackend::with_client(client);
        store(&trusting, &key, b"value").await;
        assert_eq!(load(&trusting, &key).await, Some(entry(b"value")));
        trusting.wait(&key, None).unwrap().await.unwrap();

        let error = backend(&server.url).check().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connect, "{error:#}");
        assert!(format!("{error:#}").contains("certificate"), "{error:#}");
    });
}

//! A hundred instances that publish over Redis, and one that reads all.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use cachier::{Backend, Key, KeyHash, Operation, RedisBackend, Scope, StoreRequest, Version};
use cachier_metrics::{Cluster, InstanceId, Outcome};

use crate::simulation::{FUNCTIONS, Recorded};

const INSTANCES: u8 = 100;

/// `None` where Redis is not installed.
pub(crate) fn publish_and_merge() -> Option<Duration> {
    let server = cachier_servers::redis::start()?;
    let backend = RedisBackend::from_url(server.url()).expect("the address is a URL");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.expect("a runtime");
    let recorded = Recorded::of(4, 2);
    let stored: Vec<_> = (0..INSTANCES)
        .map(|id| recorded.stored(id.into()))
        .collect();
    let calls = FUNCTIONS as u64 * u64::from(INSTANCES) * 72;
    runtime.block_on(async {
        // Full publications are there already.
        for (instance, publications) in (0..).zip(&stored) {
            store(&backend, instance, 0, &publications[0]).await;
        }
        let before = stores_sent(&backend);
        let begun = Instant::now();
        for (instance, publications) in (0..).zip(&stored) {
            store(&backend, instance, 1, &publications[1]).await;
        }
        let sent = stores_sent(&backend) - before;
        assert_eq!(sent, INSTANCES.into(), "one request an instance");
        let mut cluster = Cluster::default();
        for instance in (0..INSTANCES).step_by(2) {
            // Four at a time, as readers do.
            let loaded = tokio::join!(
                load(&backend, instance, 0),
                load(&backend, instance, 1),
                load(&backend, instance + 1, 0),
                load(&backend, instance + 1, 1),
            );
            for bytes in <[Vec<u8>; 4]>::from(loaded) {
                cluster.add(&bytes, 0).expect("it is a publication");
            }
        }
        let merged = cluster.merge(0);
        let took = begun.elapsed();
        let functions = merged.figures.functions.values();
        let hits: u64 = functions
            .map(|figures| figures.snapshot.calls[Outcome::Hit])
            .sum();
        assert_eq!(hits, calls, "of {:?}", InstanceId(0));
        Some(took)
    })
}

async fn store(backend: &RedisBackend, instance: u8, form: u8, bytes: &[u8]) {
    let request = StoreRequest::new(bytes, SystemTime::now());
    let key = key(instance, form);
    backend.store(&key, request).await.expect("it is stored");
}

async fn load(backend: &RedisBackend, instance: u8, form: u8) -> Vec<u8> {
    let key = key(instance, form);
    let loaded = backend.load(&key).await.expect("it answers");
    loaded.expect("it is stored").bytes
}

fn stores_sent(backend: &RedisBackend) -> u64 {
    let round_trips = backend.figures().round_trips.into_iter();
    let stores = round_trips.filter(|(operation, _)| *operation == Operation::Store);
    stores.map(|(_, count)| count).sum()
}

fn key(instance: u8, form: u8) -> Key {
    let mut hash = [0; 32];
    (hash[0], hash[1]) = (instance, form);
    let scope = Arc::new(Scope::new("bench", ":metrics"));
    Key::new(scope, Version::Unversioned, KeyHash::from_bytes(hash))
}

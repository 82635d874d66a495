//! Servers and keys for tests.

use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use ::redis as redis_client;
use cachier_backends::entry::Header;
use cachier_backends::redis::RedisBackend;
use cachier_backends::{
    Backend, Key, KeyHash, Lease, LeaseReply, Scope, StoreReply, StoreRequest, Version,
};
use cachier_servers::StoreServer;
use cachier_servers::redis::{self, Cluster, USER_OF_CLUSTER};
use tokio::runtime::{Builder, Runtime};

/// The address of the shared server.
pub(crate) fn url() -> Option<&'static str> {
    static SHARED: OnceLock<Option<StoreServer>> = OnceLock::new();
    SHARED
        .get_or_init(|| kept(redis::start))
        .as_ref()
        .map(StoreServer::url)
}

/// The address of the shared Valkey server.
pub(crate) fn valkey_url() -> Option<&'static str> {
    static SHARED: OnceLock<Option<StoreServer>> = OnceLock::new();
    SHARED
        .get_or_init(|| kept(redis::start_valkey))
        .as_ref()
        .map(StoreServer::url)
}

/// The address of the shared cluster.
pub(crate) fn cluster_url() -> Option<String> {
    static SHARED: OnceLock<Option<Cluster>> = OnceLock::new();
    SHARED
        .get_or_init(|| kept(redis::start_cluster))
        .as_ref()
        .map(Cluster::url)
}

/// The address of a shared cluster, for a user with only these rights.
pub(crate) fn guarded_cluster_url(rights: String) -> Option<String> {
    static SHARED: OnceLock<Option<Cluster>> = OnceLock::new();
    let cluster = SHARED.get_or_init(|| kept(move || redis::start_cluster_with_password(&rights)));
    let url = cluster.as_ref()?.url();
    Some(url.replace("://", &format!("://{USER_OF_CLUSTER}@")))
}

/// The result of `start`, on a thread that lives as long as the program: servers end with their thread.
fn kept<T: Send + 'static>(start: impl FnOnce() -> T + Send + 'static) -> T {
    let (send, receive): (Sender<T>, _) = channel();
    thread::spawn(move || {
        let _ = send.send(start());
        loop {
            thread::park();
        }
    });
    receive.recv().unwrap()
}

pub(crate) fn backend(url: &str) -> RedisBackend {
    RedisBackend::from_url(url).unwrap()
}

/// A function that no other test uses.
pub(crate) fn scope(name: &str) -> Arc<Scope> {
    Arc::new(Scope::new(format!("test-{}", std::process::id()), name))
}

pub(crate) fn key(scope: &Arc<Scope>, number: u32) -> Key {
    let mut hash = [7; 32];
    hash[..4].copy_from_slice(&number.to_le_bytes());
    let hash = KeyHash::from_bytes(hash);
    Key::new(Arc::clone(scope), Version::Number(1), hash)
}

pub(crate) fn runtime() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

/// A server for a single test.
pub(crate) fn private(options: &[&str]) -> Option<StoreServer> {
    redis::start_private(cachier_servers::free_port(), options)
}

/// An entry around some bytes.
pub(crate) fn entry(value: &[u8]) -> Vec<u8> {
    // Backends do not look into it, so its key is arbitrary.
    let key = key(&scope("entry"), 0);
    cachier_backends::entry::encode(&key, &Header::new(created()), value)
}

/// A creation time, if it does not matter.
pub(crate) fn created() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)
}

pub(crate) async fn store(backend: &RedisBackend, key: &Key, value: &[u8]) {
    let stored = entry(value);
    let reply = backend.store(key, StoreRequest::new(&stored, created()));
    assert_eq!(reply.await.unwrap(), StoreReply::Stored { evicted: 0 });
}

pub(crate) async fn load(backend: &RedisBackend, key: &Key) -> Option<Vec<u8>> {
    let loaded = backend.load(key).await.unwrap();
    loaded.map(|loaded| loaded.bytes)
}

pub(crate) async fn lease(backend: &RedisBackend, key: &Key, period: Duration) -> Lease {
    let seen = backend.load(key).await.unwrap();
    let seen = seen.as_ref().map(|loaded| &loaded.version);
    match backend.lease(key, seen, period).await.unwrap() {
        LeaseReply::Granted(lease) => lease,
        reply => panic!("{reply:?}"),
    }
}

/// Polls until the answer is yes.
pub(crate) async fn until(what: &str, mut ask: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !ask().await {
        assert!(
            started.elapsed() < Duration::from_secs(20),
            "in vain: {what}"
        );
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Sends a server a command, bypassing the backend.
pub(crate) fn command(url: &str, command: &[&str]) -> redis_client::Value {
    let mut connection = redis_client::Client::open(url)
        .unwrap()
        .get_connection()
        .unwrap();
    let mut request = redis_client::cmd(command[0]);
    request.arg(&command[1..]);
    request.query(&mut connection).unwrap()
}

//! Servers, backends and keys for the tests.

use std::sync::mpsc::channel;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, SystemTime};

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use cachier_backends::entry::Header;
use cachier_backends::s3::S3Backend;
use cachier_backends::{
    Backend, Key, KeyHash, Lease, LeaseReply, Scope, StoreReply, StoreRequest, Version,
};
use cachier_servers::proxy::Proxy;
use cachier_servers::s3::{self, Place, S3};
use tokio::runtime::{Builder, Runtime};

/// The shared server; `None` if it is not built.
pub(crate) fn place() -> Option<&'static Place> {
    static SHARED: OnceLock<Option<S3>> = OnceLock::new();
    kept(&SHARED, s3::start)
}

/// The shared moto server; `None` if it is not installed.
pub(crate) fn moto() -> Option<&'static Place> {
    static SHARED: OnceLock<Option<S3>> = OnceLock::new();
    kept(&SHARED, s3::start_moto)
}

/// Starts the server on first use, in a thread that lives as long as the program: the server ends with its thread.
fn kept(
    server: &'static OnceLock<Option<S3>>,
    start: fn() -> Option<S3>,
) -> Option<&'static Place> {
    let start = || {
        let (send, started) = channel();
        thread::spawn(move || {
            send.send(start()).unwrap();
            loop {
                thread::park();
            }
        });
        started.recv().unwrap()
    };
    server.get_or_init(start).as_ref().map(S3::place)
}

/// A server for a single test.
pub(crate) fn private() -> Option<S3> {
    s3::start_private(cachier_servers::free_port())
}

pub(crate) fn backend(place: &Place) -> S3Backend {
    S3Backend::new(&place.bucket)
        .endpoint(&place.endpoint)
        .credentials(&place.access_key, &place.secret)
}

/// The same place on another port.
fn at(place: &Place, port: u16) -> Place {
    let endpoint = format!("http://127.0.0.1:{port}");
    Place {
        endpoint,
        ..place.clone()
    }
}

/// The same place behind a proxy.
pub(crate) fn behind_a_proxy(place: &Place) -> (Proxy, Place) {
    let (_, port) = place.endpoint.rsplit_once(':').unwrap();
    let proxy = Proxy::to(port.parse().unwrap());
    let port = proxy.port();
    (proxy, at(place, port))
}

/// A client independent of the backend.
pub(crate) fn client(place: &Place) -> Client {
    let who = Credentials::new(&place.access_key, &place.secret, None, None, "test");
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .region(Region::new("eu-north-1"))
        .endpoint_url(&place.endpoint)
        .force_path_style(true)
        .credentials_provider(who);
    Client::from_conf(config.build())
}

/// The names of all objects in the bucket.
pub(crate) async fn names(place: &Place) -> Vec<String> {
    let listed = client(place).list_objects_v2().bucket(&place.bucket);
    let objects = listed.send().await.unwrap().contents.unwrap_or_default();
    objects
        .into_iter()
        .filter_map(|object| object.key)
        .collect()
}

/// Overwrites an entry, bypassing the backend.
pub(crate) async fn overwrite(place: &Place, key: &Key, bytes: &[u8]) {
    let put = client(place).put_object().bucket(&place.bucket);
    let put = put.key(key.to_string()).body(bytes.to_vec().into());
    put.send().await.unwrap();
}

/// The scope of a function of this test only.
pub(crate) fn scope(name: &str) -> Arc<Scope> {
    Arc::new(Scope::new(format!("test-{}", std::process::id()), name))
}

pub(crate) fn key(scope: &Arc<Scope>, number: u32) -> Key {
    let mut hash = [7; 32];
    hash[..4].copy_from_slice(&number.to_be_bytes());
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

/// An entry with this value.
pub(crate) fn entry(value: &[u8]) -> Vec<u8> {
    // A backend does not look at the key in it.
    let key = key(&scope("entry"), 0);
    cachier_backends::entry::encode(&key, &Header::new(created()), value)
}

/// A creation time, where it does not matter.
pub(crate) fn created() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)
}

pub(crate) async fn store(backend: &S3Backend, key: &Key, value: &[u8]) {
    let stored = entry(value);
    let reply = backend.store(key, StoreRequest::new(&stored, created()));
    assert_eq!(reply.await.unwrap(), StoreReply::Stored { evicted: 0 });
}

pub(crate) async fn store_under(
    backend: &S3Backend,
    key: &Key,
    value: &[u8],
    lease: Lease,
) -> StoreReply {
    let stored = entry(value);
    let request = StoreRequest::new(&stored, created()).under(lease);
    backend.store(key, request).await.unwrap()
}

pub(crate) async fn load(backend: &S3Backend, key: &Key) -> Option<Vec<u8>> {
    let loaded = backend.load(key).await.unwrap();
    loaded.map(|loaded| loaded.bytes)
}

/// Requests the lease for the current entry.
pub(crate) async fn ask(backend: &S3Backend, key: &Key, period: Duration) -> LeaseReply {
    let seen = backend.load(key).await.unwrap();
    let seen = seen.as_ref().map(|loaded| &loaded.version);
    backend.lease(key, seen, period).await.unwrap()
}

pub(crate) async fn lease(backend: &S3Backend, key: &Key, period: Duration) -> Lease {
    match ask(backend, key, period).await {
        LeaseReply::Granted(lease) => lease,
        reply => panic!("{reply:?}"),
    }
}

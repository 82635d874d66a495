//! Servers, backends and keys for the tests.

use std::sync::OnceLock;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use cachier_backends::s3::S3Backend;
use cachier_backends::{Backend, Key, Lease, StoreReply, StoreRequest};
use cachier_servers::proxy::Proxy;
use cachier_servers::s3::{self, Place, S3};

use crate::server_support::shared;
pub(crate) use crate::server_support::{
    ask, created, entry, key, lease, load, runtime, scope, store,
};

/// The shared server; `None` if it is not built.
pub(crate) fn place() -> Option<&'static Place> {
    static SHARED: OnceLock<Option<S3>> = OnceLock::new();
    shared(&SHARED, s3::start).map(S3::place)
}

/// The shared moto server; `None` if it is not installed.
pub(crate) fn moto() -> Option<&'static Place> {
    static SHARED: OnceLock<Option<S3>> = OnceLock::new();
    shared(&SHARED, s3::start_moto).map(S3::place)
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

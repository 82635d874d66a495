//! Servers and keys for tests.

use std::sync::OnceLock;

use ::redis as redis_client;
use cachier_backends::redis::RedisBackend;
use cachier_servers::StoreServer;
use cachier_servers::redis::{self, Cluster, USER_OF_CLUSTER};

use crate::server_support::shared;
pub(crate) use crate::server_support::{
    created, entry, key, lease, load, runtime, scope, store, until,
};

/// The address of the shared server.
pub(crate) fn url() -> Option<&'static str> {
    static SHARED: OnceLock<Option<StoreServer>> = OnceLock::new();
    shared(&SHARED, redis::start).map(StoreServer::url)
}

/// The address of the shared Valkey server.
pub(crate) fn valkey_url() -> Option<&'static str> {
    static SHARED: OnceLock<Option<StoreServer>> = OnceLock::new();
    shared(&SHARED, redis::start_valkey).map(StoreServer::url)
}

/// The address of the shared cluster.
pub(crate) fn cluster_url() -> Option<String> {
    static SHARED: OnceLock<Option<Cluster>> = OnceLock::new();
    shared(&SHARED, redis::start_cluster).map(Cluster::url)
}

/// The address of a shared cluster, for a user with only these rights.
pub(crate) fn guarded_cluster_url(rights: String) -> Option<String> {
    static SHARED: OnceLock<Option<Cluster>> = OnceLock::new();
    let start = move || redis::start_cluster_with_password(&rights);
    let url = shared(&SHARED, start)?.url();
    Some(url.replace("://", &format!("://{USER_OF_CLUSTER}@")))
}

pub(crate) fn backend(url: &str) -> RedisBackend {
    RedisBackend::from_url(url).unwrap()
}

/// A server for a single test.
pub(crate) fn private(options: &[&str]) -> Option<StoreServer> {
    redis::start_private(cachier_servers::free_port(), options)
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

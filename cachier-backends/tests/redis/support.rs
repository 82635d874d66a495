//! Servers and keys for the tests.

use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, OnceLock};
use std::thread;

use cachier_backends::redis::RedisBackend;
use cachier_backends::{Key, KeyHash, Scope, Version};
use cachier_servers::redis::{self, Cluster, Redis};
use tokio::runtime::{Builder, Runtime};

/// The address of the server that the tests share.
pub(crate) fn url() -> Option<&'static str> {
    static SHARED: OnceLock<Option<Redis>> = OnceLock::new();
    SHARED
        .get_or_init(|| kept(redis::start))
        .as_ref()
        .map(Redis::url)
}

/// The address of the cluster that the tests share.
pub(crate) fn cluster_url() -> Option<String> {
    static SHARED: OnceLock<Option<Cluster>> = OnceLock::new();
    SHARED
        .get_or_init(|| kept(redis::start_cluster))
        .as_ref()
        .map(Cluster::url)
}

/// What `start` starts, on a thread that lives as long as the program: servers end with the thread that started them.
fn kept<T: Send + 'static>(start: fn() -> T) -> T {
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

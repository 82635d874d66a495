//! Support of the SQL backend's tests, for each database.

#![allow(dead_code, unreachable_pub, reason = "each test uses a part")]
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use cachier_backends::sql::SqlBackend;
use cachier_backends::{Backend, ErrorKind, Key, KeyHash, Scope, StoreRequest, Version};

use crate::server_support::cannot_be_reached;
pub use crate::server_support::{created, put, runtime};

/// The database of one test.
pub struct Database {
    pub url: String,
    /// Where it is, if it is a file; removed with this.
    pub folder: Option<tempfile::TempDir>,
}

pub fn scope() -> Arc<Scope> {
    Arc::new(Scope::new("test", "function"))
}

pub fn key(number: u8) -> Key {
    let hash = KeyHash::from_bytes([number; 32]);
    Key::new(scope(), Version::Number(1), hash)
}

/// A server that is read-only is `Denied`, and left for another.
pub async fn leaves_what_is_read_only(backend: &SqlBackend, refuse: impl AsyncFnOnce()) {
    backend.check().await.unwrap();
    refuse().await;
    assert_eq!(backend.load(&key(1)).await.unwrap(), None);
    let idle = || backend.figures().pool.unwrap().idle;
    assert_eq!(idle(), 1);
    let (key, request) = (key(1), StoreRequest::new(b"one", created()));
    let error = backend.store(&key, request).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{error:?}");
    assert_eq!(idle(), 0);
}

/// A reader can load; its stores fail with an error that does not show the password, `s3cret`.
pub async fn a_reader(writer: &SqlBackend, grant: impl AsyncFnOnce(), reader: &SqlBackend) {
    let key = key(1);
    put(writer, &key, b"one").await;
    grant().await;
    assert_eq!(reader.load(&key).await.unwrap().unwrap().bytes, b"one");
    let refused = reader.store(&key, StoreRequest::new(b"two", created()));
    let error = refused.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{error:?}");
    assert!(!format!("{error:#} {error:?} {}", reader.store_name()).contains("s3cret"));
}

pub fn unreachable_server_errors_hide_credentials(scheme: &str) {
    let connect = |url: &str| SqlBackend::from_url(url).unwrap();
    cannot_be_reached(scheme, connect, |backend| format!("{backend:?}"));
}

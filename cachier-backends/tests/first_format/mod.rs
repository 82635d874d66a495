//! Data of the first format in a store: both formats leave each other's data alone.

#![allow(dead_code, unreachable_pub, reason = "each test uses a part")]

use std::fmt::Debug;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use cachier_backends::entry::{self, Header};
use cachier_backends::{
    Backend, Key, KeyHash, LeaseReply, Scope, StoreReply, StoreRequest, Version,
};

/// The scope of a function's entries in any store.
pub const SCOPE: &str = "cachier/1/shared/weather::forecast";

/// The hash of the arguments, the same in both formats.
pub const HASH: &str = "2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a";

/// The name of the entry.
pub fn name() -> String {
    format!("{SCOPE}/1/{HASH}")
}

/// The entry: `("Oslo", 3)`, computed at the end of 2023.
pub fn entry() -> Vec<u8> {
    let hex = "ca636872010000004ad7ebec65a5ade43f00000001000800000015cd853dfe9c97170200080000002a00000000\
               0000000300080000000000b49376e2fa1804800100000001050008000000070000000000000082644f736c6f03";
    let digits = hex.as_bytes().chunks(2);
    let byte = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.map(byte).collect()
}

/// The function of these entries.
pub fn scope() -> Arc<Scope> {
    Arc::new(Scope::new("shared", "weather::forecast"))
}

/// The current key of the same call.
pub fn key() -> Key {
    Key::new(scope(), Version::Number(1), KeyHash::from_bytes([0x2a; 32]))
}

/// Uses the store in every way; `all_of_it` returns all data of the first format, to the byte.
pub async fn is_left_alone<T: PartialEq + Debug>(
    backend: &dyn Backend,
    all_of_it: impl AsyncFn() -> T,
) {
    let (key, scope, before) = (key(), scope(), all_of_it().await);
    let now = SystemTime::now();
    assert!(backend.load(&key).await.unwrap().is_none(), "a plain miss");
    let usage = backend.usage(&scope).await.unwrap();
    assert!(
        usage.entries.is_none_or(|entries| entries == 0),
        "{usage:?}"
    );

    let stored = entry::encode(&key, &Header::new(now), b"value");
    let lease = backend.lease(&key, None, Duration::from_secs(60)).await;
    let LeaseReply::Granted(lease) = lease.unwrap() else {
        panic!("the lease of the first format is another");
    };
    let request = StoreRequest::new(&stored, now).under(lease);
    let reply = backend.store(&key, request).await.unwrap();
    assert_eq!(reply, StoreReply::Stored { evicted: 0 });
    let loaded = backend.load(&key).await.unwrap().unwrap().bytes;
    assert_eq!(
        entry::decode(&key, &loaded).unwrap().unwrap().value,
        b"value"
    );
    let usage = backend.usage(&scope).await.unwrap();
    assert!(
        usage.entries.is_none_or(|entries| entries == 1),
        "{usage:?}"
    );
    assert_eq!(all_of_it().await, before, "stored beside");

    backend.clear_leases(&scope).await.unwrap();
    let removed = backend
        .cleanup(&scope, now + Duration::from_secs(3600))
        .await
        .unwrap();
    assert!(removed.is_none_or(|removed| removed == 1), "{removed:?}");
    assert_eq!(all_of_it().await, before, "cleaned up beside");

    let request = StoreRequest::new(&stored, now);
    backend.store(&key, request).await.unwrap();
    assert!(backend.remove(&key).await.unwrap());
    let request = StoreRequest::new(&stored, now);
    backend.store(&key, request).await.unwrap();
    let cleared = backend.clear(&scope).await.unwrap();
    assert!(cleared.is_none_or(|cleared| cleared == 1), "{cleared:?}");
    assert_eq!(all_of_it().await, before, "cleared beside");
    assert!(backend.load(&key).await.unwrap().is_none());

    is_replaced_in_place(backend, &stored).await;
    assert_eq!(all_of_it().await, before);
    backend.clear(&scope).await.unwrap();
}

/// In the place of a current entry it is a plain miss, and replaced.
async fn is_replaced_in_place(backend: &dyn Backend, stored: &[u8]) {
    let (key, now) = (key(), SystemTime::now());
    let misplaced = self::entry();
    let request = StoreRequest::new(&misplaced, now);
    backend.store(&key, request).await.unwrap();
    let loaded = backend.load(&key).await.unwrap().unwrap();
    assert_eq!(entry::decode(&key, &loaded.bytes).unwrap(), None);
    let lease = backend
        .lease(&key, Some(&loaded.version), Duration::from_secs(60))
        .await;
    let LeaseReply::Granted(lease) = lease.unwrap() else {
        panic!("whoever finds it computes");
    };
    let request = StoreRequest::new(stored, now).under(lease);
    let reply = backend.store(&key, request).await.unwrap();
    assert_eq!(reply, StoreReply::Stored { evicted: 0 });
}

/// Inserts an entry's row and a lease's, in a database's dialect; `blob` formats bytes.
pub fn rows(table: &str, blob: impl Fn(&[u8]) -> String) -> String {
    let id = blake3::hash(name().as_bytes());
    let (id, entry) = (blob(id.as_bytes()), entry());
    let (size, bytes, revision) = (entry.len(), blob(&entry), blob(&[7; 16]));
    let (other, owner) = (blob(&[8; 32]), blob(&[9; 16]));
    format!(
        "INSERT INTO {table} (id, scope, entry, revision, created, size) \
         VALUES ({id}, '{SCOPE}', {bytes}, {revision}, 1700000000123456, {size}); \
         INSERT INTO {table} (id, scope, owner, owned_until) \
         VALUES ({other}, '{SCOPE}', {owner}, 4000000000000000)"
    )
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A row: `id`, `entry`, `revision`, `created`, `size`, `owner`, `owned_until`.
pub type Row = (
    Vec<u8>,
    Option<Vec<u8>>,
    Option<Vec<u8>>,
    Option<i64>,
    Option<i64>,
    Option<Vec<u8>>,
    Option<i64>,
);

/// Selects all rows.
pub fn all_rows(table: &str) -> String {
    format!(
        "SELECT id, entry, revision, created, size, owner, owned_until FROM {table} \
         WHERE scope = '{SCOPE}' ORDER BY id"
    )
}

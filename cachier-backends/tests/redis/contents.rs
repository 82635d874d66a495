//! Data on the server: indexes, expiry, and foreign values.

use std::time::{Duration, SystemTime};

use cachier_backends::{Backend, Key, LeaseReply, StoreReply, StoreRequest, Version};

use crate::first_format;
use crate::support::{
    backend, command, created, entry, key, lease, load, private, scope, store, until, url,
};

#[tokio::test(flavor = "multi_thread")]
async fn expired_entries_leave_the_books() {
    let Some(url) = url() else { return };
    let (backend, scope) = (backend(url), scope("expiring"));
    let stored = entry(b"value");
    for number in 0..40 {
        let mut request = StoreRequest::new(&stored, created());
        request.expires = Some(SystemTime::now() + Duration::from_millis(100));
        backend.store(&key(&scope, number), request).await.unwrap();
    }
    store(&backend, &key(&scope, 99), b"kept").await;
    let is_one = || async { backend.usage(&scope).await.unwrap().entries == Some(1) };
    until("expired entries are not counted", is_one).await;
    let usage = backend.usage(&scope).await.unwrap();
    assert_eq!(usage.bytes, Some(entry(b"kept").len() as u64));
    assert_eq!(load(&backend, &key(&scope, 1)).await, None);
    assert_eq!(backend.clear(&scope).await.unwrap(), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_no_longer_expiring_entry_stays_indexed() {
    let Some(url) = url() else { return };
    let (backend, scope) = (backend(url), scope("kept"));
    let (key, stored) = (key(&scope, 1), entry(b"value"));
    let mut request = StoreRequest::new(&stored, created());
    request.expires = Some(SystemTime::now() + Duration::from_secs(60));
    backend.store(&key, request).await.unwrap();
    store(&backend, &key, b"for good").await;
    assert_eq!(backend.usage(&scope).await.unwrap().entries, Some(1));
    let mut request = StoreRequest::new(&stored, created());
    request.expires = Some(SystemTime::UNIX_EPOCH);
    backend.store(&key, request).await.unwrap();
    assert_eq!(load(&backend, &key).await, None);
    assert_eq!(backend.usage(&scope).await.unwrap().entries, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn books_end_with_the_last_of_their_entries() {
    let Some(server) = private(&[]) else { return };
    let (url, backend, key) = (server.url(), backend(server.url()), key(&scope("books"), 1));
    let lives = |period| Some(SystemTime::now() + Duration::from_millis(period));
    let index = || {
        let names = command(url, &["KEYS", "*/index"]);
        let names: Vec<String> = redis::from_redis_value(names).unwrap();
        let left = names.first().map(|name| command(url, &["PTTL", name]));
        left.map(|left| redis::from_redis_value::<i64>(left).unwrap())
    };
    let stored = entry(b"value");
    let neighbour = Key::new(key.scope().clone(), Version::Unversioned, key.hash());
    let keep = async |key: &Key, expires| {
        let mut request = StoreRequest::new(&stored, created());
        request.expires = expires;
        backend.store(key, request).await.unwrap();
    };
    keep(&key, lives(60_000)).await;
    keep(&neighbour, lives(1_000)).await;
    assert!(index().is_some_and(|left| left > 50_000));
    keep(&key, None).await;
    assert_eq!(index(), Some(-1));
    keep(&neighbour, lives(60_000)).await;
    assert_eq!(index(), Some(-1));
    backend.remove(&neighbour).await.unwrap();
    keep(&key, lives(100)).await;
    until("nothing is left", || async { index().is_none() }).await;
    let names = command(url, &["KEYS", "*/expiry"]);
    assert_eq!(names, redis::Value::Array(vec![]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cleared_function_leaves_only_expiring_keys() {
    let Some(server) = private(&[]) else { return };
    let (backend, scope) = (backend(server.url()), scope("cleared"));
    for number in 0..100 {
        store(&backend, &key(&scope, number), b"value").await;
    }
    backend.clear(&scope).await.unwrap();
    let names = command(server.url(), &["KEYS", "*"]);
    let names: Vec<String> = redis::from_redis_value(names).unwrap();
    for name in names {
        let left = command(server.url(), &["PTTL", &name]);
        assert!(matches!(left, redis::Value::Int(1..)), "{name}: {left:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_is_replaced_by_the_next_store() {
    let Some(server) = private(&[]) else { return };
    let (url, backend, key) = (
        server.url(),
        backend(server.url()),
        key(&scope("garbage"), 1),
    );
    store(&backend, &key, b"value").await;
    let names = command(url, &["KEYS", &format!("*/{}", key.hash())]);
    let names: Vec<String> = redis::from_redis_value(names).unwrap();
    let [name] = &names[..] else {
        panic!("{names:?}")
    };
    for garbage in ["", "x", "not an entry at all, but long enough to be one"] {
        command(url, &["SET", name, garbage]);
        assert_eq!(load(&backend, &key).await.unwrap(), garbage.as_bytes());
        let _lease = lease(&backend, &key, Duration::from_millis(1)).await;
        backend.clear_leases(key.scope()).await.unwrap();
    }
    command(url, &["DEL", name]);
    command(url, &["RPUSH", name, "a list"]);
    let list = backend.load(&key).await.unwrap().unwrap();
    assert!(list.bytes.is_empty(), "as good as a damaged entry");
    let seen = Some(&list.version);
    let granted = backend.lease(&key, seen, Duration::from_secs(9)).await;
    let LeaseReply::Granted(lease) = granted.unwrap() else {
        panic!("not granted");
    };
    let stored = entry(b"new");
    let request = StoreRequest::new(&stored, created()).under(lease);
    backend.store(&key, request).await.unwrap();
    assert_eq!(load(&backend, &key).await, Some(stored));
}

/// A cluster repeats a request whose answer was lost.
#[test]
fn a_repeated_request_gets_the_same_lease() {
    let Some(url) = url() else { return };
    let script = redis::Script::new(concat!(
        include_str!("../../src/redis/lua/shared.lua"),
        include_str!("../../src/redis/lua/lease.lua"),
    ));
    let mut server = redis::Client::open(url).unwrap().get_connection().unwrap();
    let mut ask = |token: &str| -> redis::Value {
        let shard = format!("cachier:{{{}#0}}", scope("twice"));
        let mut call = script.key(shard);
        for argument in ["channel", "origin", "1/hash", "", token, "60000"] {
            call.arg(argument);
        }
        call.invoke(&mut server).unwrap()
    };
    let granted = redis::Value::BulkString(b"granted".to_vec());
    assert_eq!([ask("one"), ask("one")], [granted.clone(), granted]);
    let owner = redis::Value::BulkString(b"one".to_vec());
    assert_eq!(ask("other"), redis::Value::Array(vec![owner]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_of_a_lost_generation_stays_lost() {
    let Some(url) = url() else { return };
    let (backend, scope) = (backend(url), scope("generation"));
    let key = key(&scope, 1);
    let late = lease(&backend, &key, Duration::from_secs(60)).await;
    backend.clear(&scope).await.unwrap();
    let pattern = format!("cachier:{{{scope}#*}}/generation");
    let names = command(url, &["KEYS", &pattern]);
    for name in redis::from_redis_value::<Vec<String>>(names).unwrap() {
        command(url, &["DEL", &name]);
    }
    let stored = entry(b"late");
    let request = StoreRequest::new(&stored, created()).under(late);
    let reply = backend.store(&key, request).await.unwrap();
    assert_eq!(reply, StoreReply::Superseded);
    assert_eq!(load(&backend, &key).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_the_first_format_are_left_alone() {
    let Some(url) = url() else { return };
    let client = ::redis::Client::open(url).unwrap();
    let mut connection = client.get_connection().unwrap();
    let shard = format!("cachier:{{{}#a}}", first_format::SCOPE);
    let member = format!("1/{}", first_format::HASH);
    let (name, entry) = (format!("{shard}/{member}"), first_format::entry());
    ::redis::pipe()
        .cmd("SET")
        .arg(&name)
        .arg(&entry)
        .cmd("ZADD")
        .arg(format!("{shard}/index"))
        .arg(1_700_000_000_123_456_u64)
        .arg(&member)
        .cmd("HSET")
        .arg(format!("{shard}/sizes"))
        .arg(&member)
        .arg(entry.len())
        .arg("")
        .arg(entry.len())
        .cmd("ZADD")
        .arg(format!("{shard}/expiry"))
        .arg(4_000_000_000_000_u64)
        .arg(&member)
        .cmd("SET")
        .arg(format!("{shard}/generation"))
        .arg("1700000000.1")
        .cmd("SET")
        .arg(format!("{shard}/lease/{member}"))
        .arg("1700000000.1 owner")
        .exec(&mut connection)
        .unwrap();
    let all = async || {
        let pattern = format!("cachier:{{{}#*", first_format::SCOPE);
        let names = command(url, &["KEYS", &pattern]);
        let mut names: Vec<String> = ::redis::from_redis_value(names).unwrap();
        names.sort();
        let dumped = |name: String| (command(url, &["DUMP", &name]), name);
        names.into_iter().map(dumped).collect::<Vec<_>>()
    };
    assert_eq!(all().await.len(), 6);
    first_format::is_left_alone(&backend(url), all).await;
}

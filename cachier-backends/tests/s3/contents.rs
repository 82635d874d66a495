//! The objects of a bucket.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cachier_backends::s3::S3Backend;
use cachier_backends::{Backend, LeaseReply, StoreReply, StoreRequest};

use crate::first_format;
use crate::server_support::sizes;
use crate::support::{
    backend, behind_a_proxy, client, created, entry, key, lease, load, names, overwrite, place,
    private, runtime, scope, store, store_under,
};

const LEASE_PERIOD: Duration = Duration::from_secs(60);

#[test]
fn entries_of_a_prefix_are_apart() {
    let Some(server) = private() else { return };
    let scope = scope("prefix");
    let (plain, key) = (backend(server.place()), key(&scope, 1));
    let mine = backend(server.place()).prefix("/teams/mine/");
    runtime().block_on(async {
        store(&mine, &key, b"mine").await;
        assert_eq!(names(server.place()).await, [format!("teams/mine/{key}")]);
        assert_eq!(load(&plain, &key).await, None);
        store(&plain, &key, b"plain").await;
        assert_eq!(load(&mine, &key).await, Some(entry(b"mine")));
        assert_eq!(plain.clear(&scope).await.unwrap(), Some(1));
        assert_eq!(load(&mine, &key).await, Some(entry(b"mine")));
        assert_eq!(mine.usage(&scope).await.unwrap().entries, Some(1));
    });
    assert!(mine.store_name().starts_with("s3://cachier/teams/mine at "));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_says_when_its_entry_was_created() {
    let Some(server) = private() else { return };
    let scope = scope("metadata");
    let (backend, key) = (backend(server.place()), key(&scope, 1));
    store(&backend, &key, b"value").await;
    let head = client(server.place()).head_object().bucket("cachier");
    let head = head.key(key.to_string()).send().await.unwrap();
    let created = &head.metadata.unwrap()["cachier-created-millis"];
    assert_eq!(created, "1700000000000");
}

/// It could be of any length.
#[tokio::test(flavor = "multi_thread")]
async fn a_large_foreign_object_is_not_read() {
    let Some(server) = private() else { return };
    let scope = scope("foreign");
    let (backend, key) = (backend(server.place()), key(&scope, 1));
    overwrite(server.place(), &key, &[7; 1 << 20]).await;
    assert_eq!(load(&backend, &key).await, Some(Vec::new()));
    store(&backend, &key, b"value").await;
    assert_eq!(load(&backend, &key).await, Some(entry(b"value")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_is_no_entry() {
    let Some(server) = private() else { return };
    let scope = scope("leases");
    let (backend, cold, warm) = (backend(server.place()), key(&scope, 1), key(&scope, 2));
    let _on_nothing = lease(&backend, &cold, LEASE_PERIOD).await;
    store(&backend, &warm, b"value").await;
    let on_an_entry = lease(&backend, &warm, LEASE_PERIOD).await;
    assert_eq!(names(server.place()).await.len(), 3);

    assert_eq!(load(&backend, &cold).await, None);
    let usage = backend.usage(&scope).await.unwrap();
    let size = entry(b"value").len() as u64;
    assert_eq!((usage.entries, usage.bytes), (Some(1), Some(size)));
    assert!(!backend.remove(&cold).await.unwrap());

    let _again = lease(&backend, &cold, LEASE_PERIOD).await;
    let later = created() + LEASE_PERIOD;
    assert_eq!(backend.cleanup(&scope, later).await.unwrap(), Some(0));
    assert_eq!(names(server.place()).await.len(), 3, "what is leased stays");
    backend.release(on_an_entry).await.unwrap();
    assert_eq!(backend.cleanup(&scope, later).await.unwrap(), Some(1));
    assert_eq!(names(server.place()).await.len(), 1, "young leases stay");
    assert_eq!(backend.clear(&scope).await.unwrap(), Some(0));
    assert_eq!(names(server.place()).await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn abandoned_leases_are_removed_after_a_day() {
    let Some(server) = private() else { return };
    let scope = scope("left over");
    let (backend, cold, warm) = (backend(server.place()), key(&scope, 1), key(&scope, 2));
    let _on_nothing = lease(&backend, &cold, LEASE_PERIOD).await;
    store(&backend, &warm, b"value").await;
    let _on_an_entry = lease(&backend, &warm, LEASE_PERIOD).await;
    server.age(Duration::from_secs(25 * 60 * 60));
    assert_eq!(backend.cleanup(&scope, created()).await.unwrap(), Some(0));
    assert_eq!(names(server.place()).await, [warm.to_string()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_object_is_replaced() {
    let Some(place) = place() else { return };
    let scope = scope("garbage");
    let backend = backend(place);
    let truncated = &entry(b"value")[..30];
    // The third has the length of a lease.
    let garbage = [&b""[..], b"garbage", &[0xff; 40], b"cachier:", truncated];
    for (number, bytes) in (0..).zip(garbage) {
        let key = key(&scope, number);
        overwrite(place, &key, bytes).await;
        assert_eq!(load(&backend, &key).await.as_deref(), Some(bytes));
        let lease = lease(&backend, &key, LEASE_PERIOD).await;
        let reply = store_under(&backend, &key, b"new", lease).await;
        assert_eq!(reply, StoreReply::Stored { evicted: 0 });
        assert_eq!(load(&backend, &key).await, Some(entry(b"new")));
    }
}

#[test]
fn values_may_be_empty_or_large() {
    let Some(place) = place() else { return };
    runtime().block_on(sizes(&backend(place)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_may_be_named_by_the_host() {
    let Some(place) = place() else { return };
    let port = place.endpoint.rsplit(':').next().unwrap();
    // Every name below `localhost` is this machine.
    let backend = S3Backend::new("cachier")
        .endpoint(format!("http://localhost:{port}"))
        .credentials(&place.access_key, &place.secret);
    backend.check().await.unwrap();
    let by_host = backend.virtual_hosts();
    let error = by_host.check().await.unwrap_err();
    // The test server looks for it in the path.
    assert!(
        !error.is_transient() || format!("{error:#}").contains("dns"),
        "{error:#}"
    );
    let by_path = by_host.path_style();
    by_path.check().await.unwrap();
    let stored = entry(b"value");
    let key = key(&scope("style"), 1);
    let request = StoreRequest::new(&stored, created());
    by_path.store(&key, request).await.unwrap();
    let reply = by_path.lease(&key, None, LEASE_PERIOD).await.unwrap();
    assert!(matches!(reply, LeaseReply::Changed), "{reply:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_stored_during_a_cleanup_stays() {
    let Some(server) = private() else { return };
    let (proxy, behind) = behind_a_proxy(server.place());
    let (cleaner, backend, scope) = (
        backend(&behind),
        backend(server.place()),
        scope("refreshed"),
    );
    for number in 0..40 {
        store(&backend, &key(&scope, number), b"old").await;
    }
    proxy.delay(Duration::from_millis(50));
    let created_before = created() + Duration::from_secs(1);
    let of_task = Arc::clone(&scope);
    let cleanup =
        tokio::spawn(async move { cleaner.cleanup(&of_task, created_before).await.unwrap() });
    let started = Instant::now();
    while !server.requests().contains_key("HeadObject") {
        assert!(
            started.elapsed() < Duration::from_secs(20),
            "it never looks"
        );
        tokio::task::yield_now().await;
    }
    let new = entry(b"new");
    for number in 0..40 {
        let request = StoreRequest::new(&new, created_before);
        backend.store(&key(&scope, number), request).await.unwrap();
    }
    cleanup.await.unwrap();
    for number in 0..40 {
        assert!(
            load(&backend, &key(&scope, number)).await.is_some(),
            "{number}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_of_the_first_format_are_left_alone() {
    let Some(server) = private() else { return };
    let (place, backend) = (server.place(), backend(server.place()));
    let lease = format!("{}.lease-9a", first_format::name());
    let client = client(place);
    let objects = [
        (first_format::name(), first_format::entry()),
        (lease, [b"cachier:".to_vec(), vec![b'7'; 32]].concat()),
    ];
    for (name, bytes) in objects {
        let put = client.put_object().bucket(&place.bucket).key(name);
        put.body(bytes.into()).send().await.unwrap();
    }
    let all = async || {
        let mut all = Vec::new();
        for name in names(place).await {
            if name.starts_with(first_format::SCOPE) {
                let got = client.get_object().bucket(&place.bucket).key(&name);
                let got = got.send().await.unwrap();
                let bytes = got.body.collect().await.unwrap().to_vec();
                all.push((name, bytes, got.e_tag, got.last_modified));
            }
        }
        all
    };
    assert_eq!(all().await.len(), 2);
    first_format::is_left_alone(&backend, all).await;
}

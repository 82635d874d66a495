//! The MongoDB backend: conformance, and failures.
#![allow(clippy::unwrap_used)]

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use cachier_backends::conformance::Subject;
use cachier_backends::mongo::MongoBackend;
use cachier_backends::{
    Backend, ErrorKind, Key, KeyHash, LeaseReply, Renewal, Scope, StoreReply, StoreRequest,
    Version, blocking,
};
use cachier_servers::mongo::start_private;
use cachier_servers::{StoreServer, free_port, mongo};
use futures_lite::future::block_on;
use mongodb::bson::{DateTime, Document, doc};
use mongodb::{Client, Collection};

mod first_format;
mod program_client;
mod server_support;
use server_support::{
    cannot_be_reached, conformance, everywhere, lease, put, round_trips, runtime, shared, until,
};

/// A lease period longer than any test.
const PERIOD: Duration = Duration::from_secs(60);

/// The address of the program's server; `None` if not installed.
fn url() -> Option<&'static str> {
    static SHARED: OnceLock<Option<StoreServer>> = OnceLock::new();
    shared(&SHARED, mongo::start).map(StoreServer::url)
}

fn backend(url: &str) -> MongoBackend {
    MongoBackend::from_url(url).unwrap()
}

fn key(function: &str, number: u8) -> Key {
    let scope = Arc::new(Scope::new("mongo", function));
    Key::new(scope, Version::Number(1), KeyHash::from_bytes([number; 32]))
}

fn here<T>(run: impl FnOnce() -> T) -> T {
    blocking::inline(Duration::from_secs(60), run)
}

conformance!(in_a_task, |property| {
    let Some(url) = url() else { return };
    let subject = Subject::new(|| Arc::new(backend(url)));
    runtime().block_on(property(&subject));
});

conformance!(with_a_collection_of_the_program, |property| {
    let Some(url) = url() else { return };
    runtime().block_on(async {
        let entries = bare(url).await;
        let connect = || MongoBackend::with_collection(entries.clone());
        property(&Subject::new(|| Arc::new(connect()))).await;
    });
});

conformance!(on_a_thread, |property| {
    let Some(url) = url() else { return };
    let subject = Subject::new(|| Arc::new(backend(url)));
    here(|| block_on(property(&subject)));
});

#[test]
fn a_hit_is_one_request_a_miss_three() {
    let Some(url) = url() else { return };
    let (backend, key) = (backend(url), key("requests", 1));
    here(|| {
        block_on(async {
            let lease = lease(&backend, &key, PERIOD).await;
            let request = StoreRequest::new(b"entry", SystemTime::now()).under(lease);
            let stored = backend.store(&key, request).await.unwrap();
            assert_eq!(stored, StoreReply::Stored { evicted: 0 });
            assert_eq!(round_trips(&backend), 3);
            assert!(backend.load(&key).await.unwrap().is_some());
            assert_eq!(round_trips(&backend), 4);
        });
    });
    let pool = backend.figures().pool.unwrap();
    assert!(pool.idle + pool.busy >= 1, "{pool:?}");
}

#[test]
fn missing_server_errors_are_prompt_and_hide_credentials() {
    cannot_be_reached("mongodb", backend, |_| String::new());
}

#[test]
fn service_resumes_when_the_server_does() {
    let port = free_port();
    let Some(mut server) = start_private(port, &[]) else {
        return;
    };
    let (backend, key) = (backend(server.url()), key("again", 1));
    let load = || here(|| block_on(backend.load(&key)));
    assert_eq!(load().unwrap(), None);
    server.server().unwrap().kill();
    assert_eq!(load().unwrap_err().kind(), ErrorKind::Connect);
    let _server = start_private(port, &[]).unwrap();
    let started = Instant::now();
    while let Err(error) = load() {
        assert_eq!(error.kind(), ErrorKind::Connect);
        assert!(started.elapsed() < Duration::from_secs(30), "{error:#}");
    }
}

#[test]
fn one_backend_serves_all_runtimes_and_executors() {
    let Some(url) = url() else { return };
    everywhere(&backend(url));
}

#[test]
fn values_of_every_size_are_stored_or_refused() {
    let Some(url) = url() else { return };
    let (backend, key) = (backend(url), key("sizes", 1));
    for size in [0, 1, 1 << 20, 15 << 20, 16 << 20, 64 << 20] {
        let bytes = vec![7; size];
        here(|| {
            let request = StoreRequest::new(&bytes, SystemTime::now());
            match block_on(backend.store(&key, request)).unwrap() {
                StoreReply::Stored { .. } => {
                    assert!(size < 16 << 20);
                    let loaded = block_on(backend.load(&key)).unwrap().unwrap();
                    assert!(loaded.bytes == bytes, "{size}");
                }
                reply => assert_eq!((reply, size >= 16 << 20), (StoreReply::TooLarge, true)),
            }
        });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_entries_are_counted_and_cleared() {
    const ENTRIES: u32 = 100_000;
    let Some(url) = url() else { return };
    let (backend, key) = (backend(url), key("many", 1));
    put(&backend, &key, b"entry").await;
    let entries = bare(url).await;
    let own = doc! { "_id": key.to_string() };
    let like = entries.find_one(own).await.unwrap().unwrap();
    let others = (1..ENTRIES).map(|number| {
        let mut document = like.clone();
        document.insert("_id", format!("{}/{number}", key.scope()));
        document
    });
    let others: Vec<_> = others.collect();
    for some in others.chunks(20_000) {
        entries.insert_many(some).await.unwrap();
    }
    let usage = async || backend.usage(key.scope()).await.unwrap();
    let (count, bytes) = (u64::from(ENTRIES), 5 * u64::from(ENTRIES));
    let there = usage().await;
    assert_eq!((there.entries, there.bytes), (Some(count), Some(bytes)));
    assert_eq!(backend.clear(key.scope()).await.unwrap(), Some(count));
    assert_eq!(usage().await.entries, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_expired_is_dropped_by_the_server() {
    let Some(url) = url() else { return };
    let (backend, kept, expiring) = (backend(url), key("expiry", 1), key("expiry", 2));
    put(&backend, &kept, b"kept").await;
    let mut request = StoreRequest::new(b"expiring", SystemTime::now());
    request.expires = Some(SystemTime::now() + Duration::from_millis(100));
    backend.store(&expiring, request).await.unwrap();
    until("the server drops what has expired", async || {
        backend.usage(kept.scope()).await.unwrap().entries == Some(1)
    })
    .await;
    assert_eq!(backend.load(&expiring).await.unwrap(), None);
    assert!(backend.load(&kept).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_entry_stays_while_leased() {
    let Some(url) = url() else { return };
    let (backend, leased, expiring) = (backend(url), key("leased", 1), key("leased", 2));
    let expires = Some(SystemTime::now() + Duration::from_millis(100));
    for key in [&leased, &expiring] {
        let mut request = StoreRequest::new(b"expiring", SystemTime::now());
        request.expires = expires;
        backend.store(key, request).await.unwrap();
    }
    let lease = lease(&backend, &leased, PERIOD).await;
    until("the server drops what has expired", async || {
        backend.load(&expiring).await.unwrap().is_none()
    })
    .await;
    let request = StoreRequest::new(b"again", SystemTime::now()).under(lease);
    let reply = backend.store(&leased, request).await.unwrap();
    assert_eq!(reply, StoreReply::Stored { evicted: 0 });
}

#[test]
fn only_granted_leases_prolong_their_document() {
    let Some(url) = url() else { return };
    let (backend, keys) = (backend(url), [1, 2, 3].map(|number| key("kept", number)));
    let [_, warm, expiring] = &keys;
    runtime().block_on(async {
        let entries = bare(url).await;
        let there = async |key: &Key| {
            let own = doc! { "_id": key.to_string() };
            entries.find_one(own).await.unwrap().unwrap()
        };
        put(&backend, warm, b"kept").await;
        let mut request = StoreRequest::new(b"expiring", SystemTime::now());
        request.expires = Some(SystemTime::now() + Duration::from_secs(3600));
        backend.store(expiring, request).await.unwrap();
        for key in &keys {
            let before = backend.load(key).await.unwrap();
            let seen = before.as_ref().map(|loaded| &loaded.version);
            let lease = lease(&backend, key, PERIOD).await;
            let document = there(key).await;
            let refused = backend.lease(key, seen, Duration::from_secs(7200)).await;
            assert!(matches!(refused, Ok(LeaseReply::Held(_))), "{refused:?}");
            assert_eq!(there(key).await, document, "after a refusal");
            assert_eq!(document.get("drop_at").is_none(), key == warm);
            if key == warm {
                continue;
            }
            let now = DateTime::now();
            let own = doc! { "_id": key.to_string() };
            let soon = doc! { "$set": { "drop_at": now.saturating_add_duration(PERIOD / 6) } };
            entries.update_one(own, soon).await.unwrap();
            assert_eq!(backend.renew(&lease).await.unwrap(), Renewal::Renewed);
            let renewed = there(key).await;
            let until = renewed.get_document("lease").unwrap().get_datetime("until");
            assert!(renewed.get_datetime("drop_at").unwrap() >= until.unwrap());
        }
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_value_loads_as_a_corrupt_entry() {
    let Some(url) = url() else { return };
    let (backend, key) = (backend(url), key("garbage", 1));
    let entries = bare(url).await;
    let no_bytes = [doc! { "entry": "text" }, doc! { "entry": { "a": [1] } }];
    for no_bytes in no_bytes {
        put(&backend, &key, b"entry").await;
        let own = doc! { "_id": key.to_string() };
        let update = entries.update_one(own, doc! { "$set": no_bytes });
        assert_eq!(update.await.unwrap().modified_count, 1);
        let loaded = backend.load(&key).await.unwrap().unwrap();
        assert_eq!(loaded.bytes, b"");
    }
}

#[test]
fn the_client_of_the_program_serves() {
    let Some(url) = url() else { return };
    let hand_over = async || MongoBackend::with_client(Client::with_uri_str(url).await.unwrap());
    program_client::serves(hand_over, &key("client", 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_programs_collection_gets_indexes_on_request() {
    let Some(url) = url() else { return };
    let client = Client::with_uri_str(url).await.unwrap();
    let collection = client.database("cachier").collection("of_the_program");
    let backend = MongoBackend::with_collection(collection.clone());
    for _ in 0..2 {
        backend.create_indexes().await.unwrap();
    }
    let mut names = collection.list_index_names().await.unwrap();
    names.sort_unstable();
    assert_eq!(names, ["_id_", "drop_at_1", "function_1_created_1_size_1"]);
}

#[test]
fn an_index_with_other_options_costs_no_call() {
    let Some(url) = url() else { return };
    let by_age = doc! { "function": 1, "created": 1, "size": 1 };
    let by_expiry = doc! { "drop_at": 1 };
    let other = doc! { "other": 1 };
    let indexes = [
        doc! { "key": &by_expiry, "name": "drop_at_1" },
        doc! { "key": &by_expiry, "name": "of_the_program", "expireAfterSeconds": 60 },
        doc! { "key": &by_age, "name": "of_the_program" },
        doc! { "key": &other, "name": "drop_at_1" },
        doc! { "key": &other, "name": "function_1_created_1_size_1" },
    ];
    let (runtime, key) = (runtime(), key("conflict", 1));
    let client = runtime.block_on(Client::with_uri_str(url)).unwrap();
    for (number, index) in indexes.into_iter().enumerate() {
        let name = format!("conflict_{number}");
        let entries = client.database("cachier").collection::<Document>(&name);
        let backend = MongoBackend::from_url_and_collection(url, &name).unwrap();
        runtime.block_on(async {
            let create = doc! { "createIndexes": &name, "indexes": [index] };
            let database = client.database("cachier");
            database.run_command(create).await.unwrap();
            put(&backend, &key, b"one").await;
            // The other index exists.
            assert_eq!(entries.list_index_names().await.unwrap().len(), 3, "{name}");
            let told = MongoBackend::with_collection(entries);
            let error = told.create_indexes().await.unwrap_err();
            assert!(format!("{error:#}").contains("other options"), "{error:#}");
        });
        let loaded = here(|| block_on(backend.load(&key))).unwrap();
        assert_eq!(loaded.unwrap().bytes, b"one");
    }
}

/// The collection, bypassing the backend.
async fn bare(url: &str) -> Collection<Document> {
    let client = Client::with_uri_str(url).await.unwrap();
    client.database("cachier").collection("cachier_entries")
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_of_the_first_format_are_left_alone() {
    let Some(url) = url() else { return };
    let (backend, entries) = (backend(url), bare(url).await);
    let entry = first_format::entry();
    let until = DateTime::from_millis(4_000_000_000_000);
    let version = mongodb::bson::oid::ObjectId::new();
    let documents = [
        doc! {
            "_id": first_format::name(), "function": first_format::SCOPE,
            "size": entry.len() as i64, "version": version,
            "entry": mongodb::bson::Binary {
                subtype: mongodb::bson::spec::BinarySubtype::Generic,
                bytes: entry,
            },
            "created": DateTime::from_millis(1_700_000_000_123),
        },
        doc! {
            "_id": format!("{}/1/another", first_format::SCOPE), "function": first_format::SCOPE,
            "lease": { "owner": version, "until": until }, "drop_at": until,
        },
    ];
    entries.insert_many(documents).await.unwrap();
    let all = async || {
        let found = entries.find(doc! { "function": first_format::SCOPE });
        let mut found = found.sort(doc! { "_id": 1 }).await.unwrap();
        let mut all = Vec::new();
        while found.advance().await.unwrap() {
            all.push(found.current().as_bytes().to_vec());
        }
        all
    };
    assert_eq!(all().await.len(), 2);
    first_format::is_left_alone(&backend, all).await;
}

//! The SQL backend on PostgreSQL behind PgBouncer in transaction mode, where every request may get another session.
#![allow(clippy::unwrap_used)]

use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use cachier_backends::conformance::Subject;
use cachier_backends::sql::SqlBackend;
use cachier_backends::{
    Backend, Change, ErrorKind, Key, KeyHash, LeaseReply, StoreReply, StoreRequest, Version,
    blocking,
};
use cachier_servers::pgbouncer::{self, Pooler};
use cachier_servers::{StoreServer, postgres};
use futures_lite::future::block_on;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

mod program_client;
mod server_support;
mod sql_support;
use server_support::{conformance, shared};
use sql_support::{created, key, runtime, scope};

/// A server, a pooler with default settings, and one that ignores the startup parameter it would reject.
struct Servers {
    _server: StoreServer,
    strict: Pooler,
    lenient: Pooler,
}

const LENIENT: &str = "ignore_startup_parameters = extra_float_digits";

fn start() -> Option<Servers> {
    let server = postgres::start_private()?;
    let port = server.port()?;
    Some(Servers {
        strict: pgbouncer::start(port, &[])?,
        lenient: pgbouncer::start(port, &[LENIENT])?,
        _server: server,
    })
}

/// The URLs of both poolers.
fn urls() -> Option<[String; 2]> {
    static SHARED: OnceLock<Option<Servers>> = OnceLock::new();
    let servers = shared(&SHARED, start)?;
    Some([&servers.strict, &servers.lenient].map(|pooler| pooler.url("postgres")))
}

fn backend(url: &str, table: &str) -> SqlBackend {
    SqlBackend::from_url(url).unwrap().table(table).unwrap()
}

conformance!(in_a_task, |property| {
    let Some([_, lenient]) = urls() else { return };
    let subject = Subject::new(|| Arc::new(SqlBackend::from_url(&lenient).unwrap()));
    runtime().block_on(property(&subject));
});

conformance!(on_a_thread, |property| {
    let Some([strict, _]) = urls() else { return };
    let subject = Subject::new(|| Arc::new(SqlBackend::from_url(&strict).unwrap()));
    blocking::inline(Duration::from_secs(60), || block_on(property(&subject)));
});

const CALLS: usize = 1_000;

fn numbered(number: usize) -> Key {
    let hash = KeyHash::from_bytes(*blake3::hash(&number.to_le_bytes()).as_bytes());
    Key::new(scope(), Version::Number(1), hash)
}

/// A miss (no entry, a granted lease, a store), and then a hit.
async fn miss_and_hit(backend: &SqlBackend, number: usize) {
    let (key, value) = (numbered(number), number.to_string());
    assert_eq!(backend.load(&key).await.unwrap(), None);
    let lease = backend.lease(&key, None, Duration::from_secs(60)).await;
    let LeaseReply::Granted(lease) = lease.unwrap() else {
        panic!("{number}")
    };
    let again = backend.lease(&key, None, Duration::from_secs(60)).await;
    assert!(matches!(again.unwrap(), LeaseReply::Held(_)));
    let request = StoreRequest::new(value.as_bytes(), created()).under(lease);
    let stored = backend.store(&key, request).await.unwrap();
    assert_eq!(stored, StoreReply::Stored { evicted: 0 });
    let loaded = backend.load(&key).await.unwrap().unwrap();
    assert_eq!(loaded.bytes, value.as_bytes());
}

/// Eight at a time, each with every eighth number.
fn of(part: usize) -> impl Iterator<Item = usize> {
    (part..CALLS).step_by(8)
}

#[test]
fn a_thousand_misses_and_hits_of_tasks() {
    for url in urls().into_iter().flatten() {
        let backend = Arc::new(backend(&url, "of_tasks"));
        runtime().block_on(async {
            let tasks: Vec<_> = (0..8)
                .map(|part| {
                    let backend = Arc::clone(&backend);
                    tokio::spawn(async move {
                        for number in of(part) {
                            miss_and_hit(&backend, number).await;
                        }
                    })
                })
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
            let cleared = backend.clear(&scope()).await.unwrap();
            assert_eq!(cleared, Some(CALLS as u64));
        });
    }
}

#[test]
fn a_thousand_misses_and_hits_of_threads() {
    for url in urls().into_iter().flatten() {
        let backend = backend(&url, "of_threads");
        let run = |work: &(dyn Fn() + Sync)| blocking::inline(Duration::from_secs(60), work);
        thread::scope(|threads| {
            for part in 0..8 {
                let backend = &backend;
                threads.spawn(move || {
                    run(&|| {
                        block_on(async {
                            for number in of(part) {
                                miss_and_hit(backend, number).await;
                            }
                        });
                    });
                });
            }
        });
        let cleared = blocking::inline(Duration::from_secs(60), || {
            block_on(backend.clear(&scope()))
        });
        assert_eq!(cleared.unwrap(), Some(CALLS as u64));
    }
}

#[test]
fn nobody_listens_behind_a_pooler() {
    for url in urls().into_iter().flatten() {
        let backend = backend(&url, "unheard");
        runtime().block_on(backend.check()).unwrap();
        assert!(backend.wait(&key(1), None).is_none());
        assert!(backend.watch(&scope(), Arc::new(|_: &Change| {})).is_none());
    }
}

#[test]
fn a_programs_pool_works_behind_a_pooler() {
    let Some([strict, lenient]) = urls() else {
        return;
    };
    let plain: PgConnectOptions = lenient.parse().unwrap();
    let without: PgConnectOptions = strict.parse().unwrap();
    for options in [plain, without.extra_float_digits(None)] {
        let hand_over = async || {
            let pool = PgPoolOptions::new();
            let pool = pool.connect_with(options.clone()).await.unwrap();
            let backend = SqlBackend::with_postgres_pool(pool);
            backend.table("pooled").unwrap()
        };
        program_client::serves(hand_over, &key(1));
    }
}

#[test]
fn a_refused_parameter_is_named_with_a_remedy() {
    let Some([strict, _]) = urls() else { return };
    let url = format!("{strict}?options[statement_timeout]=1000");
    let error = block_on(backend(&url, "refused").check()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect, "{error:?}");
    let said = format!("{error:#}");
    assert!(said.contains("ignore_startup_parameters"), "{said}");
}

#[test]
fn all_bytes_roundtrip_behind_a_pooler() {
    for url in urls().into_iter().flatten() {
        let backend = backend(&url, "of_bytes");
        let bytes: Vec<u8> = (0..=u8::MAX).cycle().take(1 << 20).collect();
        runtime().block_on(async {
            let request = StoreRequest::new(&bytes, created());
            backend.store(&key(1), request).await.unwrap();
            let loaded = backend.load(&key(1)).await.unwrap().unwrap();
            assert!(loaded.bytes == bytes);
        });
    }
}

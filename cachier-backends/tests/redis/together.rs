//! Batches of concurrent loads.

use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cachier_backends::redis::RedisBackend;
use cachier_backends::{Backend, Error, ErrorKind, Key};
use futures_lite::future::{block_on, poll_once};
use rustix::process::Signal;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::server_support::round_trips;
use crate::support::{
    backend, command, entry, key, load, private, runtime, scope, store, until, url,
};

type Loading = JoinHandle<Result<Option<Vec<u8>>, Error>>;

/// A task that loads an entry.
fn loading(backend: &Arc<RedisBackend>, key: Key) -> Loading {
    let backend = Arc::clone(backend);
    tokio::spawn(async move {
        let loaded = backend.load(&key).await?;
        Ok(loaded.map(|loaded| loaded.bytes))
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn batched_callers_get_their_own_entries() {
    let Some(url) = url() else { return };
    let (backend, scope) = (Arc::new(backend(url)), scope("together"));
    let value = |number: u32| number.to_string().into_bytes();
    for number in (0..200).step_by(2) {
        store(&*backend, &key(&scope, number), &value(number)).await;
    }
    for round in 0..20 {
        let all: Vec<Loading> = (0..200)
            .map(|number| loading(&backend, key(&scope, number)))
            .collect();
        let is_gone = |number: u32| number % 7 == round % 7;
        tokio::task::yield_now().await;
        // Cancelled callers do not affect others' answers.
        let numbered = || (0..).zip(&all);
        numbered()
            .filter(|(number, _)| is_gone(*number))
            .for_each(|(_, loading)| loading.abort());
        for (number, loading) in (0..).zip(all) {
            if !is_gone(number) {
                let expected = (number % 2 == 0).then(|| entry(&value(number)));
                assert_eq!(loading.await.unwrap().unwrap(), expected, "{number}");
            }
        }
    }
}

/// How often the server has read from its connections.
fn reads(url: &str) -> u64 {
    let stats: String = redis::from_redis_value(command(url, &["INFO", "stats"])).unwrap();
    let mut lines = stats.lines();
    let reads = lines.find_map(|line| line.strip_prefix("total_reads_processed:"));
    reads.unwrap().parse().unwrap()
}

/// The driver writes whenever a sending task has to wait. With one of two workers busy, every request would be written
/// by itself unless they are batched.
#[tokio::test(flavor = "multi_thread")]
async fn many_requests_are_written_in_one_go() {
    let Some(server) = private(&[]) else { return };
    let (backend, scope) = (Arc::new(backend(server.url())), scope("written"));
    let (release, released) = channel::<()>();
    store(&*backend, &key(&scope, 0), b"value").await;
    tokio::spawn(async move { released.recv().is_ok() });
    let before = reads(server.url());
    let ask = async |backend: Arc<RedisBackend>, key: Key| {
        for _ in 0..50 {
            assert!(load(&*backend, &key).await.is_some());
        }
    };
    let callers = (0..64).map(|_| tokio::spawn(ask(Arc::clone(&backend), key(&scope, 0))));
    for caller in callers.collect::<Vec<_>>() {
        caller.await.unwrap();
    }
    let reads = reads(server.url()) - before;
    assert!(reads < 64 * 50 / 4, "{reads}");
    drop(release);
}

#[test]
fn a_runtime_that_ends_leaves_nobody_waiting() {
    let Some(url) = url() else { return };
    let (backend, key) = (backend(url), key(&scope("ended"), 0));
    let runtime = runtime();
    runtime.block_on(async { assert_eq!(load(&backend, &key).await, None) });
    let (release, released) = channel::<()>();
    let released = Arc::new(Mutex::new(released));
    for _ in 0..2 {
        let released = Arc::clone(&released);
        runtime.spawn(async move {
            released
                .lock()
                .is_ok_and(|released| released.recv().is_ok())
        });
    }
    let mut all: Vec<_> = (0..20).map(|_| backend.load(&key)).collect();
    let entered = runtime.enter();
    for loading in &mut all {
        assert!(block_on(poll_once(loading)).is_none());
    }
    drop(entered);
    // Those sent at once.
    all.drain(..10);
    runtime.shutdown_background();
    drop(release);
    crate::support::runtime().block_on(async {
        for loading in all {
            let ended = timeout(Duration::from_secs(9), loading).await.unwrap();
            assert_eq!(ended.unwrap_err().kind(), ErrorKind::Connect);
        }
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_for_callers_that_have_gone_end() {
    let Some(mut server) = private(&[]) else {
        return;
    };
    let (backend, scope) = (Arc::new(backend(server.url())), scope("left"));
    store(&*backend, &key(&scope, 0), b"value").await;
    let tasks = || {
        tokio::runtime::Handle::current()
            .metrics()
            .num_alive_tasks()
    };
    let (before, asked_before) = (tasks(), round_trips(&*backend));
    server.server().unwrap().signal(Signal::STOP);
    let all: Vec<Loading> = (0..100)
        .map(|_| loading(&backend, key(&scope, 0)))
        .collect();
    until("all have asked", async || {
        round_trips(&*backend) == asked_before + 100
    })
    .await;
    all.iter().for_each(JoinHandle::abort);
    until("nothing is waited for", async || tasks() <= before).await;
    server.server().unwrap().signal(Signal::CONT);
    assert!(load(&*backend, &key(&scope, 0)).await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_type_affects_its_own_caller_only() {
    let Some(server) = private(&[]) else { return };
    let (backend, scope) = (Arc::new(backend(server.url())), scope("mixed"));
    store(&*backend, &key(&scope, 0), b"value").await;
    let names = command(server.url(), &["KEYS", "*}/1/*"]);
    let [name]: [String; 1] = redis::from_redis_value(names).unwrap();
    let name = name.as_str();
    command(server.url(), &["DEL", name]);
    command(server.url(), &["LPUSH", name, "an item"]);
    store(&*backend, &key(&scope, 1), b"another").await;
    let all: Vec<Loading> = (0..100)
        .map(|number| loading(&backend, key(&scope, number % 2)))
        .collect();
    for (number, loading) in (0..).zip(all) {
        let expected = match number % 2 {
            0 => Vec::new(),
            _ => entry(b"another"),
        };
        assert_eq!(loading.await.unwrap().unwrap(), Some(expected));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_waiters_hear_of_a_lost_server() {
    let Some(mut server) = private(&[]) else {
        return;
    };
    let (backend, scope) = (Arc::new(backend(server.url())), scope("gone together"));
    store(&*backend, &key(&scope, 0), b"value").await;
    assert!(load(&*backend, &key(&scope, 0)).await.is_some());
    let before = round_trips(&*backend);
    server.server().unwrap().signal(Signal::STOP);
    let all: Vec<Loading> = (0..100)
        .map(|_| loading(&backend, key(&scope, 0)))
        .collect();
    until("all have asked", async || {
        round_trips(&*backend) == before + 100
    })
    .await;
    drop(server);
    for loading in all {
        let told = timeout(Duration::from_secs(9), loading).await.unwrap();
        assert_eq!(told.unwrap().unwrap_err().kind(), ErrorKind::Connect);
    }
}

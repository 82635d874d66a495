//! Change notifications for waiters and watchers.

use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use cachier_backends::redis::RedisBackend;
use cachier_backends::{Backend, Change, Key, Operation, Scope, StoreRequest, Watch, blocking};
use futures_lite::future::block_on;
use tokio::runtime::Builder;

use crate::server_support::round_trips;
use crate::support::{
    backend, command, created, entry, key, lease, private, runtime, scope, store, until, url,
};

const LEASE_PERIOD: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn a_waiter_is_notified_without_polling() {
    let Some(url) = url() else { return };
    let (owner, scope) = (backend(url), scope("woken"));
    let waiter = Arc::new(backend(url));
    for number in 0..20 {
        let key = key(&scope, number);
        let lease = lease(&owner, &key, LEASE_PERIOD).await;
        let before = round_trips(&*waiter);
        let (here, wanted) = (Arc::clone(&waiter), key.clone());
        let waiting = tokio::spawn(async move { here.wait(&wanted, None).unwrap().await.unwrap() });
        let asked = async || round_trips(&*waiter) > before;
        until("it has asked for how long to wait", asked).await;
        // Without notification it would return now.
        tokio::time::sleep(Duration::from_millis(if number < 2 { 0 } else { 60 })).await;
        assert!(number == 0 || !waiting.is_finished());
        let stored = entry(b"value");
        let request = StoreRequest::new(&stored, created()).under(lease);
        owner.store(&key, request).await.unwrap();
        waiting.await.unwrap();
        // The first one connects, and makes the server know the script.
        assert!(number == 0 || round_trips(&*waiter) == before + 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiter_hears_of_a_released_lease() {
    let Some(url) = url() else { return };
    let (backend, other, scope) = (backend(url), backend(url), scope("freed"));
    // Released.
    let given_back = key(&scope, 1);
    let held = lease(&backend, &given_back, LEASE_PERIOD).await;
    let waiting = other.wait(&given_back, None).unwrap();
    let (released, waited) = tokio::join!(backend.release(held), waiting);
    assert!(released.is_ok() && waited.is_ok());
    // Abandoned.
    let left = key(&scope, 2);
    drop(lease(&backend, &left, Duration::from_millis(100)).await);
    other.wait(&left, None).unwrap().await.unwrap();
    // Cleared.
    let cleared = key(&scope, 3);
    let _held = lease(&backend, &cleared, LEASE_PERIOD).await;
    let waiting = other.wait(&cleared, None).unwrap();
    let (done, waited) = tokio::join!(backend.clear_leases(&scope), waiting);
    assert!(done.is_ok() && waited.is_ok());
    // Not held at all.
    other.wait(&key(&scope, 4), None).unwrap().await.unwrap();
}

#[test]
fn a_synchronous_waiter_keeps_its_limit() {
    let Some(url) = url() else { return };
    let (backend, key) = (backend(url), key(&scope("sync"), 1));
    let held = block_on(lease(&backend, &key, LEASE_PERIOD));
    let may = Duration::from_millis(200);
    let started = Instant::now();
    let waited =
        cachier_backends::blocking::inline(may, || block_on(backend.wait(&key, None).unwrap()));
    waited.unwrap();
    assert!(started.elapsed() < LEASE_PERIOD / 2);
    block_on(backend.release(held)).unwrap();
}

/// A backend's notifications about a function.
struct Told(
    Arc<Mutex<Vec<Change>>>,
    #[expect(dead_code, reason = "ends when dropped")] Watch,
);

impl Told {
    /// Watches, and waits until the subscription is active.
    async fn about(backend: &RedisBackend, scope: &Arc<Scope>) -> Self {
        let told = Arc::new(Mutex::new(Vec::new()));
        let all = Arc::clone(&told);
        let watcher = Arc::new(move |change: &Change| all.lock().unwrap().push(*change));
        let watch = backend.watch(scope, watcher).unwrap();
        let told = Self(told, watch);
        until("the subscription holds", || async { told.has(Change::All) }).await;
        told.0.lock().unwrap().clear();
        told
    }

    fn has(&self, change: Change) -> bool {
        self.0.lock().unwrap().contains(&change)
    }

    fn has_of(&self, key: &Key) -> bool {
        self.has(Change::Entry(key.hash()))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn watchers_hear_only_of_others() {
    let Some(url) = url() else { return };
    let (backend, other, scope) = (backend(url), backend(url), scope("watched"));
    let [stored, removed, own, released] = [1, 2, 3, 4].map(|number| key(&scope, number));
    let told = Told::about(&backend, &scope).await;
    store(&backend, &own, b"value").await;
    let held = lease(&other, &released, LEASE_PERIOD).await;
    other.release(held).await.unwrap();
    store(&other, &stored, b"value").await;
    other.remove(&removed).await.unwrap();
    until("told of both", || async {
        told.has_of(&stored) && told.has_of(&removed)
    })
    .await;
    assert!(!told.has_of(&own) && !told.has_of(&released) && !told.has(Change::All));
    other.clear(&scope).await.unwrap();
    until("told of the clear", || async { told.has(Change::All) }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn watchers_hear_of_an_interruption() {
    let Some(server) = private(&[]) else { return };
    let (url, scope) = (server.url(), scope("interrupted"));
    let (backend, other, key) = (backend(url), backend(url), key(&scope, 1));
    let told = Told::about(&backend, &scope).await;
    command(url, &["CLIENT", "KILL", "TYPE", "pubsub"]);
    until("told of the gap", || async { told.has(Change::All) }).await;
    store(&other, &key, b"value").await;
    until("told as before", || async { told.has_of(&key) }).await;
    let held = lease(&other, &crate::support::key(&scope, 2), LEASE_PERIOD).await;
    let waiting = backend.wait(held.key(), None).unwrap();
    command(url, &["CLIENT", "KILL", "TYPE", "pubsub"]);
    waiting.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_subscribe_asks_again_and_again() {
    let Some(server) = private(&[]) else { return };
    command(
        server.url(),
        &[
            "ACL",
            "SETUSER",
            "deaf",
            "on",
            ">pw",
            "~*",
            "resetchannels",
            "+@all",
        ],
    );
    let url = server.url().replace("://", "://deaf:pw@");
    let (backend, scope) = (backend(&url), scope("deaf"));
    let key = key(&scope, 1);
    store(&backend, &key, b"value").await;
    let seen = backend.load(&key).await.unwrap().unwrap().version;
    let _held = lease(&backend, &key, LEASE_PERIOD).await;
    let wait = backend.wait(&key, Some(&seen)).unwrap();
    wait.await.unwrap();
    assert!(backend.wait(&key, Some(&seen)).is_none());
}

/// A sync caller in a task blocks the thread that should drive the runtime's connection.
#[test]
fn waiters_on_a_current_thread_runtime_are_notified() {
    let Some(url) = url() else { return };
    let (waiting, owner) = (Arc::new(backend(url)), backend(url));
    let key = key(&scope("only"), 1);
    let held = runtime().block_on(lease(&owner, &key, Duration::from_secs(60)));
    let (tell, told) = channel();
    let of_thread = Arc::clone(&waiting);
    thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let waited = runtime.block_on(async {
            let wait = of_thread.wait(&key, None).unwrap();
            blocking::offload(|| block_on(wait))
        });
        tell.send(waited).unwrap();
    });
    runtime().block_on(async {
        until("it waits", async || {
            let totals = waiting.figures().round_trips;
            totals.contains(&(Operation::Lease, 1))
        })
        .await;
        owner.release(held).await.unwrap();
    });
    told.recv_timeout(Duration::from_secs(9)).unwrap().unwrap();
}

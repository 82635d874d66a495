//! A client or a pool that the program has handed over serves every kind of caller, or says why it cannot.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use cachier_backends::{Backend, Key, LeaseReply, StoreReply, StoreRequest, blocking};
use futures_lite::future::block_on;
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio::task::yield_now;

const LIMIT: Duration = Duration::from_secs(30);

/// Tries what `hand_over` makes, on entries of this key.
pub(crate) fn serves<B: Backend + 'static>(hand_over: impl AsyncFn() -> B, key: &Key) {
    serves_all_of_a_runtime_with_threads(&hand_over, key);
    says_that_one_thread_cannot_wait_for_itself(&hand_over, key);
    looks_who_drives_a_runtime_of_one_thread(&hand_over, key);
    serves_threads_beside_a_runtime_of_one_thread(&hand_over, key);
}

fn serves_all_of_a_runtime_with_threads<B: Backend + 'static>(
    hand_over: &impl AsyncFn() -> B,
    key: &Key,
) {
    let threads = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let backend = Arc::new(threads.block_on(hand_over()));
    let waits = |backend: &B, key: &Key| blocking::inline(LIMIT, || block_on(used(backend, key)));
    threads.block_on(used(&*backend, key));
    // Another runtime, another executor, and a thread.
    one_thread().block_on(used(&*backend, key));
    block_on(used(&*backend, key));
    waits(&backend, key);
    // Synchronous callers in tasks: of one's own runtime, of another, and in a place for what blocks.
    let (of_task, key_of_task) = (Arc::clone(&backend), key.clone());
    let task = threads.spawn(async move { waits(&of_task, &key_of_task) });
    threads.block_on(task).unwrap();
    one_thread().block_on(async { waits(&backend, key) });
    let (of_task, key_of_task) = (Arc::clone(&backend), key.clone());
    let task = threads.spawn_blocking(move || waits(&of_task, &key_of_task));
    threads.block_on(task).unwrap();
}

/// The thread that waits is the one that should drive the connections.
fn says_that_one_thread_cannot_wait_for_itself<B: Backend>(
    hand_over: &impl AsyncFn() -> B,
    key: &Key,
) {
    one_thread().block_on(async {
        let backend = hand_over().await;
        used(&backend, key).await;
        let started = Instant::now();
        let asked = blocking::inline(LIMIT, || block_on(backend.load(key)));
        let error = asked.unwrap_err();
        assert!(error.to_string().contains("multi-thread"), "{error}");
        assert!(!error.is_transient(), "trying again does not help");
        assert!(started.elapsed() < LIMIT / 2);
        used(&backend, key).await;
    });
}

/// Threads for what blocks belong to a runtime, and do not drive it; nor does who only enters it.
fn serves_threads_beside_a_runtime_of_one_thread<B: Backend + 'static>(
    hand_over: &impl AsyncFn() -> B,
    key: &Key,
) {
    let runtime = one_thread();
    runtime.block_on(async {
        let backend = Arc::new(hand_over().await);
        let waits =
            |backend: &B, key: &Key| blocking::inline(LIMIT, || block_on(used(backend, key)));
        let (of_task, key_of_task) = (Arc::clone(&backend), key.clone());
        let task = tokio::task::spawn_blocking(move || waits(&of_task, &key_of_task));
        task.await.unwrap();
        let (of_thread, key_of_thread) = (Arc::clone(&backend), key.clone());
        let (handle, (end, ended)) = (tokio::runtime::Handle::current(), oneshot::channel());
        let entering = thread::spawn(move || {
            let _entered = handle.enter();
            waits(&of_thread, &key_of_thread);
            end.send(()).unwrap();
        });
        ended.await.unwrap();
        entering.join().unwrap();
    });
}

/// The client is handed over on one thread, and another one drives its connections.
fn looks_who_drives_a_runtime_of_one_thread<B: Backend>(
    hand_over: &impl AsyncFn() -> B,
    key: &Key,
) {
    let runtime = one_thread();
    let backend = runtime.block_on(async {
        let backend = hand_over().await;
        // This thread is seen to drive them now.
        yield_now().await;
        backend
    });
    let waits = || blocking::inline(LIMIT, || block_on(backend.load(key)));
    let (end, ended) = oneshot::channel();
    thread::scope(|threads| {
        let runtime = &runtime;
        threads.spawn(move || runtime.block_on(ended));
        let started = Instant::now();
        // Until the other thread is seen to drive them, this one is thought to.
        while let Err(error) = waits() {
            assert!(error.to_string().contains("multi-thread"), "{error}");
            assert!(started.elapsed() < LIMIT, "it is never seen");
        }
        blocking::inline(LIMIT, || block_on(used(&backend, key)));
        end.send(()).unwrap();
    });
    thread::scope(|threads| {
        let drives = || runtime.block_on(async { waits().unwrap_err() });
        let error = threads.spawn(drives).join().unwrap();
        assert!(error.to_string().contains("multi-thread"), "{error}");
    });
}

/// Every kind of operation of a call.
async fn used(backend: &impl Backend, key: &Key) {
    backend.remove(key).await.unwrap();
    let lease = backend.lease(key, None, LIMIT).await.unwrap();
    let LeaseReply::Granted(lease) = lease else {
        panic!("{lease:?}");
    };
    let request = StoreRequest::new(b"entry", std::time::SystemTime::now()).under(lease);
    let stored = backend.store(key, request).await.unwrap();
    assert_eq!(stored, StoreReply::Stored { evicted: 0 });
    let loaded = backend.load(key).await.unwrap();
    assert_eq!(loaded.unwrap().bytes, b"entry");
    let usage = backend.usage(key.scope()).await.unwrap();
    assert_eq!(usage.entries, Some(1));
}

fn one_thread() -> tokio::runtime::Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

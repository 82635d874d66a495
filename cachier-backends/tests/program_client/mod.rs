//! A program's own client or pool serves every kind of caller, or says why it cannot.

use std::sync::mpsc::channel;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use cachier_backends::{Backend, Error, Key, LeaseReply, StoreReply, StoreRequest, blocking};
use futures_lite::future::block_on;
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio::task::{JoinSet, LocalSet, yield_now};
use tokio::time::timeout;

const TIME_LIMIT: Duration = Duration::from_secs(30);

/// Tests the client made by `hand_over`, on entries of this key.
pub(crate) fn serves<B: Backend + 'static>(hand_over: impl AsyncFn() -> B, key: &Key) {
    serves_all_of_a_runtime_with_threads(&hand_over, key);
    serves_synchronous_callers_on_all_workers_at_once(&hand_over, key);
    outlives_other_runtimes_that_used_it(&hand_over, key);
    answers_in_time_when_its_runtime_has_ended(&hand_over, key);
    says_that_one_thread_cannot_wait_for_itself(&hand_over, key);
    looks_who_drives_a_runtime_of_one_thread(&hand_over, key);
    serves_threads_beside_a_runtime_of_one_thread(&hand_over, key);
}

/// Tests a client that reconnects on its callers' runtimes after its own has ended.
#[allow(dead_code, reason = "not every client does")]
pub(crate) fn serves_when_its_runtime_has_ended<B: Backend>(
    hand_over: impl AsyncFn() -> B,
    key: &Key,
) {
    for ended in [with_threads(), one_thread()] {
        let backend = ended.block_on(hand_over());
        ended.block_on(used(&backend, key));
        drop(ended);
        let threads = with_threads();
        threads.block_on(async {
            // Each error removes a connection of the ended runtime.
            let mut errors = 0;
            while let Err(error) = tried(&backend, key).await {
                errors += 1;
                assert!(errors < 10, "{error}");
            }
        });
    }
}

fn serves_all_of_a_runtime_with_threads<B: Backend + 'static>(
    hand_over: &impl AsyncFn() -> B,
    key: &Key,
) {
    let threads = with_threads();
    let backend = Arc::new(threads.block_on(hand_over()));
    let waits =
        |backend: &B, key: &Key| blocking::inline(TIME_LIMIT, || block_on(used(backend, key)));
    threads.block_on(used(&*backend, key));
    // Another runtime, another executor, and a thread.
    one_thread().block_on(used(&*backend, key));
    block_on(used(&*backend, key));
    waits(&backend, key);
    // Sync callers in tasks: on the client's runtime, on another one, and in `spawn_blocking`.
    let (of_task, key_of_task) = (Arc::clone(&backend), key.clone());
    let task = threads.spawn(async move { waits(&of_task, &key_of_task) });
    threads.block_on(task).unwrap();
    one_thread().block_on(async { waits(&backend, key) });
    let (of_task, key_of_task) = (Arc::clone(&backend), key.clone());
    let task = threads.spawn_blocking(move || waits(&of_task, &key_of_task));
    threads.block_on(task).unwrap();
    // Tasks pinned to a thread that is not a worker.
    LocalSet::new().block_on(&threads, async { waits(&backend, key) });
}

/// While all threads of the runtime block, somebody has to drive the connections.
fn serves_synchronous_callers_on_all_workers_at_once<B: Backend + 'static>(
    hand_over: &impl AsyncFn() -> B,
    key: &Key,
) {
    for workers in [1, 2] {
        let mut builder = Builder::new_multi_thread();
        let runtime = builder.worker_threads(workers).enable_all().build();
        let runtime = runtime.unwrap();
        let backend = Arc::new(runtime.block_on(hand_over()));
        let (tell, told) = channel();
        let everybody = Arc::new(Barrier::new(workers));
        for caller in 0..4 {
            let (backend, key, tell) = (Arc::clone(&backend), key.clone(), tell.clone());
            let everybody = Arc::clone(&everybody);
            runtime.spawn(async move {
                if caller < workers {
                    // No worker is left.
                    everybody.wait();
                }
                let load = || block_on(backend.load(&key)).map(drop);
                tell.send(blocking::inline(TIME_LIMIT, load)).unwrap();
            });
        }
        let served: Vec<_> = (0..4).map(|_| told.recv_timeout(TIME_LIMIT / 6)).collect();
        // It would wait for blocked workers.
        runtime.shutdown_background();
        for served in served {
            served.expect("an answer in time").unwrap();
        }
    }
}

/// Connections opened for another runtime's tasks outlive it, as others use them.
fn outlives_other_runtimes_that_used_it<B: Backend + 'static>(
    hand_over: &impl AsyncFn() -> B,
    key: &Key,
) {
    let threads = with_threads();
    let backend = Arc::new(threads.block_on(hand_over()));
    for _ in 0..10 {
        one_thread().block_on(async {
            let mut loads = JoinSet::new();
            for _ in 0..8 {
                let (backend, key) = (Arc::clone(&backend), key.clone());
                loads.spawn(async move { backend.load(&key).await.unwrap() });
            }
            loads.join_all().await
        });
        block_on(used(&*backend, key));
    }
}

/// Not every client works after its runtime has ended; none makes its callers wait.
fn answers_in_time_when_its_runtime_has_ended<B: Backend>(
    hand_over: &impl AsyncFn() -> B,
    key: &Key,
) {
    for ended in [with_threads(), one_thread()] {
        let backend = ended.block_on(hand_over());
        drop(ended);
        let asked = async { timeout(TIME_LIMIT, backend.load(key)).await };
        let _served_or_not = with_threads().block_on(asked).expect("an answer in time");
    }
}

/// The blocked thread is the one that should drive the connections.
fn says_that_one_thread_cannot_wait_for_itself<B: Backend>(
    hand_over: &impl AsyncFn() -> B,
    key: &Key,
) {
    one_thread().block_on(async {
        let backend = hand_over().await;
        used(&backend, key).await;
        let started = Instant::now();
        let asked = blocking::inline(TIME_LIMIT, || block_on(backend.load(key)));
        let error = asked.unwrap_err();
        assert!(error.to_string().contains("multi-thread"), "{error}");
        assert!(!error.is_transient(), "trying again does not help");
        assert!(started.elapsed() < TIME_LIMIT / 2);
        used(&backend, key).await;
    });
}

/// Blocking threads of a runtime, and threads that merely enter it, do not drive it.
fn serves_threads_beside_a_runtime_of_one_thread<B: Backend + 'static>(
    hand_over: &impl AsyncFn() -> B,
    key: &Key,
) {
    let runtime = one_thread();
    runtime.block_on(async {
        let backend = Arc::new(hand_over().await);
        let waits =
            |backend: &B, key: &Key| blocking::inline(TIME_LIMIT, || block_on(used(backend, key)));
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

/// The client is created on one thread, and another one drives its connections.
fn looks_who_drives_a_runtime_of_one_thread<B: Backend>(
    hand_over: &impl AsyncFn() -> B,
    key: &Key,
) {
    let runtime = one_thread();
    let backend = runtime.block_on(async {
        let backend = hand_over().await;
        // This thread is now seen as the driver.
        yield_now().await;
        backend
    });
    let waits = || blocking::inline(TIME_LIMIT, || block_on(backend.load(key)));
    let (end, ended) = oneshot::channel();
    thread::scope(|threads| {
        let runtime = &runtime;
        threads.spawn(move || runtime.block_on(ended));
        let started = Instant::now();
        // Until the other thread is seen as the driver, this one counts as it.
        while let Err(error) = waits() {
            assert!(error.to_string().contains("multi-thread"), "{error}");
            assert!(started.elapsed() < TIME_LIMIT, "it is never seen");
        }
        blocking::inline(TIME_LIMIT, || block_on(used(&backend, key)));
        end.send(()).unwrap();
    });
    thread::scope(|threads| {
        let drives = || runtime.block_on(async { waits().unwrap_err() });
        let error = threads.spawn(drives).join().unwrap();
        assert!(error.to_string().contains("multi-thread"), "{error}");
    });
}

/// All operations of a call.
async fn used(backend: &impl Backend, key: &Key) {
    tried(backend, key).await.unwrap();
}

async fn tried(backend: &impl Backend, key: &Key) -> Result<(), Error> {
    backend.remove(key).await?;
    let lease = backend.lease(key, None, TIME_LIMIT).await?;
    let LeaseReply::Granted(lease) = lease else {
        panic!("{lease:?}");
    };
    let request = StoreRequest::new(b"entry", std::time::SystemTime::now()).under(lease);
    let stored = backend.store(key, request).await?;
    assert_eq!(stored, StoreReply::Stored { evicted: 0 });
    let loaded = backend.load(key).await?;
    assert_eq!(loaded.unwrap().bytes, b"entry");
    let usage = backend.usage(key.scope()).await?;
    assert_eq!(usage.entries, Some(1));
    Ok(())
}

fn with_threads() -> tokio::runtime::Runtime {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().unwrap()
}

fn one_thread() -> tokio::runtime::Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

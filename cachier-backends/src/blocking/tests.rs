//! Where the operations of blocking backends run.

#![allow(clippy::unwrap_used)]

use std::panic::catch_unwind;
use std::sync::Mutex;
use std::sync::mpsc::{Sender, channel};
use std::task::{Context, Waker};
use std::thread::{self, ThreadId};

use futures_lite::future::block_on;

use super::*;
use crate::key::{KeyHash, Version};
use crate::queue;

const AMPLE_TIMEOUT: Duration = Duration::from_secs(1);

/// Records the threads it runs on.
#[derive(Default)]
struct Threads(Mutex<Vec<ThreadId>>);

impl Threads {
    fn note(&self) {
        self.0.lock().unwrap().push(thread::current().id());
    }
}

impl BlockingBackend for Threads {
    fn kind(&self) -> &str {
        "threads"
    }

    fn store_name(&self) -> String {
        String::new()
    }

    fn load(&self, _key: &Key) -> Result<Option<Loaded>, Error> {
        self.note();
        Ok(None)
    }

    fn store(&self, _key: &Key, request: StoreRequest<'_>) -> Result<StoreReply, Error> {
        self.note();
        assert_eq!(request.entry, b"entry");
        assert_eq!(request.capacity_bytes, Some(7));
        assert_eq!(request.lease.unwrap().state(), Some(&"state"));
        Ok(StoreReply::Superseded)
    }

    fn remove(&self, _key: &Key) -> Result<bool, Error> {
        self.note();
        Ok(true)
    }

    fn clear(&self, _scope: &Arc<Scope>) -> Result<Option<u64>, Error> {
        self.note();
        Ok(Some(3))
    }

    fn renew(&self, lease: &Lease) -> Result<Renewal, Error> {
        self.note();
        assert_eq!(lease.state(), Some(&"state"));
        Ok(Renewal::Lost)
    }
}

fn key() -> Key {
    let scope = Arc::new(Scope::new("n", "f"));
    Key::new(scope, Version::Unversioned, KeyHash::from_bytes([0; 32]))
}

fn lease() -> Lease {
    Lease::new(key(), None, "state")
}

/// Uses every operation that records its thread; returns the threads.
fn use_all(backend: &Blocking<Threads>) -> Vec<ThreadId> {
    block_on(async {
        let (key, lease) = (key(), lease());
        assert_eq!(backend.load(&key).await.unwrap(), None);
        assert_eq!(backend.renew(&lease).await.unwrap(), Renewal::Lost);
        let mut request = StoreRequest::new(b"entry", SystemTime::UNIX_EPOCH).under(lease);
        request.capacity_bytes = Some(7);
        let stored = backend.store(&key, request).await.unwrap();
        assert_eq!(stored, StoreReply::Superseded);
        assert!(backend.remove(&key).await.unwrap());
        assert_eq!(backend.clear(key.scope()).await.unwrap(), Some(3));
    });
    std::mem::take(&mut backend.get_ref().0.lock().unwrap())
}

#[test]
fn inline_operations_run_on_the_thread_that_polls() {
    let backend = Blocking::new(Threads::default());
    let here = thread::current().id();
    assert_eq!(inline(AMPLE_TIMEOUT, || use_all(&backend)), [here; 5]);
}

#[test]
fn other_operations_run_on_the_pool() {
    let backend = Blocking::new(Threads::default());
    let threads = use_all(&backend);
    assert_eq!(threads.len(), 5);
    assert!(!threads.contains(&thread::current().id()));
}

#[test]
fn the_first_poll_decides_and_not_the_creation() {
    let backend = Blocking::new(Threads::default());
    let key = key();
    let load = inline(AMPLE_TIMEOUT, || backend.load(&key));
    block_on(load).unwrap();
    let load = backend.load(&key);
    inline(AMPLE_TIMEOUT, || block_on(load)).unwrap();
    let threads = backend.get_ref().0.lock().unwrap();
    let here = thread::current().id();
    assert_eq!([threads[0] == here, threads[1] == here], [false, true]);
}

#[test]
fn offloaded_operations_run_on_other_threads() {
    let backend = Blocking::new(Threads::default());
    let threads = inline(AMPLE_TIMEOUT, || offload(|| use_all(&backend)));
    assert!(!threads.contains(&thread::current().id()));
}

#[test]
fn waiting_for_a_thread_is_told_from_slowness() {
    /// An operation that lasts until told to end.
    struct Slow(Mutex<std::sync::mpsc::Receiver<()>>, Sender<()>);

    impl BlockingBackend for Slow {
        fn kind(&self) -> &str {
            "slow"
        }

        fn store_name(&self) -> String {
            String::new()
        }

        fn load(&self, _: &Key) -> Result<Option<Loaded>, Error> {
            self.1.send(()).unwrap();
            self.0.lock().unwrap().recv().unwrap();
            Ok(None)
        }

        fn store(&self, _: &Key, _: StoreRequest<'_>) -> Result<StoreReply, Error> {
            unreachable!()
        }

        fn remove(&self, _: &Key) -> Result<bool, Error> {
            unreachable!()
        }

        fn clear(&self, _: &Arc<Scope>) -> Result<Option<u64>, Error> {
            unreachable!()
        }
    }

    let ((end, ends), (begin, begun)) = (channel(), channel());
    let backend = Blocking::new(Slow(Mutex::new(ends), begin));
    let key = key();
    let mut load = backend.load(&key);
    let mut waited = || {
        let mut context = Context::from_waker(Waker::noop());
        let (poll, waited) = queue::observe(|| load.as_mut().poll(&mut context));
        assert!(poll.is_pending());
        waited
    };
    // The first poll submits it; it may or may not have begun by now.
    waited();
    begun.recv().unwrap();
    assert_eq!(waited(), waited(), "it has begun");
    end.send(()).unwrap();
    block_on(load).unwrap();
}

#[test]
fn a_panic_ends_inline_mode() {
    inline(AMPLE_TIMEOUT, || inline(AMPLE_TIMEOUT, || ()));
    assert!(allowance().is_none());
    assert!(catch_unwind(|| inline(AMPLE_TIMEOUT, || panic!("on purpose"))).is_err());
    assert!(allowance().is_none());
}

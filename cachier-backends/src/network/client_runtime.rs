//! The runtime that drives the program's client, and what a blocked thread means to it.
//!
//! A synchronous caller blocks its thread while the runtime works for the client. Whether the runtime can make progress
//! depends on the thread's role:
//!
//! - *outsider*: the runtime does not notice;
//! - *worker*: the runtime stalls once all its workers block, so the worker hands its tasks over first
//!   (`block_in_place`);
//! - *driver* of a current-thread runtime: nobody else drives it, so the call fails with an error that says so.
//!
//! tokio does not say which thread drives a current-thread runtime; a task on the runtime records the thread it runs
//! on.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::runtime::RuntimeFlavor::{CurrentThread, MultiThread};
use tokio::runtime::{self as tokio_runtime, Handle};
use tokio::time::timeout;

use super::runtime::{self, AbortOnDrop};
use crate::error::Error;

/// A runtime and what is known of it.
pub(super) struct ClientRuntime {
    pub(super) runtime: Handle,
    has_ended: AtomicBool,
    /// The thread last seen driving a current-thread runtime.
    driver: AtomicU64,
    /// Whether a probe for the driver is already spawned.
    is_probing: AtomicBool,
}

/// The role of the calling thread in the runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ThreadRole {
    /// The runtime runs without this thread.
    Outsider,
    /// One of several workers; another thread can replace it.
    Worker,
    /// The only thread that drives the runtime: while it blocks, the runtime stalls.
    Driver,
}

/// How long a runtime driven by another thread takes at most to run a task.
const DRIVER_PROBE_TIMEOUT: Duration = Duration::from_millis(100);

impl ClientRuntime {
    /// A runtime, and a task that lives until the runtime ends or the task is dropped.
    pub(super) fn of(runtime: Handle) -> (Arc<Self>, AbortOnDrop<()>) {
        let client_runtime = Arc::new(Self {
            runtime,
            has_ended: AtomicBool::new(false),
            driver: AtomicU64::new(thread_number()),
            is_probing: AtomicBool::new(false),
        });
        let marker = EndMarker(Arc::downgrade(&client_runtime));
        let lifetime = client_runtime.runtime.spawn(async move {
            let _marker = marker;
            std::future::pending::<()>().await;
        });
        client_runtime.probe_driver();
        (client_runtime, AbortOnDrop::new(lifetime))
    }

    pub(super) fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::Acquire)
    }

    /// The role of the thread that polls this.
    pub(super) async fn role_of_this_thread(self: &Arc<Self>) -> Result<ThreadRole, Error> {
        if self.runtime.runtime_flavor() == CurrentThread {
            return Ok(match self.is_driven_by_this_thread().await? {
                true => ThreadRole::Driver,
                false => ThreadRole::Outsider,
            });
        }
        let is_worker = self.runtime.runtime_flavor() == MultiThread
            && self.is_current()
            && tokio_runtime::worker_index().is_some();
        Ok(match is_worker {
            true => ThreadRole::Worker,
            false => ThreadRole::Outsider,
        })
    }

    /// Whether the calling code runs inside this runtime.
    fn is_current(&self) -> bool {
        Handle::try_current().is_ok_and(|current| current.id() == self.runtime.id())
    }

    async fn is_driven_by_this_thread(self: &Arc<Self>) -> Result<bool, Error> {
        if self.driver.load(Ordering::Relaxed) == thread_number() {
            // If another thread has taken over as driver, the next caller sees it.
            self.probe_driver();
            return Ok(true);
        }
        // A thread inside this runtime is its new driver, or a `spawn_blocking` thread.
        Ok(self.is_current() && !self.is_driven_by_another().await?)
    }

    /// Whether the runtime runs a task while this thread is blocked.
    async fn is_driven_by_another(self: &Arc<Self>) -> Result<bool, Error> {
        let client_runtime = Arc::clone(self);
        let probe = AbortOnDrop::new(
            self.runtime
                .spawn(async move { client_runtime.note_driver() }),
        );
        let seen = runtime::background()?.spawn(async move {
            let mut probe = probe;
            timeout(DRIVER_PROBE_TIMEOUT, &mut probe.task).await.is_ok()
        });
        let is_seen = seen.await.unwrap_or(false);
        if !is_seen {
            // If this thread is the driver, the next caller finds out without the timeout.
            self.probe_driver();
        }
        Ok(is_seen)
    }

    /// Has the driver recorded as soon as it runs a task.
    fn probe_driver(self: &Arc<Self>) {
        if self.runtime.runtime_flavor() != CurrentThread {
            return;
        }
        if !self.is_probing.swap(true, Ordering::Relaxed) {
            let client_runtime = Arc::clone(self);
            self.runtime.spawn(async move {
                client_runtime.is_probing.store(false, Ordering::Relaxed);
                client_runtime.note_driver();
            });
        }
    }

    fn note_driver(&self) {
        self.driver.store(thread_number(), Ordering::Relaxed);
    }
}

/// A unique number of the calling thread. `ThreadId` is not available while thread-locals are destroyed.
fn thread_number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    thread_local! {
        static NUMBER: Cell<u64> = const { Cell::new(0) };
    }
    if NUMBER.get() == 0 {
        NUMBER.set(NEXT.fetch_add(1, Ordering::Relaxed));
    }
    NUMBER.get()
}

/// Marks a runtime as ended when dropped with the runtime's tasks.
struct EndMarker(std::sync::Weak<ClientRuntime>);

impl Drop for EndMarker {
    fn drop(&mut self) {
        if let Some(client_runtime) = self.0.upgrade() {
            client_runtime.has_ended.store(true, Ordering::Release);
        }
    }
}

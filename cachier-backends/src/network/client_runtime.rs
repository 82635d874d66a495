//! The runtime in which the program has handed its client over, and what becomes of it while a thread waits for the client.
//!
//! A synchronous caller waits on its thread, while the runtime works for the client. That ends well only if the runtime can
//! go on meanwhile, which depends on what the thread is to it:
//!
//! - none of its own: the runtime does not notice;
//! - one of several *workers*: when all of them wait, nobody works. So the worker hands its tasks to another thread first;
//! - the one thread that *drives* it: there is nobody to take over, and the caller is told so.
//!
//! The last one is found out: a runtime of one thread is driven by whichever thread blocks on it, and tokio does not say
//! which one that is. So a task of the runtime notes on which thread it runs.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::runtime::RuntimeFlavor::{CurrentThread, MultiThread};
use tokio::runtime::{self as tokio_runtime, Handle};
use tokio::time::timeout;

use super::runtime::{self, AbortOnDrop};
use crate::error::Error;

/// A runtime, and what is known of it.
pub(super) struct ClientRuntime {
    pub(super) runtime: Handle,
    has_ended: AtomicBool,
    /// The thread that was last seen to drive it, if it has but one.
    driver: AtomicU64,
    /// Whether a task is on its way that will note the driver.
    is_probing: AtomicBool,
}

/// What this thread is to the runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ThreadRole {
    /// The runtime goes on without it.
    Outsider,
    /// One of several, or one that can be replaced.
    Worker,
    /// The only one: while it waits, the runtime stands still.
    Driver,
}

/// How long a runtime that another thread drives takes at most to run a task.
const DRIVER_PROBE_TIMEOUT: Duration = Duration::from_millis(100);

impl ClientRuntime {
    /// A runtime, and the task that lives as long as it, or as long as somebody keeps this.
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

    /// What the thread is to the runtime on which this is polled.
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

    /// Whether the code that runs now runs in this runtime, on whichever of its threads.
    fn is_current(&self) -> bool {
        Handle::try_current().is_ok_and(|current| current.id() == self.runtime.id())
    }

    async fn is_driven_by_this_thread(self: &Arc<Self>) -> Result<bool, Error> {
        if self.driver.load(Ordering::Relaxed) == thread_number() {
            // Another thread may have begun to drive it, and is seen then by the next caller.
            self.probe_driver();
            return Ok(true);
        }
        // A thread of this runtime is the one that drives it by now, or one of those for what blocks.
        Ok(self.is_current() && !self.is_driven_by_another().await?)
    }

    /// Whether the runtime comes to run a task while this thread waits.
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
            // If it is this thread that drives it, the next caller need not look for as long.
            self.probe_driver();
        }
        Ok(is_seen)
    }

    /// Has the thread noted that drives the runtime, as soon as one does.
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

/// A number of the calling thread. The standard library tells its own no more when the thread ends.
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

/// Tells that a runtime has ended, when dropped together with the runtime's tasks.
struct EndMarker(std::sync::Weak<ClientRuntime>);

impl Drop for EndMarker {
    fn drop(&mut self) {
        if let Some(client_runtime) = self.0.upgrade() {
            client_runtime.has_ended.store(true, Ordering::Release);
        }
    }
}

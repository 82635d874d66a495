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
pub(super) struct Origin {
    pub(super) runtime: Handle,
    has_ended: AtomicBool,
    /// The thread that was last seen to drive it, if it has but one.
    driver: AtomicU64,
    /// Whether a task is on its way that will note the driver.
    is_looked_for: AtomicBool,
}

/// What this thread is to the runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// The runtime goes on without it.
    Outsider,
    /// One of several, or one that can be replaced.
    Worker,
    /// The only one: while it waits, the runtime stands still.
    Driver,
}

/// How long a runtime that another thread drives takes at most to run a task.
const LOOK: Duration = Duration::from_millis(100);

impl Origin {
    /// A runtime, and the task that lives as long as it, or as long as somebody keeps this.
    pub(super) fn of(runtime: Handle) -> (Arc<Self>, AbortOnDrop<()>) {
        let origin = Arc::new(Self {
            runtime,
            has_ended: AtomicBool::new(false),
            driver: AtomicU64::new(this_thread()),
            is_looked_for: AtomicBool::new(false),
        });
        let ending = Ending(Arc::downgrade(&origin));
        let until_the_end = origin.runtime.spawn(async move {
            let _ending = ending;
            std::future::pending::<()>().await;
        });
        origin.look_who_drives();
        (origin, AbortOnDrop::new(until_the_end))
    }

    pub(super) fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::Acquire)
    }

    /// What the thread is to the runtime on which this is polled.
    pub(super) async fn role_of_this_thread(self: &Arc<Self>) -> Result<Role, Error> {
        if self.runtime.runtime_flavor() == CurrentThread {
            return Ok(match self.is_driven_by_this_thread().await? {
                true => Role::Driver,
                false => Role::Outsider,
            });
        }
        let is_worker = self.runtime.runtime_flavor() == MultiThread
            && self.is_current()
            && tokio_runtime::worker_index().is_some();
        Ok(match is_worker {
            true => Role::Worker,
            false => Role::Outsider,
        })
    }

    /// Whether the code that runs now runs in this runtime, on whichever of its threads.
    fn is_current(&self) -> bool {
        Handle::try_current().is_ok_and(|current| current.id() == self.runtime.id())
    }

    async fn is_driven_by_this_thread(self: &Arc<Self>) -> Result<bool, Error> {
        if self.driver.load(Ordering::Relaxed) == this_thread() {
            // Another thread may have begun to drive it, and is seen then by the next caller.
            self.look_who_drives();
            return Ok(true);
        }
        // A thread of this runtime is the one that drives it by now, or one of those for what blocks.
        Ok(self.is_current() && !self.is_driven_by_another().await?)
    }

    /// Whether the runtime comes to run a task while this thread waits.
    async fn is_driven_by_another(self: &Arc<Self>) -> Result<bool, Error> {
        let origin = Arc::clone(self);
        let look = AbortOnDrop::new(self.runtime.spawn(async move { origin.note_driver() }));
        let seen = runtime::own()?.spawn(async move {
            let mut look = look;
            timeout(LOOK, &mut look.task).await.is_ok()
        });
        let is_seen = seen.await.unwrap_or(false);
        if !is_seen {
            // If it is this thread that drives it, the next caller need not look for as long.
            self.look_who_drives();
        }
        Ok(is_seen)
    }

    /// Has the thread noted that drives the runtime, as soon as one does.
    fn look_who_drives(self: &Arc<Self>) {
        if self.runtime.runtime_flavor() != CurrentThread {
            return;
        }
        if !self.is_looked_for.swap(true, Ordering::Relaxed) {
            let origin = Arc::clone(self);
            self.runtime.spawn(async move {
                origin.is_looked_for.store(false, Ordering::Relaxed);
                origin.note_driver();
            });
        }
    }

    fn note_driver(&self) {
        self.driver.store(this_thread(), Ordering::Relaxed);
    }
}

/// A number of the calling thread. The standard library tells its own no more when the thread ends.
fn this_thread() -> u64 {
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
struct Ending(std::sync::Weak<Origin>);

impl Drop for Ending {
    fn drop(&mut self) {
        if let Some(origin) = self.0.upgrade() {
            origin.has_ended.store(true, Ordering::Release);
        }
    }
}

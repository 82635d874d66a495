//! The program's own client: its connections live in the runtime in which it was handed over.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::runtime::RuntimeFlavor::CurrentThread;
use tokio::time::timeout;

use super::runtime::{self, AbortOnDrop, Place, joined};
use crate::error::{Error, ErrorKind, Operation};

/// A client that the program has handed over.
pub(super) struct Given<C> {
    pub(super) client: C,
    /// Where it was handed over, if that was in a runtime.
    origin: Option<Arc<Origin>>,
}

/// A runtime, and what is known of it.
struct Origin {
    runtime: Handle,
    has_ended: AtomicBool,
    /// The thread that was last seen to drive it, if it has but one.
    driver: Mutex<ThreadId>,
    /// Whether a task of the runtime is to look once more who drives it.
    is_looked_for: AtomicBool,
}

/// How long a runtime that another thread drives takes at most to run a task.
const LOOK: Duration = Duration::from_millis(100);

impl<C> Given<C> {
    /// A client whose connections belong to the runtime of the calling code, if there is one.
    pub(super) fn new(client: C) -> Self {
        let origin = Handle::try_current().ok().map(Origin::of);
        Self { client, origin }
    }

    /// The runtime of the connections, while it lasts.
    #[cfg(any(
        feature = "redis",
        feature = "sqlite",
        feature = "postgres",
        feature = "mysql",
        feature = "mongo"
    ))]
    pub(super) fn runtime(&self) -> Option<&Handle> {
        self.origin().map(|origin| &origin.runtime)
    }

    fn origin(&self) -> Option<&Arc<Origin>> {
        let lasts = |origin: &&Arc<Origin>| !origin.has_ended.load(Ordering::Acquire);
        self.origin.as_ref().filter(lasts)
    }
}

impl<C: Clone> Given<C> {
    /// Runs an operation on the client's runtime while that lasts: a connection that was opened on another one would stay
    /// with the client when that one ends. Then, and without a runtime, it runs where it is called, else on cachier's.
    pub(super) async fn run<T, O, F>(&self, operation: Operation, work: O) -> Result<T, Error>
    where
        T: Send + 'static,
        O: FnOnce(C) -> F,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let (place, origin) = (Place::here(), self.origin());
        if let Some(origin) = origin
            && !matches!(place, Place::Caller(_))
            && origin.is_driven_by_this_thread().await?
        {
            return Err(waits_for_itself(operation));
        }
        let work = work(self.client.clone());
        match (place, origin) {
            (Place::Caller(here), Some(origin)) if here.id() != origin.runtime.id() => {
                joined(origin.runtime.spawn(work)).await
            }
            (Place::Caller(_), _) => work.await,
            // By way of cachier's: what a thread of the client's runtime itself adds there waits for that very thread.
            (_, Some(origin)) => {
                let runtime = origin.runtime.clone();
                joined(runtime::own()?.spawn(async move { joined(runtime.spawn(work)).await }))
                    .await
            }
            (_, None) => joined(runtime::own()?.spawn(work)).await,
        }
    }
}

impl Origin {
    fn of(runtime: Handle) -> Arc<Self> {
        let origin = Arc::new(Self {
            runtime,
            has_ended: AtomicBool::new(false),
            driver: Mutex::new(thread::current().id()),
            is_looked_for: AtomicBool::new(false),
        });
        let ending = Ending(Arc::downgrade(&origin));
        origin.runtime.spawn(async move {
            let _ending = ending;
            std::future::pending::<()>().await;
        });
        origin.look_who_drives();
        origin
    }

    /// Whether the connections come to a standstill while this thread waits for them.
    async fn is_driven_by_this_thread(self: &Arc<Self>) -> Result<bool, Error> {
        if self.runtime.runtime_flavor() != CurrentThread {
            return Ok(false);
        }
        if *self.driver() == thread::current().id() {
            // Another thread may have begun to drive it, and is seen then by the next caller.
            self.look_who_drives();
            return Ok(true);
        }
        // One of the runtime's threads for what blocks, or the one that drives it by now.
        let current = Handle::try_current();
        let belongs = current.is_ok_and(|current| current.id() == self.runtime.id());
        Ok(belongs && !self.is_driven_by_another().await?)
    }

    /// Whether the runtime comes to run a task while this thread waits.
    async fn is_driven_by_another(self: &Arc<Self>) -> Result<bool, Error> {
        let origin = Arc::clone(self);
        let look = AbortOnDrop(self.runtime.spawn(async move { origin.note_driver() }));
        let seen = runtime::own()?.spawn(async move {
            let AbortOnDrop(look) = &mut { look };
            timeout(LOOK, look).await.is_ok()
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
        *self.driver() = thread::current().id();
    }

    fn driver(&self) -> MutexGuard<'_, ThreadId> {
        self.driver.lock().unwrap_or_else(PoisonError::into_inner)
    }
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

fn waits_for_itself(operation: Operation) -> Error {
    Error::new(
        ErrorKind::Io,
        operation,
        "this thread waits for the store, and should drive the program's connections to it meanwhile",
    )
    .with_hint(
        "hand the client over in a multi-thread runtime, call a function that is async, or let cachier connect by itself",
    )
    .of_the_caller()
}

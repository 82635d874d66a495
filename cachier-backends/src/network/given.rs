//! The program's own client: its connections live in the runtime in which it was handed over.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::block_in_place;
use tokio::time::timeout;

use super::origin::{Origin, Role};
use super::runtime::{self, AbortOnDrop, Place, joined, too_late};
use crate::blocking;
use crate::error::{Error, ErrorKind, Operation};

/// A client that the program has handed over.
pub(super) struct Given<C> {
    pub(super) client: C,
    /// Where it was handed over, if that was in a runtime, and the task that notes the end of that.
    origin: Option<(Arc<Origin>, AbortOnDrop<()>)>,
}

impl<C> Given<C> {
    /// A client whose connections belong to the runtime of the calling code, if there is one.
    pub(super) fn new(client: C) -> Self {
        let origin = Handle::try_current().ok().map(Origin::of);
        Self { client, origin }
    }

    /// The runtime of the connections, while it lasts.
    pub(super) fn runtime(&self) -> Option<&Handle> {
        self.origin().map(|origin| &origin.runtime)
    }

    fn origin(&self) -> Option<&Arc<Origin>> {
        let (origin, _) = self.origin.as_ref()?;
        (!origin.has_ended()).then_some(origin)
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
        let work = || work(self.client.clone());
        match (Place::here(), self.origin()) {
            (Place::Caller(here), Some(origin)) if here.id() != origin.runtime.id() => {
                joined(origin.runtime.spawn(work())).await
            }
            (Place::Caller(_), _) => work().await,
            (_, None) => joined(runtime::own()?.spawn(work())).await,
            (_, Some(origin)) => match origin.role_of_this_thread().await? {
                Role::Outsider => joined(origin.runtime.spawn(work())).await,
                Role::Worker => match blocking::allowance() {
                    Some(allowance) => {
                        replaced_meanwhile(operation, allowance, &origin.runtime, work())
                    }
                    // By way of cachier's runtime: what a worker adds to its own waits for that very worker.
                    None => {
                        let (runtime, work) = (origin.runtime.clone(), work());
                        let task = async move { joined(runtime.spawn(work)).await };
                        joined(runtime::own()?.spawn(task)).await
                    }
                },
                Role::Driver => Err(waits_for_itself(operation)),
            },
        }
    }
}

/// Waits on this thread, one of the runtime's workers, until the runtime has done the work: another thread takes its place
/// meanwhile.
fn replaced_meanwhile<T, F>(
    operation: Operation,
    allowance: Duration,
    runtime: &Handle,
    work: F,
) -> Result<T, Error>
where
    T: Send + 'static,
    F: Future<Output = Result<T, Error>> + Send + 'static,
{
    // The client's runtime may have no clock.
    let own = runtime::own()?;
    let done = block_in_place(|| {
        own.block_on(async { timeout(allowance, joined(runtime.spawn(work))).await })
    });
    done.unwrap_or_else(|_| Err(too_late(operation)))
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

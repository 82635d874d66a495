//! The program's own client: its connections live in the runtime in which it was handed over.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::block_in_place;
use tokio::time::timeout;

use super::client_runtime::{ClientRuntime, ThreadRole};
use super::runtime::{self, AbortOnDrop, Placement, join, timed_out};
use crate::blocking;
use crate::error::{Error, ErrorKind, Operation};

/// A client that the program has handed over.
pub(super) struct ProgramClient<C> {
    pub(super) client: C,
    /// Where it was handed over, if that was in a runtime, and the task that notes the end of that.
    client_runtime: Option<(Arc<ClientRuntime>, AbortOnDrop<()>)>,
}

impl<C> ProgramClient<C> {
    /// A client whose connections belong to the runtime of the calling code, if there is one.
    pub(super) fn new(client: C) -> Self {
        let client_runtime = Handle::try_current().ok().map(ClientRuntime::of);
        Self {
            client,
            client_runtime,
        }
    }

    /// The runtime of the connections, while it lasts.
    pub(super) fn runtime(&self) -> Option<&Handle> {
        self.client_runtime()
            .map(|client_runtime| &client_runtime.runtime)
    }

    fn client_runtime(&self) -> Option<&Arc<ClientRuntime>> {
        let (client_runtime, _) = self.client_runtime.as_ref()?;
        (!client_runtime.has_ended()).then_some(client_runtime)
    }
}

impl<C: Clone> ProgramClient<C> {
    /// Runs an operation on the client's runtime while that lasts: a connection that was opened on another one would stay
    /// with the client when that one ends. Then, and without a runtime, it runs where it is called, else on cachier's.
    pub(super) async fn run<T, O, F>(&self, operation: Operation, work: O) -> Result<T, Error>
    where
        T: Send + 'static,
        O: FnOnce(C) -> F,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let work = || work(self.client.clone());
        match (Placement::current(), self.client_runtime()) {
            (Placement::Caller(here), Some(client_runtime))
                if here.id() != client_runtime.runtime.id() =>
            {
                join(client_runtime.runtime.spawn(work())).await
            }
            (Placement::Caller(_), _) => work().await,
            (_, None) => join(runtime::background()?.spawn(work())).await,
            (_, Some(client_runtime)) => match client_runtime.role_of_this_thread().await? {
                ThreadRole::Outsider => join(client_runtime.runtime.spawn(work())).await,
                ThreadRole::Worker => match blocking::allowance() {
                    Some(allowance) => {
                        block_in_place_on(operation, allowance, &client_runtime.runtime, work())
                    }
                    // By way of cachier's runtime: what a worker adds to its own waits for that very worker.
                    None => {
                        let (runtime, work) = (client_runtime.runtime.clone(), work());
                        let task = async move { join(runtime.spawn(work)).await };
                        join(runtime::background()?.spawn(task)).await
                    }
                },
                ThreadRole::Driver => Err(deadlock(operation)),
            },
        }
    }
}

/// Waits on this thread, one of the runtime's workers, until the runtime has done the work: another thread takes its place
/// meanwhile.
fn block_in_place_on<T, F>(
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
    let background = runtime::background()?;
    let done = block_in_place(|| {
        background.block_on(async { timeout(allowance, join(runtime.spawn(work))).await })
    });
    done.unwrap_or_else(|_| Err(timed_out(operation)))
}

fn deadlock(operation: Operation) -> Error {
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

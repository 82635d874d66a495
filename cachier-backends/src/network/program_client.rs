//! The program's own client, whose connections live in the runtime where it was created.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::block_in_place;
use tokio::time::timeout;

use super::client_runtime::{ClientRuntime, ThreadRole};
use super::runtime::{self, AbortOnDrop, Placement, join, timed_out};
use crate::blocking;
use crate::error::{Error, ErrorKind, Operation};

pub(super) struct ProgramClient<C> {
    pub(super) client: C,
    /// The runtime it came from, if any, and the task that marks the runtime's end.
    client_runtime: Option<(Arc<ClientRuntime>, AbortOnDrop<()>)>,
}

impl<C> ProgramClient<C> {
    /// A client whose connections belong to the current runtime, if any.
    pub(super) fn new(client: C) -> Self {
        let client_runtime = Handle::try_current().ok().map(ClientRuntime::of);
        Self {
            client,
            client_runtime,
        }
    }

    /// The client's runtime, while it lasts.
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
    /// Runs an operation on the client's runtime while that lasts: a connection opened elsewhere would stay in the
    /// client after its runtime has ended. Afterwards, and without a runtime, it runs on the caller's runtime or on
    /// cachier's.
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
                    // Through cachier's runtime: a task spawned by a worker would wait for this very worker.
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

/// Blocks this worker thread until its runtime has done the work; another thread replaces the worker meanwhile.
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
    // The client's runtime may have no timer.
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
    .caused_by_caller()
}

//! The runtimes on which the I/O of a client runs.

use std::ops::Deref;
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinHandle;

use crate::blocking::{self, Mode};
use crate::error::{Error, ErrorKind, Operation};
use crate::process::{PerProcess, Process};

/// Where an operation runs that is polled for the first time now.
pub(super) enum Placement {
    /// On the tokio runtime that polls it.
    Caller(Handle),
    /// On the polling thread, which blocks for so long at most.
    Thread(Duration),
    /// On the runtime that cachier keeps: for other executors, for synchronous callers on a thread of a runtime, which may
    /// be the only one that this has, and for what they wait for beside other things; for threads that end, too.
    Background,
}

impl Placement {
    pub(super) fn current() -> Self {
        match (blocking::mode(), Handle::try_current()) {
            (None, Ok(runtime)) => Self::Caller(runtime),
            // A thread that is being torn down can wait for a runtime, but cannot enter one any more.
            (_, Err(none)) if none.is_thread_local_destroyed() => Self::Background,
            (Some(Mode::Inline(allowance)), Err(_)) => Self::Thread(allowance),
            _ => Self::Background,
        }
    }
}

/// The runtime that cachier keeps, started when it is first needed.
pub(super) fn background() -> Result<&'static Handle, Error> {
    static BACKGROUND: PerProcess<Result<Runtime, Error>> = PerProcess::new(|_| {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(1).thread_name("cachier-io");
        builder.enable_all().build().map_err(not_started)
    });
    match &*BACKGROUND {
        Ok(runtime) => Ok(runtime.handle()),
        Err(error) => Err(error.clone()),
    }
}

/// Starts a task that belongs to no caller.
#[cfg(any(feature = "redis", feature = "postgres", feature = "s3"))]
pub(crate) fn spawn_in_background(
    task: impl Future<Output = ()> + Send + 'static,
) -> Result<JoinHandle<()>, Error> {
    Ok(background()?.spawn(task))
}

/// A task that ends when this is dropped, by the process that began it.
pub(crate) struct AbortOnDrop<T> {
    pub(crate) task: JoinHandle<T>,
    process: Process,
}

impl<T> AbortOnDrop<T> {
    pub(crate) fn new(task: JoinHandle<T>) -> Self {
        let process = Process::current();
        Self { task, process }
    }
}

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        if !self.task.is_finished() && self.process.is_current() {
            self.task.abort();
        }
    }
}

/// What a task on another runtime comes to; it is aborted when this is dropped.
pub(super) async fn join<T>(task: JoinHandle<Result<T, Error>>) -> Result<T, Error> {
    let mut task = AbortOnDrop::new(task);
    (&mut task.task).await.unwrap_or_else(|ended| {
        let error = Error::new(
            ErrorKind::Io,
            Operation::Load,
            "the runtime of the backend has ended",
        );
        Err(error.with_source(ended))
    })
}

/// What was waited for on this thread took longer than that may block.
pub(super) fn timed_out(operation: Operation) -> Error {
    Error::new(
        ErrorKind::Timeout,
        operation,
        "the store did not answer in time",
    )
    .with_hint("the limit is `operation_timeout`")
}

/// A runtime for a thread that blocks. It may be dropped anywhere, in a task too: it waits for nothing then.
pub(super) struct CurrentThreadRuntime(Option<Runtime>);

impl CurrentThreadRuntime {
    pub(super) fn start() -> Result<Self, Error> {
        let mut builder = Builder::new_current_thread();
        let runtime = builder.enable_all().build().map_err(not_started)?;
        Ok(Self(Some(runtime)))
    }
}

impl Deref for CurrentThreadRuntime {
    type Target = Runtime;

    fn deref(&self) -> &Runtime {
        match &self.0 {
            Some(runtime) => runtime,
            None => unreachable!("it ends when this is dropped"),
        }
    }
}

impl Drop for CurrentThreadRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

fn not_started(error: std::io::Error) -> Error {
    Error::new(
        ErrorKind::Io,
        Operation::Load,
        "no runtime could be started",
    )
    .with_source(error)
}

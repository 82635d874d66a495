//! The runtimes that client I/O runs on.

use std::ops::Deref;
use std::time::Duration;

use once_cell::sync::OnceCell;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinHandle;

use crate::blocking::{self, Mode};
use crate::error::{Error, ErrorKind, Operation};
use crate::process::{PerProcess, Process};
use crate::runtime::{build, build_with_workers};

/// Where an operation runs, decided when it is first polled.
pub(super) enum Placement {
    /// On the tokio runtime that polls it.
    Caller(Handle),
    /// On the polling thread, which may block for that long.
    Thread(Duration),
    /// On cachier's background runtime: for other executors, for synchronous callers on a runtime's thread (perhaps its
    /// only one), for offloaded operations, and during thread teardown.
    Background,
}

impl Placement {
    pub(super) fn current() -> Self {
        match (blocking::mode(), Handle::try_current()) {
            (None, Ok(runtime)) => Self::Caller(runtime),
            // A thread in teardown can block on a runtime, but no longer enter one.
            (_, Err(none)) if none.is_thread_local_destroyed() => Self::Background,
            (Some(Mode::Inline(allowance)), Err(_)) => Self::Thread(allowance),
            _ => Self::Background,
        }
    }
}

/// cachier's background runtime, started on first use, and tried again where it could not be.
pub(crate) fn background() -> Result<&'static Handle, Error> {
    static BACKGROUND: PerProcess<OnceCell<Runtime>> = PerProcess::new(|_| OnceCell::new());
    let start = || {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(1).thread_name("cachier-io");
        build_with_workers(builder)
    };
    BACKGROUND.get_or_try_init(start).map(Runtime::handle)
}

/// Aborts the task when dropped by the process that spawned it.
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

/// The result of a task on another runtime. Dropping this future aborts the task.
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

/// The error of an operation that exceeded the time its thread may block.
pub(super) fn timed_out(operation: Operation) -> Error {
    Error::new(
        ErrorKind::Timeout,
        operation,
        "the store did not answer in time",
    )
    .with_hint("the limit is `operation_timeout`")
}

/// A runtime for a blocking thread. It may be dropped anywhere, even in a task, as its shutdown waits for nothing.
pub(super) struct CurrentThreadRuntime(Option<Runtime>);

impl CurrentThreadRuntime {
    pub(super) fn start() -> Result<Self, Error> {
        let runtime = build(Builder::new_current_thread())?;
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

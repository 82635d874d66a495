//! Runtimes of cachier's own.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use tokio::runtime::{Builder, Runtime};

use crate::error::{Error, ErrorKind, Operation};
use crate::process::ProcessOnce;

/// Tokio's global state, made with the first runtime of a process.
static FIRST_RUNTIME: ProcessOnce = ProcessOnce::new();

/// Builds a runtime with all its drivers.
///
/// ```
/// use cachier_backends::runtime;
/// use tokio::runtime::Builder;
///
/// let runtime = runtime::build(Builder::new_current_thread())?;
/// assert_eq!(runtime.block_on(async { 7 }), 7);
/// # Ok::<(), cachier_backends::Error>(())
/// ```
///
/// # Errors
/// When the operating system gives no thread or no driver, and in a process that was forked while its parent started its
/// first runtime.
pub fn build(mut builder: Builder) -> Result<Runtime, Error> {
    // Dropped in a task, the runtime would wait for its threads, which panics there.
    let first = || {
        if let Ok(first) = Builder::new_current_thread().enable_all().build() {
            first.shutdown_background();
        }
    };
    if !FIRST_RUNTIME.get(first) {
        let message = "a thread of the process that this one was forked from was just starting its first tokio runtime: what \
            tokio keeps for a whole process is locked here for ever";
        let hint = "fork before the first call, or after";
        return Err(Error::new(ErrorKind::Io, Operation::Load, message).with_hint(hint));
    }
    // Without a thread for a worker, tokio panics.
    let built = catch_unwind(AssertUnwindSafe(|| builder.enable_all().build()));
    let no_thread = |_| Err(io::Error::other("there is no thread for it"));
    built.unwrap_or_else(no_thread).map_err(not_started)
}

/// [`build`] for runtimes with worker threads. Without a thread for one, tokio panics, which is seen on the standard error
/// stream: so a thread is tried first.
///
/// ```
/// use cachier_backends::runtime;
/// use tokio::runtime::Builder;
///
/// let runtime = runtime::build_with_workers(Builder::new_multi_thread())?;
/// runtime.spawn(async { 7 });
/// # Ok::<(), cachier_backends::Error>(())
/// ```
///
/// # Errors
/// As [`build`].
pub fn build_with_workers(builder: Builder) -> Result<Runtime, Error> {
    // Not waited for, as on Windows no thread starts while another one is being torn down.
    thread::Builder::new().spawn(|| {}).map_err(not_started)?;
    build(builder)
}

fn not_started(error: io::Error) -> Error {
    Error::new(
        ErrorKind::Io,
        Operation::Load,
        "no runtime could be started",
    )
    .with_source(error)
}

//! Waiting for a future on a thread and a runtime of its own, since the caller's thread may be one that drives tasks.

use std::any::Any;
use std::io;
use std::thread;

use tokio::runtime::Builder;

/// Waits for a future on this thread, which is started for it.
///
/// # Errors
/// When there can be no thread or no runtime, or the future panics.
pub(super) fn block_on<F>(thread: thread::Builder, future: F) -> io::Result<F::Output>
where
    F: Future<Output: Send> + Send,
{
    thread::scope(|scope| {
        let running = thread.spawn_scoped(scope, || run(future))?;
        running.join().unwrap_or_else(panicked)
    })
}

fn run<F: Future>(future: F) -> io::Result<F::Output> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let output = runtime.block_on(future);
    // Not waiting for a name server that does not answer.
    runtime.shutdown_background();
    Ok(output)
}

fn panicked<T>(_: Box<dyn Any + Send>) -> io::Result<T> {
    Err(io::Error::other("its client has panicked"))
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::mpsc::channel;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_failure_of_the_thread_is_an_error() {
        assert_eq!(block_on(thread::Builder::new(), async { 7 }).unwrap(), 7);
        let too_large = thread::Builder::new().stack_size(usize::MAX / 2);
        block_on(too_large, std::future::ready(())).unwrap_err();
        let panicking = async { panic!("on purpose") };
        let error = block_on(thread::Builder::new(), panicking).unwrap_err();
        assert_eq!(error.to_string(), "its client has panicked");
    }

    /// Like a name server that does not answer, while a thread of the system's resolver waits for it.
    #[test]
    fn work_left_behind_is_not_waited_for() {
        let (release, released) = channel::<()>();
        let (end, ended) = channel();
        let slow = move || end.send(released.recv_timeout(Duration::from_secs(20)));
        let future = async { drop(tokio::task::spawn_blocking(slow)) };
        block_on(thread::Builder::new(), future).unwrap();
        assert!(ended.try_recv().is_err(), "it was waited for");
        drop(release);
    }
}

//! The thread of an exporter that sends by itself: it exports once in each interval, until it is stopped.

use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::error::ExportError;
use crate::per_process::PerProcess;

/// Exports periodically while it is started, and ends with its owner. A forked child does not inherit the thread:
/// it starts its own, or has none.
#[derive(Debug)]
pub(super) struct Periodic {
    /// The name of its thread, and so of the exporter: `cachier-statsd`.
    name: &'static str,
    interval: Duration,
    running: PerProcess<Mutex<Option<Running>>>,
}

#[derive(Debug)]
struct Running {
    /// Dropped to end the thread.
    until_dropped: Sender<Infallible>,
    thread: JoinHandle<()>,
}

/// A shorter interval would export without a pause.
const MIN_INTERVAL: Duration = Duration::from_millis(1);

impl Periodic {
    pub(super) fn new(name: &'static str, interval: Duration) -> Self {
        Self {
            name,
            interval: interval.max(MIN_INTERVAL),
            running: PerProcess::new(),
        }
    }

    /// Starts to call `export`, for the first time after an interval. It counts its own failures and warns of them, as it has no
    /// caller to return them to.
    ///
    /// # Errors
    /// When it is started already, or there can be no thread.
    pub(super) fn start(&self, export: impl Fn() + Send + 'static) -> Result<(), ExportError> {
        let mut running = self.running();
        let (name, interval) = (self.name, self.interval);
        if running.is_some() {
            let message = format!("the exporter of `{name}` has been started already");
            return Err(ExportError::new(message));
        }
        let (until_dropped, dropped) = channel::<Infallible>();
        let run = move || {
            while dropped.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
                // The thread survives a panic in a store of the program that is asked for its figures.
                let _ = catch_unwind(AssertUnwindSafe(&export));
            }
        };
        let thread = spawn(thread::Builder::new(), name, run)?;
        *running = Some(Running {
            until_dropped,
            thread,
        });
        Ok(())
    }

    /// Ends the thread after its current export, if any; returns whether there was one.
    pub(super) fn stop(&self) -> bool {
        // Not under the lock, which another caller may want meanwhile.
        let running = self.running().take();
        running.map(Running::end).is_some()
    }

    fn running(&self) -> MutexGuard<'_, Option<Running>> {
        let running = self.running.get(|_| Mutex::default());
        running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Periodic {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Running {
    fn end(self) {
        drop(self.until_dropped);
        // An exporter that its own thread drops cannot wait for it.
        if self.thread.thread().id() != thread::current().id() {
            let _ = self.thread.join();
        }
    }
}

fn spawn(
    thread: thread::Builder,
    name: &str,
    run: impl FnOnce() + Send + 'static,
) -> Result<JoinHandle<()>, ExportError> {
    let thread = thread.name(name.to_owned()).spawn(run);
    thread.map_err(|error| {
        ExportError::io(
            format!("no thread `{name}` could be started: {error}"),
            error,
        )
    })
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;

    use super::*;

    const SHORT_INTERVAL: Duration = Duration::from_millis(1);

    #[test]
    fn it_exports_in_each_interval_until_stopped() {
        let periodic = Periodic::new("cachier-test", Duration::ZERO);
        for _ in 0..2 {
            let (exports, exported) = channel();
            let name = move || exports.send(thread::current().name().map(str::to_owned));
            periodic.start(move || drop(name())).unwrap();
            for _ in 0..3 {
                assert_eq!(exported.recv().unwrap().as_deref(), Some("cachier-test"));
            }
            let error = periodic.start(<()>::default).unwrap_err().to_string();
            assert!(
                error.contains("`cachier-test` has been started already"),
                "{error}"
            );
            assert!(periodic.stop() && !periodic.stop());
            // The thread has let go of what it exported with.
            exported.iter().for_each(drop);
        }
    }

    #[test]
    fn why_there_is_no_thread_is_told() {
        let too_large = thread::Builder::new().stack_size(usize::MAX / 2);
        let error = spawn(too_large, "cachier-test", <()>::default).unwrap_err();
        let why = std::error::Error::source(&error).unwrap().to_string();
        let said = error.to_string();
        assert!(
            said.contains("`cachier-test`") && said.contains(&why),
            "{said}"
        );
    }

    #[test]
    fn a_panic_ends_no_thread() {
        let periodic = Periodic::new("cachier-test", SHORT_INTERVAL);
        let (exports, exported) = channel();
        let export = move || {
            exports.send(()).unwrap();
            panic!("on purpose");
        };
        periodic.start(export).unwrap();
        (0..3).for_each(|_| exported.recv().unwrap());
    }

    /// As where the program's last handle of an exporter is one that its own thread holds.
    #[test]
    fn its_own_thread_may_drop_it() {
        let periodic = Arc::new(Periodic::new("cachier-test", SHORT_INTERVAL));
        let own = Mutex::new(Some(Arc::clone(&periodic)));
        let (exports, exported) = channel();
        let export = move || {
            let own = own.lock().unwrap().take();
            exports.send(own.map(|own| own.stop())).unwrap();
        };
        periodic.start(export).unwrap();
        assert_eq!(exported.recv().unwrap(), Some(true));
        exported.iter().for_each(drop);
    }
}

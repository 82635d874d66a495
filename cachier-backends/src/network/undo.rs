//! Undoing what was done in an answer that never came.

use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::{sleep, timeout};

use super::runtime;
use crate::error::Error;
use crate::process::Process;

/// A request whose caller gave up is on its way a little longer; what undoes it should not overtake it.
const AFTER: Duration = Duration::from_millis(100);

/// How long undoing may take. Leases that nobody gives back end by themselves.
const WITHIN: Duration = Duration::from_secs(5);

/// Undoes a request in the background, unless it is answered first.
pub(crate) struct Undo {
    undo: Option<Box<dyn FnOnce() + Send>>,
    /// Whose request it is.
    process: Process,
}

impl Undo {
    /// `undo` runs on that runtime, else on cachier's own.
    pub(super) fn on<F>(runtime: Option<Handle>, undo: impl FnOnce() -> F + Send + 'static) -> Self
    where
        F: Future<Output = Result<(), Error>> + Send + 'static,
    {
        let undo = move || {
            let Some(runtime) = runtime.or_else(|| runtime::own().ok().cloned()) else {
                return;
            };
            runtime.spawn(async move {
                sleep(AFTER).await;
                // Nobody is there to be told of a failure.
                let _ = timeout(WITHIN, undo()).await;
            });
        };
        Self {
            undo: Some(Box::new(undo)),
            process: Process::current(),
        }
    }

    /// The request has come to this: an answer, also one that refuses it, needs no undoing.
    pub(crate) fn unless_lost<T>(mut self, outcome: &Result<T, Error>) {
        let is_lost = outcome.as_ref().is_err_and(|error| error.is_transient());
        if !is_lost {
            self.undo = None;
        }
    }
}

impl Drop for Undo {
    fn drop(&mut self) {
        if let Some(undo) = self.undo.take()
            && self.process.is_current()
        {
            undo();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::mpsc::channel;

    use super::*;
    use crate::error::{ErrorKind, Operation};

    #[test]
    fn what_is_not_answered_is_undone_and_nothing_else() {
        let (tell, undone) = channel();
        let undo = |name: &'static str| {
            let tell = tell.clone();
            Undo::on(None, move || async move {
                tell.send(name).unwrap();
                Ok(())
            })
        };
        let failed = |kind| Err::<(), _>(Error::new(kind, Operation::Lease, "on purpose"));
        undo("answered").unless_lost(&Ok(()));
        undo("refused").unless_lost(&failed(ErrorKind::Denied));
        undo("broken").unless_lost(&failed(ErrorKind::Connect));
        drop(undo("given up"));
        drop(tell);
        let mut undone: Vec<_> = undone.iter().collect();
        undone.sort_unstable();
        assert_eq!(undone, ["broken", "given up"]);
    }
}

//! Compensation for requests whose answer was lost.

use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::{sleep, timeout};

use super::runtime;
use crate::error::Error;
use crate::process::Process;

/// Delay before compensating, so that the compensation does not overtake the abandoned request.
const COMPENSATION_DELAY: Duration = Duration::from_millis(100);

/// Limit for one compensation. A lease that is never released expires by itself.
const COMPENSATION_TIMEOUT: Duration = Duration::from_secs(5);

/// Undoes a request in the background, unless it is answered first.
pub(crate) struct Compensation {
    action: Option<Box<dyn FnOnce() + Send>>,
    /// The process that sent the request.
    process: Process,
}

impl Compensation {
    /// Runs `action` on `runtime`, or else on cachier's own.
    pub(super) fn on<F>(
        runtime: Option<Handle>,
        action: impl FnOnce() -> F + Send + 'static,
    ) -> Self
    where
        F: Future<Output = Result<(), Error>> + Send + 'static,
    {
        let action = move || {
            let Some(runtime) = runtime.or_else(|| runtime::background().ok().cloned()) else {
                return;
            };
            runtime.spawn(async move {
                sleep(COMPENSATION_DELAY).await;
                // Nobody is left to report a failure to.
                let _ = timeout(COMPENSATION_TIMEOUT, action()).await;
            });
        };
        Self {
            action: Some(Box::new(action)),
            process: Process::current(),
        }
    }

    /// Disarms unless the answer was lost; a refusal is an answer, too.
    pub(crate) fn disarm_if_answered<T>(mut self, outcome: &Result<T, Error>) {
        let is_lost = outcome.as_ref().is_err_and(|error| error.is_transient());
        if !is_lost {
            self.action = None;
        }
    }
}

impl Drop for Compensation {
    fn drop(&mut self) {
        if let Some(action) = self.action.take()
            && self.process.is_current()
        {
            action();
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
    fn only_unanswered_requests_are_compensated() {
        let (tell, compensated) = channel();
        let compensation = |name: &'static str| {
            let tell = tell.clone();
            Compensation::on(None, move || async move {
                tell.send(name).unwrap();
                Ok(())
            })
        };
        let failed = |kind| Err::<(), _>(Error::new(kind, Operation::Lease, "on purpose"));
        compensation("answered").disarm_if_answered(&Ok(()));
        compensation("refused").disarm_if_answered(&failed(ErrorKind::Denied));
        compensation("broken").disarm_if_answered(&failed(ErrorKind::Connect));
        drop(compensation("given up"));
        drop(tell);
        let mut compensated: Vec<_> = compensated.iter().collect();
        compensated.sort_unstable();
        assert_eq!(compensated, ["broken", "given up"]);
    }
}

//! Asynchronous one-time initialisation of connections.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::sync::OnceCell;

use super::task_tracker::tracked;
use crate::error::{Error, ErrorKind, Operation};

/// A value initialised on first use. A failed attempt is repeated by the next caller.
pub(crate) struct AsyncOnce<T> {
    value: OnceLock<T>,
    attempts: Arc<Attempts<T>>,
}

/// The current attempt.
struct Attempts<T>(Mutex<Attempt<T>>);

/// One attempt and its result, shared by all callers who wait for it.
type Attempt<T> = Arc<OnceCell<Result<T, Error>>>;

impl<T> Default for AsyncOnce<T> {
    fn default() -> Self {
        Self {
            value: OnceLock::new(),
            attempts: Arc::new(Attempts(Mutex::default())),
        }
    }
}

impl<T: Clone + Send + Sync + 'static> AsyncOnce<T> {
    /// The value, if it has been initialised.
    pub(crate) fn get(&self) -> Option<&T> {
        self.value.get()
    }

    /// The value, initialised by `make` if need be.
    pub(crate) async fn get_or_try_init<F>(
        &self,
        make: impl FnOnce() -> F + Send + 'static,
    ) -> Result<&T, Error>
    where
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        if let Some(value) = self.value.get() {
            return Ok(value);
        }
        let attempt = Arc::clone(&self.attempts.current());
        let (attempts, of_task) = (Arc::clone(&self.attempts), Arc::clone(&attempt));
        let make = || async move {
            let value = make().await;
            if value.is_err() {
                // Current waiters get this error; a later caller tries again even if nobody waits any more.
                attempts.discard(&of_task);
            }
            value
        };
        match init_in_task(&attempt, make).await {
            Some(Ok(value)) => Ok(self.value.get_or_init(|| value.clone())),
            Some(Err(error)) => Err(error.clone()),
            None => {
                self.attempts.discard(&attempt);
                let message = "the runtime of the backend has ended";
                Err(Error::new(ErrorKind::Io, Operation::Load, message))
            }
        }
    }
}

impl<T> Attempts<T> {
    fn current(&self) -> MutexGuard<'_, Attempt<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the next caller try again, unless somebody replaced the failed attempt already.
    fn discard(&self, failed: &Attempt<T>) {
        let mut current = self.current();
        if Arc::ptr_eq(&current, failed) {
            *current = Attempt::default();
        }
    }
}

/// The value of a cell, made by `make` if need be; `None` if the runtime ended before that.
///
/// It is made in a task of its own, which goes on when this is dropped: a value that takes longer than a call may take comes
/// about nevertheless, for the next one. Where the runtime is driven by synchronous callers only, it is driven on.
pub(crate) async fn init_in_task<T, F>(
    cell: &Arc<OnceCell<T>>,
    make: impl FnOnce() -> F + Send + 'static,
) -> Option<&T>
where
    T: Send + Sync + 'static,
    F: Future<Output = T> + Send + 'static,
{
    if cell.get().is_none() {
        let of_task = Arc::clone(cell);
        let task = tokio::spawn(tracked(async move {
            of_task.get_or_init(make).await;
        }));
        // The cell shows whether it succeeded.
        let _ = task.await;
    }
    cell.get()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    use tokio::sync::Notify;
    use tokio::time::timeout;

    use super::*;

    fn runtime() -> tokio::runtime::Runtime {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().build().unwrap()
    }

    #[test]
    fn an_attempt_outlives_its_caller() {
        let (lazily, go) = (AsyncOnce::default(), Arc::new(Notify::new()));
        let slowly = || {
            let go = Arc::clone(&go);
            move || async move {
                go.notified().await;
                Ok(7)
            }
        };
        runtime().block_on(async {
            let early = timeout(Duration::from_millis(5), lazily.get_or_try_init(slowly())).await;
            assert!(early.is_err() && lazily.get().is_none());
            go.notify_one();
            assert_eq!(*lazily.get_or_try_init(slowly()).await.unwrap(), 7);
        });
        assert_eq!(lazily.get(), Some(&7));
    }

    #[test]
    fn a_failure_is_reported_and_retried() {
        static ATTEMPTS: AtomicU32 = AtomicU32::new(0);
        let lazily = AsyncOnce::default();
        let make = || async {
            match ATTEMPTS.fetch_add(1, Ordering::SeqCst) {
                0 => Err(Error::new(ErrorKind::Connect, Operation::Load, "not yet")),
                made => Ok(made),
            }
        };
        runtime().block_on(async {
            let failed = lazily.get_or_try_init(make).await;
            assert_eq!(failed.unwrap_err().kind(), ErrorKind::Connect);
            assert_eq!(*lazily.get_or_try_init(make).await.unwrap(), 1);
            assert_eq!(*lazily.get_or_try_init(make).await.unwrap(), 1);
        });
    }

    #[test]
    fn an_unobserved_failure_is_not_reported_later() {
        let (lazily, go) = (AsyncOnce::default(), Arc::new(Notify::new()));
        let ended = Arc::new(Notify::new());
        let (of_make, tell) = (Arc::clone(&go), Arc::clone(&ended));
        let fail = || async move {
            of_make.notified().await;
            tell.notify_one();
            Err(Error::new(ErrorKind::Connect, Operation::Load, "long ago"))
        };
        runtime().block_on(async {
            let early = timeout(Duration::from_millis(5), lazily.get_or_try_init(fail)).await;
            assert!(early.is_err());
            go.notify_one();
            ended.notified().await;
            assert_eq!(
                *lazily.get_or_try_init(|| async { Ok(7) }).await.unwrap(),
                7
            );
        });
    }
}

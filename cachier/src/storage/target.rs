//! Where the values of one function go.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use cachier_backends::{Error, ErrorKind, Key, KeyHash, Scope, Version, Watch, Watcher};

use crate::backend_handle::BackendHandle;
use crate::budget::Bounded;
use crate::timer::Timer;

/// Where the function's values go, for the current parameters.
pub(super) struct Target {
    pub(super) handle: Arc<BackendHandle>,
    pub(super) scope: Arc<Scope>,
    pub(super) version: Version,
    /// Watches for changes, from the first time that somebody needs it; `None` if the store does not notify.
    pub(super) watch: OnceLock<Option<Watch>>,
}

impl Target {
    pub(super) fn key(&self, hash: KeyHash) -> Key {
        Key::new(Arc::clone(&self.scope), self.version, hash)
    }

    pub(super) fn watch(&self, watcher: Arc<Watcher>) {
        let backend = self.handle.backend(Bounded::OUTSIDE_CALLS);
        self.watch
            .get_or_init(|| backend.watch(&self.scope, watcher));
    }

    /// Runs the work, and once more if the connection was lost.
    pub(super) async fn with_retry<R>(
        &self,
        bounded: Bounded,
        work: impl AsyncFnOnce(&Self, Bounded) -> Result<R, Error> + Clone,
    ) -> Result<R, Error> {
        match work.clone()(self, bounded).await {
            // Boxed to keep the future of operations that succeed at once small.
            Err(error) if error.kind() == ErrorKind::Connect => {
                Box::pin(async {
                    // Not all at once: many callers may have lost the same connection.
                    let pause = Duration::from_millis(fastrand::u64(5..25));
                    Timer::system().sleep(pause).await;
                    work(self, bounded).await
                })
                .await
            }
            done => done,
        }
    }
}

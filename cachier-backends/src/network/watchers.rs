//! Watchers of changes, and their notification.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::backend::{Change, Watch, Watcher};
use crate::key::{Key, Scope};

/// The watchers of one store, by function. The backend's subscription notifies them.
#[derive(Default)]
pub(crate) struct Watchers {
    /// Keyed by scope path.
    by_scope: Mutex<HashMap<Arc<str>, Vec<Registered>>>,
}

struct Registered {
    id: Arc<()>,
    watcher: Arc<Watcher>,
}

impl Watchers {
    /// Calls `watcher` for changes of a function's entries until the watch is dropped.
    pub(crate) fn watch(self: &Arc<Self>, scope: &Arc<Scope>, watcher: Arc<Watcher>) -> Watch {
        let id = Arc::new(());
        let registered = Registered {
            id: Arc::clone(&id),
            watcher,
        };
        self.lock()
            .entry(Arc::clone(scope.path()))
            .or_default()
            .push(registered);
        Watch::new(Unwatch {
            watchers: Arc::clone(self),
            scope: Arc::clone(scope.path()),
            id,
        })
    }

    /// Waits for a change of one entry. No change after this call is missed, whenever the future is polled.
    pub(crate) fn of_entry(self: &Arc<Self>, key: &Key) -> impl Future<Output = ()> + Send + use<> {
        let changed = Arc::new(Notify::new());
        let (hash, notify) = (key.hash(), Arc::clone(&changed));
        let watch = self.watch(
            key.scope(),
            Arc::new(move |change: &Change| {
                if change.concerns(hash) {
                    notify.notify_one();
                }
            }),
        );
        async move {
            let _watch = watch;
            changed.notified().await;
        }
    }

    /// Notifies the watchers of the function with this scope path.
    pub(crate) fn notify(&self, scope: &str, change: &Change) {
        let watchers: Vec<_> = match self.lock().get(scope) {
            Some(registered) => registered.iter().map(Registered::watcher).collect(),
            None => return,
        };
        // Outside the lock: a watcher may run any code.
        watchers.iter().for_each(|watcher| watcher(change));
    }

    /// Notifies every watcher that changes may have been missed.
    pub(crate) fn notify_gap(&self) {
        let scopes: Vec<_> = self.lock().keys().cloned().collect();
        scopes
            .iter()
            .for_each(|scope| self.notify(scope, &Change::All));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<str>, Vec<Registered>>> {
        self.by_scope.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Registered {
    fn watcher(&self) -> Arc<Watcher> {
        Arc::clone(&self.watcher)
    }
}

/// Ends a watch when dropped.
struct Unwatch {
    watchers: Arc<Watchers>,
    scope: Arc<str>,
    id: Arc<()>,
}

impl Drop for Unwatch {
    fn drop(&mut self) {
        let mut watchers = self.watchers.lock();
        let Some(registered) = watchers.get_mut(&self.scope) else {
            return;
        };
        let gone: Vec<_> = registered
            .extract_if(.., |one| Arc::ptr_eq(&one.id, &self.id))
            .collect();
        if registered.is_empty() {
            watchers.remove(&self.scope);
        }
        drop(watchers);
        drop(gone);
    }
}

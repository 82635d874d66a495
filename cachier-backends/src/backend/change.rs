//! Notifications of changes to entries by others.

use std::any::Any;

use crate::key::KeyHash;

/// A change to the entries of a function.
///
/// ```
/// use cachier_backends::{Change, KeyHash};
///
/// let (one, other) = (KeyHash::from_bytes([1; 32]), KeyHash::from_bytes([2; 32]));
/// assert!(Change::Entry(one).concerns(one) && !Change::Entry(one).concerns(other));
/// assert!(Change::All.concerns(other));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// Entries with this hash, in any version, were stored or removed.
    Entry(KeyHash),
    /// Any entry may have changed: they were cleared, or notifications may have been missed.
    All,
}

impl Change {
    /// Whether the entry of a hash may have changed.
    #[must_use]
    pub fn concerns(&self, hash: KeyHash) -> bool {
        match self {
            Self::Entry(changed) => *changed == hash,
            Self::All => true,
        }
    }
}

/// Called for each change; must not block.
///
/// ```
/// use std::sync::{Arc, mpsc::channel};
/// use cachier_backends::{Change, Watcher};
///
/// let (changes, seen) = channel();
/// let watcher: Arc<Watcher> = Arc::new(move |change| drop(changes.send(*change)));
/// watcher(&Change::All);
/// assert_eq!(seen.recv(), Ok(Change::All));
/// ```
pub type Watcher = dyn Fn(&Change) + Send + Sync;

/// Keeps a [`Watcher`] registered until dropped.
///
/// ```
/// use std::sync::{Arc, Mutex};
/// use cachier_backends::{Change, Watch, Watcher};
///
/// /// What a backend that is told of changes keeps of each watch.
/// type Watchers = Arc<Mutex<Vec<Option<Arc<Watcher>>>>>;
///
/// struct Guard(Watchers, usize);
///
/// impl Drop for Guard {
///     fn drop(&mut self) {
///         self.0.lock().unwrap()[self.1] = None;
///     }
/// }
///
/// let watchers: Watchers = Arc::default();
/// watchers.lock().unwrap().push(Some(Arc::new(|_: &Change| {})));
/// let watch = Watch::new(Guard(Arc::clone(&watchers), 0));
/// drop(watch);
/// assert!(watchers.lock().unwrap()[0].is_none());
/// ```
pub struct Watch {
    _guard: Box<dyn Any + Send + Sync>,
}

impl Watch {
    /// A watch that ends when `guard` is dropped.
    pub fn new(guard: impl Any + Send + Sync) -> Self {
        Self {
            _guard: Box::new(guard),
        }
    }
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").finish_non_exhaustive()
    }
}

//! Notifications of changes to entries by others.

use std::any::Any;

use crate::key::KeyHash;

/// A change to the entries of a function.
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
pub type Watcher = dyn Fn(&Change) + Send + Sync;

/// Keeps a [`Watcher`] registered until dropped.
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

//! Learning of what others do to entries.

use std::any::Any;

use crate::key::KeyHash;

/// Something that happened to the entries of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// The entries of this hash, in whatever version, are new or gone.
    Entry(KeyHash),
    /// Any of them may be: they were cleared, or notifications may have been missed.
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

/// Who is told of changes; it must not block.
pub type Watcher = dyn Fn(&Change) + Send + Sync;

/// Has a [`Watcher`] told of changes until it is dropped.
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

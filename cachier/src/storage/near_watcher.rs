//! The near tier in front of a persistent store, as the store informs it.

use std::mem::forget;
use std::sync::Arc;

use cachier_backends::{Change, KeyHash, Watcher};
use once_cell::race::OnceBox;

/// Called with the changes of other processes, and with those of this one that nobody may learn of. Empty without a near tier.
#[derive(Default)]
pub(super) struct NearWatcher(OnceBox<Arc<Watcher>>);

impl NearWatcher {
    /// Set once for each function, before its first call.
    #[cfg(feature = "memory")]
    pub(super) fn set(&self, watcher: Arc<Watcher>) {
        let _ = self.0.set(Box::new(watcher));
    }

    pub(super) fn get(&self) -> Option<&Arc<Watcher>> {
        self.0.get()
    }

    /// Forgets the near copy of an entry.
    pub(super) fn forget(&self, key: &KeyHash) {
        if let Some(near) = self.get() {
            near(&Change::Entry(*key));
        }
    }

    /// Forgets the near copy of an entry that changes from now on, and at the end of the change.
    pub(super) fn changing(&self, key: KeyHash) -> Changing<'_> {
        self.forget(&key);
        self.will_change(key)
    }

    /// Forgets the near copy of an entry at the end of its change.
    pub(super) fn will_change(&self, key: KeyHash) -> Changing<'_> {
        Changing { near: self, key }
    }
}

/// Forgets a near copy when dropped: loads before the change may have made one, and its caller may never learn of it.
pub(super) struct Changing<'a> {
    near: &'a NearWatcher,
    key: KeyHash,
}

impl Changing<'_> {
    /// Leaves the near copy to a caller who learns of the change.
    pub(super) fn disarm(self) {
        forget(self);
    }
}

impl Drop for Changing<'_> {
    fn drop(&mut self) {
        self.near.forget(&self.key);
    }
}

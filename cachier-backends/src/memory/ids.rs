//! The ids of the words of a table, in stores that evict.

use std::sync::OnceLock;
use std::sync::atomic::Ordering::Relaxed;

use super::sync::AtomicU32;

/// One for each slot, zero unless set: takes no room before the first that is not. For writers only.
pub(super) struct Ids(OnceLock<Box<[AtomicU32]>>);

impl Ids {
    pub(super) fn new() -> Self {
        Self(OnceLock::new())
    }

    pub(super) fn get(&self, slot: usize) -> u32 {
        let ids = self.0.get();
        ids.map_or(0, |ids| ids[slot].load(Relaxed))
    }

    /// Sets the id of a slot. `slots` is the number of slots.
    pub(super) fn set(&self, slot: usize, slots: usize, id: u32) {
        let none = || (0..slots).map(|_| AtomicU32::new(0)).collect();
        if id != 0 || self.0.get().is_some() {
            self.0.get_or_init(none)[slot].store(id, Relaxed);
        }
    }
}

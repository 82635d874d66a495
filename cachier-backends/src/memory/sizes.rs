//! Sizes of entries.

use super::catalog::make_room;

const UNKNOWN_SIZE: u64 = u64::MAX;

/// Sizes by id, and their sum.
#[derive(Default)]
pub(super) struct Sizes {
    /// Covers the ids whose size is known.
    by_id: Vec<u64>,
    known: usize,
    sum: u64,
}

impl Sizes {
    /// The sum of the known sizes.
    pub(super) fn sum(&self) -> u64 {
        self.sum
    }

    /// The sum of the sizes of all `entries`; absent if any is unknown.
    pub(super) fn total(&self, entries: usize) -> Option<u64> {
        (self.known == entries).then_some(self.sum)
    }

    pub(super) fn add(&mut self, id: u32, size: Option<u64>) {
        let Some(size) = size else { return };
        let index = id as usize;
        if index >= self.by_id.len() {
            make_room(&mut self.by_id);
            self.by_id.resize(index + 1, UNKNOWN_SIZE);
        }
        self.by_id[index] = size.min(UNKNOWN_SIZE - 1);
        self.known += 1;
        self.sum = self.sum.saturating_add(self.by_id[index]);
    }

    /// Under the new id of each former one.
    pub(super) fn renumber(&mut self, ids: &[u32]) {
        let former = std::mem::take(self);
        for (size, id) in former.by_id.into_iter().zip(ids) {
            if size != UNKNOWN_SIZE {
                self.add(*id, Some(size));
            }
        }
    }

    pub(super) fn remove(&mut self, id: u32) {
        let Some(size) = self.by_id.get_mut(id as usize) else {
            return;
        };
        let size = std::mem::replace(size, UNKNOWN_SIZE);
        if size != UNKNOWN_SIZE {
            self.known -= 1;
            self.sum = self.sum.saturating_sub(size);
        }
    }
}

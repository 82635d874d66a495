//! The running computations, and their starts.

use crate::counter::{Slot, UpDownCounter};
use once_cell::race::OnceBox;

/// The starts of running computations: a lock-free list of fixed pages, as long as the most that ever ran at once.
#[derive(Default)]
pub(crate) struct RunningComputations {
    count: UpDownCounter,
    first: Page,
}

#[derive(Default)]
struct Page {
    starts: [Slot; 32],
    next: OnceBox<Page>,
}

impl RunningComputations {
    /// Records a computation that started at `now`, in nanoseconds, not zero.
    pub(crate) fn start(&self, now: u64) -> &Slot {
        self.count.up();
        let mut page = &self.first;
        loop {
            if let Some(slot) = page.starts.iter().find(|slot| slot.take(now)) {
                return slot;
            }
            page = page.next.get_or_init(Box::default);
        }
    }

    pub(crate) fn end(&self, slot: &Slot) {
        slot.free();
        self.count.down();
    }

    /// How many are running.
    pub(crate) fn count(&self) -> u64 {
        self.count.get()
    }

    /// When the oldest of them started.
    #[cfg(all(test, not(shuttle)))]
    pub(crate) fn oldest(&self) -> Option<u64> {
        self.starts().min()
    }

    /// When each of them started.
    pub(crate) fn starts(&self) -> impl Iterator<Item = u64> {
        let pages = std::iter::successors(Some(&self.first), |page| page.next.get());
        pages.flat_map(|page| &page.starts).filter_map(Slot::get)
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_known_however_many_run() {
        let running = RunningComputations::default();
        let slots: Vec<_> = (1..=100).map(|start| running.start(start)).collect();
        assert_eq!((running.count(), running.oldest()), (100, Some(1)));
        for (ended, slot) in (1..).zip(&slots) {
            running.end(slot);
            assert_eq!(
                running.oldest(),
                Some(ended + 1).filter(|next| *next <= 100)
            );
        }
        assert_eq!(running.count(), 0);
        running.start(7);
        assert_eq!(running.oldest(), Some(7));
    }
}

//! Which block a thread counts in: found once, kept in a slot, and returned when the thread ends.

use std::cell::{Cell, RefCell};
use std::thread::LocalKey;

use crate::block::{Block, Blocks};
use crate::counter::Writers;

/// Keeps a thread's block of one function between calls.
///
/// ```
/// use cachier_metrics::LocalSlot;
///
/// thread_local! {
///     static SLOT: LocalSlot = const { LocalSlot::new() };
/// }
/// ```
pub struct LocalSlot {
    block: Cell<Option<&'static Block>>,
}

impl LocalSlot {
    /// An empty slot.
    pub const fn new() -> Self {
        Self {
            block: Cell::new(None),
        }
    }

    #[inline]
    pub(crate) fn get(&self) -> Option<&'static Block> {
        self.block.get()
    }
}

impl Default for LocalSlot {
    fn default() -> Self {
        Self::new()
    }
}

/// The slow path of [`CacheMetrics::local`](crate::CacheMetrics::local): puts this thread's block into the slot. A thread
/// that has ended already has none of its own.
#[cold]
pub(crate) fn attach(
    blocks: &'static Blocks,
    slot: &'static LocalKey<LocalSlot>,
) -> (&'static Block, Writers) {
    match THREAD_BLOCKS.try_with(|thread| thread.borrow_mut().attach(blocks, slot)) {
        Ok(block) => (block, Writers::One),
        Err(_) => (blocks.shared(), Writers::Many),
    }
}

thread_local! {
    /// The blocks that this thread returns when it ends. Used by the slow path only.
    static THREAD_BLOCKS: RefCell<ThreadBlocks> = RefCell::default();
}

#[derive(Default)]
struct ThreadBlocks {
    blocks: Vec<&'static Block>,
    slots: Vec<&'static LocalKey<LocalSlot>>,
}

impl ThreadBlocks {
    fn attach(
        &mut self,
        blocks: &'static Blocks,
        slot: &'static LocalKey<LocalSlot>,
    ) -> &'static Block {
        let mut known = self.blocks.iter();
        let block = match known.find(|known| known.owned_by(blocks)) {
            Some(known) => known,
            None => {
                let block = blocks.acquire();
                self.blocks.push(block);
                block
            }
        };
        if !self.slots.iter().any(|known| std::ptr::eq(*known, slot)) {
            self.slots.push(slot);
        }
        slot.with(|slot| slot.block.set(Some(block)));
        block
    }
}

impl Drop for ThreadBlocks {
    fn drop(&mut self) {
        // This thread must forget its blocks before other threads can get them.
        for slot in &self.slots {
            slot.with(|slot| slot.block.set(None));
        }
        for block in self.blocks.drain(..) {
            block.owner().release(block);
        }
    }
}

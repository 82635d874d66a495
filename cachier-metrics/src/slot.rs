//! Which block a thread counts in: found once, kept in a slot, and returned when the thread ends.

use std::cell::{Cell, RefCell};
use std::mem::ManuallyDrop;
use std::sync::Arc;
use std::thread::LocalKey;

use crate::block::{Block, Blocks};
use crate::counter::Writers;
use crate::timed_hits::TimedHits;

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
    /// Emptied when the thread ends. Without a destructor, as a thread-local with one is slower to get at.
    timed: ManuallyDrop<RefCell<Option<OfBlock>>>,
}

/// A block, and the timed hits of its thread.
type OfBlock = (&'static Block, Arc<TimedHits>);

impl LocalSlot {
    /// An empty slot.
    pub const fn new() -> Self {
        Self {
            block: Cell::new(None),
            timed: ManuallyDrop::new(RefCell::new(None)),
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

/// Runs `record` on the timed hits that belong to a block of this thread.
#[inline]
pub(crate) fn with_timed(
    block: &'static Block,
    slot: &'static LocalKey<LocalSlot>,
    record: impl Fn(&TimedHits),
) {
    slot.with(|slot| {
        if let Some((known, timed)) = &*slot.timed.borrow()
            && std::ptr::eq(*known, block)
        {
            return record(timed);
        }
        attach_timed(block, slot);
        if let Some((_, timed)) = &*slot.timed.borrow() {
            record(timed);
        }
    });
}

#[cold]
fn attach_timed(block: &'static Block, slot: &LocalSlot) {
    let timed = THREAD_BLOCKS.with(|thread| thread.borrow_mut().timed(block));
    *slot.timed.borrow_mut() = timed.map(|timed| (block, timed));
}

thread_local! {
    /// What this thread returns when it ends. Used by the slow path only.
    static THREAD_BLOCKS: RefCell<ThreadBlocks> = RefCell::default();
}

#[derive(Default)]
struct ThreadBlocks {
    blocks: Vec<ThreadBlock>,
    slots: Vec<&'static LocalKey<LocalSlot>>,
}

/// What a thread has of one function.
struct ThreadBlock {
    block: &'static Block,
    timed: Option<Arc<TimedHits>>,
}

impl ThreadBlocks {
    fn attach(
        &mut self,
        blocks: &'static Blocks,
        slot: &'static LocalKey<LocalSlot>,
    ) -> &'static Block {
        let block = match self.find(blocks) {
            Some(known) => known.block,
            None => {
                let block = blocks.acquire();
                self.blocks.push(ThreadBlock { block, timed: None });
                block
            }
        };
        if !self.slots.iter().any(|known| std::ptr::eq(*known, slot)) {
            self.slots.push(slot);
        }
        slot.with(|slot| slot.block.set(Some(block)));
        block
    }

    fn timed(&mut self, block: &'static Block) -> Option<Arc<TimedHits>> {
        let timed = &mut self.find(block.owner())?.timed;
        let timed = timed.get_or_insert_with(|| block.owner().start_timing());
        Some(Arc::clone(timed))
    }

    fn find(&mut self, blocks: &Blocks) -> Option<&mut ThreadBlock> {
        self.blocks
            .iter_mut()
            .find(|known| known.block.owned_by(blocks))
    }
}

impl Drop for ThreadBlocks {
    fn drop(&mut self) {
        // This thread must forget its blocks before other threads can get them.
        for slot in &self.slots {
            slot.with(|slot| {
                slot.block.set(None);
                slot.timed.take();
            });
        }
        for ThreadBlock { block, timed } in self.blocks.drain(..) {
            block.owner().release(block, timed);
        }
    }
}

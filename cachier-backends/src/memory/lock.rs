//! The lock of a store's writers, and what is done under it: nothing of it knows the types of keys and values.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, TryLockError};
use std::thread;
use std::time::{Duration, Instant};

use super::catalog::Position;
use super::entry::{Bounds, Inserted};
use super::footprint;
use super::guard::{free_soon, pin, reclaim, with_guard};
use super::slots::{Insertion, Slots};
use super::sync::{Guard, Mutex, MutexGuard};
use super::word_index::WordIndex;
use super::writer::{Writer, WriterState};
use crate::process::Process;

/// Held by the one writer of a store.
pub(super) struct WriterLock {
    bounds: Bounds,
    state: Mutex<WriterState>,
    made_by: Process,
    /// How long a child process tries to take the lock.
    pub(super) max_wait_in_child: Duration,
    /// Whether the lock is held forever.
    is_lost: AtomicBool,
}

/// Takes longer than any change.
const MAX_WAIT_IN_CHILD: Duration = Duration::from_secs(2);

impl WriterLock {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            state: Mutex::new(WriterState::new(bounds)),
            made_by: Process::current(),
            max_wait_in_child: MAX_WAIT_IN_CHILD,
            is_lost: AtomicBool::new(false),
        }
    }

    /// Whether there is room for an entry of this size, others gone.
    pub(super) fn admits(&self, bytes: Option<u64>) -> bool {
        self.bounds.admit(bytes)
    }

    /// Stores an entry of this hash and size in place of its key's current one, and evicts others to keep within the bounds.
    pub(super) fn insert(
        &self,
        slots: &dyn Slots,
        (hash, bytes): (u32, Option<u64>),
        entry: &mut dyn Insertion,
    ) -> Inserted {
        let mut inserted = Inserted {
            kept: false,
            evicted: 0,
            entries: 0,
        };
        self.change(slots, free_soon, &mut |mut writer| {
            let former = entry.find(writer.guard);
            inserted.kept = self.bounds.admit(bytes);
            if inserted.kept {
                inserted.evicted = writer.insert(former, (hash, bytes), entry);
            } else if let Some(former) = former {
                writer.remove(former);
            }
            inserted.entries = writer.state.entries();
        });
        inserted
    }

    /// Removes the entry that is found; `false` if there is none.
    pub(super) fn remove(
        &self,
        slots: &dyn Slots,
        find: &(dyn Fn(&Guard) -> Option<Position> + Sync),
    ) -> bool {
        let mut is_removed = false;
        self.change(slots, reclaim, &mut |mut writer| {
            if let Some(position) = find(writer.guard) {
                writer.remove(position);
                is_removed = true;
            }
        });
        is_removed
    }

    /// Removes all entries created before this time; returns how many.
    pub(super) fn remove_older_than(&self, slots: &dyn Slots, created_before: u64) -> u64 {
        let mut removed = 0;
        self.change(slots, reclaim, &mut |mut writer| {
            removed = writer.remove_older_than(created_before);
        });
        removed
    }

    /// Removes all entries; returns how many.
    pub(super) fn clear(&self, slots: &dyn Slots) -> u64 {
        let mut removed = 0;
        self.change(slots, reclaim, &mut |mut writer| {
            removed = writer.state.entries();
            let retired = writer.clear();
            drop(writer);
            if let Some(retired) = retired {
                retired.release();
            }
        });
        removed
    }

    /// How many bytes the entries of this index take with its tables.
    pub(super) fn bytes_of_words(&self, index: &WordIndex) -> Option<u64> {
        let guard = pin()?;
        let state = self.state()?;
        Some(footprint::of_words(state.entries(), index.bytes(&guard)))
    }

    /// Changes something, and has what was removed dropped, unless that [cannot be](Self::is_lost).
    fn change(
        &self,
        slots: &dyn Slots,
        free: fn(Guard),
        work: &mut (dyn FnMut(Writer<'_>) + Send),
    ) {
        let is_done = with_guard(&mut |guard| {
            if let Some(state) = self.state() {
                work(Writer {
                    bounds: self.bounds,
                    slots,
                    state,
                    guard: &guard,
                });
                free(guard);
            }
        });
        if !is_done {
            self.is_lost.store(true, Ordering::Relaxed);
        }
    }

    /// Whether nothing can be changed any more.
    pub(super) fn is_lost(&self) -> bool {
        self.is_lost.load(Ordering::Relaxed)
    }

    /// A writer can panic only in `Eq` of keys, before it has changed anything.
    pub(super) fn state(&self) -> Option<MutexGuard<'_, WriterState>> {
        if self.is_lost() {
            return None;
        }
        match self.state.try_lock() {
            Ok(state) => Some(state),
            Err(TryLockError::Poisoned(state)) => Some(state.into_inner()),
            Err(TryLockError::WouldBlock) if self.made_by.is_current() => {
                Some(self.state.lock().unwrap_or_else(PoisonError::into_inner))
            }
            Err(TryLockError::WouldBlock) => self.state_in_child(),
        }
    }

    /// The same in a child process, where the lock may be held by another thread, or by one that does not exist.
    #[cold]
    fn state_in_child(&self) -> Option<MutexGuard<'_, WriterState>> {
        let started = Instant::now();
        while started.elapsed() < self.max_wait_in_child {
            thread::sleep(Duration::from_millis(1));
            match self.state.try_lock() {
                Ok(state) => return Some(state),
                Err(TryLockError::Poisoned(state)) => return Some(state.into_inner()),
                Err(TryLockError::WouldBlock) if self.is_lost() => break,
                Err(TryLockError::WouldBlock) => {}
            }
        }
        self.is_lost.store(true, Ordering::Relaxed);
        None
    }
}

impl fmt::Debug for WriterLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        f.debug_struct("MemoryStore")
            .field("bounds", &self.bounds)
            .field("entries", &state.as_ref().map(|state| state.entries()))
            .field("bytes", &state.as_ref().and_then(|state| state.bytes()))
            .finish()
    }
}

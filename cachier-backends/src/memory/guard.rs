//! What keeps an entry alive while it is read, and when removed values are dropped.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::sync::Guard;

/// An epoch ends each time reclamation is urged on, unless a lookup in another thread is under way;
/// what was removed is freed after three.
const EPOCHS_UNTIL_FREED: usize = 4;

/// What threads that have ended leave behind is freed by a thread that removes something, or else by one that begins: by
/// one in so many, as it looks at all threads.
const THREADS_PER_SWEEP: usize = 32;

/// How many threads have begun to use stores.
static BEGUN: AtomicUsize = AtomicUsize::new(0);

/// While it lives, no store drops a removed value in this thread.
///
/// Calls to a store may drop values that were removed earlier, and so run foreign code. Who calls a
/// store under a lock of its own takes this first and lets go of it last:
///
/// ```
/// # use cachier_backends::memory::{Bounds, DeferDrops, MemoryStore};
/// # use std::sync::Mutex;
/// # let store: MemoryStore<u32, String> = MemoryStore::new(Bounds::default());
/// # let mutex = Mutex::new(());
/// let deferred = DeferDrops::new();
/// let lock = mutex.lock();
/// store.remove(&1);
/// drop(lock);
/// drop(deferred);
/// ```
///
/// Nothing that any store removes meanwhile, in any thread, is freed before it goes: keep it short.
#[must_use]
pub struct DeferDrops {
    _guard: Option<Guard>,
}

impl DeferDrops {
    /// Drops what is due, and nothing from now on.
    pub fn new() -> Self {
        Self { _guard: pin() }
    }
}

impl Default for DeferDrops {
    fn default() -> Self {
        Self::new()
    }
}

/// A guard, but for threads so near their end that none can be had.
#[cfg_attr(not(debug_assertions), inline(always))]
pub(super) fn pin_inline() -> Option<Guard> {
    match LIFE_STAGE.get() {
        LifeStage::Running => Some(Guard::new()),
        LifeStage::Starting => pin_first(),
        LifeStage::Ended => None,
    }
}

/// The same as a call: but for hits, the code is not worth a copy for each type.
#[inline(never)]
pub(super) fn pin() -> Option<Guard> {
    pin_inline()
}

/// Ends the guard, and has what was removed under it dropped soon.
pub(super) fn reclaim(guard: Guard) {
    drop(guard);
    for _ in 0..EPOCHS_UNTIL_FREED {
        let Some(guard) = pin().filter(Guard::has_garbage) else {
            break;
        };
        guard.accelerate();
    }
}

/// How far a thread is in its life. Destructors of thread-local variables may call a store when the
/// variable that guards are made from is gone already; taking a guard would end the process then.
#[derive(Clone, Copy)]
enum LifeStage {
    Starting,
    Running,
    Ended,
}

/// Notices the end of the thread.
struct ExitGuard;

thread_local! {
    static LIFE_STAGE: Cell<LifeStage> = const { Cell::new(LifeStage::Starting) };
    static EXIT_GUARD: ExitGuard = const { ExitGuard };
}

impl Drop for ExitGuard {
    fn drop(&mut self) {
        LIFE_STAGE.set(LifeStage::Ended);
    }
}

#[cold]
#[inline(never)]
fn pin_first() -> Option<Guard> {
    // The variable behind guards comes first: the later one is destroyed earlier.
    let guard = Guard::new();
    EXIT_GUARD.with(|_| LIFE_STAGE.set(LifeStage::Running));
    if BEGUN.fetch_add(1, Relaxed) % THREADS_PER_SWEEP != 0 {
        return Some(guard);
    }
    guard.accelerate();
    reclaim(guard);
    Some(Guard::new())
}

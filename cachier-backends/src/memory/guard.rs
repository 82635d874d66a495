//! Guards, which keep entries alive while they are read, and when removed values are dropped.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::sync::Guard;

/// An epoch ends with each reclamation, unless another thread is in a lookup. Removed items are freed after three.
const EPOCHS_UNTIL_FREED: usize = 4;

/// The garbage of ended threads is freed by a thread that removes something, or else by one that begins: by
/// one in so many, as it looks at all threads.
const THREADS_PER_SWEEP: usize = 32;

/// How many threads have begun to use stores.
static STARTED_THREADS: AtomicUsize = AtomicUsize::new(0);

/// While it lives, no store drops a removed value in this thread.
///
/// Any call to a store may drop values removed earlier, and so run their code. A caller that holds a lock during calls
/// to a store creates this before locking, and drops it after unlocking:
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
/// Delays freeing in all threads and stores: keep it short.
#[must_use]
pub struct DeferDrops {
    _guard: Option<Guard>,
}

impl DeferDrops {
    /// Drops what is due, and nothing more until dropped itself.
    pub fn new() -> Self {
        Self { _guard: pin() }
    }
}

impl Default for DeferDrops {
    fn default() -> Self {
        Self::new()
    }
}

/// A guard; `None` at the end of a thread.
#[cfg_attr(not(debug_assertions), inline(always))]
pub(super) fn pin_inline() -> Option<Guard> {
    match LIFE_STAGE.get() {
        LifeStage::Running => Some(Guard::new()),
        LifeStage::Starting => pin_first(),
        LifeStage::Ended => None,
    }
}

/// Not inlined: only hits are worth a copy per type.
#[inline(never)]
pub(super) fn pin() -> Option<Guard> {
    pin_inline()
}

/// Drops the guard, and has what was removed under it dropped soon.
pub(super) fn reclaim(guard: Guard) {
    drop(guard);
    for _ in 0..EPOCHS_UNTIL_FREED {
        let Some(guard) = pin().filter(Guard::has_garbage) else {
            break;
        };
        guard.accelerate();
    }
}

/// Stages of a thread's life. Destructors of thread-locals may call a store after the thread-local behind guards is
/// gone, when taking a guard would abort the process.
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
    // Initialises the guards' thread-local first, so that it is destroyed last.
    let guard = Guard::new();
    EXIT_GUARD.with(|_| LIFE_STAGE.set(LifeStage::Running));
    if !STARTED_THREADS
        .fetch_add(1, Relaxed)
        .is_multiple_of(THREADS_PER_SWEEP)
    {
        return Some(guard);
    }
    guard.accelerate();
    reclaim(guard);
    Some(Guard::new())
}

//! Guards, which keep entries alive while they are read, and when removed values are dropped.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use super::sync::Guard;

/// An epoch ends with each reclamation, unless another thread is in a lookup. Removed items are freed after three.
const EPOCHS_UNTIL_FREED: usize = 4;

/// The garbage of ended threads is freed by a thread that removes something, or else by one that begins: by
/// one in so many, as it looks at all threads.
const THREADS_PER_SCAN: usize = 32;

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

/// Does what needs a guard; at the end of a thread, which can have none, on one of its own. `None` if that cannot be had, as
/// on Windows, where no thread starts while another one's thread-locals are destroyed.
pub(super) fn guarded<R: Send>(work: impl FnOnce(Guard) -> R + Send) -> Option<R> {
    let (mut work, mut result) = (Some(work), None);
    with_guard(&mut |guard| result = work.take().map(|work| work(guard)));
    result
}

/// The same, compiled once; `false` if no guard can be had.
pub(super) fn with_guard(work: &mut (dyn FnMut(Guard) + Send)) -> bool {
    match pin() {
        Some(guard) => work(guard),
        None if cfg!(windows) => return false,
        None => return on_a_thread(work),
    }
    true
}

/// Drops the guard. What was removed under it is dropped after some more calls.
pub(super) fn free_soon(guard: Guard) {
    if guard.has_garbage() {
        guard.accelerate();
    }
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

/// How often another thread is asked for, where the system has none to give.
const MAX_SPAWN_ATTEMPTS: u32 = 100;

const SPAWN_PAUSE: Duration = Duration::from_millis(10);

/// `false` if no thread can be had. Nothing that is removed is dropped before the caller goes on, who may hold locks that a
/// `Drop` needs.
#[cold]
fn on_a_thread(work: &mut (dyn FnMut(Guard) + Send)) -> bool {
    let mut work = Some(work);
    for _ in 0..MAX_SPAWN_ATTEMPTS {
        // Not joined by its handle, which would wait for the end of its thread-locals too: what it removed may be dropped there.
        let spawned = thread::scope(|scope| {
            let thread = thread::Builder::new().name("cachier-memory".to_owned());
            let work = work.as_mut()?;
            let run = move || {
                let outer = begin();
                work(Guard::new());
                drop(outer);
            };
            thread.spawn_scoped(scope, run).ok().map(drop)
        });
        if spawned.is_some() {
            return true;
        }
        thread::sleep(SPAWN_PAUSE);
    }
    false
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
    let guard = begin();
    if !STARTED_THREADS
        .fetch_add(1, Relaxed)
        .is_multiple_of(THREADS_PER_SCAN)
    {
        return Some(guard);
    }
    guard.accelerate();
    reclaim(guard);
    Some(Guard::new())
}

/// The first guard of a thread.
fn begin() -> Guard {
    // Initialises the guards' thread-local first, so that it is destroyed last.
    let guard = Guard::new();
    EXIT_GUARD.with(|_| LIFE_STAGE.set(LifeStage::Running));
    guard
}

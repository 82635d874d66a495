//! State that belongs to one process, in programs that fork.
//!
//! `fork` copies the memory of a process and one of its threads. In the child, a copied connection is shared with the
//! parent, other threads do not exist, and locks held by them stay locked. So state that is of use to one process only
//! is kept in a [`PerProcess`], and knows its [`Process`]. Child processes do not even drop it, since a drop may send
//! something on the parent's connection, or wait for a thread.

use std::cell::Cell;
use std::fmt;
use std::mem::forget;
use std::ops::Deref;
use std::process::id;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, TryLockError};

use forkguard::Guard;
use once_cell::race::OnceBox;

#[cfg(any(feature = "mongo", feature = "s3"))]
use crate::error::{Error, ErrorKind, Operation};

/// The identity of a process, distinct from its ancestors and children.
///
/// The C library's `fork` leaves a mark in the child, so that finding the current one takes no system call.
///
/// ```
/// use cachier_backends::process::Process;
///
/// let here = Process::current();
/// assert!(here.is_current());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process {
    /// The process id in the upper half. The lower half counts the ancestors noticed here, as ids are reused.
    number: u64,
}

/// The newest process of this lineage noticed so far: the current one or an ancestor.
static NEWEST: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// The process of this thread, and what tells whether it has been forked since.
    static KNOWN: Cell<Option<(Guard, Process)>> = const { Cell::new(None) };
}

impl Process {
    /// The current process.
    #[inline]
    #[must_use]
    pub fn current() -> Self {
        if let Some((mut guard, known)) = KNOWN.take()
            && !guard.detected_fork()
        {
            KNOWN.set(Some((guard, known)));
            return known;
        }
        Self::find()
    }

    #[cold]
    fn find() -> Self {
        static WATCHED: ProcessOnce = ProcessOnce::new();
        let here = Self::by_id();
        // The crate locks while it registers with the C library: a child forked meanwhile would wait forever.
        if WATCHED.prepare_in(here, || drop(Guard::try_new())) {
            KNOWN.set(Guard::try_new().ok().map(|guard| (guard, here)));
        }
        here
    }

    /// The current process, by a system call.
    fn by_id() -> Self {
        let id = u64::from(id()) << 32;
        let mut newest = NEWEST.load(Ordering::Acquire);
        loop {
            if newest >> 32 << 32 == id {
                return Self { number: newest };
            }
            let number = id | u64::from((newest as u32).wrapping_add(1));
            match NEWEST.compare_exchange(newest, number, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return Self { number },
                Err(noticed) => newest = noticed,
            }
        }
    }

    /// Whether this is the current process; not so in its children.
    #[must_use]
    pub fn is_current(self) -> bool {
        self == Self::current()
    }
}

/// A value initialised lazily in each process: a `LazyLock` for programs that fork.
///
/// In a child process, `make` is given the parent's value if there is one, to read from, not to use. It must not wait
/// for a lock in it, which may never be unlocked; see [`copied`].
///
/// ```
/// use std::sync::Mutex;
/// use cachier_backends::process::PerProcess;
///
/// static CONNECTIONS: PerProcess<Mutex<Vec<u32>>> = PerProcess::new(|_| Mutex::default());
/// CONNECTIONS.lock()?.push(7);
/// assert_eq!(CONNECTIONS.lock()?.len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct PerProcess<T, F = fn(Option<&T>) -> T> {
    make: F,
    /// An append-only list, read without a lock: the values of a lineage, oldest first.
    first: OnceBox<Node<T>>,
}

/// A node's cells have no lock that a child could inherit locked; the value's own is used by its process alone.
struct Node<T> {
    process: Process,
    value: OnceLock<T>,
    next: OnceBox<Node<T>>,
}

impl<T, F: Fn(Option<&T>) -> T> PerProcess<T, F> {
    /// A value initialised by `make` in each process.
    #[must_use]
    pub const fn new(make: F) -> Self {
        Self {
            make,
            first: OnceBox::new(),
        }
    }

    /// A value for this process, initialised by `make` in its children.
    #[must_use]
    pub fn with(value: T, make: F) -> Self {
        let here = Node {
            process: Process::current(),
            value: OnceLock::from(value),
            next: OnceBox::new(),
        };
        Self {
            make,
            first: OnceBox::with_value(Box::new(here)),
        }
    }

    /// The value of the current process, which the caller knows.
    pub fn of(&self, process: Process) -> &T {
        let (mut place, mut before) = (&self.first, None);
        loop {
            let here = place.get_or_init(|| Box::new(Node::new(process)));
            if here.process == process {
                return here.value.get_or_init(|| (self.make)(before));
            }
            before = here.value.get().or(before);
            place = &here.next;
        }
    }
}

impl<T, F: Fn(Option<&T>) -> T> Deref for PerProcess<T, F> {
    type Target = T;

    /// The value of the current process.
    fn deref(&self) -> &T {
        self.of(Process::current())
    }
}

impl<T> Node<T> {
    fn new(process: Process) -> Self {
        Self {
            process,
            value: OnceLock::new(),
            next: OnceBox::new(),
        }
    }
}

impl<T> Drop for Node<T> {
    fn drop(&mut self) {
        if !self.process.is_current() {
            forget(self.value.take());
        }
    }
}

impl<T, F> fmt::Debug for PerProcess<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PerProcess").finish_non_exhaustive()
    }
}

/// Global state of a library, made once in a process when it is first needed.
///
/// It is locked while it is made. A child that was forked meanwhile would wait forever for a thread that it does
/// not have, so it is told.
///
/// ```
/// use cachier_backends::process::ProcessOnce;
///
/// static TABLES: ProcessOnce = ProcessOnce::new();
/// assert!(TABLES.get(|| { /* has the library make its tables */ }));
/// ```
#[derive(Debug)]
pub struct ProcessOnce {
    /// The number of the process that began; 0 if none did.
    begun: AtomicU64,
    is_done: AtomicBool,
}

impl ProcessOnce {
    /// Not prepared yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            begun: AtomicU64::new(0),
            is_done: AtomicBool::new(false),
        }
    }

    /// Runs `prepare` unless it has run. `false` where it never will have: in a process that was forked in the middle of it.
    #[must_use]
    pub fn get(&self, prepare: impl FnOnce()) -> bool {
        self.is_done.load(Ordering::Acquire) || self.prepare_in(Process::current(), prepare)
    }

    /// [`get`](Self::get) for the client of a store, with the error of a process in which it cannot be used.
    #[cfg(any(feature = "mongo", feature = "s3"))]
    pub(crate) fn prepare(&self, store: &str, prepare: impl FnOnce()) -> Result<(), Error> {
        let error = || {
            let message = format!(
                "a thread of the process that this one was forked from was just beginning to use {store}: what its client \
                 keeps for a whole process is locked here for ever"
            );
            Error::new(ErrorKind::Io, Operation::Load, message)
                .with_hint("fork before the first backend is made and called, or after")
        };
        self.get(prepare).then_some(()).ok_or_else(error)
    }

    fn prepare_in(&self, here: Process, prepare: impl FnOnce()) -> bool {
        let begun =
            self.begun
                .compare_exchange(0, here.number, Ordering::AcqRel, Ordering::Acquire);
        if begun.is_err_and(|begun| begun != here.number) {
            return self.is_done.load(Ordering::Acquire);
        }
        // If several threads do it at once, the library lets one go first.
        prepare();
        self.is_done.store(true, Ordering::Release);
        true
    }
}

impl Default for ProcessOnce {
    fn default() -> Self {
        Self::new()
    }
}

/// A lock of this process around a copy of what an inherited one holds. Where a thread of the other process held that when
/// it forked, what is in it may be half done: then around nothing.
///
/// ```
/// use std::sync::Mutex;
/// use cachier_backends::process::{PerProcess, copied};
///
/// static NAMES: PerProcess<Mutex<Vec<String>>> = PerProcess::new(copied);
/// # assert!(NAMES.lock().is_ok_and(|names| names.is_empty()));
/// ```
#[must_use]
pub fn copied<T: Clone + Default>(inherited: Option<&Mutex<T>>) -> Mutex<T> {
    let copy = inherited.and_then(|inherited| match inherited.try_lock() {
        Ok(held) => Some(held.clone()),
        Err(TryLockError::Poisoned(held)) => Some(held.into_inner().clone()),
        Err(TryLockError::WouldBlock) => None,
    });
    Mutex::new(copy.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;
    use std::thread;

    use super::*;

    fn forked(from: Process, id: u64) -> Process {
        Process {
            number: id << 32 | u64::from(from.number as u32 + 1),
        }
    }

    #[test]
    fn all_threads_of_a_process_have_one_value() {
        let cell = Arc::new(PerProcess::new(|_: Option<&Arc<()>>| Arc::new(())));
        let here = Arc::clone(&cell);
        let others = [(); 8].map(|()| {
            let cell = Arc::clone(&cell);
            thread::spawn(move || Arc::clone(&cell))
        });
        for other in others {
            assert!(Arc::ptr_eq(&*here, &*other.join().unwrap()));
        }
    }

    #[test]
    fn each_process_makes_its_own_value() {
        let make = |before: Option<&u32>| before.map_or(1, |before| before + 1);
        let cell = PerProcess::with(10, make as fn(Option<&u32>) -> u32);
        let parent = Process::current();
        let child = forked(parent, 1);
        let grandchild = forked(child, 2);
        assert_eq!((*cell.of(parent), *cell.of(grandchild)), (10, 11));
        assert_eq!((*cell.of(grandchild), *cell.of(parent)), (11, 10));
        let again = forked(grandchild, parent.number >> 32);
        assert_eq!(*cell.of(again), 12, "ids come again");
        assert_eq!(*PerProcess::new(make).of(child), 1);
    }

    #[test]
    fn what_belongs_to_another_process_is_never_dropped() {
        let (own, foreign) = (Arc::new(()), Arc::new(()));
        let of_child = Arc::clone(&foreign);
        let cell = PerProcess::with(Arc::clone(&own), move |_| Arc::clone(&of_child));
        let known = Arc::clone(cell.of(forked(Process::current(), 1)));
        drop(cell);
        assert_eq!(Arc::strong_count(&own), 1);
        drop(known);
        assert_eq!(Arc::strong_count(&foreign), 2);
    }

    #[test]
    fn a_child_waits_for_nothing_begun_before() {
        let prepared = ProcessOnce::new();
        let parent = Process::current();
        let (child, grandchild) = (forked(parent, 1), forked(forked(parent, 1), 2));
        let in_child = || panic!("it waits for the parent's thread");
        let in_parent = || assert!(!prepared.prepare_in(child, in_child));
        assert!(prepared.prepare_in(parent, in_parent));
        assert!(prepared.prepare_in(grandchild, in_child), "it is done");
        assert!(prepared.get(in_child));
    }

    #[test]
    fn a_lock_held_elsewhere_is_left_alone() {
        let lock = Mutex::new(vec![1]);
        assert_eq!(*copied(Some(&lock)).lock().unwrap(), [1]);
        let held = lock.lock().unwrap();
        assert!(copied(Some(&lock)).lock().unwrap().is_empty());
        drop(held);
    }
}

//! State that belongs to one process, in programs that fork: see the module `process` of `cachier-backends`, which this
//! crate does not know.
//!
//! A child of `fork` has a copy of its parent's memory and one of its threads: locks held by the others stay locked.

use std::mem::forget;
use std::process::id;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{OnceLock, TryLockError};

use once_cell::race::OnceBox;

use crate::sync::Mutex;

/// The identity of a process, distinct from its ancestors and children.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    /// The process id in the upper half. The lower half counts the ancestors noticed here, as ids are reused.
    number: u64,
}

/// The newest process of this lineage noticed so far.
static NEWEST: AtomicU64 = AtomicU64::new(0);

impl Process {
    /// The current process, by a system call: nothing here is asked on the path of a hit. The C library could tell of forks,
    /// but its registration locks, once for all crates, and a child forked meanwhile would wait forever.
    pub(crate) fn current() -> Self {
        let id = u64::from(id()) << 32;
        let mut newest = NEWEST.load(Ordering::Acquire);
        while newest >> 32 << 32 != id {
            let number = id | u64::from((newest as u32).wrapping_add(1));
            // Another thread may have noticed it already.
            let _ = NEWEST.compare_exchange(newest, number, Ordering::AcqRel, Ordering::Acquire);
            newest = NEWEST.load(Ordering::Acquire);
        }
        Self { number: newest }
    }
}

/// A value initialised lazily in each process. Inherited values are never dropped.
#[derive(Debug, Default)]
pub(crate) struct PerProcess<T> {
    /// An append-only list, read without a lock: the values of a lineage, oldest first.
    first: OnceBox<Node<T>>,
}

/// A node's cells have no lock that a child could inherit locked; the value's own is used by its process alone.
#[derive(Debug)]
struct Node<T> {
    process: Process,
    value: OnceLock<T>,
    next: OnceBox<Node<T>>,
}

impl<T> PerProcess<T> {
    pub(crate) const fn new() -> Self {
        Self {
            first: OnceBox::new(),
        }
    }

    /// The value of this process, initialised by `make` if need be, which is given the parent's value.
    pub(crate) fn get(&self, make: impl FnOnce(Option<&T>) -> T) -> &T {
        self.of(Process::current(), make)
    }

    fn of(&self, process: Process, make: impl FnOnce(Option<&T>) -> T) -> &T {
        let (mut place, mut before) = (&self.first, None);
        loop {
            let here = place.get_or_init(|| {
                Box::new(Node {
                    process,
                    value: OnceLock::new(),
                    next: OnceBox::new(),
                })
            });
            if here.process == process {
                return here.value.get_or_init(|| make(before));
            }
            before = here.value.get().or(before);
            place = &here.next;
        }
    }
}

impl<T> Drop for Node<T> {
    fn drop(&mut self) {
        if self.process != Process::current() {
            forget(self.value.take());
        }
    }
}

/// A new lock around a copy of an inherited value; around the default if the inherited lock is held.
pub(crate) fn copied<T: Clone + Default>(inherited: Option<&Mutex<T>>) -> Mutex<T> {
    let copy = inherited.and_then(|inherited| match inherited.try_lock() {
        Ok(held) => Some(held.clone()),
        Err(TryLockError::Poisoned(held)) => Some(held.into_inner().clone()),
        Err(TryLockError::WouldBlock) => None,
    });
    Mutex::new(copy.unwrap_or_default())
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::Arc;

    use super::*;

    fn child_of(process: Process) -> Process {
        Process {
            number: process.number + 1,
        }
    }

    #[test]
    fn each_process_makes_its_own_value() {
        let cell = PerProcess::new();
        let make = |before: Option<&i32>| before.map_or(1, |before| before + 1);
        assert_eq!(*cell.get(make), 1);
        let own = cell.of(child_of(Process::current()), make);
        assert_eq!((*own, *cell.get(make)), (2, 1));
    }

    #[test]
    fn what_belongs_to_another_process_is_never_dropped() {
        let (own, foreign) = (Arc::new(()), Arc::new(()));
        let cell = PerProcess::new();
        cell.get(|_| Arc::clone(&own));
        cell.of(child_of(Process::current()), |_| Arc::clone(&foreign));
        drop(cell);
        assert_eq!(
            (Arc::strong_count(&own), Arc::strong_count(&foreign)),
            (1, 2)
        );
    }

    #[test]
    fn a_lock_is_copied_unless_it_is_held() {
        let lock = Mutex::new(vec![1]);
        assert_eq!(*copied(Some(&lock)).lock().unwrap(), [1]);
        let held = lock.lock().unwrap();
        assert!(copied(Some(&lock)).lock().unwrap().is_empty());
        drop(held);
        let poison = || {
            let _held = lock.lock().unwrap();
            panic!("on purpose")
        };
        assert!(catch_unwind(AssertUnwindSafe(poison)).is_err());
        assert_eq!(*copied(Some(&lock)).lock().unwrap(), [1]);
    }
}

//! What belongs to one process alone, although a program forks: see the module `process` of `cachier-backends`, which this
//! crate does not know.
//!
//! A child of `fork` has a copy of its parent's memory, and one of its threads: locks that others held stay locked.

use std::mem::forget;
use std::process::id;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{OnceLock, TryLockError};

use crate::sync::Mutex;

/// A process, as distinct from those that it was forked from, and from those that it forks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    /// The id in the upper half. In the lower one, how many of its ancestors were noticed here: ids come again.
    number: u64,
}

/// The newest process in this line, as far as it was noticed.
static NEWEST: AtomicU64 = AtomicU64::new(0);

impl Process {
    /// The process that runs this: a system call.
    pub(crate) fn current() -> Self {
        let id = u64::from(id()) << 32;
        let mut newest = NEWEST.load(Ordering::Acquire);
        while newest >> 32 << 32 != id {
            let number = id | u64::from((newest as u32).wrapping_add(1));
            // Another thread may have noticed it meanwhile.
            let _ = NEWEST.compare_exchange(newest, number, Ordering::AcqRel, Ordering::Acquire);
            newest = NEWEST.load(Ordering::Acquire);
        }
        Self { number: newest }
    }
}

/// A value that each process makes for itself when it first needs it. What it inherits is never dropped.
pub(crate) struct PerProcess<T> {
    /// A list that only grows, read without a lock: the values of a line of processes, the oldest first.
    first: OnceLock<Box<Node<T>>>,
}

struct Node<T> {
    process: Process,
    value: OnceLock<T>,
    next: OnceLock<Box<Node<T>>>,
}

impl<T> PerProcess<T> {
    pub(crate) const fn new() -> Self {
        Self {
            first: OnceLock::new(),
        }
    }

    /// The value of this process; else `make` makes it, which is shown what the process before had.
    pub(crate) fn get(&self, make: impl FnOnce(Option<&T>) -> T) -> &T {
        self.of(Process::current(), make)
    }

    fn of(&self, process: Process, make: impl FnOnce(Option<&T>) -> T) -> &T {
        let (mut place, mut before) = (&self.first, None);
        loop {
            let here = get_or_init(place, || {
                Box::new(Node {
                    process,
                    value: OnceLock::new(),
                    next: OnceLock::new(),
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

/// What is in the cell, else what `make` makes: before the cell is locked, which is then for a few instructions only. A child
/// that was forked while another thread has it locked waits for ever. Of several that are made at once, one stays.
pub(crate) fn get_or_init<T>(cell: &OnceLock<T>, make: impl FnOnce() -> T) -> &T {
    match cell.get() {
        Some(made) => made,
        None => {
            let made = make();
            cell.get_or_init(|| made)
        }
    }
}

impl<T> Drop for PerProcess<T> {
    fn drop(&mut self) {
        let mut next = self.first.take();
        while let Some(mut one) = next {
            next = one.next.take();
            if one.process != Process::current() {
                forget(one.value.take());
            }
        }
    }
}

/// A lock of this process around a copy of what an inherited one holds; around nothing where that is held for ever.
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
    fn a_cell_is_free_while_what_goes_into_it_is_made() {
        let cell = OnceLock::new();
        let meanwhile = || *cell.get_or_init(|| 1) + 1;
        assert_eq!(*get_or_init(&cell, meanwhile), 1);
        assert_eq!(*get_or_init(&cell, meanwhile), 1);
    }

    #[test]
    fn a_child_makes_its_own_and_sees_what_was_before() {
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

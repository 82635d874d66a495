//! FIFO queues of this process's threads for file locks.
//!
//! Only the first thread polls the operating system: hundreds of polling threads would starve the lock's holder, and
//! the unlucky among themselves.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::process;
use std::sync::{Mutex, MutexGuard, TryLockError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use crate::queue;

/// Locks that share a queue by chance wait for each other needlessly.
const QUEUES: usize = 64;

/// How long to try a latch that may have been locked during a fork.
const MAX_LATCH_WAIT: Duration = Duration::from_millis(20);

/// The queue for some locks.
struct LockQueue(Mutex<Waiters>);

struct Waiters {
    /// The threads' process: a child process inherits none of them.
    process: u32,
    /// The first one may proceed.
    threads: VecDeque<(u64, Thread)>,
    next_ticket: u64,
}

/// Keeps this thread in a queue until dropped.
pub(super) struct QueuePosition {
    /// `None` if no queue was available: the thread may proceed.
    entry: Option<(&'static LockQueue, u64)>,
}

/// Waits until this thread is at the head of a lock's queue; `None` after the deadline.
pub(super) fn enqueue(lock: &Path, deadline: Instant) -> Option<QueuePosition> {
    let queue = queue_of(lock);
    let Some(ticket) = queue.join() else {
        return Some(QueuePosition { entry: None });
    };
    // Leaves the queue on return, too.
    let position = QueuePosition {
        entry: Some((queue, ticket)),
    };
    while !queue.is_first(ticket) {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return None;
        }
        queue::wait_on_thread(|| thread::park_timeout(left));
    }
    Some(position)
}

fn queue_of(lock: &Path) -> &'static LockQueue {
    static ALL: [LockQueue; QUEUES] = [const { LockQueue::new() }; QUEUES];
    let mut hasher = DefaultHasher::new();
    lock.hash(&mut hasher);
    &ALL[hasher.finish() as usize % QUEUES]
}

impl LockQueue {
    const fn new() -> Self {
        Self(Mutex::new(Waiters {
            process: 0,
            threads: VecDeque::new(),
            next_ticket: 0,
        }))
    }

    /// Joins the queue; `None` if it is unavailable.
    fn join(&self) -> Option<u64> {
        let mut waiters = self.waiters()?;
        let process = process::id();
        if waiters.process != process {
            waiters.process = process;
            waiters.threads.clear();
        }
        let ticket = waiters.next_ticket;
        waiters.next_ticket += 1;
        waiters.threads.push_back((ticket, thread::current()));
        Some(ticket)
    }

    fn is_first(&self, ticket: u64) -> bool {
        // Without a queue, the thread may proceed.
        self.waiters().is_none_or(|waiters| {
            let first = waiters.threads.front();
            first.is_none_or(|(first, _)| *first == ticket)
        })
    }

    fn leave(&self, ticket: u64) {
        let Some(mut waiters) = self.waiters() else {
            return;
        };
        let was_first = waiters
            .threads
            .front()
            .is_some_and(|(first, _)| *first == ticket);
        waiters.threads.retain(|(place, _)| *place != ticket);
        if was_first && let Some((_, next)) = waiters.threads.front() {
            next.unpark();
        }
    }

    /// The waiting threads. Their latch is held briefly; in a child process, perhaps forever by a thread that does not
    /// exist.
    fn waiters(&self) -> Option<MutexGuard<'_, Waiters>> {
        let mut began = None;
        loop {
            match self.0.try_lock() {
                Ok(waiters) => return Some(waiters),
                Err(TryLockError::Poisoned(waiters)) => return Some(waiters.into_inner()),
                Err(TryLockError::WouldBlock) => {}
            }
            if began.get_or_insert_with(Instant::now).elapsed() > MAX_LATCH_WAIT {
                return None;
            }
            thread::yield_now();
        }
    }
}

impl Drop for QueuePosition {
    fn drop(&mut self) {
        if let Some((queue, ticket)) = self.entry {
            queue.leave(ticket);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::mpsc::channel;

    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_millis(10)
    }

    fn late() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    #[test]
    fn threads_proceed_in_fifo_order() {
        let lock = Path::new("in the order");
        let first = enqueue(lock, late()).unwrap();
        let (say, said) = channel();
        thread::scope(|scope| {
            for number in 0..8 {
                let say = say.clone();
                let (came, has_come) = channel();
                scope.spawn(move || {
                    // A thread without time sees that it is queued, and those after it are not.
                    came.send(()).unwrap();
                    let position = enqueue(lock, late()).unwrap();
                    say.send(number).unwrap();
                    drop(position);
                });
                has_come.recv().unwrap();
                while count(lock) < number + 2 {
                    thread::yield_now();
                }
            }
            drop(first);
            let order: Vec<usize> = (0..8).map(|_| said.recv().unwrap()).collect();
            assert_eq!(order, [0, 1, 2, 3, 4, 5, 6, 7]);
        });
    }

    /// How many threads wait for this lock.
    fn count(lock: &Path) -> usize {
        queue_of(lock).waiters().unwrap().threads.len()
    }

    #[test]
    fn a_thread_leaves_the_queue_after_its_deadline() {
        let lock = Path::new("not long enough");
        let first = enqueue(lock, late()).unwrap();
        thread::scope(|scope| {
            scope.spawn(|| assert!(enqueue(lock, soon()).is_none()));
        });
        assert_eq!(count(lock), 1);
        drop(first);
        assert!(enqueue(lock, soon()).is_some());
    }

    #[test]
    fn threads_of_a_parent_are_not_waited_for() {
        let lock = Path::new("of a parent");
        let inherited = enqueue(lock, late()).unwrap();
        queue_of(lock).waiters().unwrap().process += 1;
        assert!(enqueue(lock, soon()).is_some());
        drop(inherited);
    }

    #[test]
    fn a_latch_locked_forever_is_bypassed() {
        let lock = Path::new("a latch");
        let _latch = queue_of(lock).waiters().unwrap();
        thread::scope(|scope| {
            scope.spawn(|| assert!(enqueue(lock, late()).is_some()));
        });
    }
}

//! The line in which the threads of this process wait for one lock, each for its turn.
//!
//! Only one of them asks the system then: hundreds that ask again and again would take the processor from the one that is
//! at work, and the unlucky would ask for ever.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::process;
use std::sync::{Mutex, MutexGuard, TryLockError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use crate::queue;

/// So many lines there are; locks that share one by chance wait for each other needlessly.
const QUEUES: usize = 64;

/// How long a line is asked for that a thread may have kept which did not come along in a fork.
const MAX_LATCH_WAIT: Duration = Duration::from_millis(20);

/// The threads that wait before some locks.
struct LockQueue(Mutex<Waiters>);

struct Waiters {
    /// Whose threads they are: none of a parent's comes along in a fork.
    process: u32,
    /// The first has its turn.
    threads: VecDeque<(u64, Thread)>,
    next_ticket: u64,
}

/// The turn of this thread, until it is dropped.
pub(super) struct QueuePosition {
    /// `None`: there is no line, so that everybody has a turn.
    entry: Option<(&'static LockQueue, u64)>,
}

/// Waits for this thread's turn at a lock; `None` if it did not come in time.
pub(super) fn enqueue(lock: &Path, deadline: Instant) -> Option<QueuePosition> {
    let queue = queue_of(lock);
    let Some(ticket) = queue.join() else {
        return Some(QueuePosition { entry: None });
    };
    // Leaves the line also when its turn does not come.
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

    /// The last place; `None` if there is no line to be had.
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
        // Without a line nobody is before it.
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

    /// Those who wait. The latch on them is held for moments; in a child of a fork it may be held for ever, by a thread that
    /// is not there.
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
    fn threads_have_their_turn_in_the_order_in_which_they_came() {
        let lock = Path::new("in the order");
        let first = enqueue(lock, late()).unwrap();
        let (say, said) = channel();
        thread::scope(|scope| {
            for number in 0..8 {
                let say = say.clone();
                let (came, has_come) = channel();
                scope.spawn(move || {
                    // Who has no time sees that it is in the line, and those after it are not.
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

    /// How many are in the line before this lock.
    fn count(lock: &Path) -> usize {
        queue_of(lock).waiters().unwrap().threads.len()
    }

    #[test]
    fn who_does_not_wait_long_enough_leaves_the_line() {
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
    fn a_latch_that_nobody_releases_is_no_obstacle() {
        let lock = Path::new("a latch");
        let _latch = queue_of(lock).waiters().unwrap();
        thread::scope(|scope| {
            scope.spawn(|| assert!(enqueue(lock, late()).is_some()));
        });
    }
}

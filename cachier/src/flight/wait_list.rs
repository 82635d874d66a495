//! The waiters of a flight, threads and tasks alike, as wakers.

use std::task::Waker;

/// The wakers of all waiters.
#[derive(Default)]
pub(crate) struct WaitList {
    wakers: Vec<Option<Waker>>,
    /// Indices of waiters that have left.
    free: Vec<usize>,
}

/// A waiter's index in the list, so that polling again replaces its waker.
#[derive(Default)]
pub(crate) struct Waiter(Option<usize>);

impl WaitList {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Stores the waiter's current waker.
    pub(crate) fn register(&mut self, waiter: &mut Waiter, waker: &Waker) {
        let index = *waiter.0.get_or_insert_with(|| {
            self.free.pop().unwrap_or_else(|| {
                self.wakers.push(None);
                self.wakers.len() - 1
            })
        });
        match &mut self.wakers[index] {
            Some(known) => known.clone_from(waker),
            empty => *empty = Some(waker.clone()),
        }
    }

    /// Removes a waiter that gave up; returns its waker, to be dropped outside the lock.
    pub(crate) fn remove(&mut self, waiter: &mut Waiter) -> Option<Waker> {
        let index = waiter.0.take()?;
        // After a result the list is a new one.
        let waker = self.wakers.get_mut(index)?.take();
        self.free.push(index);
        waker
    }

    /// Takes the wakers, to be woken outside the lock; the waiters stay in the list.
    pub(crate) fn take_wakers(&mut self) -> Vec<Waker> {
        self.wakers.iter_mut().filter_map(Option::take).collect()
    }

    pub(crate) fn wake_all(self) {
        self.wakers.into_iter().flatten().for_each(Waker::wake);
    }

    #[cfg(all(test, not(shuttle)))]
    pub(crate) fn len(&self) -> usize {
        self.wakers.len()
    }
}

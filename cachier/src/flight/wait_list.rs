//! Who waits for a flight: threads and tasks alike, each as a waker.

use std::task::Waker;

/// The wakers of everyone who waits.
#[derive(Default)]
pub(crate) struct WaitList {
    wakers: Vec<Option<Waker>>,
    /// The seats of those who have left.
    free: Vec<usize>,
}

/// A waiter's place in the list, so that polling again replaces its waker.
#[derive(Default)]
pub(crate) struct Waiter(Option<usize>);

impl WaitList {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Puts the waker in the waiter's seat.
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

    /// Frees the seat of a waiter that gave up; its waker, to be dropped where no lock is held.
    pub(crate) fn remove(&mut self, waiter: &mut Waiter) -> Option<Waker> {
        let index = waiter.0.take()?;
        // After a landing the list is another one.
        let waker = self.wakers.get_mut(index)?.take();
        self.free.push(index);
        waker
    }

    /// The wakers, to be woken where no lock is held; those who wait keep their seats.
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

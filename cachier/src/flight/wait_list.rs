//! Who waits for a flight: threads and tasks alike, each as a waker.

use std::task::Waker;

/// The wakers of everyone who waits.
#[derive(Default)]
pub(crate) struct WaitList {
    wakers: Vec<Waker>,
}

/// A waiter's place in the list, so that polling again replaces its waker.
pub(crate) struct Seat(Option<usize>);

impl Seat {
    pub(crate) fn none() -> Self {
        Self(None)
    }
}

impl WaitList {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Puts the waker in the waiter's seat.
    pub(crate) fn sit(&mut self, seat: &mut Seat, waker: &Waker) {
        match seat.0 {
            Some(index) => self.wakers[index].clone_from(waker),
            None => {
                seat.0 = Some(self.wakers.len());
                self.wakers.push(waker.clone());
            }
        }
    }

    pub(crate) fn wake_all(self) {
        for waker in self.wakers {
            waker.wake();
        }
    }
}

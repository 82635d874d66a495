//! What those who wait for a flight wait for at the moment, and the waiting itself.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Instant;

use super::wait_list::Seat;
use super::{Flight, Landing};
use crate::budget::{Budget, Spent};
use crate::sync::lock;

/// How far a flight has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Its leader asks the store.
    Asking,
    /// The function runs, here or in another process.
    Computing,
    /// What has become of it is told to the store.
    Storing,
}

/// What has happened to a flight.
enum Progress<V> {
    Entered(Phase),
    Landed(Landing<V>),
}

impl<V: Clone> Flight<V> {
    /// Waits until the flight lands for whoever joined at this moment, on a thread or in a task: for the computation as
    /// long as the budget lets it wait for others, for the I/O before and behind as long as for any. For that, its leader may
    /// stand in a line, which `moved` last at that moment.
    pub(crate) async fn landing(
        &self,
        joined: Instant,
        budget: &Budget,
        moved: impl Fn() -> Option<u64>,
    ) -> Result<Landing<V>, Spent> {
        let mut phase = self.phase();
        loop {
            let progress = self.progress(phase, joined);
            let progress = match phase {
                Phase::Computing => budget.computation(progress).await?,
                Phase::Asking | Phase::Storing => budget.store_of_another(&moved, progress).await?,
            };
            match progress {
                Progress::Entered(next) => phase = next,
                Progress::Landed(landing) => return Ok(landing),
            }
        }
    }

    /// How far it has come.
    pub(crate) fn phase(&self) -> Phase {
        lock(&self.state).phase
    }

    async fn progress(&self, phase: Phase, joined: Instant) -> Progress<V> {
        let mut waiting = Waiting {
            flight: self,
            seat: Seat::default(),
        };
        poll_fn(|context| {
            let mut state = lock(&self.state);
            match &state.landing {
                Some(landing) if !landing.keeps_waiting(joined) => {
                    Poll::Ready(Progress::Landed(landing.clone()))
                }
                _ if state.phase != phase => Poll::Ready(Progress::Entered(state.phase)),
                _ => {
                    state.waiters.sit(&mut waiting.seat, context.waker());
                    Poll::Pending
                }
            }
        })
        .await
    }
}

/// A waiter, which may give up.
struct Waiting<'a, V> {
    flight: &'a Flight<V>,
    seat: Seat,
}

impl<V> Drop for Waiting<'_, V> {
    fn drop(&mut self) {
        let waker = lock(&self.flight.state).waiters.leave(&mut self.seat);
        drop(waker);
    }
}

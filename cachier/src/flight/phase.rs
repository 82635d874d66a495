//! One flight as its waiters see it: its phase, and waiting for its result.

use std::future::poll_fn;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Instant;

use super::computation::ComputationId;
use super::result::FlightResult;
use super::wait_list::{WaitList, Waiter};
use crate::budget::{Budget, BudgetSpent};
use crate::sync::{AtomicBool, Mutex, lock};

/// The phase of a flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The leader claims the key in the store.
    Claiming,
    /// The function runs, here or in another process.
    Computing,
    /// The result goes to the store.
    Storing,
}

/// A running computation, as its waiters see it.
pub(crate) struct Flight<V> {
    pub(crate) computation: ComputationId,
    /// Whether it has left the table. Set under the lock of its shard.
    has_left: AtomicBool,
    pub(super) state: Mutex<State<V>>,
}

pub(super) struct State<V> {
    pub(super) phase: Phase,
    pub(super) result: Option<FlightResult<V>>,
    pub(super) waiters: WaitList,
}

impl<V> Flight<V> {
    pub(super) fn new(computation: ComputationId) -> Self {
        Self {
            computation,
            has_left: AtomicBool::new(false),
            state: Mutex::new(State {
                phase: Phase::Claiming,
                result: None,
                waiters: WaitList::new(),
            }),
        }
    }

    /// Whether it is in the table, where others join it. Stable while the shard is locked.
    pub(super) fn is_in_table(&self) -> bool {
        !self.has_left.load(Ordering::SeqCst)
    }

    /// It has been removed from the table.
    pub(super) fn leave_table(&self) {
        self.has_left.store(true, Ordering::SeqCst);
    }

    /// Changes the state and wakes the waiters, some of which go on waiting.
    pub(super) fn update(&self, change: impl FnOnce(&mut State<V>)) {
        let wakers = {
            let mut state = lock(&self.state);
            change(&mut state);
            state.waiters.take_wakers()
        };
        wakers.into_iter().for_each(std::task::Waker::wake);
    }

    pub(super) fn finish(&self, result: FlightResult<V>) {
        let waiters = {
            let mut state = lock(&self.state);
            state.result = Some(result);
            std::mem::take(&mut state.waiters)
        };
        waiters.wake_all();
    }
}

/// The progress that waiters watch.
enum Progress<V> {
    Phase(Phase),
    Finished(FlightResult<V>),
}

impl<V: Clone> Flight<V> {
    /// Waits for the flight's result, for a caller that joined at this moment. Computing counts against the budget for
    /// others, I/O against that for the store, which starts when the leader's queue last `moved`.
    pub(crate) async fn result(
        &self,
        joined: Instant,
        budget: &Budget,
        moved: impl Fn() -> Option<u64>,
    ) -> Result<FlightResult<V>, BudgetSpent> {
        let mut phase = self.phase();
        loop {
            let progress = self.progress(phase, joined);
            let progress = match phase {
                Phase::Computing => budget.computation(progress).await?,
                Phase::Claiming | Phase::Storing => {
                    budget.store_of_another(&moved, progress).await?
                }
            };
            match progress {
                Progress::Phase(next) => phase = next,
                Progress::Finished(result) => return Ok(result),
            }
        }
    }

    /// The value that is being stored, in the last phase.
    pub(crate) fn storing(&self) -> Option<V> {
        match &lock(&self.state).result {
            Some(FlightResult::Storing(value, _)) => Some(value.clone()),
            _ => None,
        }
    }

    /// The current phase.
    pub(crate) fn phase(&self) -> Phase {
        lock(&self.state).phase
    }

    async fn progress(&self, phase: Phase, joined: Instant) -> Progress<V> {
        let mut waiting = Waiting {
            flight: self,
            waiter: Waiter::default(),
        };
        poll_fn(|cx| {
            let mut state = lock(&self.state);
            match &state.result {
                Some(result) if !result.keeps_waiting(joined) => {
                    Poll::Ready(Progress::Finished(result.clone()))
                }
                _ if state.phase != phase => Poll::Ready(Progress::Phase(state.phase)),
                _ => {
                    state.waiters.register(&mut waiting.waiter, cx.waker());
                    Poll::Pending
                }
            }
        })
        .await
    }
}

/// A waiter; it may give up.
struct Waiting<'a, V> {
    flight: &'a Flight<V>,
    waiter: Waiter,
}

impl<V> Drop for Waiting<'_, V> {
    fn drop(&mut self) {
        let waker = lock(&self.flight.state).waiters.remove(&mut self.waiter);
        drop(waker);
    }
}

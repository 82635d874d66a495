//! One flight as its waiters see it: what they wait for at the moment, and the waiting itself.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Instant;

use super::computation::ComputationId;
use super::result::FlightResult;
use super::wait_list::{WaitList, Waiter};
use crate::budget::{Budget, BudgetSpent};
use crate::sync::{Mutex, lock};

/// How far a flight has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Its leader asks the store.
    Claiming,
    /// The function runs, here or in another process.
    Computing,
    /// What has become of it is told to the store.
    Storing,
}

/// One computation under way, as its waiters see it.
pub(crate) struct Flight<V> {
    /// The computation that the flight carries.
    pub(crate) computation: ComputationId,
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
            state: Mutex::new(State {
                phase: Phase::Claiming,
                result: None,
                waiters: WaitList::new(),
            }),
        }
    }

    /// Has those who wait look at what the flight has come to so far; some of them go on waiting.
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

/// What has happened to a flight.
enum Progress<V> {
    Phase(Phase),
    Finished(FlightResult<V>),
}

impl<V: Clone> Flight<V> {
    /// Waits until the flight lands for whoever joined at this moment, on a thread or in a task: for the computation as
    /// long as the budget lets it wait for others, for the I/O before and behind as long as for any. For that, its leader may
    /// stand in a line, which `moved` last at that moment.
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

    /// The value that is being stored, if that is how far it has come.
    pub(crate) fn storing(&self) -> Option<V> {
        match &lock(&self.state).result {
            Some(FlightResult::Storing(value, _)) => Some(value.clone()),
            _ => None,
        }
    }

    /// How far it has come.
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

/// A waiter, which may give up.
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

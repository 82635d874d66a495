//! Limits the operations that this process has in flight on a store.
//!
//! Without it, a burst would queue in the client, on the wire or in the server, where it looks like a store that does not
//! answer. Here the queue is visible, and so is whether it moves. The limit adapts: it grows with each quick answer while
//! others are queued, and shrinks with each slow one.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use cachier_backends::process::PerProcess;

use crate::timer::{Timer, nanos};

/// Operations in flight: the limit at first, at least and at most. It adapts to what the store answers quickly, which may
/// have one thread or many.
const INITIAL_LIMIT: usize = 8;
const MIN_LIMIT: usize = 4;
const MAX_LIMIT: usize = 64;

/// The operations of one process on one store.
pub(crate) struct ConcurrencyLimiter(PerProcess<Mutex<State>>);

struct State {
    /// How many may be in flight.
    limit: usize,
    /// The ticket of each operation in flight, and its start.
    in_flight: Vec<(u64, u64)>,
    waiting: BTreeMap<(Priority, u64), Waker>,
    next_ticket: u64,
    /// When a queued operation last got a permit.
    last_permit: Option<u64>,
    /// Lower tickets that are neither queued nor in flight were rejected.
    rejected_before: u64,
}

/// The priority in the queue; first come, first served within it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Priority {
    /// Operations that continue a call, which may hold a lease; and the companion's, which are few.
    Continuing,
    /// Operations that begin a call.
    New,
}

/// The operation was rejected while it was queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rejected;

/// An operation's place in the queue, then in flight. Ends when dropped.
pub(crate) struct Permit<'a> {
    limiter: &'a ConcurrencyLimiter,
    priority: Priority,
    ticket: u64,
    timer: &'static Timer,
    /// Operations in flight for longer no longer count: a task that nobody polls must not block others.
    overdue: Duration,
    /// Whether it was acquired at once.
    pub(crate) is_acquired: bool,
}

impl Default for ConcurrencyLimiter {
    fn default() -> Self {
        Self(PerProcess::new(|_| Mutex::default()))
    }
}

impl ConcurrencyLimiter {
    /// Queues an operation that begins now.
    pub(crate) fn join(
        &self,
        priority: Priority,
        timer: &'static Timer,
        now: u64,
        overdue: Duration,
    ) -> Permit<'_> {
        let mut state = self.state();
        let next = state.grant_next(now, overdue);
        let (ticket, is_acquired) = state.join(priority, now);
        drop(state);
        wake(next);
        Permit {
            limiter: self,
            priority,
            ticket,
            timer,
            overdue,
            is_acquired,
        }
    }

    /// Rejects all queued operations.
    pub(crate) fn reject_waiting(&self) {
        let rejected = self.state().reject_waiting();
        wake(rejected.into_values());
    }

    /// When the queue last moved, given the store's last answer: with queued operations at that answer, else when the last
    /// one got its permit.
    pub(crate) fn moved_at(&self, answered: u64) -> Option<u64> {
        let state = self.state();
        match state.waiting.is_empty() {
            true => Some(state.last_permit?.min(answered)),
            false => Some(answered),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit<'_> {
    /// Waits until the permit is acquired.
    pub(crate) async fn acquired(&self) -> Result<(), Rejected> {
        loop {
            let acquired = poll_fn(|cx| {
                self.limiter
                    .state()
                    .poll(self.priority, self.ticket, cx.waker())
            });
            if let Some(acquired) = self.timer.timeout(Some(self.overdue), acquired).await {
                return acquired;
            }
            let next = self
                .limiter
                .state()
                .grant_next(self.timer.now(), self.overdue);
            wake(next);
        }
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let mut state = self.limiter.state();
        let now = self.timer.now();
        state.leave(self.priority, self.ticket, now, self.overdue);
        let next = state.grant_next(now, self.overdue);
        drop(state);
        wake(next);
    }
}

/// Called outside the lock.
fn wake(wakers: impl IntoIterator<Item = Waker>) {
    wakers.into_iter().for_each(Waker::wake);
}

impl Default for State {
    fn default() -> Self {
        Self {
            limit: INITIAL_LIMIT,
            in_flight: Vec::new(),
            waiting: BTreeMap::new(),
            next_ticket: 0,
            last_permit: None,
            rejected_before: 0,
        }
    }
}

impl State {
    /// The ticket, and whether it is in flight.
    fn join(&mut self, priority: Priority, now: u64) -> (u64, bool) {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        let first = self.waiting.keys().next();
        let is_next = first.is_none_or(|(first, _)| priority < *first);
        let is_acquired = is_next && !self.is_full();
        match is_acquired {
            true => self.in_flight.push((ticket, now)),
            false => drop(
                self.waiting
                    .insert((priority, ticket), Waker::noop().clone()),
            ),
        }
        (ticket, is_acquired)
    }

    fn poll(
        &mut self,
        priority: Priority,
        ticket: u64,
        waker: &Waker,
    ) -> Poll<Result<(), Rejected>> {
        if let Some(known) = self.waiting.get_mut(&(priority, ticket)) {
            known.clone_from(waker);
            return Poll::Pending;
        }
        // Operations that no longer count have their permit all the same.
        match ticket < self.rejected_before && !self.is_in_flight(ticket) {
            true => Poll::Ready(Err(Rejected)),
            false => Poll::Ready(Ok(())),
        }
    }

    /// Grants free places to the first in the queue. Overdue operations no longer count.
    fn grant_next(&mut self, now: u64, overdue: Duration) -> Vec<Waker> {
        if self.waiting.is_empty() && !self.is_full() {
            return Vec::new();
        }
        if self.is_full() {
            let (overdue, before) = (nanos(overdue), self.in_flight.len());
            self.in_flight
                .retain(|(_, since)| now.saturating_sub(*since) < overdue);
            let slow = before - self.in_flight.len();
            self.limit = self.limit.saturating_sub(slow).max(MIN_LIMIT);
        }
        let mut next = Vec::new();
        while !self.is_full()
            && let Some(((_, ticket), waker)) = self.waiting.pop_first()
        {
            self.in_flight.push((ticket, now));
            self.last_permit = Some(now);
            next.push(waker);
        }
        next
    }

    fn leave(&mut self, priority: Priority, ticket: u64, now: u64, overdue: Duration) {
        let place = self
            .in_flight
            .iter()
            .position(|(in_flight, _)| *in_flight == ticket);
        let Some(place) = place else {
            self.waiting.remove(&(priority, ticket));
            return;
        };
        let (_, since) = self.in_flight.swap_remove(place);
        let (took, overdue) = (now.saturating_sub(since), nanos(overdue));
        if took > overdue / 2 {
            self.limit = self.limit.saturating_sub(1).max(MIN_LIMIT);
        } else if took < overdue / 4 && !self.waiting.is_empty() {
            self.limit = (self.limit + 1).min(MAX_LIMIT);
        }
    }

    fn reject_waiting(&mut self) -> BTreeMap<(Priority, u64), Waker> {
        self.rejected_before = self.next_ticket;
        std::mem::take(&mut self.waiting)
    }

    fn is_full(&self) -> bool {
        self.in_flight.len() >= self.limit
    }

    fn is_in_flight(&self, ticket: u64) -> bool {
        self.in_flight
            .iter()
            .any(|(in_flight, _)| *in_flight == ticket)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OVERDUE: Duration = Duration::from_nanos(500);

    /// A limiter whose places have all been taken since the beginning.
    fn full() -> State {
        let mut limiter = State::default();
        for ticket in 0..INITIAL_LIMIT as u64 {
            assert_eq!(limiter.join(Priority::New, 0), (ticket, true));
        }
        limiter
    }

    fn poll(limiter: &mut State, priority: Priority, ticket: u64) -> Poll<Result<(), Rejected>> {
        limiter.poll(priority, ticket, Waker::noop())
    }

    const ACQUIRED: Poll<Result<(), Rejected>> = Poll::Ready(Ok(()));

    /// Neither quick nor slow.
    const USUAL_TIME: u64 = 200;

    /// How many permits are granted when one in flight leaves at this moment.
    fn leave(limiter: &mut State, ticket: u64, now: u64) -> usize {
        limiter.leave(Priority::New, ticket, now, OVERDUE);
        limiter.grant_next(now, OVERDUE).len()
    }

    #[test]
    fn permits_go_by_priority_then_by_arrival() {
        let mut limiter = full();
        let [(first, _), (second, _)] = [(); 2].map(|()| limiter.join(Priority::New, 1));
        let (begun, _) = limiter.join(Priority::Continuing, 2);
        let order = [
            (Priority::Continuing, begun),
            (Priority::New, first),
            (Priority::New, second),
        ];
        for (leaves, (priority, next)) in (0..).zip(order) {
            assert_eq!(poll(&mut limiter, priority, next), Poll::Pending);
            assert_eq!(leave(&mut limiter, leaves, USUAL_TIME), 1);
            assert_eq!(poll(&mut limiter, priority, next), ACQUIRED);
        }
        assert!(limiter.waiting.is_empty());
    }

    #[test]
    fn a_waiter_that_gives_up_leaves_the_queue() {
        let mut limiter = full();
        let [(first, _), (second, _)] = [(); 2].map(|()| limiter.join(Priority::New, 1));
        assert_eq!(leave(&mut limiter, first, USUAL_TIME), 0);
        assert_eq!(leave(&mut limiter, 0, USUAL_TIME), 1);
        assert_eq!(poll(&mut limiter, Priority::New, second), ACQUIRED);
    }

    #[test]
    fn overdue_operations_do_not_count() {
        let mut limiter = full();
        let (waits, is_acquired) = limiter.join(Priority::New, 1);
        assert!(!is_acquired);
        assert!(limiter.grant_next(499, OVERDUE).is_empty());
        assert_eq!(limiter.grant_next(500, OVERDUE).len(), 1);
        assert_eq!(limiter.join(Priority::New, 500), (waits + 1, true));
        assert_eq!(poll(&mut limiter, Priority::New, 0), ACQUIRED, "it goes on");
        assert_eq!(leave(&mut limiter, 0, 501), 0);
    }

    #[test]
    fn the_limit_follows_the_response_times() {
        let mut limiter = full();
        for _ in 0..2 * MAX_LIMIT {
            limiter.join(Priority::New, 0);
        }
        for soon in 0..MAX_LIMIT as u64 {
            leave(&mut limiter, soon, 1);
        }
        assert_eq!(limiter.in_flight.len(), MAX_LIMIT);
        for late in limiter.in_flight.clone() {
            leave(&mut limiter, late.0, 400);
        }
        assert_eq!(limiter.limit, MIN_LIMIT);
        assert_eq!(limiter.in_flight.len(), MIN_LIMIT);
    }

    #[test]
    fn rejecting_ends_queued_operations_only() {
        let mut limiter = full();
        let (waits, _) = limiter.join(Priority::New, 1);
        assert_eq!(limiter.reject_waiting().len(), 1);
        let rejected = poll(&mut limiter, Priority::New, waits);
        assert_eq!(rejected, Poll::Ready(Err(Rejected)));
        assert_eq!(
            poll(&mut limiter, Priority::New, 0),
            ACQUIRED,
            "it is under way"
        );
        assert_eq!(leave(&mut limiter, 0, USUAL_TIME), 0);
        assert_eq!(limiter.join(Priority::New, 2), (waits + 1, true));
    }
}

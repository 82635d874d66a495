//! The line in which operations wait for their store: of this process only so many are under way at a time.
//!
//! What a crowd sends at once waits somewhere, in the client, on the wire or in the server, where nobody can tell it from a store
//! that does not answer. Here it is known who waits for a turn and who for the store, and whether the line moves. How many are
//! sent at a time depends on how soon they are answered: one more for each that was while others waited, one less for each that
//! took long.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use cachier_backends::process::PerProcess;

use crate::timer::{Timer, nanos};

/// How many operations are under way at a time: at first, at least and at most. In between it is as many as the store answers
/// soon, which may have one thread or many.
const FIRST_LIMIT: usize = 8;
const MIN_LIMIT: usize = 4;
const MAX_LIMIT: usize = 64;

/// The operations of one process on one store.
pub(crate) struct Line(PerProcess<Mutex<State>>);

struct State {
    /// How many may be under way.
    limit: usize,
    /// Who is under way, by ticket, and since when.
    under_way: Vec<(u64, u64)>,
    waiting: BTreeMap<(Rank, u64), Waker>,
    next_ticket: u64,
    /// When somebody who had waited had a turn.
    last_turn: Option<u64>,
    /// Those with lower tickets who wait no more, and are not under way, were sent away.
    sent_away_before: u64,
}

/// Who goes first. In a rank it is whoever came first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rank {
    /// What goes on with a call that has had a turn, which may hold a lease; and what the companion asks, which is little.
    Begun,
    /// What begins.
    New,
}

/// The line was dissolved while one stood in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SentAway;

/// An operation's place: in the line, and then under way. It ends when this is dropped.
pub(crate) struct Turn<'a> {
    line: &'a Line,
    rank: Rank,
    ticket: u64,
    timer: &'static Timer,
    /// Who has been under way for longer is not counted any more: a task that nobody polls must not hold up others.
    overdue: Duration,
    /// Whether it was there at once.
    pub(crate) is_come: bool,
}

impl Default for Line {
    fn default() -> Self {
        Self(PerProcess::new(|_| Mutex::default()))
    }
}

impl Line {
    /// A place for an operation that begins now, behind those of its rank.
    pub(crate) fn join(
        &self,
        rank: Rank,
        timer: &'static Timer,
        now: u64,
        overdue: Duration,
    ) -> Turn<'_> {
        let mut state = self.state();
        let next = state.hand_on(now, overdue);
        let (ticket, is_come) = state.join(rank, now);
        drop(state);
        wake(next);
        Turn {
            line: self,
            rank,
            ticket,
            timer,
            overdue,
            is_come,
        }
    }

    /// Sends all away who wait.
    pub(crate) fn dissolve(&self) {
        let sent_away = self.state().dissolve();
        wake(sent_away.into_values());
    }

    /// When it moved last, if the store answered somebody last at that moment: while anybody stands in it that is then, and else
    /// when the last one had its turn.
    pub(crate) fn moved(&self, answered: u64) -> Option<u64> {
        let state = self.state();
        match state.waiting.is_empty() {
            true => Some(state.last_turn?.min(answered)),
            false => Some(answered),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn<'_> {
    /// Waits until it comes.
    pub(crate) async fn come(&self) -> Result<(), SentAway> {
        loop {
            let come = poll_fn(|cx| self.line.state().poll(self.rank, self.ticket, cx.waker()));
            if let Some(come) = self.timer.within(Some(self.overdue), come).await {
                return come;
            }
            let next = self.line.state().hand_on(self.timer.now(), self.overdue);
            wake(next);
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut state = self.line.state();
        let now = self.timer.now();
        state.leave(self.rank, self.ticket, now, self.overdue);
        let next = state.hand_on(now, self.overdue);
        drop(state);
        wake(next);
    }
}

/// Not under the lock.
fn wake(wakers: impl IntoIterator<Item = Waker>) {
    wakers.into_iter().for_each(Waker::wake);
}

impl Default for State {
    fn default() -> Self {
        Self {
            limit: FIRST_LIMIT,
            under_way: Vec::new(),
            waiting: BTreeMap::new(),
            next_ticket: 0,
            last_turn: None,
            sent_away_before: 0,
        }
    }
}

impl State {
    /// The ticket, and whether the turn has come.
    fn join(&mut self, rank: Rank, now: u64) -> (u64, bool) {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        let first = self.waiting.keys().next();
        let is_next = first.is_none_or(|(first, _)| rank < *first);
        let is_come = is_next && !self.is_full();
        match is_come {
            true => self.under_way.push((ticket, now)),
            false => drop(self.waiting.insert((rank, ticket), Waker::noop().clone())),
        }
        (ticket, is_come)
    }

    fn poll(&mut self, rank: Rank, ticket: u64, waker: &Waker) -> Poll<Result<(), SentAway>> {
        if let Some(known) = self.waiting.get_mut(&(rank, ticket)) {
            known.clone_from(waker);
            return Poll::Pending;
        }
        // Who is not counted any more has its turn all the same.
        match ticket < self.sent_away_before && !self.is_under_way(ticket) {
            true => Poll::Ready(Err(SentAway)),
            false => Poll::Ready(Ok(())),
        }
    }

    /// Gives places that are free to the first in line. Whoever has one for too long is not counted any more.
    fn hand_on(&mut self, now: u64, overdue: Duration) -> Vec<Waker> {
        if self.waiting.is_empty() && !self.is_full() {
            return Vec::new();
        }
        if self.is_full() {
            let (overdue, before) = (nanos(overdue), self.under_way.len());
            self.under_way
                .retain(|(_, since)| now.saturating_sub(*since) < overdue);
            let slow = before - self.under_way.len();
            self.limit = self.limit.saturating_sub(slow).max(MIN_LIMIT);
        }
        let mut next = Vec::new();
        while !self.is_full()
            && let Some(((_, ticket), waker)) = self.waiting.pop_first()
        {
            self.under_way.push((ticket, now));
            self.last_turn = Some(now);
            next.push(waker);
        }
        next
    }

    fn leave(&mut self, rank: Rank, ticket: u64, now: u64, overdue: Duration) {
        let place = self
            .under_way
            .iter()
            .position(|(under_way, _)| *under_way == ticket);
        let Some(place) = place else {
            self.waiting.remove(&(rank, ticket));
            return;
        };
        let (_, since) = self.under_way.swap_remove(place);
        let (took, overdue) = (now.saturating_sub(since), nanos(overdue));
        if took > overdue / 2 {
            self.limit = self.limit.saturating_sub(1).max(MIN_LIMIT);
        } else if took < overdue / 4 && !self.waiting.is_empty() {
            self.limit = (self.limit + 1).min(MAX_LIMIT);
        }
    }

    fn dissolve(&mut self) -> BTreeMap<(Rank, u64), Waker> {
        self.sent_away_before = self.next_ticket;
        std::mem::take(&mut self.waiting)
    }

    fn is_full(&self) -> bool {
        self.under_way.len() >= self.limit
    }

    fn is_under_way(&self, ticket: u64) -> bool {
        self.under_way
            .iter()
            .any(|(under_way, _)| *under_way == ticket)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OVERDUE: Duration = Duration::from_nanos(500);

    /// A line in which all places are taken since the beginning.
    fn full() -> State {
        let mut line = State::default();
        for ticket in 0..FIRST_LIMIT as u64 {
            assert_eq!(line.join(Rank::New, 0), (ticket, true));
        }
        line
    }

    fn poll(line: &mut State, rank: Rank, ticket: u64) -> Poll<Result<(), SentAway>> {
        line.poll(rank, ticket, Waker::noop())
    }

    const COME: Poll<Result<(), SentAway>> = Poll::Ready(Ok(()));

    /// Neither soon nor late.
    const MEANWHILE: u64 = 200;

    /// How many have their turns when one that is under way leaves at this moment.
    fn leave(line: &mut State, ticket: u64, now: u64) -> usize {
        line.leave(Rank::New, ticket, now, OVERDUE);
        line.hand_on(now, OVERDUE).len()
    }

    #[test]
    fn who_came_first_goes_first_and_what_has_begun_before_all() {
        let mut line = full();
        let [(first, _), (second, _)] = [(); 2].map(|()| line.join(Rank::New, 1));
        let (begun, _) = line.join(Rank::Begun, 2);
        let order = [
            (Rank::Begun, begun),
            (Rank::New, first),
            (Rank::New, second),
        ];
        for (leaves, (rank, next)) in (0..).zip(order) {
            assert_eq!(poll(&mut line, rank, next), Poll::Pending);
            assert_eq!(leave(&mut line, leaves, MEANWHILE), 1);
            assert_eq!(poll(&mut line, rank, next), COME);
        }
        assert!(line.waiting.is_empty());
    }

    #[test]
    fn who_gives_up_leaves_the_line_and_gets_no_turn() {
        let mut line = full();
        let [(first, _), (second, _)] = [(); 2].map(|()| line.join(Rank::New, 1));
        assert_eq!(leave(&mut line, first, MEANWHILE), 0);
        assert_eq!(leave(&mut line, 0, MEANWHILE), 1);
        assert_eq!(poll(&mut line, Rank::New, second), COME);
    }

    #[test]
    fn who_is_under_way_for_too_long_is_not_counted() {
        let mut line = full();
        let (waits, is_come) = line.join(Rank::New, 1);
        assert!(!is_come);
        assert!(line.hand_on(499, OVERDUE).is_empty());
        assert_eq!(line.hand_on(500, OVERDUE).len(), 1);
        assert_eq!(line.join(Rank::New, 500), (waits + 1, true));
        assert_eq!(poll(&mut line, Rank::New, 0), COME, "it goes on");
        assert_eq!(leave(&mut line, 0, 501), 0);
    }

    #[test]
    fn as_many_are_under_way_as_are_answered_soon() {
        let mut line = full();
        for _ in 0..2 * MAX_LIMIT {
            line.join(Rank::New, 0);
        }
        for soon in 0..MAX_LIMIT as u64 {
            leave(&mut line, soon, 1);
        }
        assert_eq!(line.under_way.len(), MAX_LIMIT);
        for late in line.under_way.clone() {
            leave(&mut line, late.0, 400);
        }
        assert_eq!(line.limit, MIN_LIMIT);
        assert_eq!(line.under_way.len(), MIN_LIMIT);
    }

    #[test]
    fn a_line_that_is_dissolved_sends_away_those_who_wait() {
        let mut line = full();
        let (waits, _) = line.join(Rank::New, 1);
        assert_eq!(line.dissolve().len(), 1);
        let sent_away = poll(&mut line, Rank::New, waits);
        assert_eq!(sent_away, Poll::Ready(Err(SentAway)));
        assert_eq!(poll(&mut line, Rank::New, 0), COME, "it is under way");
        assert_eq!(leave(&mut line, 0, MEANWHILE), 0);
        assert_eq!(line.join(Rank::New, 2), (waits + 1, true));
    }
}

//! The line in which operations wait for their store: of this process only so many are under way at a time.
//!
//! What a crowd sends at once waits somewhere, in the client, on the wire or in the server, where nobody can tell it from a store
//! that does not answer. Here it is known who waits for a turn and who for the store, and whether the line moves.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use cachier_backends::process::PerProcess;

use crate::timer::{Timer, nanos};

/// How many operations are under way at a time: enough for what a store does at once, and so few that each is answered soon.
const MAX_UNDER_WAY: usize = 64;

/// The operations of one process on one store.
pub(crate) struct Line(PerProcess<Mutex<State>>);

#[derive(Default)]
struct State {
    /// Who is under way, by ticket, and since when.
    under_way: Vec<(u64, u64)>,
    waiting: BTreeMap<(Rank, u64), Waker>,
    next_ticket: u64,
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

    /// Whether anybody waits.
    pub(crate) fn is_awaited(&self) -> bool {
        !self.state().waiting.is_empty()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn<'_> {
    /// Waits until it comes.
    pub(crate) async fn come(&self) -> Result<(), SentAway> {
        loop {
            let come = poll_fn(|context| {
                self.line
                    .state()
                    .poll(self.rank, self.ticket, context.waker())
            });
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
        let next = match state.leave(self.rank, self.ticket) {
            true => state.hand_on(self.timer.now(), self.overdue),
            false => Vec::new(),
        };
        drop(state);
        wake(next);
    }
}

/// Not under the lock.
fn wake(wakers: impl IntoIterator<Item = Waker>) {
    wakers.into_iter().for_each(Waker::wake);
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
            let overdue = nanos(overdue);
            self.under_way
                .retain(|(_, since)| now.saturating_sub(*since) < overdue);
        }
        let mut next = Vec::new();
        while !self.is_full()
            && let Some(((_, ticket), waker)) = self.waiting.pop_first()
        {
            self.under_way.push((ticket, now));
            next.push(waker);
        }
        next
    }

    /// Whether a place is free by this.
    fn leave(&mut self, rank: Rank, ticket: u64) -> bool {
        let place = self
            .under_way
            .iter()
            .position(|(under_way, _)| *under_way == ticket);
        match place {
            Some(place) => drop(self.under_way.swap_remove(place)),
            None => drop(self.waiting.remove(&(rank, ticket))),
        }
        place.is_some()
    }

    fn dissolve(&mut self) -> BTreeMap<(Rank, u64), Waker> {
        self.sent_away_before = self.next_ticket;
        std::mem::take(&mut self.waiting)
    }

    fn is_full(&self) -> bool {
        self.under_way.len() >= MAX_UNDER_WAY
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
        for ticket in 0..MAX_UNDER_WAY as u64 {
            assert_eq!(line.join(Rank::New, 0), (ticket, true));
        }
        line
    }

    fn poll(line: &mut State, rank: Rank, ticket: u64) -> Poll<Result<(), SentAway>> {
        line.poll(rank, ticket, Waker::noop())
    }

    const COME: Poll<Result<(), SentAway>> = Poll::Ready(Ok(()));

    #[test]
    fn who_came_first_goes_first_and_what_has_begun_before_all() {
        let mut line = full();
        let [(first, _), (second, _)] = [(); 2].map(|()| line.join(Rank::New, 1));
        let (begun, _) = line.join(Rank::Begun, 2);
        for (leaves, (rank, next)) in [
            (Rank::Begun, begun),
            (Rank::New, first),
            (Rank::New, second),
        ]
        .into_iter()
        .enumerate()
        {
            assert_eq!(poll(&mut line, rank, next), Poll::Pending);
            assert!(line.leave(Rank::New, leaves as u64));
            assert_eq!(line.hand_on(3, OVERDUE).len(), 1);
            assert_eq!(poll(&mut line, rank, next), COME);
        }
        assert!(line.waiting.is_empty());
    }

    #[test]
    fn who_gives_up_leaves_the_line_and_gets_no_turn() {
        let mut line = full();
        let [(first, _), (second, _)] = [(); 2].map(|()| line.join(Rank::New, 1));
        assert!(!line.leave(Rank::New, first));
        assert!(line.leave(Rank::New, 0));
        assert_eq!(line.hand_on(2, OVERDUE).len(), 1);
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
        assert!(!line.leave(Rank::New, 0));
    }

    #[test]
    fn a_line_that_is_dissolved_sends_away_those_who_wait() {
        let mut line = full();
        let (waits, _) = line.join(Rank::New, 1);
        assert_eq!(line.dissolve().len(), 1);
        assert_eq!(
            poll(&mut line, Rank::New, waits),
            Poll::Ready(Err(SentAway))
        );
        assert_eq!(poll(&mut line, Rank::New, 0), COME, "it is under way");
        assert!(line.leave(Rank::New, 0));
        assert_eq!(line.join(Rank::New, 2), (waits + 1, true));
    }
}

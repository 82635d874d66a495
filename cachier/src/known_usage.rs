//! What a backend held when it was last asked, so that those who read metrics need not wait for it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cachier_backends::Usage;

use crate::timer::nanos;

/// How long an answer is good enough before the backend is asked again, and how long it may take to answer.
pub(crate) const GOOD_FOR: Duration = Duration::from_secs(10);

/// What a backend last said that it holds of one function.
///
/// Pure: moments are handed in, in nanoseconds.
#[derive(Default)]
pub(crate) struct KnownUsage(Mutex<State>);

#[derive(Default)]
struct State {
    usage: Usage,
    /// When the backend was asked last.
    asked: Option<u64>,
    /// Whether somebody who looked has had it asked, and no answer has come.
    is_asked: bool,
    /// Grows with everything that is learned or forgotten.
    revision: u64,
}

/// Who has to ask the backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Whoever looked.
    Mine,
    /// Nobody: the answer is good enough, or one is awaited.
    Nobodys,
}

/// What was known when the backend was asked. An answer counts unless something newer is known by then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Question(u64);

impl KnownUsage {
    /// What is known, and whether the caller must have the backend asked again: one of those who look in an interval, and
    /// nobody while an answer is awaited.
    pub(crate) fn look(&self, now: u64) -> (Usage, Turn) {
        let mut state = self.state();
        let is_good = |asked: u64| now.saturating_sub(asked) < nanos(GOOD_FOR);
        if state.is_asked || state.asked.is_some_and(is_good) {
            return (state.usage, Turn::Nobodys);
        }
        state.is_asked = true;
        (state.usage, Turn::Mine)
    }

    /// It came to nobody's asking the backend.
    pub(crate) fn not_asked(&self) {
        self.state().is_asked = false;
    }

    /// Begins to ask the backend.
    pub(crate) fn ask(&self) -> Question {
        Question(self.state().revision)
    }

    /// Learns what the backend answered; nothing if it failed.
    pub(crate) fn learn(&self, Question(revision): Question, usage: Usage, now: u64) {
        let mut state = self.state();
        state.is_asked = false;
        if state.revision == revision {
            state.usage = usage;
            state.asked = Some(now);
            state.revision += 1;
        }
    }

    /// Learns that what is known is wrong by now, and so are answers to those who ask already.
    pub(crate) fn forget(&self) {
        let mut state = self.state();
        (state.usage, state.asked) = (Usage::default(), None);
        state.revision += 1;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(count: u64) -> Usage {
        Usage {
            entries: Some(count),
            bytes: None,
        }
    }

    #[test]
    fn nobody_asks_while_an_answer_is_awaited_and_then_one_in_each_interval() {
        let (known, interval) = (KnownUsage::default(), nanos(GOOD_FOR));
        assert_eq!(known.look(5), (Usage::default(), Turn::Mine));
        let question = known.ask();
        assert_eq!(known.look(5 + 3 * interval).1, Turn::Nobodys);
        let answered = 6 + 3 * interval;
        known.learn(question, entries(3), answered);
        assert_eq!(
            known.look(answered + interval - 1),
            (entries(3), Turn::Nobodys)
        );
        assert_eq!(known.look(answered + interval), (entries(3), Turn::Mine));
        known.learn(known.ask(), Usage::default(), answered + interval);
        let failed = known.look(answered + interval + 1);
        assert_eq!(
            failed,
            (Usage::default(), Turn::Nobodys),
            "a failed backend tells nothing"
        );
    }

    #[test]
    fn whoever_looks_next_asks_if_nobody_did() {
        let known = KnownUsage::default();
        assert_eq!(known.look(5).1, Turn::Mine);
        known.not_asked();
        assert_eq!(known.look(6).1, Turn::Mine);
        assert_eq!(known.look(7).1, Turn::Nobodys);
    }

    #[test]
    fn what_is_wrong_is_forgotten_and_asked_for_at_once() {
        let known = KnownUsage::default();
        known.learn(known.ask(), entries(3), 5);
        known.forget();
        assert_eq!(known.look(5), (Usage::default(), Turn::Mine));
    }

    #[test]
    fn an_answer_that_something_overtook_counts_no_more() {
        let known = KnownUsage::default();
        let (slow, quick) = (known.ask(), known.ask());
        known.learn(quick, entries(2), 5);
        known.learn(slow, entries(3), 6);
        assert_eq!(known.look(7).0, entries(2));
        let before = known.ask();
        known.forget();
        known.learn(before, entries(2), 8);
        assert_eq!(known.look(9), (Usage::default(), Turn::Mine));
    }
}

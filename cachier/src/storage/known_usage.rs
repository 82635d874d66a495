//! What a backend held when it was last asked, so that those who read metrics need not wait for it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cachier_backends::Usage;

use crate::timer::nanos;

/// How long an answer is good enough before the backend is asked again.
const GOOD_FOR: Duration = Duration::from_secs(10);

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
}

/// Who has to ask the backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Whoever looked.
    Mine,
    /// Nobody: the answer is good enough, or somebody asks right now.
    Nobodys,
}

impl KnownUsage {
    /// What is known, and whether the caller must have the backend asked again: one of those who look in an interval.
    pub(crate) fn look(&self, now: u64) -> (Usage, Turn) {
        let mut state = self.state();
        let is_good = |asked: u64| now.saturating_sub(asked) < nanos(GOOD_FOR);
        if state.asked.is_some_and(is_good) {
            return (state.usage, Turn::Nobodys);
        }
        state.asked = Some(now);
        (state.usage, Turn::Mine)
    }

    /// Learns what the backend said just now; nothing if it failed.
    pub(crate) fn learn(&self, usage: Usage, now: u64) {
        let asked = Some(now);
        *self.state() = State { usage, asked };
    }

    /// Learns that what is known is wrong by now.
    pub(crate) fn forget(&self) {
        *self.state() = State::default();
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
    fn one_of_those_who_look_asks_in_each_interval_even_if_no_answer_comes() {
        let known = KnownUsage::default();
        let interval = nanos(GOOD_FOR);
        assert_eq!(known.look(5), (Usage::default(), Turn::Mine));
        assert_eq!(
            known.look(5 + interval - 1),
            (Usage::default(), Turn::Nobodys)
        );
        assert_eq!(known.look(5 + interval), (Usage::default(), Turn::Mine));
    }

    #[test]
    fn an_answer_is_known_until_the_next_one_and_good_for_an_interval() {
        let known = KnownUsage::default();
        known.learn(entries(3), 5);
        let interval = nanos(GOOD_FOR);
        assert_eq!(known.look(5 + interval - 1), (entries(3), Turn::Nobodys));
        assert_eq!(known.look(5 + interval), (entries(3), Turn::Mine));
        assert_eq!(known.look(5 + interval), (entries(3), Turn::Nobodys));
        known.learn(Usage::default(), 6 + interval);
        assert_eq!(
            known.look(7 + interval),
            (Usage::default(), Turn::Nobodys),
            "a failed backend tells nothing"
        );
    }

    #[test]
    fn what_is_wrong_is_forgotten_and_asked_for_at_once() {
        let known = KnownUsage::default();
        known.learn(entries(3), 5);
        known.forget();
        assert_eq!(known.look(5), (Usage::default(), Turn::Mine));
    }
}

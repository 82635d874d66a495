//! What a backend held when it was last asked, so that those who read metrics need not wait for it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cachier_backends::Usage;

use crate::timer::nanos;

/// How long an answer is good enough before the backend is asked again, and how long it may take to answer.
pub(crate) const USAGE_TTL: Duration = Duration::from_secs(10);

/// What a backend last said that it holds of one function.
///
/// Pure: moments are handed in, in nanoseconds.
#[derive(Default)]
pub(crate) struct UsageCache(Mutex<State>);

#[derive(Default)]
struct State {
    usage: Usage,
    /// When the backend was asked last.
    queried: Option<u64>,
    /// Whether somebody who looked has had it asked, and no answer has come.
    is_querying: bool,
    /// Grows with everything that is learned or forgotten.
    revision: u64,
}

/// Who has to ask the backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Query {
    /// Whoever looked.
    Due,
    /// Nobody: the answer is good enough, or one is awaited.
    NotDue,
}

/// What was known when the backend was asked. An answer counts unless something newer is known by then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct QueryToken(u64);

impl UsageCache {
    /// What is known, and whether the caller must have the backend asked again: one of those who look in an interval, and
    /// nobody while an answer is awaited.
    pub(crate) fn read(&self, now: u64) -> (Usage, Query) {
        let mut state = self.state();
        let is_good = |queried: u64| now.saturating_sub(queried) < nanos(USAGE_TTL);
        if state.is_querying || state.queried.is_some_and(is_good) {
            return (state.usage, Query::NotDue);
        }
        state.is_querying = true;
        (state.usage, Query::Due)
    }

    /// It came to nobody's asking the backend.
    pub(crate) fn cancel_query(&self) {
        self.state().is_querying = false;
    }

    /// Begins to ask the backend.
    pub(crate) fn begin_query(&self) -> QueryToken {
        QueryToken(self.state().revision)
    }

    /// Learns what the backend answered; nothing if it failed.
    pub(crate) fn record(&self, QueryToken(revision): QueryToken, usage: Usage, now: u64) {
        let mut state = self.state();
        state.is_querying = false;
        if state.revision == revision {
            state.usage = usage;
            state.queried = Some(now);
            state.revision += 1;
        }
    }

    /// Learns that what is known is wrong by now, and so are answers to those who ask already.
    pub(crate) fn invalidate(&self) {
        let mut state = self.state();
        (state.usage, state.queried) = (Usage::default(), None);
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
        let (known, interval) = (UsageCache::default(), nanos(USAGE_TTL));
        assert_eq!(known.read(5), (Usage::default(), Query::Due));
        let token = known.begin_query();
        assert_eq!(known.read(5 + 3 * interval).1, Query::NotDue);
        let answered = 6 + 3 * interval;
        known.record(token, entries(3), answered);
        assert_eq!(
            known.read(answered + interval - 1),
            (entries(3), Query::NotDue)
        );
        assert_eq!(known.read(answered + interval), (entries(3), Query::Due));
        known.record(known.begin_query(), Usage::default(), answered + interval);
        let failed = known.read(answered + interval + 1);
        assert_eq!(
            failed,
            (Usage::default(), Query::NotDue),
            "a failed backend tells nothing"
        );
    }

    #[test]
    fn whoever_looks_next_asks_if_nobody_did() {
        let known = UsageCache::default();
        assert_eq!(known.read(5).1, Query::Due);
        known.cancel_query();
        assert_eq!(known.read(6).1, Query::Due);
        assert_eq!(known.read(7).1, Query::NotDue);
    }

    #[test]
    fn what_is_wrong_is_forgotten_and_asked_for_at_once() {
        let known = UsageCache::default();
        known.record(known.begin_query(), entries(3), 5);
        known.invalidate();
        assert_eq!(known.read(5), (Usage::default(), Query::Due));
    }

    #[test]
    fn an_answer_that_something_overtook_counts_no_more() {
        let known = UsageCache::default();
        let (slow, quick) = (known.begin_query(), known.begin_query());
        known.record(quick, entries(2), 5);
        known.record(slow, entries(3), 6);
        assert_eq!(known.read(7).0, entries(2));
        let before = known.begin_query();
        known.invalidate();
        known.record(before, entries(2), 8);
        assert_eq!(known.read(9), (Usage::default(), Query::Due));
    }
}

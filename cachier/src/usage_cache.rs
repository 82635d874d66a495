//! The last known usage of a backend, so that reading metrics does not wait for it.

use std::cell::Cell;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cachier_backends::Usage;

use crate::timer::nanos;

/// How long an answer is good, and how long a query may take.
pub(crate) const USAGE_TTL: Duration = Duration::from_secs(10);
/// How long it is good enough for readers that nobody watches.
#[cfg(feature = "persistent")]
const UNATTENDED_USAGE_TTL: Duration = Duration::from_secs(60);

thread_local! {
    static TTL: Cell<Duration> = const { Cell::new(USAGE_TTL) };
}

/// Reads, with answers that may be older than others take: many instances that publish ask their store seldom, and find what
/// exporters have asked for.
#[cfg(feature = "persistent")]
pub(crate) fn patiently<R>(read: impl FnOnce() -> R) -> R {
    struct Leave(Duration);
    impl Drop for Leave {
        fn drop(&mut self) {
            TTL.set(self.0);
        }
    }
    let _leave = Leave(TTL.replace(UNATTENDED_USAGE_TTL));
    read()
}

/// The last known usage of one function.
///
/// Pure: moments are handed in, in nanoseconds.
#[derive(Default)]
pub(crate) struct UsageCache(Mutex<State>);

#[derive(Default)]
struct State {
    usage: Usage,
    /// When the backend was last queried.
    queried: Option<u64>,
    /// Whether a query is due to an earlier reader and not answered yet.
    is_querying: bool,
    /// Grows with every change.
    revision: u64,
}

/// Whether the reader has to query the backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Query {
    Due,
    /// The usage is recent, or a query is running.
    NotDue,
}

/// The revision when a query began. The answer counts unless the usage has changed since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct QueryToken(u64);

impl UsageCache {
    /// The known usage, and whether the reader must query the backend: one reader in each interval, longer for those that are
    /// patient, and nobody while a query is running.
    pub(crate) fn read(&self, now: u64) -> (Usage, Query) {
        let mut state = self.state();
        let ttl = nanos(TTL.get());
        let is_good = |queried: u64| now.saturating_sub(queried) < ttl;
        if state.is_querying || state.queried.is_some_and(is_good) {
            return (state.usage, Query::NotDue);
        }
        state.is_querying = true;
        (state.usage, Query::Due)
    }

    /// The query did not take place.
    pub(crate) fn cancel_query(&self) {
        self.state().is_querying = false;
    }

    /// Begins a query.
    pub(crate) fn begin_query(&self) -> QueryToken {
        QueryToken(self.state().revision)
    }

    /// Records the answer; the default if the query failed.
    pub(crate) fn record(&self, QueryToken(revision): QueryToken, usage: Usage, now: u64) {
        let mut state = self.state();
        state.is_querying = false;
        if state.revision == revision {
            state.usage = usage;
            state.queried = Some(now);
            state.revision += 1;
        }
    }

    /// Forgets the usage, and makes running queries void.
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
        Usage::new(Some(count), None)
    }

    #[test]
    fn one_reader_queries_in_each_interval() {
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

    #[cfg(feature = "persistent")]
    #[test]
    fn patient_readers_query_once_a_minute() {
        let (known, second) = (UsageCache::default(), nanos(Duration::from_secs(1)));
        known.record(known.begin_query(), entries(3), 0);
        let patient = |now: u64| patiently(|| known.read(now).1);
        assert_eq!(patient(59 * second), Query::NotDue);
        assert_eq!(known.read(59 * second).1, Query::Due);
        known.cancel_query();
        assert_eq!(patient(60 * second), Query::Due);
    }

    #[test]
    fn a_cancelled_query_is_left_to_others() {
        let known = UsageCache::default();
        assert_eq!(known.read(5).1, Query::Due);
        known.cancel_query();
        assert_eq!(known.read(6).1, Query::Due);
        assert_eq!(known.read(7).1, Query::NotDue);
    }

    #[test]
    fn invalidated_usage_is_queried_at_once() {
        let known = UsageCache::default();
        known.record(known.begin_query(), entries(3), 5);
        known.invalidate();
        assert_eq!(known.read(5), (Usage::default(), Query::Due));
    }

    #[test]
    fn an_overtaken_answer_does_not_count() {
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

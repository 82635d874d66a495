//! Connections that nobody uses right now.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// After how long without use a connection is closed rather than used again: the server, or what is between, may have
/// dropped it without a word, and whoever used it then would be the one to find out.
const MAX_IDLE_TIME: Duration = Duration::from_secs(60);

/// Connections, each with the moment of its last use; the latest is at the end, and goes first.
pub(super) struct IdleConnections<C>(Mutex<Vec<(Instant, C)>>);

impl<C> Default for IdleConnections<C> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<C> IdleConnections<C> {
    /// The one that was used last, unless even that is too long ago: then all are closed.
    pub(super) fn pop(&self, now: Instant) -> Option<C> {
        let (used, connection) = self.all().pop()?;
        if is_recent(used, now) {
            return Some(connection);
        }
        self.close(now);
        None
    }

    /// Keeps a connection that was used until now, and closes those whose last use is too long ago.
    pub(super) fn push(&self, connection: C, now: Instant) {
        let mut all = self.all();
        all.push((now, connection));
        let retired: Vec<_> = all
            .extract_if(.., |(used, _)| !is_recent(*used, now))
            .collect();
        // Not under the lock.
        drop(all);
        drop(retired);
    }

    /// Closes those that were not used since a moment.
    pub(super) fn close(&self, since: Instant) {
        let closed: Vec<_> = self
            .all()
            .extract_if(.., |(used, _)| *used <= since)
            .collect();
        drop(closed);
    }

    pub(super) fn count(&self) -> usize {
        self.all().len()
    }

    fn all(&self) -> MutexGuard<'_, Vec<(Instant, C)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_recent(used: Instant, now: Instant) -> bool {
    now.saturating_duration_since(used) <= MAX_IDLE_TIME
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_one_that_was_used_last_goes_first() {
        let (idle, now) = (IdleConnections::default(), Instant::now());
        idle.push("first", now);
        idle.push("second", now + SECOND);
        let taken = [(); 3].map(|()| idle.pop(now + SECOND));
        assert_eq!(taken, [Some("second"), Some("first"), None]);
    }

    #[test]
    fn what_nobody_has_used_for_long_is_not_used_again() {
        let (idle, now) = (IdleConnections::default(), Instant::now());
        idle.push("first", now);
        idle.push("second", now + SECOND);
        assert_eq!(idle.pop(now + SECOND + MAX_IDLE_TIME), Some("second"));
        // The first one has been idle for longer than that.
        idle.push("second", now + SECOND + MAX_IDLE_TIME);
        assert_eq!(idle.count(), 1);
        assert_eq!(idle.pop(now + 3 * MAX_IDLE_TIME), None);
        assert_eq!(idle.count(), 0);
    }

    #[test]
    fn what_was_not_used_since_a_moment_can_be_closed() {
        let (idle, now) = (IdleConnections::default(), Instant::now());
        idle.push("first", now);
        idle.push("second", now + SECOND);
        idle.close(now);
        assert_eq!([idle.pop(now), idle.pop(now)], [Some("second"), None]);
    }
}

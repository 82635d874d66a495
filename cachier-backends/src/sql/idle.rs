//! Idle connections.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Idle time after which a connection is closed rather than reused: the server, or something in between, may have
/// dropped it silently, which its next user would have to find out.
const MAX_IDLE_TIME: Duration = Duration::from_secs(60);

/// Connections with the time of their last use, most recent last.
pub(super) struct IdleConnections<C>(Mutex<Vec<(Instant, C)>>);

impl<C> Default for IdleConnections<C> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<C> IdleConnections<C> {
    /// The most recently used connection. If even that was idle for too long, all are closed.
    pub(super) fn pop(&self, now: Instant) -> Option<C> {
        let (used, connection) = self.all().pop()?;
        if is_recent(used, now) {
            return Some(connection);
        }
        self.close(now);
        None
    }

    /// Keeps a connection that was just used, and closes those idle for too long.
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

    /// Closes connections that have not been used since a moment.
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
    fn the_most_recently_used_goes_first() {
        let (idle, now) = (IdleConnections::default(), Instant::now());
        idle.push("first", now);
        idle.push("second", now + SECOND);
        let taken = [(); 3].map(|()| idle.pop(now + SECOND));
        assert_eq!(taken, [Some("second"), Some("first"), None]);
    }

    #[test]
    fn connections_idle_for_long_are_not_reused() {
        let (idle, now) = (IdleConnections::default(), Instant::now());
        idle.push("first", now);
        idle.push("second", now + SECOND);
        assert_eq!(idle.pop(now + SECOND + MAX_IDLE_TIME), Some("second"));
        // The first one has been idle for longer.
        idle.push("second", now + SECOND + MAX_IDLE_TIME);
        assert_eq!(idle.count(), 1);
        assert_eq!(idle.pop(now + 3 * MAX_IDLE_TIME), None);
        assert_eq!(idle.count(), 0);
    }

    #[test]
    fn connections_unused_since_a_moment_can_be_closed() {
        let (idle, now) = (IdleConnections::default(), Instant::now());
        idle.push("first", now);
        idle.push("second", now + SECOND);
        idle.close(now);
        assert_eq!([idle.pop(now), idle.pop(now)], [Some("second"), None]);
    }
}

//! Detection of a stalled server.
//!
//! A connection that was lost silently looks alive for minutes. Each caller waits only briefly, so what counts is for
//! how long callers in all have waited without an answer to anybody.

use std::time::{Duration, Instant};

/// Time without an answer after which a server counts as gone.
const STALL_TIMEOUT: Duration = Duration::from_millis(250);

/// How long callers have waited without an answer. Overlapping waits count once, time without waiters not at all.
#[derive(Debug, Default)]
pub(super) struct StallDetector {
    /// The answer count when this began.
    answers: u64,
    waited: Duration,
    /// The end of the time counted so far.
    until: Option<Instant>,
}

/// A caller that gave up.
#[derive(Clone, Copy, Debug)]
pub(super) struct AbandonedWait {
    pub(super) from: Instant,
    pub(super) until: Instant,
    /// The server's answer count at the beginning and the end of the wait.
    pub(super) answers: (u64, u64),
}

impl StallDetector {
    /// Counts an abandoned wait; whether the server now counts as gone.
    pub(super) fn is_stalled_after(&mut self, wait: AbandonedWait) -> bool {
        let (before, answers) = wait.answers;
        if answers != self.answers {
            *self = Self {
                answers,
                ..Self::default()
            };
        }
        if before != answers {
            // The server has answered somebody.
            return false;
        }
        let from = self.until.map_or(wait.from, |known| known.max(wait.from));
        self.waited += wait.until.saturating_duration_since(from);
        self.until = self.until.max(Some(wait.until));
        self.waited >= STALL_TIMEOUT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Callers who wait from one moment to another, in milliseconds, while the count of answers stays or changes.
    fn after(callers: &[(u64, u64, (u64, u64))]) -> bool {
        let start = Instant::now();
        let moment = |millis| start + Duration::from_millis(millis);
        let mut stall = StallDetector::default();
        let each = callers.iter().map(|(from, until, answers)| {
            stall.is_stalled_after(AbandonedWait {
                from: moment(*from),
                until: moment(*until),
                answers: *answers,
            })
        });
        each.last().unwrap_or(false)
    }

    #[test]
    fn waits_since_the_last_answer_count() {
        let none = (3, 3);
        assert!(after(&[(0, 250, none)]));
        assert!(!after(&[(0, 249, none)]));
        assert!(after(&[(0, 100, none), (500, 600, none), (900, 950, none)]));
        assert!(!after(&[
            (0, 100, none),
            (500, 600, none),
            (900, 949, none)
        ]));
    }

    #[test]
    fn overlapping_waits_count_once() {
        let none = (3, 3);
        assert!(!after(&[(0, 100, none), (20, 120, none), (10, 110, none)]));
        assert!(after(&[(0, 100, none), (50, 200, none), (150, 250, none)]));
    }

    #[test]
    fn any_answer_resets_the_detector() {
        let none = (3, 3);
        assert!(!after(&[(0, 900, (3, 4))]));
        assert!(!after(&[(0, 200, none), (200, 300, (4, 4))]));
        assert!(!after(&[
            (0, 200, none),
            (200, 300, (3, 4)),
            (300, 400, (4, 4))
        ]));
        assert!(after(&[
            (0, 200, none),
            (200, 300, (3, 4)),
            (300, 550, (4, 4))
        ]));
    }
}

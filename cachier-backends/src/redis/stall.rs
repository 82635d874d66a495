//! When a server that answers nobody is taken for gone.
//!
//! A connection that was lost without notice looks alive for many minutes: all that shows is that nobody is answered. Each
//! caller waits for a short while only, so what counts is for how long callers have waited in vain since the last answer.

use std::time::{Duration, Instant};

/// From when on a server that answers nobody is taken for gone.
const STALL_TIMEOUT: Duration = Duration::from_millis(250);

/// For how long callers have waited in vain: a time in which several waited counts once, one in which nobody did not at all.
#[derive(Debug, Default)]
pub(super) struct StallDetector {
    /// How often the server had answered when this began.
    answers: u64,
    waited: Duration,
    /// Until when the time has been counted.
    until: Option<Instant>,
}

/// A caller who has given up.
#[derive(Clone, Copy, Debug)]
pub(super) struct AbandonedWait {
    pub(super) from: Instant,
    pub(super) until: Instant,
    /// How often the server had answered anybody, at first and at last.
    pub(super) answers: (u64, u64),
}

impl StallDetector {
    /// Counts a caller's time; whether the server is to be taken for gone.
    pub(super) fn is_stalled_after(&mut self, wait: AbandonedWait) -> bool {
        let (before, answers) = wait.answers;
        if answers != self.answers {
            *self = Self {
                answers,
                ..Self::default()
            };
        }
        if before != answers {
            // Somebody was answered meanwhile.
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
    fn what_counts_is_how_long_callers_have_waited_since_the_last_answer() {
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
    fn a_time_in_which_several_wait_counts_once() {
        let none = (3, 3);
        assert!(!after(&[(0, 100, none), (20, 120, none), (10, 110, none)]));
        assert!(after(&[(0, 100, none), (50, 200, none), (150, 250, none)]));
    }

    #[test]
    fn an_answer_to_anybody_ends_it() {
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

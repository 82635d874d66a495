//! The circuit breaker of a backend. Pure: moments are handed in.
//!
//! After some consecutive failures the breaker opens and answers for the backend at once. After a pause it lets one probe
//! through; a success closes it, a failure doubles the pause up to a limit.

use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Breaker {
    /// Operations go through; holds how many have failed in a row.
    Closed { failures: u32 },
    /// Operations are refused until this moment, in nanoseconds.
    Open { until: u64, pause: Duration },
    /// One probe is running; another follows if it has no answer by this moment.
    Probing { until: u64, pause: Duration },
}

/// Whether an operation may go to the backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    Granted,
    Refused,
    /// A probe is running, whose answer counts for this operation too.
    Awaited,
}

/// When a breaker opens, and how long its pauses are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) threshold: u32,
    pub(crate) first_pause: Duration,
    pub(crate) max_pause: Duration,
}

/// Whether a timeout counts as a failure of the store: not if the store has answered anybody since the operation was sent.
pub(crate) fn is_unanswered(sent: u64, answered: Option<u64>) -> bool {
    answered.is_none_or(|answered| answered < sent)
}

impl Default for Breaker {
    fn default() -> Self {
        Self::Closed { failures: 0 }
    }
}

impl Breaker {
    pub(crate) fn admit(&mut self, now: u64) -> Admission {
        match *self {
            Self::Closed { .. } => Admission::Granted,
            Self::Open { until, pause } | Self::Probing { until, pause } if now >= until => {
                *self = Self::Probing {
                    until: after(now, pause),
                    pause,
                };
                Admission::Granted
            }
            Self::Open { .. } => Admission::Refused,
            Self::Probing { .. } => Admission::Awaited,
        }
    }

    /// Like [`admit`](Self::admit), for operations that may probe at any time; one probe runs at a time.
    pub(crate) fn admit_probe(&mut self, now: u64) -> Admission {
        match *self {
            Self::Closed { .. } => Admission::Granted,
            Self::Probing { until, .. } if now < until => Admission::Awaited,
            Self::Open { pause, .. } | Self::Probing { pause, .. } => {
                *self = Self::Probing {
                    until: after(now, pause),
                    pause,
                };
                Admission::Granted
            }
        }
    }

    pub(crate) fn succeeded(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn failed(&mut self, now: u64, limits: Limits) {
        let Limits {
            threshold,
            first_pause,
            max_pause,
        } = limits;
        *self = match *self {
            Self::Closed { failures } if failures.saturating_add(1) < threshold => Self::Closed {
                failures: failures + 1,
            },
            Self::Closed { .. } => Self::Open {
                until: after(now, first_pause),
                pause: first_pause,
            },
            Self::Probing { pause, .. } => {
                let pause = pause.saturating_mul(2).min(max_pause.max(first_pause));
                Self::Open {
                    until: after(now, pause),
                    pause,
                }
            }
            // An operation that began before the breaker opened.
            open @ Self::Open { .. } => open,
        };
    }

    /// The running probe, identified by the moment at which another follows.
    pub(crate) fn probe(&self) -> Option<u64> {
        match *self {
            Self::Probing { until, .. } => Some(until),
            Self::Closed { .. } | Self::Open { .. } => None,
        }
    }

    /// This probe will have no result: another may go now.
    pub(crate) fn given_up(&mut self, probe: u64) {
        if let Self::Probing { until, pause } = *self
            && until == probe
        {
            *self = Self::Open { until: 0, pause };
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        !matches!(self, Self::Closed { .. })
    }
}

fn after(now: u64, pause: Duration) -> u64 {
    now.saturating_add(crate::timer::nanos(pause))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST_PAUSE: Duration = Duration::from_nanos(100);
    const LIMITS: Limits = Limits {
        threshold: 3,
        first_pause: FIRST_PAUSE,
        max_pause: Duration::from_nanos(500),
    };

    fn opened_at(now: u64) -> Breaker {
        let mut breaker = Breaker::default();
        for _ in 0..3 {
            breaker.failed(now, LIMITS);
        }
        breaker
    }

    #[test]
    fn only_consecutive_failures_open_the_breaker() {
        let mut breaker = Breaker::default();
        breaker.failed(0, LIMITS);
        breaker.failed(0, LIMITS);
        breaker.succeeded();
        breaker.failed(0, LIMITS);
        breaker.failed(0, LIMITS);
        assert_eq!(breaker.admit(0), Admission::Granted);
        breaker.failed(0, LIMITS);
        assert_eq!(breaker.admit(99), Admission::Refused);
        assert!(breaker.is_open());
    }

    #[test]
    fn a_successful_probe_closes_the_breaker() {
        let mut breaker = opened_at(0);
        assert_eq!(breaker.admit(100), Admission::Granted);
        assert_eq!(breaker.admit(150), Admission::Awaited);
        breaker.succeeded();
        assert_eq!(breaker.admit(151), Admission::Granted);
        assert!(!breaker.is_open());
    }

    #[test]
    fn a_failed_probe_doubles_the_pause() {
        let mut breaker = opened_at(0);
        assert_eq!(breaker.admit(100), Admission::Granted);
        breaker.failed(110, LIMITS);
        assert_eq!(breaker.admit(309), Admission::Refused);
        assert_eq!(breaker.admit(310), Admission::Granted);
    }

    #[test]
    fn an_unanswered_probe_is_followed_by_another() {
        let mut breaker = opened_at(0);
        assert_eq!(breaker.admit(100), Admission::Granted);
        assert_eq!(breaker.admit(200), Admission::Granted);
    }

    #[test]
    fn an_abandoned_probe_is_replaced_at_once() {
        let mut breaker = opened_at(0);
        assert_eq!(breaker.admit(100), Admission::Granted);
        let first = breaker.probe().unwrap_or_default();
        breaker.given_up(first);
        assert_eq!(breaker.admit(101), Admission::Granted);
        breaker.given_up(first);
        assert_eq!(breaker.admit(102), Admission::Awaited, "the second");
    }

    #[test]
    fn failures_from_before_opening_change_nothing() {
        let mut breaker = opened_at(0);
        let before = breaker;
        breaker.failed(50, LIMITS);
        assert_eq!(breaker, before);
    }

    #[test]
    fn pauses_do_not_exceed_the_maximum() {
        let mut breaker = opened_at(0);
        for _ in 0..10 {
            while breaker.admit_probe(0) != Admission::Granted {}
            breaker.failed(0, LIMITS);
        }
        assert_eq!(breaker.admit(499), Admission::Refused);
        assert_eq!(breaker.admit(500), Admission::Granted);
    }

    #[test]
    fn the_companion_probes_one_at_a_time() {
        let mut breaker = opened_at(0);
        assert_eq!(breaker.admit_probe(1), Admission::Granted);
        assert_eq!(breaker.admit_probe(2), Admission::Awaited);
        assert_eq!(breaker.admit(2), Admission::Awaited);
        assert_eq!(
            breaker.admit_probe(101),
            Admission::Granted,
            "the first is lost"
        );
        breaker.succeeded();
        assert_eq!(breaker.admit_probe(102), Admission::Granted);
    }

    #[test]
    fn a_timeout_counts_unless_the_store_answered_since() {
        for (sent, answered, expected) in [
            (5, None, true),
            (5, Some(4), true),
            (5, Some(5), false),
            (5, Some(6), false),
        ] {
            assert_eq!(
                is_unanswered(sent, answered),
                expected,
                "{sent} {answered:?}"
            );
        }
    }
}

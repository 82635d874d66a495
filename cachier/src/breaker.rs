//! When to stop asking a backend that keeps failing. Pure: moments are handed in.
//!
//! After some consecutive failures the breaker opens and answers for the backend at once. After a pause it lets one
//! probe through; a success closes it, a failure doubles the pause.

use std::time::Duration;

/// The longest pause between two probes.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Breaker {
    /// The backend is asked; so many failures in a row so far.
    Closed { failures: u32 },
    /// The backend is not asked before this moment, in nanoseconds.
    Open { until: u64, pause: Duration },
    /// One probe is on its way; another goes when this moment comes without its answer.
    Probing { until: u64, pause: Duration },
}

/// Whether an operation may go to the backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Permit {
    Granted,
    Refused,
}

impl Default for Breaker {
    fn default() -> Self {
        Self::Closed { failures: 0 }
    }
}

impl Breaker {
    pub(crate) fn ask(&mut self, now: u64) -> Permit {
        match *self {
            Self::Closed { .. } => Permit::Granted,
            Self::Open { until, pause } | Self::Probing { until, pause } if now >= until => {
                *self = Self::Probing {
                    until: after(now, pause),
                    pause,
                };
                Permit::Granted
            }
            Self::Open { .. } | Self::Probing { .. } => Permit::Refused,
        }
    }

    pub(crate) fn succeeded(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn failed(&mut self, now: u64, threshold: u32, first_pause: Duration) {
        *self = match *self {
            Self::Closed { failures } if failures.saturating_add(1) < threshold => Self::Closed {
                failures: failures + 1,
            },
            Self::Closed { .. } => Self::Open {
                until: after(now, first_pause),
                pause: first_pause,
            },
            Self::Probing { pause, .. } => {
                let pause = pause.saturating_mul(2).min(LONGEST_PAUSE.max(first_pause));
                Self::Open {
                    until: after(now, pause),
                    pause,
                }
            }
            // An operation that began before the breaker opened.
            open @ Self::Open { .. } => open,
        };
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

    const PAUSE: Duration = Duration::from_nanos(100);

    fn opened_at(now: u64) -> Breaker {
        let mut breaker = Breaker::default();
        for _ in 0..3 {
            breaker.failed(now, 3, PAUSE);
        }
        breaker
    }

    #[test]
    fn failures_in_a_row_open_it_and_a_success_between_them_does_not() {
        let mut breaker = Breaker::default();
        breaker.failed(0, 3, PAUSE);
        breaker.failed(0, 3, PAUSE);
        breaker.succeeded();
        breaker.failed(0, 3, PAUSE);
        breaker.failed(0, 3, PAUSE);
        assert_eq!(breaker.ask(0), Permit::Granted);
        breaker.failed(0, 3, PAUSE);
        assert_eq!(breaker.ask(99), Permit::Refused);
        assert!(breaker.is_open());
    }

    #[test]
    fn one_probe_goes_after_the_pause_and_its_success_closes_it() {
        let mut breaker = opened_at(0);
        assert_eq!(breaker.ask(100), Permit::Granted);
        assert_eq!(breaker.ask(150), Permit::Refused);
        breaker.succeeded();
        assert_eq!(breaker.ask(151), Permit::Granted);
        assert!(!breaker.is_open());
    }

    #[test]
    fn a_failed_probe_doubles_the_pause() {
        let mut breaker = opened_at(0);
        assert_eq!(breaker.ask(100), Permit::Granted);
        breaker.failed(110, 3, PAUSE);
        assert_eq!(breaker.ask(309), Permit::Refused);
        assert_eq!(breaker.ask(310), Permit::Granted);
    }

    #[test]
    fn a_probe_that_never_answers_is_followed_by_another() {
        let mut breaker = opened_at(0);
        assert_eq!(breaker.ask(100), Permit::Granted);
        assert_eq!(breaker.ask(200), Permit::Granted);
    }

    #[test]
    fn a_failure_that_began_before_it_opened_changes_nothing() {
        let mut breaker = opened_at(0);
        let before = breaker;
        breaker.failed(50, 3, PAUSE);
        assert_eq!(breaker, before);
    }
}

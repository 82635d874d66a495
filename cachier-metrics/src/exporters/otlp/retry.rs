//! Failures, and when to try again. Pure.

use std::time::Duration;

/// Why a request was not received, or not answered as it should be. Says nothing that the receiver wrote, which may repeat a
/// header.
#[derive(Debug, PartialEq)]
pub(super) struct Failure {
    pub(super) reason: String,
    pub(super) retry: Retry,
    /// Whether the receiver has taken the figures despite the failure: sent again, they would count twice.
    pub(super) is_taken: bool,
}

/// Whether a request may be sent again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Retry {
    Never,
    /// After this long, if the receiver has said so.
    After(Option<Duration>),
}

/// How long a push goes on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Patience {
    /// Some attempts, within the timeout.
    Retries,
    /// One attempt.
    Once,
}

/// The pauses between the attempts of one request.
#[derive(Debug)]
pub(super) struct Backoff {
    pause: Duration,
    /// How many more attempts there may be.
    left: u32,
}

const MAX_RETRIES: u32 = 4;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const MAX_PAUSE: Duration = Duration::from_secs(5);

impl Failure {
    pub(super) fn new(reason: impl Into<String>, retry: Retry) -> Self {
        Self {
            reason: reason.into(),
            retry,
            is_taken: false,
        }
    }

    /// Of a request that was received, by an answer that makes no sense otherwise.
    pub(super) fn of_taken(reason: &str) -> Self {
        Self {
            is_taken: true,
            ..Self::new(reason, Retry::Never)
        }
    }
}

impl Backoff {
    pub(super) fn new(patience: Patience) -> Self {
        Self {
            pause: FIRST_PAUSE,
            left: match patience {
                Patience::Retries => MAX_RETRIES,
                Patience::Once => 0,
            },
        }
    }

    /// The pause before the next attempt; none if there is none, or not within the time that is left. `random` spreads
    /// those of many programs over the second half of the pause.
    pub(super) fn next(&mut self, retry: Retry, within: Duration, random: u16) -> Option<Duration> {
        let Retry::After(said) = retry else {
            return None;
        };
        self.left = self.left.checked_sub(1)?;
        let half = self.pause / 2;
        let pause = said.unwrap_or(half + half * u32::from(random) / u32::from(u16::MAX));
        self.pause = MAX_PAUSE.min(2 * self.pause);
        (pause < within).then_some(pause)
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;

    const TIME_LEFT: Duration = Duration::from_secs(60);

    fn pauses(retry: Retry, patience: Patience, random: u16) -> Vec<Duration> {
        let mut backoff = Backoff::new(patience);
        std::iter::from_fn(|| backoff.next(retry, TIME_LEFT, random)).collect()
    }

    #[test]
    fn pauses_grow_and_end() {
        let seconds = |seconds: [u64; 4]| seconds.map(Duration::from_secs).to_vec();
        let own = Retry::After(None);
        assert_eq!(
            pauses(own, Patience::Retries, u16::MAX),
            seconds([1, 2, 4, 5])
        );
        let shortest: Vec<_> = seconds([1, 2, 4, 5])
            .iter()
            .map(|pause| *pause / 2)
            .collect();
        assert_eq!(pauses(own, Patience::Retries, 0), shortest);
        let said = Retry::After(Some(Duration::from_secs(7)));
        assert_eq!(pauses(said, Patience::Retries, 9), seconds([7; 4]));
        assert!(pauses(own, Patience::Once, 0).is_empty());
        assert!(pauses(Retry::Never, Patience::Retries, 0).is_empty());
    }

    #[test]
    fn no_pause_is_longer_than_the_time_left() {
        let mut backoff = Backoff::new(Patience::Retries);
        let said = Retry::After(Some(TIME_LEFT));
        assert_eq!(backoff.next(said, TIME_LEFT, 0), None);
    }
}

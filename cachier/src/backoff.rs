//! Backoffs: values that are not recomputed for a while, as it would fail again.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::decision::Backoff;
use crate::timer::nanos;

/// How many keys are remembered one by one. While more have failed, all back off.
const MAX_KEYS: usize = 1024;

/// The backoffs of one function.
///
/// A backoff belongs to the value to be replaced, so it ends once another is stored, by anybody. Pure: moments are handed
/// in, in nanoseconds.
#[derive(Default)]
pub(crate) struct Backoffs {
    hasher: RandomState,
    /// By hash, so that no key is kept, compared or dropped under the lock.
    keys: Mutex<Keys>,
}

#[derive(Default)]
struct Keys {
    noted: HashMap<u64, Noted>,
    /// Until when keys back off that are not noted, because the table was full.
    others_until: u64,
}

struct Noted {
    backoff: Backoff,
    /// When the value to be replaced was created.
    created: u64,
    until: u64,
}

impl Backoffs {
    /// Starts a backoff of this length for the value created at `created`.
    pub(crate) fn note(
        &self,
        key: &impl Hash,
        created: u64,
        backoff: Backoff,
        length: Duration,
        now: u64,
    ) {
        let hash = self.hasher.hash_one(key);
        let until = now.saturating_add(nanos(length));
        let mut keys = self.keys();
        if keys.noted.len() >= MAX_KEYS {
            keys.noted.retain(|_, noted| noted.until > now);
        }
        if keys.noted.len() < MAX_KEYS || keys.noted.contains_key(&hash) {
            let noted = Noted {
                backoff,
                created,
                until,
            };
            keys.noted.insert(hash, noted);
        } else if backoff == Backoff::Failed {
            keys.others_until = until;
        }
    }

    /// The backoff that applies to that value now, and its end.
    pub(crate) fn find(&self, key: &impl Hash, created: u64, now: u64) -> Option<(Backoff, u64)> {
        let hash = self.hasher.hash_one(key);
        let keys = self.keys();
        let (backoff, until) = match keys.noted.get(&hash) {
            Some(noted) if noted.created == created => (noted.backoff, noted.until),
            Some(_) => return None,
            None => (Backoff::Failed, keys.others_until),
        };
        (until > now).then_some((backoff, until))
    }

    fn keys(&self) -> MutexGuard<'_, Keys> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn fail(backoffs: &Backoffs, key: usize, now: u64) {
        backoffs.note(&key, 7, Backoff::Failed, SECOND, now);
    }

    fn find(backoffs: &Backoffs, key: usize, created: u64, now: u64) -> Option<Backoff> {
        let found = backoffs.find(&key, created, now);
        found.map(|(backoff, _)| backoff)
    }

    #[test]
    fn a_backoff_applies_to_one_value() {
        let backoffs = Backoffs::default();
        fail(&backoffs, 1, 10);
        let end = 10 + nanos(SECOND);
        assert_eq!(find(&backoffs, 1, 7, end - 1), Some(Backoff::Failed));
        assert_eq!(find(&backoffs, 1, 7, end), None);
        let ends = backoffs.find(&1_usize, 7, 10).map(|(_, until)| until);
        assert_eq!(ends, Some(end));
        assert_eq!(find(&backoffs, 1, 8, 10), None, "another value of the key");
        assert_eq!(find(&backoffs, 2, 7, 10), None);
    }

    #[test]
    fn the_newest_backoff_of_a_key_counts() {
        let backoffs = Backoffs::default();
        fail(&backoffs, 1, 0);
        backoffs.note(&1_usize, 8, Backoff::Held, SECOND, 1);
        assert_eq!(find(&backoffs, 1, 8, 1), Some(Backoff::Held));
        assert_eq!(find(&backoffs, 1, 7, 1), None);
    }

    #[test]
    fn more_keys_than_a_bound_are_paused_together() {
        let backoffs = Backoffs::default();
        (0..MAX_KEYS).for_each(|key| fail(&backoffs, key, 0));
        assert_eq!(find(&backoffs, MAX_KEYS, 7, 1), None);
        fail(&backoffs, MAX_KEYS, 1);
        let end = 1 + nanos(SECOND);
        for other in [MAX_KEYS, MAX_KEYS + 1] {
            assert_eq!(find(&backoffs, other, 7, end - 1), Some(Backoff::Failed));
            assert_eq!(find(&backoffs, other, 7, end), None);
        }
        assert_eq!(
            find(&backoffs, 2, 8, 1),
            None,
            "another value of a noted key"
        );
        fail(&backoffs, 1, 5);
        let later = nanos(SECOND);
        assert!(find(&backoffs, 1, 7, later).is_some(), "it begins anew");
        fail(&backoffs, MAX_KEYS, later);
        assert!(find(&backoffs, MAX_KEYS, 7, later).is_some());
    }
}

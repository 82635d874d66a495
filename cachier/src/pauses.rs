//! Which values are not to be recomputed for a while, so that not every call that meets one tries in vain.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::decision::Pause;
use crate::timer::nanos;

/// How many keys are remembered; beyond that their recomputation does not wait.
const MAX_KEYS: usize = 1024;

/// The pauses of one function.
///
/// A pause belongs to the value that was to be replaced, so it ends by itself once another is stored, whoever stores it. Pure:
/// moments are handed in, in nanoseconds.
#[derive(Default)]
pub(crate) struct Pauses {
    hasher: RandomState,
    /// By hash, so that no key of the program's is kept, compared or dropped under the lock.
    keys: Mutex<HashMap<u64, Noted>>,
}

struct Noted {
    pause: Pause,
    /// When the value was created that is not to be recomputed.
    created: u64,
    until: u64,
}

impl Pauses {
    /// Begins a pause of this length for the value of the key that was created at that moment.
    pub(crate) fn note(
        &self,
        key: &impl Hash,
        created: u64,
        pause: Pause,
        length: Duration,
        now: u64,
    ) {
        let hash = self.hasher.hash_one(key);
        let mut keys = self.keys();
        if keys.len() >= MAX_KEYS {
            keys.retain(|_, noted| noted.until > now);
        }
        if keys.len() < MAX_KEYS || keys.contains_key(&hash) {
            let until = now.saturating_add(nanos(length));
            let noted = Noted {
                pause,
                created,
                until,
            };
            keys.insert(hash, noted);
        }
    }

    /// Why nobody recomputes that value now, if nobody is to.
    pub(crate) fn find(&self, key: &impl Hash, created: u64, now: u64) -> Option<Pause> {
        let hash = self.hasher.hash_one(key);
        let keys = self.keys();
        let noted = keys.get(&hash)?;
        (noted.created == created && noted.until > now).then_some(noted.pause)
    }

    fn keys(&self) -> MutexGuard<'_, HashMap<u64, Noted>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn fail(pauses: &Pauses, key: usize, now: u64) {
        pauses.note(&key, 7, Pause::Failed, SECOND, now);
    }

    fn find(pauses: &Pauses, key: usize, created: u64, now: u64) -> Option<Pause> {
        pauses.find(&key, created, now)
    }

    #[test]
    fn a_value_is_paused_for_a_while_and_others_are_not() {
        let pauses = Pauses::default();
        fail(&pauses, 1, 10);
        let end = 10 + nanos(SECOND);
        assert_eq!(find(&pauses, 1, 7, end - 1), Some(Pause::Failed));
        assert_eq!(find(&pauses, 1, 7, end), None);
        assert_eq!(find(&pauses, 1, 8, 10), None, "another value of the key");
        assert_eq!(find(&pauses, 2, 7, 10), None);
    }

    #[test]
    fn the_newest_pause_of_a_key_counts() {
        let pauses = Pauses::default();
        fail(&pauses, 1, 0);
        pauses.note(&1_usize, 8, Pause::Held, SECOND, 1);
        assert_eq!(find(&pauses, 1, 8, 1), Some(Pause::Held));
        assert_eq!(find(&pauses, 1, 7, 1), None);
    }

    #[test]
    fn no_more_keys_are_remembered_than_a_bound_and_the_old_ones_make_room() {
        let pauses = Pauses::default();
        (0..MAX_KEYS).for_each(|key| fail(&pauses, key, 0));
        fail(&pauses, MAX_KEYS, 1);
        assert_eq!(find(&pauses, MAX_KEYS, 7, 1), None);
        fail(&pauses, 1, 5);
        let later = nanos(SECOND);
        assert!(find(&pauses, 1, 7, later).is_some(), "it begins anew");
        fail(&pauses, MAX_KEYS, later);
        assert!(find(&pauses, MAX_KEYS, 7, later).is_some());
    }
}

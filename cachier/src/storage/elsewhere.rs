//! Which keys other processes are computing, so that not every stale hit asks in vain for the lease on its key.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use cachier_backends::KeyHash;

use crate::timer::nanos;

/// How long nobody asks for a lease that another process had.
const PAUSE: Duration = Duration::from_millis(500);

/// How many keys are remembered; beyond that their leases are asked for.
const MANY: usize = 1024;

/// Keys whose lease another process had when it was asked for, and until when that counts.
///
/// Pure: moments are handed in, in nanoseconds.
#[derive(Default)]
pub(crate) struct Elsewhere(Mutex<HashMap<KeyHash, u64>>);

impl Elsewhere {
    pub(crate) fn note(&self, key: KeyHash, now: u64) {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if keys.len() >= MANY {
            keys.retain(|_, until| *until > now);
        }
        if keys.len() < MANY {
            keys.insert(key, now.saturating_add(nanos(PAUSE)));
        }
    }

    /// Whether another process is likely to be computing the key still.
    pub(crate) fn holds(&self, key: &KeyHash, now: u64) -> bool {
        let keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        keys.get(key).is_some_and(|until| *until > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: usize) -> KeyHash {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&number.to_le_bytes());
        KeyHash::from_bytes(bytes)
    }

    #[test]
    fn a_key_is_remembered_for_a_while_and_others_are_not() {
        let elsewhere = Elsewhere::default();
        elsewhere.note(key(1), 10);
        let end = 10 + nanos(PAUSE);
        assert!(elsewhere.holds(&key(1), end - 1));
        assert!(!elsewhere.holds(&key(1), end));
        assert!(!elsewhere.holds(&key(2), 10));
    }

    #[test]
    fn no_more_keys_are_remembered_than_a_bound_and_the_old_ones_make_room() {
        let elsewhere = Elsewhere::default();
        (0..MANY).for_each(|number| elsewhere.note(key(number), 0));
        elsewhere.note(key(MANY), 1);
        assert!(!elsewhere.holds(&key(MANY), 1));
        let later = nanos(PAUSE);
        elsewhere.note(key(MANY), later);
        assert!(elsewhere.holds(&key(MANY), later));
    }
}

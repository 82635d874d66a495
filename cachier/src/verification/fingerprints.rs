//! Fingerprints of arguments, which reveal unequal ones under one key.

use std::collections::HashMap;

/// The fingerprint of the arguments that first had each key.
#[derive(Clone, Default)]
pub(super) struct Fingerprints {
    of_keys: HashMap<[u8; 32], Remembered>,
}

/// The remembered arguments of a key.
#[derive(Clone)]
enum Remembered {
    /// The fingerprint of its arguments.
    One(u64),
    /// Unequal arguments have it, so that the owner of its entry is unknown.
    Several,
}

/// The owner of a key that some arguments have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyOwner {
    /// They alone, as far as is remembered.
    Only,
    /// Other arguments too, found just now.
    Several,
    /// Other arguments too, found before.
    KnownSeveral,
}

impl Fingerprints {
    /// The most keys of a function that are remembered.
    pub(super) const MAX_KEYS: usize = 1_024;

    /// Compares the arguments of a key with those remembered.
    pub(super) fn compare(&mut self, key: &[u8; 32], fingerprint: u64) -> KeyOwner {
        match self.of_keys.get_mut(key) {
            Some(Remembered::One(known)) if *known == fingerprint => KeyOwner::Only,
            Some(Remembered::Several) => KeyOwner::KnownSeveral,
            Some(remembered) => {
                *remembered = Remembered::Several;
                KeyOwner::Several
            }
            None => {
                if self.of_keys.len() < Self::MAX_KEYS {
                    self.of_keys.insert(*key, Remembered::One(fingerprint));
                }
                KeyOwner::Only
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: usize) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&number.to_le_bytes());
        bytes
    }

    fn agree(fingerprints: &mut Fingerprints, number: usize, fingerprint: u64) -> bool {
        fingerprints.compare(&key(number), fingerprint) == KeyOwner::Only
    }

    #[test]
    fn equal_arguments_alone_share_a_key() {
        let mut fingerprints = Fingerprints::default();
        assert!(agree(&mut fingerprints, 1, 10));
        assert!(agree(&mut fingerprints, 1, 10));
        assert!(agree(&mut fingerprints, 2, 20));
        assert!(!agree(&mut fingerprints, 1, 11));
        assert!(agree(&mut fingerprints, 2, 20), "another key is as it was");
    }

    #[test]
    fn a_shared_key_stays_without_an_owner() {
        let mut fingerprints = Fingerprints::default();
        let mut compare = |fingerprint| fingerprints.compare(&key(1), fingerprint);
        assert_eq!(compare(10), KeyOwner::Only);
        assert_eq!(compare(11), KeyOwner::Several);
        assert_eq!([10, 11, 12].map(compare), [KeyOwner::KnownSeveral; 3]);
    }

    #[test]
    fn at_most_1024_keys_are_remembered() {
        let mut fingerprints = Fingerprints::default();
        for number in 0..5_000 {
            assert!(agree(&mut fingerprints, number, 1));
        }
        assert_eq!(fingerprints.of_keys.len(), 1_024);
        assert!(!agree(&mut fingerprints, 0, 2));
        assert!(!agree(&mut fingerprints, 1_023, 2));
        assert!(agree(&mut fingerprints, 1_024, 2), "it was not remembered");
        assert_eq!(fingerprints.of_keys.len(), 1_024);
    }
}

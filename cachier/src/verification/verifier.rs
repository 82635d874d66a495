//! The checks of one function: how many, and what they found.

use std::hash::{BuildHasher, DefaultHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use cachier_backends::process::{PerProcess, copied};

use super::allowance::Allowance;
use super::finding::Finding;
use super::fingerprints::{Fingerprints, KeyOwner};

/// How many calls of a function have their arguments checked: all in debug builds.
const CHECKED_CALLS: u32 = match cfg!(debug_assertions) {
    true => Allowance::UNLIMITED,
    false => 1_024,
};

/// How many values of a function are checked before they are stored.
const CHECKED_VALUES: u32 = match cfg!(debug_assertions) {
    true => 1_024,
    false => 64,
};

/// The checks of one function.
pub(crate) struct Verification {
    is_on: AtomicBool,
    calls: Allowance,
    values: Allowance,
    fingerprints: PerProcess<Mutex<Fingerprints>>,
    hasher: RandomState,
    /// Which kinds of findings have been shown to the user.
    reported: [AtomicBool; 3],
    /// Whether a value that cannot be serialized has been shown to the user.
    refusal_reported: AtomicBool,
}

impl Verification {
    pub(crate) fn new(is_on: bool) -> Self {
        let verification = Self {
            is_on: AtomicBool::new(false),
            calls: Allowance::new(0),
            values: Allowance::new(0),
            fingerprints: PerProcess::new(copied),
            hasher: RandomState::new(),
            reported: Default::default(),
            refusal_reported: AtomicBool::new(false),
        };
        verification.set_enabled(is_on);
        verification
    }

    /// Turns the checks on or off.
    pub(crate) fn set_enabled(&self, is_on: bool) {
        if self.is_on.swap(is_on, Ordering::Relaxed) != is_on {
            self.calls.set(if is_on { CHECKED_CALLS } else { 0 });
            self.values.set(if is_on { CHECKED_VALUES } else { 0 });
        }
    }

    /// Checks that a key belongs to these arguments alone, while arguments are checked. `arguments` feeds the hasher.
    #[inline]
    pub(crate) fn arguments(
        &self,
        key: &[u8; 32],
        arguments: impl FnOnce(&mut DefaultHasher),
    ) -> Result<(), Finding> {
        if !self.calls.is_left() {
            return Ok(());
        }
        let mut hasher = self.hasher.build_hasher();
        arguments(&mut hasher);
        self.fingerprint(key, hasher.finish())
    }

    fn fingerprint(&self, key: &[u8; 32], fingerprint: u64) -> Result<(), Finding> {
        if !self.calls.take() {
            return Ok(());
        }
        let finding = match self.fingerprints().compare(key, fingerprint) {
            KeyOwner::Only => return Ok(()),
            KeyOwner::Several => Finding::KeyCollision,
            KeyOwner::KnownSeveral => Finding::KnownKeyCollision,
        };
        self.calls.set(Allowance::UNLIMITED);
        Err(finding)
    }

    /// Checks that a value survives the round trip, while values are checked.
    pub(crate) fn value(
        &self,
        round_trips: impl FnOnce() -> Result<(), Finding>,
    ) -> Result<(), Finding> {
        if !self.values.take() {
            return Ok(());
        }
        round_trips().inspect_err(|_| self.values.set(Allowance::UNLIMITED))
    }

    /// Checks more values: a stored one could not be read.
    pub(crate) fn suspect_values(&self) {
        if self.is_on.load(Ordering::Relaxed) && !self.values.is_left() {
            self.values.set(CHECKED_VALUES);
        }
    }

    /// Whether this is the first finding of its kind; `true` once.
    pub(crate) fn is_first(&self, finding: &Finding) -> bool {
        let reported = match finding {
            Finding::KeyCollision | Finding::KnownKeyCollision => &self.reported[0],
            Finding::Altered => &self.reported[1],
            Finding::Lost(_) => &self.reported[2],
        };
        !reported.swap(true, Ordering::Relaxed)
    }

    /// Whether this is the first value that cannot be serialized; `true` once, while values are checked.
    pub(crate) fn is_first_refusal(&self) -> bool {
        self.is_on.load(Ordering::Relaxed) && !self.refusal_reported.swap(true, Ordering::Relaxed)
    }

    fn fingerprints(&self) -> MutexGuard<'_, Fingerprints> {
        self.fingerprints
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::hash::Hash;

    use cachier_backends::{Error, ErrorKind, Operation};

    use super::*;

    fn key(number: u8) -> [u8; 32] {
        [number; 32]
    }

    fn call(verification: &Verification, key_of: u8, argument: &str) -> bool {
        let arguments = |hasher: &mut DefaultHasher| argument.hash(hasher);
        verification.arguments(&key(key_of), arguments).is_ok()
    }

    #[test]
    fn after_a_finding_everything_is_checked() {
        let verification = Verification::new(true);
        verification.calls.set(3);
        assert!(call(&verification, 1, "a"));
        assert!(call(&verification, 2, "a"));
        assert!(!call(&verification, 1, "b"));
        assert!((0..100).all(|_| !call(&verification, 1, "a")));
        verification.values.set(1);
        assert!(verification.value(|| Err(Finding::Altered)).is_err());
        assert!((0..100).all(|_| verification.value(|| Err(Finding::Altered)).is_err()));
    }

    #[test]
    fn only_the_first_calls_and_values_are_checked() {
        let verification = Verification::new(true);
        verification.calls.set(2);
        assert!((0..2).all(|_| call(&verification, 1, "a")));
        assert!(call(&verification, 1, "b"));
        verification.values.set(2);
        assert!((0..2).all(|_| verification.value(|| Ok(())).is_ok()));
        assert!(verification.value(|| Err(Finding::Altered)).is_ok());
    }

    #[test]
    fn an_unreadable_value_restarts_the_checks() {
        let verification = Verification::new(true);
        verification.values.set(0);
        verification.suspect_values();
        assert!(verification.value(|| Err(Finding::Altered)).is_err());
        let off = Verification::new(false);
        off.suspect_values();
        assert!(off.value(|| Err(Finding::Altered)).is_ok());
    }

    #[test]
    fn disabled_verification_checks_nothing() {
        let verification = Verification::new(false);
        assert!(call(&verification, 1, "a") && call(&verification, 1, "b"));
        verification.set_enabled(true);
        assert!(call(&verification, 1, "a") && !call(&verification, 1, "b"));
        verification.set_enabled(false);
        assert!(call(&verification, 1, "c"));
    }

    #[test]
    fn each_kind_of_finding_is_first_once() {
        let verification = Verification::new(true);
        assert!(verification.is_first(&Finding::Altered));
        assert!(!verification.is_first(&Finding::Altered));
        assert!(verification.is_first(&Finding::KeyCollision));
        let unreadable = Error::new(ErrorKind::Codec, Operation::Load, "unreadable");
        assert!(verification.is_first(&Finding::Lost(unreadable)));
    }
}

//! Unique numbers.

use std::hash::{BuildHasher, RandomState};
use std::process;
use std::time::Instant;

/// 64 random bits, different in every process, on every machine, after every restart.
pub(crate) fn unique() -> u64 {
    number(&RandomState::new(), process::id(), Instant::now())
}

/// Forked processes share their randomness, so id and time are mixed in.
fn number(randomness: &RandomState, process: u32, now: Instant) -> u64 {
    randomness.hash_one((process, now))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_child_draws_others_than_its_parent() {
        let (inherited, now) = (RandomState::new(), Instant::now());
        assert_ne!(number(&inherited, 1, now), number(&inherited, 2, now));
    }

    #[test]
    fn a_process_of_the_same_id_draws_others() {
        let (inherited, now) = (RandomState::new(), Instant::now());
        let later = now + Duration::from_nanos(1);
        assert_ne!(number(&inherited, 1, now), number(&inherited, 1, later));
    }
}

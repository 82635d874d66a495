//! Leases of this process that others may end.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use cachier_backends::{Change, KeyHash};

use crate::lease_status::LeaseStatus;

/// The status of each lease that this process holds for a function, the latest of each key.
#[derive(Default)]
pub(crate) struct ActiveLeases(Mutex<HashMap<KeyHash, Weak<LeaseStatus>>>);

/// From this size on, at each power of two, ended leases are pruned.
const PRUNE_THRESHOLD: usize = 64;

impl ActiveLeases {
    pub(crate) fn add(&self, key: KeyHash, status: &Arc<LeaseStatus>) {
        let mut statuses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if statuses.len() >= PRUNE_THRESHOLD && statuses.len().is_power_of_two() {
            statuses.retain(|_, status| status.strong_count() > 0);
        }
        statuses.insert(key, Arc::downgrade(status));
    }

    /// Has the owners of affected leases check whether these are still valid.
    pub(crate) fn check(&self, change: &Change) {
        let concerned: Vec<_> = {
            let statuses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let concerned = |(key, status): (&KeyHash, &Weak<LeaseStatus>)| {
                change.concerns(*key).then(|| status.upgrade()).flatten()
            };
            statuses.iter().filter_map(concerned).collect()
        };
        concerned.iter().for_each(|status| status.request_check());
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::time::Instant;

    use futures_lite::future::{block_on, poll_once};

    use super::*;

    #[test]
    fn a_change_checks_the_leases_it_concerns() {
        let active_leases = ActiveLeases::default();
        let [first, second] = [1, 2].map(|byte| {
            let (hash, status) = (
                KeyHash::from_bytes([byte; 32]),
                LeaseStatus::new(Instant::now()),
            );
            let status = Arc::new(status);
            active_leases.add(hash, &status);
            status
        });
        let is_check_requested =
            |status: &LeaseStatus| block_on(poll_once(pin!(status.check_requested()))).is_some();
        active_leases.check(&Change::Entry(KeyHash::from_bytes([1; 32])));
        assert!(is_check_requested(&first) && !is_check_requested(&second));
        assert!(!is_check_requested(&first), "once");
        active_leases.check(&Change::All);
        assert!(is_check_requested(&first) && is_check_requested(&second));
    }

    #[test]
    fn ended_leases_are_pruned() {
        let active_leases = ActiveLeases::default();
        for number in 0..10 * PRUNE_THRESHOLD as u64 {
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&number.to_le_bytes());
            let status = Arc::new(LeaseStatus::new(Instant::now()));
            active_leases.add(KeyHash::from_bytes(bytes), &status);
        }
        let statuses = active_leases
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        assert!(statuses.len() <= PRUNE_THRESHOLD, "{}", statuses.len());
    }
}

//! Leases that others may end, under which this process computes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use cachier_backends::{Change, KeyHash};

use crate::lease_status::LeaseStatus;

/// The status of each lease under which this process computes values of a function.
#[derive(Default)]
pub(crate) struct ActiveLeases {
    /// Held by this process.
    own: Statuses,
    /// Held by others.
    shared: Statuses,
}

/// The status of the latest lease on each key.
#[derive(Default)]
struct Statuses(Mutex<HashMap<KeyHash, Weak<LeaseStatus>>>);

/// From this size on, at each power of two, ended leases are pruned.
const PRUNE_THRESHOLD: usize = 64;

impl ActiveLeases {
    pub(crate) fn add(&self, key: KeyHash, status: &Arc<LeaseStatus>) {
        self.own.add(key, status);
    }

    pub(crate) fn add_shared(&self, key: KeyHash, status: &Arc<LeaseStatus>) {
        self.shared.add(key, status);
    }

    /// Has the owners of affected leases check whether these are still valid. Those of others, of which only they can ask, count
    /// as lost.
    pub(crate) fn check(&self, change: &Change) {
        for own in self.own.concerned(change) {
            own.request_check();
        }
        for shared in self.shared.concerned(change) {
            shared.mark_lost();
        }
    }
}

impl Statuses {
    fn add(&self, key: KeyHash, status: &Arc<LeaseStatus>) {
        let mut statuses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if statuses.len() >= PRUNE_THRESHOLD && statuses.len().is_power_of_two() {
            statuses.retain(|_, status| status.strong_count() > 0);
        }
        statuses.insert(key, Arc::downgrade(status));
    }

    fn concerned(&self, change: &Change) -> Vec<Arc<LeaseStatus>> {
        let statuses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let concerned = |(key, status): (&KeyHash, &Weak<LeaseStatus>)| {
            change.concerns(*key).then(|| status.upgrade()).flatten()
        };
        statuses.iter().filter_map(concerned).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::atomic::AtomicU64;
    use std::sync::atomic::Ordering::SeqCst;
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
    fn a_change_ends_the_shared_leases_it_concerns() {
        let active_leases = ActiveLeases::default();
        let (hash, status) = (
            KeyHash::from_bytes([1; 32]),
            Arc::new(LeaseStatus::new(Instant::now())),
        );
        // Beside an own one on the same key.
        let own = Arc::new(LeaseStatus::new(Instant::now()));
        active_leases.add(hash, &own);
        active_leases.add_shared(hash, &status);
        let losses = Arc::new(AtomicU64::new(0));
        for status in [&status, &own] {
            let losses = Arc::clone(&losses);
            status.on_loss(move || _ = losses.fetch_add(1, SeqCst));
        }
        active_leases.check(&Change::Entry(KeyHash::from_bytes([2; 32])));
        assert_eq!(losses.load(SeqCst), 0);
        active_leases.check(&Change::All);
        assert_eq!(losses.load(SeqCst), 1);
        assert!(block_on(poll_once(pin!(own.check_requested()))).is_some());
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
            .own
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        assert!(statuses.len() <= PRUNE_THRESHOLD, "{}", statuses.len());
    }
}

//! How many requests were sent.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::Operation;

/// Requests to a store, counted by what they were for.
#[derive(Debug, Default)]
pub(crate) struct RoundTrips([AtomicU64; Operation::ALL.len()]);

impl RoundTrips {
    /// Counts a request that is being sent.
    pub(crate) fn count(&self, operation: Operation) {
        self.0[operation as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// How many were sent so far, by operation.
    pub(crate) fn totals(&self) -> Vec<(Operation, u64)> {
        let total = |operation| self.0[operation as usize].load(Ordering::Relaxed);
        Operation::ALL
            .map(|operation| (operation, total(operation)))
            .to_vec()
    }
}

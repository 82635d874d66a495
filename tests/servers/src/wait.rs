//! Waiting for conditions.

use std::thread;
use std::time::{Duration, Instant};

/// The longest wait; only failing tests wait that long.
pub const WAIT_TIMEOUT: Duration = Duration::from_secs(30);

/// Waits until the condition holds.
///
/// # Panics
/// When it does not hold within [`WAIT_TIMEOUT`].
#[track_caller]
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < WAIT_TIMEOUT, "in vain: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

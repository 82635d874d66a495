//! When this process did not get to run: for want of a processor, or stopped.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::truth::{Moment, now};

const PERIOD: Duration = Duration::from_millis(10);

/// From when to when a thread that sleeps for ten milliseconds slept longer.
static STALLS: Mutex<Vec<(Moment, Moment)>> = Mutex::new(Vec::new());

/// Watches this process from now on.
pub(crate) fn watch() {
    thread::spawn(|| {
        loop {
            let due = now() + nanos(PERIOD);
            thread::sleep(PERIOD);
            let late = now();
            if late > due + nanos(PERIOD) / 5 {
                stalls().push((due, late));
            }
        }
    });
}

/// How long this process did not get to run between two moments.
pub(crate) fn between(start: Moment, end: Moment) -> Duration {
    let stalls = stalls();
    let last = stalls.iter().rev().take_while(|(_, late)| *late >= start);
    let stalled = last.map(|(due, late)| late.min(&end).saturating_sub(*due.max(&start)));
    Duration::from_nanos(stalled.sum())
}

/// Held while the process forks, so that the child finds it free.
pub(crate) fn stalls() -> MutexGuard<'static, Vec<(Moment, Moment)>> {
    STALLS.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

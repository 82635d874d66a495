//! When this process did not run, for lack of a processor or because it was stopped.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::truth::{Moment, now};

const PERIOD: Duration = Duration::from_millis(10);

/// When a thread's sleep of ten milliseconds took longer.
static STALLS: Mutex<Vec<(Moment, Moment)>> = Mutex::new(Vec::new());

/// Starts to watch this process.
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

/// For how long this process did not run between two moments.
pub(crate) fn between(start: Moment, end: Moment) -> Duration {
    let stalls = stalls();
    let last = stalls.iter().rev().take_while(|(_, late)| *late >= start);
    let stalled = last.map(|(due, late)| late.min(&end).saturating_sub(*due.max(&start)));
    Duration::from_nanos(stalled.sum())
}

/// Held during forks, so that children find it free.
pub(crate) fn stalls() -> MutexGuard<'static, Vec<(Moment, Moment)>> {
    STALLS.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

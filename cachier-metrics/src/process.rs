//! The functions of the process, and the thread that ticks for them.

use std::thread;
use std::time::Duration;

use crate::clock::tie;
use crate::metrics::CacheMetrics;
use crate::per_process::{PerProcess, copied};
use crate::sync::{Mutex, MutexGuard, lock};

static FUNCTIONS: PerProcess<Mutex<Vec<&'static CacheMetrics>>> = PerProcess::new();

/// Adds a function; the first one on the system clock starts the ticker.
pub(crate) fn join(metrics: &'static CacheMetrics) {
    functions().push(metrics);
    if metrics.clock().is_system() {
        start_ticker();
    }
}

pub(crate) fn all() -> Vec<&'static CacheMetrics> {
    functions().clone()
}

fn functions() -> MutexGuard<'static, Vec<&'static CacheMetrics>> {
    lock(FUNCTIONS.get(copied))
}

/// Without a ticker (no thread to be had), windows still rotate whenever they are read.
pub(crate) fn start_ticker() {
    static STARTED: PerProcess<()> = PerProcess::new();
    STARTED.get(|_| {
        let ticker = thread::Builder::new().name("cachier-ticker".to_owned());
        let _ = ticker.spawn(|| {
            loop {
                tie();
                tick_all();
                thread::sleep(Duration::from_secs(1));
            }
        });
    });
}

fn tick_all() {
    all()
        .iter()
        .filter(|metrics| metrics.clock().is_system())
        .for_each(|metrics| metrics.tick());
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;
    use crate::labels::Outcome;
    use crate::metrics::MetricsOptions;

    #[test]
    fn a_listed_function_is_ticked_and_stays_whole() {
        let metrics = CacheMetrics::create(MetricsOptions::new("ticked", "memory"));
        metrics
            .start_call(None, None)
            .finish(Outcome::Miss, None, None);
        tick_all();
        assert!(all().iter().any(|known| std::ptr::eq(*known, metrics)));
        assert_eq!(metrics.stats().calls, 1);
    }
}

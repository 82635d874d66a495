//! The functions of the process, and the thread that ticks for them.

use std::sync::{Mutex, Once, PoisonError};
use std::thread;
use std::time::Duration;

use crate::clock::tie;
use crate::metrics::CacheMetrics;

static FUNCTIONS: Mutex<Vec<&'static CacheMetrics>> = Mutex::new(Vec::new());

/// Adds a function; the first one on the system clock starts the ticker.
pub(crate) fn join(metrics: &'static CacheMetrics) {
    FUNCTIONS
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(metrics);
    if metrics.clock().is_system() {
        start_ticker();
    }
}

pub(crate) fn all() -> Vec<&'static CacheMetrics> {
    FUNCTIONS
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone()
}

/// Without a ticker (no thread to be had), windows still rotate whenever they are read.
fn start_ticker() {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
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

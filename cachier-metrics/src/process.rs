//! The functions of the process, ticked by its ticker.

use crate::metrics::CacheMetrics;
use crate::options::MetricsOptions;
use crate::per_process::{PerProcess, copied};
use crate::sync::{Mutex, MutexGuard, lock};
use crate::ticker;

static FUNCTIONS: PerProcess<Mutex<Vec<&'static CacheMetrics>>> = PerProcess::new();

/// The functions of the process.
impl CacheMetrics {
    /// Creates the metrics of a function. Once per function, as they are never freed.
    pub fn create(options: MetricsOptions) -> &'static Self {
        let listed = options.listed;
        let metrics: &'static Self = Box::leak(Box::new(Self::new(options)));
        if listed {
            add(metrics);
        }
        metrics
    }

    /// All functions of the process, in the order of their creation.
    pub fn all() -> Vec<&'static Self> {
        functions().clone()
    }
}

/// Adds a function; the first one on the system clock starts the ticker.
fn add(metrics: &'static CacheMetrics) {
    functions().push(metrics);
    if metrics.clock().is_system() {
        ticker::start_with(tick_all);
    }
}

fn functions() -> MutexGuard<'static, Vec<&'static CacheMetrics>> {
    lock(FUNCTIONS.get(copied))
}

fn tick_all() {
    CacheMetrics::all()
        .iter()
        .filter(|metrics| metrics.clock().is_system())
        .for_each(|metrics| metrics.tick());
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;
    use crate::labels::Outcome;

    #[test]
    fn a_listed_function_is_ticked_and_stays_whole() {
        let metrics = CacheMetrics::create(MetricsOptions::new("ticked", "memory"));
        metrics
            .start_call(None, None)
            .finish(Outcome::Miss, None, None);
        tick_all();
        assert!(
            CacheMetrics::all()
                .iter()
                .any(|known| std::ptr::eq(*known, metrics))
        );
        assert_eq!(metrics.stats().calls, 1);
    }
}

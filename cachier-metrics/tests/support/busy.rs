//! Functions that have recorded something.

use std::time::Duration;

use cachier_metrics::*;

/// A function on a clock of its own.
pub(super) fn metrics(name: &str) -> (&'static CacheMetrics, Clock) {
    let clock = Clock::manual();
    let metrics = CacheMetrics::create(
        MetricsOptions::new(name, "file")
            .clock(clock.clone())
            .settings(vec![("stale_after", "1h".to_owned())])
            .unlisted(),
    );
    (metrics, clock)
}

/// A function on a persistent backend with a near tier that has recorded everything such a function can, with each
/// operation failed as when a server goes away. One computation is still running.
pub(super) fn in_use_for_long(name: &str) -> (&'static CacheMetrics, ComputeRecorder) {
    let (metrics, clock) = metrics(name);
    let holding = Holding::new(Some(7), Some(1 << 20));
    let mut gauges = Gauges::default();
    (gauges.near, gauges.capacity_entries) = (holding, Some(100));
    let shared = Shared::new(holding, Some(1 << 30));
    gauges.shared = [("store/function".to_owned(), shared)].into();
    metrics.set_gauges(Box::new(move || gauges.clone()));
    for outcome in Outcome::ALL {
        let call = metrics.start_call(Some(Sampled::ONE), None);
        let operations = Operation::ALL
            .iter()
            .map(|operation| call.operation(*operation));
        let waits = WaitScope::ALL.iter().map(|scope| call.wait(*scope));
        drop((operations.collect::<Vec<_>>(), waits.collect::<Vec<_>>()));
        call.stored(2000);
        call.finish(*outcome, Some(4_000_000_000), Some(1_000_000_000));
    }
    for reason in Reason::ALL {
        let compute = metrics.start_compute(*reason);
        clock.advance(Duration::from_millis(3));
        compute.finish(ComputeResult::Error);
    }
    for operation in Operation::ALL {
        for kind in [
            ErrorLabel::Connect,
            ErrorLabel::Timeout,
            ErrorLabel::BreakerOpen,
        ] {
            metrics.backend_error(*operation, kind);
        }
    }
    metrics.backend_error(Operation::Store, ErrorLabel::Full);
    set_background_probe(|| 2);
    // Its figures are kept over restarts, and this is the first process.
    metrics.set_past(EndedHistory::default().past_of(name, "file"));
    (metrics, metrics.start_compute(Reason::Absent))
}

/// A store that works, of the backend of these functions, with all figures that a store can have.
pub(super) fn store() -> StoreSource {
    StoreSource::listed(|| {
        let mut figures = StoreFigures::new("file", "/var/cache");
        figures.round_trips = Operation::ALL
            .iter()
            .map(|operation| (*operation, 3))
            .collect();
        figures.idle_connections = Some(4);
        figures.busy_connections = Some(1);
        figures.max_connections = Some(10);
        let waits = Durations::default();
        waits.record(Duration::from_millis(250));
        figures.pool_waits = waits.read();
        vec![figures]
    })
}

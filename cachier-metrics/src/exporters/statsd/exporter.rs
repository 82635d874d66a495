//! The exporter as programs use it.

use std::sync::Arc;

use super::builder::StatsdBuilder;
use super::sender::Sender;
use crate::exporters::error::ExportError;
use crate::exporters::exporter::MetricsExporter;
use crate::exporters::periodic::Periodic;
use crate::exporters::registry::MetricsRegistry;
use crate::warning::warn;

/// Sends the figures of functions to a daemon of StatsD or DogStatsD, every ten seconds unless told otherwise.
///
/// Gauges are sent as they are; counters as what has come since the last time, from the process's start on, and
/// histograms likewise, a bucket at a time, its middle as the value and its count as the sample rate. DogStatsD has all
/// their figures from that within 2.2 %; StatsD has their count and extremes alone, as its daemon weighs no value by its
/// rate. Series that have not moved are not sent.
///
/// A daemon that is down, slow or refuses costs calls nothing. Figures that could not be handed to it are part of the next
/// export, so that nothing is counted twice. The exporter counts failed exports (`export_failures`), packets
/// (`export_requests`), bytes (`export_sent_bytes`) and figures too long for a packet (`export_dropped`). Packets that the
/// network loses go unnoticed, as always with UDP.
///
/// In a forked child it sends nothing until it is started there. Dropping it stops it, without a last export: see
/// [`stop`](MetricsExporter::stop). A program that ends soon sends all with [`push_once`](MetricsExporter::push_once):
/// once, at its end, as what was sent is not sent again; its gauges stay at the daemon as they were then.
///
/// ```
/// use cachier_metrics::{CacheMetrics, MetricsExporter as _, MetricsOptions, StatsdExporter};
///
/// let metrics = CacheMetrics::create(MetricsOptions::new("forecast", "memory"));
/// let exporter = StatsdExporter::builder().build()?; // for 127.0.0.1:8125
/// exporter.register_function(metrics)?;
/// exporter.start()?;
/// # Ok::<(), cachier_metrics::ExportError>(())
/// ```
#[derive(Debug)]
pub struct StatsdExporter {
    sender: Arc<Sender>,
    periodic: Periodic,
}

impl StatsdExporter {
    /// A builder for StatsD at `127.0.0.1:8125`.
    pub fn builder() -> StatsdBuilder {
        StatsdBuilder::default()
    }
}

impl MetricsExporter for StatsdExporter {
    fn registry(&self) -> &MetricsRegistry {
        &self.sender.registry
    }

    fn start(&self) -> Result<(), ExportError> {
        let sender = Arc::clone(&self.sender);
        self.periodic.start(move || {
            if let Err(error) = sender.send() {
                warn("exports to StatsD", &error.to_string());
            }
        })
    }

    fn flush(&self) -> Result<(), ExportError> {
        self.sender.send()
    }

    fn stop(&self) {
        if self.periodic.stop() {
            // Callers that need the error flush first.
            let _ = self.flush();
        }
    }
}

impl StatsdBuilder {
    /// The exporter, not started yet.
    ///
    /// # Errors
    /// When the prefix or a constant label is invalid.
    pub fn build(self) -> Result<StatsdExporter, ExportError> {
        let (sender, interval) = self.resolve()?;
        Ok(StatsdExporter {
            sender: Arc::new(sender),
            periodic: Periodic::new("cachier-statsd", interval),
        })
    }
}

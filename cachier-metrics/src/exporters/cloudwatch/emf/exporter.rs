//! The exporter.

use std::sync::Arc;

use super::builder::EmfBuilder;
use super::writer::Writer;
use crate::exporters::error::ExportError;
use crate::exporters::exporter::MetricsExporter;
use crate::exporters::periodic::Periodic;
use crate::exporters::registry::MetricsRegistry;
use crate::warning::warn;

/// Writes the figures of functions to CloudWatch's embedded metric format (EMF): lines of JSON on the standard output, or in a
/// file, each minute unless told otherwise.
///
/// AWS Lambda, and containers whose output goes to CloudWatch Logs, need nothing else; elsewhere the CloudWatch agent reads the
/// file. Each set of labels is a line, whose dimensions they are: `Calls` by `Function`, `Backend` and `Outcome`. Gauges are
/// written as they are; counters as what has come since the last time, from the process's start on, and histograms likewise,
/// as values with their counts, within 2.2 %. Series that have not moved are not written.
///
/// Figures that could not be written are part of the next export, so that nothing is counted twice. The exporter counts failed
/// exports (`ExportFailures`), lines (`ExportRequests`) and bytes (`ExportSentBytes`).
///
/// In a forked child it writes nothing until it is started there. Dropping it stops it, without a last export: see
/// [`stop`](MetricsExporter::stop). A Lambda function stands still between its calls, threads included, so that one calls
/// [`flush`](MetricsExporter::flush) at the end of each instead of starting it, or
/// [`push_once`](MetricsExporter::push_once), which is the same here. A slow reader of the standard output delays the export
/// alone.
///
/// ```
/// use cachier_metrics::{CacheMetrics, EmfExporter, MetricsExporter as _, MetricsOptions};
///
/// let metrics = CacheMetrics::create(MetricsOptions::new("forecast", "memory"));
/// let exporter = EmfExporter::builder().namespace("Weather").build()?;
/// exporter.register_function(metrics)?;
/// exporter.flush()?;
/// # Ok::<(), cachier_metrics::ExportError>(())
/// ```
#[derive(Debug)]
pub struct EmfExporter {
    writer: Arc<Writer>,
    periodic: Periodic,
}

impl EmfExporter {
    /// A builder for the namespace `cachier`, on the standard output.
    pub fn builder() -> EmfBuilder {
        EmfBuilder::default()
    }
}

impl MetricsExporter for EmfExporter {
    fn registry(&self) -> &MetricsRegistry {
        &self.writer.registry
    }

    fn start(&self) -> Result<(), ExportError> {
        let writer = Arc::clone(&self.writer);
        self.periodic.start(move || {
            if let Err(error) = writer.write() {
                warn("exports to CloudWatch's log", &error.to_string());
            }
        })
    }

    fn flush(&self) -> Result<(), ExportError> {
        self.writer.write()
    }

    fn stop(&self) {
        if self.periodic.stop() {
            // Callers that need the error flush first.
            let _ = self.flush();
        }
    }
}

impl EmfBuilder {
    /// The exporter, not started yet.
    ///
    /// # Errors
    /// When the namespace or a constant label is invalid, or there are too many of these.
    pub fn build(self) -> Result<EmfExporter, ExportError> {
        let (writer, interval) = self.resolve()?;
        Ok(EmfExporter {
            writer: Arc::new(writer),
            periodic: Periodic::new("cachier-emf", interval),
        })
    }
}

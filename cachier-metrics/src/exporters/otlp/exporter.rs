//! The exporter as programs use it.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use super::builder::{OtlpBuilder, Settings};
use super::client::{self, Sent};
use super::requests::batches;
use super::retry::Patience;
use super::temporality::SentTotals;
use crate::exporters::error::ExportError;
use crate::exporters::exporter::MetricsExporter;
use crate::exporters::periodic::Periodic;
use crate::exporters::registry::MetricsRegistry;
use crate::per_process::PerProcess;
use crate::sync::{Mutex, lock};
use crate::warning::warn;

/// Sends the figures of functions to an OpenTelemetry collector, or to whatever else receives OTLP, once a minute unless
/// told otherwise.
///
/// Counters are monotonic sums and histograms exponential ones with the buckets of the program, none merged unless there
/// are more than 160. The variables `OTEL_EXPORTER_OTLP_*`, `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES` and
/// `OTEL_METRIC_EXPORT_INTERVAL` are honoured.
///
/// A receiver that is down, slow or refuses costs calls nothing and no memory: the next push has what it missed. Only
/// requests that OTLP allows to be repeated are, until the timeout. The exporter counts failed pushes (`export.failures`)
/// and points that a receiver rejected (`export.dropped`). The text of a receiver's answer is shown nowhere, as it may
/// repeat a token.
///
/// In a forked child it sends nothing until it is started there. Dropping it stops it, without a last push: see
/// [`stop`](MetricsExporter::stop). A program that ends soon sends all with [`push_once`](MetricsExporter::push_once). Its
/// gauges stay at the receiver as they were then, and each of its runs is an instance of its own.
///
/// ```
/// use cachier_metrics::{CacheMetrics, MetricsExporter as _, MetricsOptions, OtlpExporter};
///
/// let metrics = CacheMetrics::create(MetricsOptions::new("forecast", "memory"));
/// let exporter = OtlpExporter::builder().service_name("shop").build()?; // for http://localhost:4318/v1/metrics
/// exporter.register_function(metrics)?;
/// exporter.start()?;
/// # Ok::<(), cachier_metrics::ExportError>(())
/// ```
#[derive(Debug)]
pub struct OtlpExporter {
    pusher: Arc<Pusher>,
    periodic: Periodic,
}

const THREAD: &str = "cachier-otlp";

impl OtlpExporter {
    /// A builder for what the environment says, or else for `http://localhost:4318`.
    pub fn builder() -> OtlpBuilder {
        OtlpBuilder::default()
    }

    fn new(settings: Settings) -> Self {
        Self {
            periodic: Periodic::new(THREAD, settings.interval),
            pusher: Arc::new(Pusher {
                settings,
                received: PerProcess::new(),
            }),
        }
    }
}

impl MetricsExporter for OtlpExporter {
    fn registry(&self) -> &MetricsRegistry {
        &self.pusher.settings.registry
    }

    fn start(&self) -> Result<(), ExportError> {
        let pusher = Arc::clone(&self.pusher);
        self.periodic.start(move || {
            let pushed = pusher.push(Patience::Retries);
            if let Err(error) = pushed {
                warn("pushes of OTLP", &error.to_string());
            }
        })
    }

    fn flush(&self) -> Result<(), ExportError> {
        self.pusher.push(Patience::Retries)
    }

    fn stop(&self) {
        if self.periodic.stop() {
            // Callers that need the error flush first.
            let _ = self.pusher.push(Patience::Once);
        }
    }
}

/// The state shared by the exporter and its thread.
struct Pusher {
    settings: Settings,
    /// One push at a time. A forked child counts from zero, and so do its deltas.
    received: PerProcess<Mutex<SentTotals>>,
}

impl Pusher {
    fn push(&self, patience: Patience) -> Result<(), ExportError> {
        let pushed = self.push_new(patience);
        pushed.map_err(|reason| self.failed(&*reason))
    }

    fn push_new(&self, patience: Patience) -> Result<(), Box<dyn Error + Send + Sync>> {
        let Settings {
            registry,
            receiver,
            identity,
            temporality,
            ..
        } = &self.settings;
        let mut received = lock(self.received.get(|_| Mutex::default()));
        let batches = batches(&registry.gather(), *temporality, &received);
        let resource = identity.resource();
        let (figures, messages): (Vec<_>, Vec<_>) = batches
            .into_iter()
            .map(|batch| batch.request(&resource))
            .unzip();
        let sent = client::send(receiver, &messages, patience)?;
        let mut failed = None;
        for (figures, Sent { result, bytes }) in figures.into_iter().zip(sent) {
            match result {
                Ok(rejected) => {
                    registry.export_sent(bytes as u64);
                    registry.export_dropped(rejected);
                    received.extend(figures);
                }
                Err(failure) => {
                    if failure.is_taken {
                        received.extend(figures);
                    }
                    failed = failed.or(Some(failure));
                }
            }
        }
        failed.map_or(Ok(()), |failure| Err(failure.reason.into()))
    }

    fn failed(&self, reason: &dyn Error) -> ExportError {
        self.settings.registry.export_failed();
        let receiver = self.settings.receiver.address.authority();
        ExportError::new(format!(
            "the receiver of OTLP at {receiver} has not received all figures: {reason}"
        ))
    }
}

impl fmt::Debug for Pusher {
    /// Without headers and paths, which may hold tokens.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pusher")
            .field("receiver", &self.settings.receiver.address.authority())
            .field("protocol", &self.settings.receiver.protocol)
            .field("temporality", &self.settings.temporality)
            .field("registry", &self.settings.registry)
            .finish_non_exhaustive()
    }
}

impl OtlpBuilder {
    /// The exporter. Registers nothing and sends nothing yet.
    ///
    /// # Errors
    /// When the endpoint, a header, the prefix, a label or the file of certificates cannot be used.
    pub fn build(self) -> Result<OtlpExporter, ExportError> {
        self.resolve_in_process().map(OtlpExporter::new)
    }
}

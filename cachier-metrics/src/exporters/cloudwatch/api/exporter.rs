//! The exporter and its builder.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_cloudwatch::Client;

use super::sender::Sender;
use crate::exporters::cloudwatch::datum::{check_labels, check_namespace};
use crate::exporters::error::ExportError;
use crate::exporters::exporter::MetricsExporter;
use crate::exporters::periodic::Periodic;
use crate::exporters::registry::MetricsRegistry;
use crate::exporters::scope::Scope;

/// Sends the figures of functions to CloudWatch by its API, each minute unless told otherwise.
///
/// Where logs reach CloudWatch anyway, an [`EmfExporter`](crate::EmfExporter) (feature `emf`) needs no client. Names, dimensions and
/// units are the same. Gauges are sent as they are; counters as what has come since the last time, from the process's start on,
/// and histograms likewise, as values with their counts, within 2.2 %. Series that have not moved are not sent.
///
/// Figures that the service refuses (throttling, access denied), or that find no connection, are part of a later export. Those
/// of a request that it may have taken without saying so, as where its answer is late, are not sent again, so that nothing is
/// counted twice: they are counted as `ExportDropped`, as are those that it refuses for good. The first request without an answer
/// ends the export, and the more exports end so in a row, the more are left out, 15 at most. No request takes more than 10
/// seconds, nor begins later than 20 seconds after its export did. The client's own retries are not used.
///
/// In a forked child it sends nothing until it is started there, with a client that was made there. Dropping it stops it,
/// without a last export: see [`stop`](MetricsExporter::stop). A program that ends soon sends all with
/// [`push_once`](MetricsExporter::push_once).
///
/// ```no_run
/// use cachier_metrics::{CloudWatchExporter, ExportError, MetricsExporter as _};
/// use cachier_metrics::aws_sdk_cloudwatch::Client;
///
/// fn export(client: Client) -> Result<CloudWatchExporter, ExportError> {
///     let exporter = CloudWatchExporter::builder(client).namespace("Shop/Cache").build()?;
///     exporter.register_all()?;
///     exporter.start()?;
///     Ok(exporter)
/// }
/// ```
#[derive(Debug)]
pub struct CloudWatchExporter {
    sender: Arc<Sender>,
    periodic: Periodic,
}

/// Configures a [`CloudWatchExporter`].
///
/// ```no_run
/// use cachier_metrics::{CloudWatchExporter, ExportError};
/// use cachier_metrics::aws_sdk_cloudwatch::Client;
///
/// fn exporter(client: Client) -> Result<CloudWatchExporter, ExportError> {
///     CloudWatchExporter::builder(client).constant_label("service", "till").build()
/// }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct CloudWatchBuilder {
    client: Client,
    namespace: String,
    interval: Duration,
    scope: Scope,
}

const DEFAULT_NAMESPACE: &str = "cachier";
/// The resolution of CloudWatch.
const DEFAULT_INTERVAL: Duration = Duration::from_secs(60);

impl CloudWatchExporter {
    /// A builder for the namespace `cachier`, by a client that the program has configured.
    pub fn builder(client: Client) -> CloudWatchBuilder {
        CloudWatchBuilder {
            client,
            namespace: DEFAULT_NAMESPACE.to_owned(),
            interval: DEFAULT_INTERVAL,
            scope: Scope::default(),
        }
    }
}

impl MetricsExporter for CloudWatchExporter {
    fn registry(&self) -> &MetricsRegistry {
        &self.sender.registry
    }

    fn start(&self) -> Result<(), ExportError> {
        let sender = Arc::clone(&self.sender);
        self.periodic.start(move || sender.send_if_due())
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

impl CloudWatchBuilder {
    /// The namespace of the metrics: `cachier` unless told otherwise.
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = namespace.into();
        self
    }

    /// How often figures are sent: each minute unless told otherwise, which is how fine CloudWatch keeps them.
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// Adds a label to all figures, as a dimension: `service` is `Service`.
    pub fn constant_label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.scope.labels.push((name.into(), value.into()));
        self
    }

    /// The most series, 20,000 unless set, as in [`MetricsRegistry::max_series`](crate::MetricsRegistry::max_series). Each
    /// set of dimensions of a metric is one, which CloudWatch bills.
    pub fn max_series(mut self, max_series: usize) -> Self {
        self.scope.max_series = Some(max_series);
        self
    }

    /// The exporter, not started yet.
    ///
    /// # Errors
    /// When the namespace or a constant label is invalid, or there are too many of these.
    pub fn build(self) -> Result<CloudWatchExporter, ExportError> {
        check_namespace(&self.namespace)?;
        check_labels(&self.scope.labels)?;
        let registry = self
            .scope
            .limit(MetricsRegistry::new("cloudwatch").without_buckets())?;
        let sender = Sender::new(registry, self.client, self.namespace);
        Ok(CloudWatchExporter {
            sender: Arc::new(sender),
            periodic: Periodic::new("cachier-cloudwatch", self.interval),
        })
    }
}

//! Settings of the exporter in the embedded metric format.

use std::path::PathBuf;
use std::time::Duration;

use super::writer::{Output, Writer};
use crate::exporters::cloudwatch::datum::{check_labels, check_namespace};
use crate::exporters::error::ExportError;
use crate::exporters::registry::MetricsRegistry;
use crate::exporters::scope::Scope;

/// Configures an [`EmfExporter`](crate::EmfExporter).
///
/// ```
/// use cachier_metrics::EmfExporter;
///
/// let exporter = EmfExporter::builder()
///     .namespace("Shop/Cache")
///     .constant_label("service", "till") // the dimension `Service`
///     .build()?;
/// # drop(exporter);
/// # Ok::<(), cachier_metrics::ExportError>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct EmfBuilder {
    namespace: Option<String>,
    file: Option<PathBuf>,
    interval: Option<Duration>,
    scope: Scope,
}

const DEFAULT_NAMESPACE: &str = "cachier";
/// The resolution of CloudWatch.
const DEFAULT_INTERVAL: Duration = Duration::from_secs(60);

impl EmfBuilder {
    /// The namespace of the metrics: `cachier` unless told otherwise.
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = Some(namespace.into());
        self
    }

    /// Appends to this file, instead of writing on the standard output. It is opened for each export, so that it may be
    /// rotated.
    ///
    /// ```
    /// # use cachier_metrics::{EmfExporter, ExportError};
    /// let exporter = EmfExporter::builder().file("/var/log/app/metrics.log").build()?;
    /// # Ok::<(), ExportError>(())
    /// ```
    pub fn file(mut self, path: impl Into<PathBuf>) -> Self {
        self.file = Some(path.into());
        self
    }

    /// How often figures are written: each minute unless told otherwise, which is how fine CloudWatch keeps them.
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = Some(interval);
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

    /// The writer, and its interval.
    pub(super) fn resolve(self) -> Result<(Writer, Duration), ExportError> {
        let namespace = self
            .namespace
            .unwrap_or_else(|| DEFAULT_NAMESPACE.to_owned());
        check_namespace(&namespace)?;
        check_labels(&self.scope.labels)?;
        let registry = self
            .scope
            .limit(MetricsRegistry::new("emf").without_buckets())?;
        let output = self.file.map_or(Output::Standard, Output::File);
        let writer = Writer::new(registry, namespace, output);
        Ok((writer, self.interval.unwrap_or(DEFAULT_INTERVAL)))
    }
}

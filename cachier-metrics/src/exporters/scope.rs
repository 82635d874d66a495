//! Names, labels and limits that all builders of exporters share.

use super::error::ExportError;
use super::registry::MetricsRegistry;

/// The names, labels and limits of an exporter, as a program said them.
#[derive(Clone, Debug, Default)]
pub(super) struct Scope {
    pub(super) prefix: Option<String>,
    pub(super) labels: Vec<(String, String)>,
    pub(super) max_series: Option<usize>,
}

impl Scope {
    /// The registry with these.
    ///
    /// # Errors
    /// When the prefix or a label cannot be.
    pub(super) fn limit(
        self,
        mut registry: MetricsRegistry,
    ) -> Result<MetricsRegistry, ExportError> {
        if let Some(max_series) = self.max_series {
            registry = registry.max_series(max_series);
        }
        if let Some(prefix) = self.prefix {
            registry = registry.prefix(prefix)?;
        }
        let mut labels = self.labels.into_iter();
        labels.try_fold(registry, |registry, (name, value)| {
            registry.constant_label(name, value)
        })
    }
}

//! Errors of exporters.

use std::error::Error;
use std::fmt;
use std::io;

/// Why an exporter could not be built or started, or a function not be registered. `Display` gives the details.
///
/// ```
/// use cachier_metrics::PrometheusExporter;
///
/// let error = PrometheusExporter::builder().path("metrics").build().unwrap_err();
/// assert!(error.to_string().contains("does not begin with `/`"));
/// ```
#[derive(Debug)]
pub struct ExportError {
    message: String,
    source: Option<io::Error>,
}

impl ExportError {
    /// Says what happened, where, and what to do about it.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            source: None,
        }
    }

    /// The same, because of an error of the system.
    pub fn io(message: impl Into<String>, source: io::Error) -> Self {
        Self {
            message: message.into(),
            source: Some(source),
        }
    }
}

impl fmt::Display for ExportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for ExportError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_ref().map(|source| source as _)
    }
}

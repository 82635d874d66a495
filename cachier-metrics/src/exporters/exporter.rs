//! The interface of all exporters.

use super::error::ExportError;
use super::registry::MetricsRegistry;
use crate::metrics::CacheMetrics;

/// Brings the figures of functions to another system.
///
/// Each exporter has a registry of its own, which says what is exported and under which names, so two of them never
/// collide. It sends one [`Export`](crate::Export) at a time: the figures of all functions, read once each. It
/// translates names, units and types, and computes no figures.
///
/// ```
/// use std::io::Write as _;
/// use cachier_metrics::{CacheMetrics, ExportError, MetricsExporter, MetricsOptions, MetricsRegistry};
///
/// /// Tells on standard error how many calls there were, whenever it is asked to.
/// struct Calls(MetricsRegistry);
///
/// impl MetricsExporter for Calls {
///     fn registry(&self) -> &MetricsRegistry {
///         &self.0
///     }
///
///     fn start(&self) -> Result<(), ExportError> {
///         Ok(()) // an exporter that sends by itself starts its thread here
///     }
///
///     fn flush(&self) -> Result<(), ExportError> {
///         let export = self.0.gather();
///         let calls = export.families().find(|family| family.name == "calls");
///         for sample in calls.into_iter().flat_map(|family| family.samples) {
///             eprintln!("{:?} {:?}", sample.labels, sample.value);
///         }
///         Ok(())
///     }
///
///     fn stop(&self) {}
/// }
///
/// let metrics = CacheMetrics::create(MetricsOptions::new("forecast", "memory"));
/// let exporter = Calls(MetricsRegistry::new("calls"));
/// exporter.register_function(metrics)?;
/// exporter.flush()?;
/// # Ok::<(), ExportError>(())
/// ```
pub trait MetricsExporter {
    /// The registry of what it exports.
    fn registry(&self) -> &MetricsRegistry;

    /// Starts to export by itself: to serve, or to send periodically.
    ///
    /// # Errors
    /// When it is started already, or cannot be.
    fn start(&self) -> Result<(), ExportError>;

    /// Sends what there is now. Nothing to do for an exporter that is asked.
    ///
    /// # Errors
    /// When it could not be sent.
    fn flush(&self) -> Result<(), ExportError>;

    /// Sends the figures of a program that ends: once, without having been started. The same as [`flush`](Self::flush) for
    /// an exporter that sends by itself; one that is asked sends to whom it can, if it can.
    ///
    /// # Errors
    /// When it could not be sent.
    fn push_once(&self) -> Result<(), ExportError> {
        self.flush()
    }

    /// Flushes, ends its threads, and frees what it holds. It can be started again.
    fn stop(&self);

    /// Exports a function; once, however often it is registered. Functions that share a name and a backend are one
    /// series: their counters and histograms add up.
    ///
    /// # Errors
    /// None today: room for exporters that cannot take every function.
    fn register_function(&self, metrics: &'static CacheMetrics) -> Result<(), ExportError> {
        self.registry().register_function(metrics);
        Ok(())
    }

    /// Exports several functions.
    ///
    /// # Errors
    /// As [`register_function`](Self::register_function).
    fn register_functions(
        &self,
        functions: impl IntoIterator<Item = &'static CacheMetrics>,
    ) -> Result<(), ExportError>
    where
        Self: Sized,
    {
        functions
            .into_iter()
            .try_for_each(|metrics| self.register_function(metrics))
    }

    /// Exports the functions whose names match a pattern, in which `*` stands for any text: those of now and those to
    /// come.
    ///
    /// # Errors
    /// As [`register_function`](Self::register_function).
    fn register_matching(&self, pattern: &str) -> Result<(), ExportError> {
        self.registry().register_matching(pattern);
        Ok(())
    }

    /// Exports all functions of the process, those of now and those to come.
    ///
    /// # Errors
    /// As [`register_function`](Self::register_function).
    fn register_all(&self) -> Result<(), ExportError> {
        self.register_matching("*")
    }
}

//! Settings of the StatsD exporter.

#[cfg(unix)]
use std::path::PathBuf;
use std::time::Duration;

use super::lines::StatsdDialect;
use super::sender::Sender;
use super::socket::Destination;
use crate::exporters::error::ExportError;
use crate::exporters::registry::MetricsRegistry;
use crate::exporters::scope::Scope;

/// Configures a [`StatsdExporter`](crate::StatsdExporter).
///
/// ```
/// use std::time::Duration;
/// use cachier_metrics::{StatsdDialect, StatsdExporter};
///
/// let exporter = StatsdExporter::builder()
///     .address("statsd.internal:8125")
///     .dialect(StatsdDialect::DogStatsd)
///     .constant_label("service", "shop")
///     .interval(Duration::from_secs(5))
///     .build()?;
/// # drop(exporter);
/// # Ok::<(), cachier_metrics::ExportError>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct StatsdBuilder {
    address: Option<String>,
    #[cfg(unix)]
    socket: Option<PathBuf>,
    dialect: StatsdDialect,
    interval: Option<Duration>,
    scope: Scope,
}

const DEFAULT_ADDRESS: &str = "127.0.0.1:8125";
/// The interval of StatsD's own flushes.
const DEFAULT_INTERVAL: Duration = Duration::from_secs(10);

impl StatsdBuilder {
    /// The daemon's `host:port`, which gets packets over UDP: by default `127.0.0.1:8125`.
    pub fn address(mut self, address: impl Into<String>) -> Self {
        self.address = Some(address.into());
        self
    }

    /// The daemon's Unix socket, of datagrams, instead of an address.
    ///
    /// ```
    /// # use cachier_metrics::{ExportError, StatsdDialect, StatsdExporter};
    /// let exporter = StatsdExporter::builder()
    ///     .dialect(StatsdDialect::DogStatsd)
    ///     .unix_socket("/var/run/datadog/dsd.socket")
    ///     .build()?;
    /// # Ok::<(), ExportError>(())
    /// ```
    #[cfg(unix)]
    pub fn unix_socket(mut self, path: impl Into<PathBuf>) -> Self {
        self.socket = Some(path.into());
        self
    }

    /// The dialect of the daemon: StatsD by default.
    pub fn dialect(mut self, dialect: StatsdDialect) -> Self {
        self.dialect = dialect;
        self
    }

    /// How often figures are sent: every ten seconds unless told otherwise.
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = Some(interval);
        self
    }

    /// Begins all names with this instead of `cachier`.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.scope.prefix = Some(prefix.into());
        self
    }

    /// Adds a label to all figures: `service`, `environment`, `tenant`.
    pub fn constant_label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.scope.labels.push((name.into(), value.into()));
        self
    }

    /// The most series, 20,000 unless set, as in
    /// [`MetricsRegistry::max_series`](crate::MetricsRegistry::max_series). Buckets are no series here.
    pub fn max_series(mut self, max_series: usize) -> Self {
        self.scope.max_series = Some(max_series);
        self
    }

    /// The sender, and its interval.
    pub(super) fn resolve(self) -> Result<(Sender, Duration), ExportError> {
        let address = self.address.unwrap_or_else(|| DEFAULT_ADDRESS.to_owned());
        let destination = Destination::Address(address);
        #[cfg(unix)]
        let destination = self.socket.map_or(destination, Destination::Socket);
        let registry = self
            .scope
            .limit(MetricsRegistry::new("statsd").without_buckets())?;
        let sender = Sender::new(registry, self.dialect, destination);
        Ok((sender, self.interval.unwrap_or(DEFAULT_INTERVAL)))
    }
}

//! The Prometheus exporter: the catalogue as text, served over HTTP.

mod connections;
mod host;
mod server;
mod text;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use self::connections::Limits;
use self::host::AllowedHosts;
use self::server::{Endpoint, Server};
use super::buckets::Detail;
use super::error::ExportError;
use super::exporter::MetricsExporter;
use super::registry::MetricsRegistry;
use crate::metrics::CacheMetrics;

/// Serves the metrics of functions to Prometheus.
///
/// Each exporter has its own registry, independent of others. Dropping it stops the server.
///
/// ```
/// use cachier_metrics::{CacheMetrics, MetricsOptions, PrometheusExporter};
///
/// let metrics = CacheMetrics::create(MetricsOptions::new("forecast", "memory"));
/// let exporter = PrometheusExporter::builder().port(0).build()?;
/// exporter.register_function(metrics)?;
/// exporter.start()?;
/// assert!(exporter.local_addr().is_some());
/// assert!(exporter.render().contains("cachier_calls_total"));
/// # Ok::<(), cachier_metrics::ExportError>(())
/// ```
#[derive(Debug)]
pub struct PrometheusExporter {
    address: String,
    path: String,
    hosts: AllowedHosts,
    detail: Detail,
    registry: Arc<MetricsRegistry>,
    server: Mutex<Option<Server>>,
}

impl PrometheusExporter {
    /// The `Content-Type` of what [`render`](Self::render) returns.
    pub const CONTENT_TYPE: &'static str = text::CONTENT_TYPE;

    /// A builder for `http://127.0.0.1:9464/metrics`.
    pub fn builder() -> PrometheusBuilder {
        PrometheusBuilder {
            host: None,
            port: None,
            path: "/metrics".to_owned(),
            allowed: Vec::new(),
            detail: Detail::Brief,
            prefix: None,
            labels: Vec::new(),
        }
    }

    /// Exports a function; once, however often it is registered. Functions that share a name and a backend are one series:
    /// their counters and histograms add up.
    ///
    /// # Errors
    /// None today: room for exporters that cannot take every function.
    pub fn register_function(&self, metrics: &'static CacheMetrics) -> Result<(), ExportError> {
        MetricsExporter::register_function(self, metrics)
    }

    /// Exports several functions.
    ///
    /// # Errors
    /// As [`register_function`](Self::register_function).
    pub fn register_functions(
        &self,
        functions: impl IntoIterator<Item = &'static CacheMetrics>,
    ) -> Result<(), ExportError> {
        MetricsExporter::register_functions(self, functions)
    }

    /// Exports the functions whose names match a pattern, in which `*` stands for any text: those of now and those to
    /// come.
    ///
    /// ```
    /// # let exporter = cachier_metrics::PrometheusExporter::builder().build()?;
    /// exporter.register_matching("billing::*")?;
    /// # Ok::<(), cachier_metrics::ExportError>(())
    /// ```
    ///
    /// # Errors
    /// As [`register_function`](Self::register_function).
    pub fn register_matching(&self, pattern: &str) -> Result<(), ExportError> {
        MetricsExporter::register_matching(self, pattern)
    }

    /// Exports all functions of the process, those of now and those to come.
    ///
    /// # Errors
    /// As [`register_function`](Self::register_function).
    pub fn register_all(&self) -> Result<(), ExportError> {
        MetricsExporter::register_all(self)
    }

    /// Starts to serve, in its own thread.
    ///
    /// # Errors
    /// When it is started already, or the address is unavailable.
    pub fn start(&self) -> Result<(), ExportError> {
        let mut server = self.server();
        if server.is_some() {
            return Err(ExportError::new(
                "the Prometheus exporter has been started already",
            ));
        }
        let registry = Arc::clone(&self.registry);
        let detail = self.detail;
        let endpoint = Endpoint {
            path: self.path.clone(),
            hosts: self.hosts.clone(),
            render: Box::new(move || text::render(&registry.gather(), detail)),
        };
        let started = Server::start(&self.address, Limits::default(), endpoint).map_err(|error| {
            let message = format!("cannot serve metrics at {}: {error}", self.address);
            ExportError::io(message, error)
        });
        *server = Some(started?);
        Ok(())
    }

    /// The address it serves at, while it does: with port 0, the one chosen by the system.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.server().as_ref().map(Server::address)
    }

    /// Stops the server and closes its connections. It can be started again.
    pub fn stop(&self) {
        drop(self.server().take());
    }

    /// The response to a scrape, in the Prometheus text format 0.0.4, for servers of your own. They decide whom to
    /// answer, and send it as [`CONTENT_TYPE`](Self::CONTENT_TYPE).
    ///
    /// ```
    /// use cachier_metrics::PrometheusExporter;
    ///
    /// let exporter = PrometheusExporter::builder().build()?;
    /// let response = format!(
    ///     "HTTP/1.1 200 OK\r\nContent-Type: {}\r\n\r\n{}",
    ///     PrometheusExporter::CONTENT_TYPE,
    ///     exporter.render(),
    /// );
    /// assert!(response.contains("text/plain; version=0.0.4"));
    /// # Ok::<(), cachier_metrics::ExportError>(())
    /// ```
    pub fn render(&self) -> String {
        text::render(&self.registry.gather(), self.detail)
    }

    fn server(&self) -> MutexGuard<'_, Option<Server>> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The same as its own methods, for programs with exporters of several kinds.
impl MetricsExporter for PrometheusExporter {
    fn registry(&self) -> &MetricsRegistry {
        &self.registry
    }

    fn start(&self) -> Result<(), ExportError> {
        self.start()
    }

    fn flush(&self) -> Result<(), ExportError> {
        Ok(())
    }

    fn stop(&self) {
        self.stop();
    }
}

/// Configures a [`PrometheusExporter`].
///
/// ```
/// use cachier_metrics::PrometheusExporter;
///
/// let exporter = PrometheusExporter::builder().host("0.0.0.0").port(9100).path("/cache").build()?;
/// # drop(exporter);
/// # Ok::<(), cachier_metrics::ExportError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct PrometheusBuilder {
    host: Option<String>,
    port: Option<u16>,
    path: String,
    allowed: Vec<String>,
    detail: Detail,
    prefix: Option<String>,
    labels: Vec<(String, String)>,
}

impl PrometheusBuilder {
    /// The address to listen at: by default `127.0.0.1`, which is local.
    pub fn host(mut self, host: impl Into<String>) -> Self {
        self.host = Some(host.into());
        self
    }

    /// The port: 9464 by default; 0 lets the system choose.
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// The path: `/metrics` by default.
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// Answers requests for this name, too, with any port. Requests for an IP address, for `localhost` and for the name
    /// given to [`host`](Self::host) are always answered, others refused, as a web page might have its own name resolve
    /// to this machine to read the metrics (DNS rebinding).
    ///
    /// ```
    /// # use cachier_metrics::{ExportError, PrometheusExporter};
    /// let exporter = PrometheusExporter::builder()
    ///     .host("0.0.0.0")
    ///     .allow_host("app.internal") // as in `http://app.internal:9464/metrics`
    ///     .build()?;
    /// # Ok::<(), ExportError>(())
    /// ```
    pub fn allow_host(mut self, name: impl Into<String>) -> Self {
        self.allowed.push(name.into());
        self
    }

    /// The number of classic buckets: few by default.
    pub fn detail(mut self, detail: Detail) -> Self {
        self.detail = detail;
        self
    }

    /// Begins all names with this instead of `cachier`.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = Some(prefix.into());
        self
    }

    /// Adds a label to all figures: `service`, `environment`, `tenant`.
    ///
    /// ```
    /// # use cachier_metrics::{ExportError, PrometheusExporter};
    /// let exporter = PrometheusExporter::builder().constant_label("service", "shop").build()?;
    /// assert!(exporter.render().contains("{service=\"shop\",version="));
    /// # Ok::<(), ExportError>(())
    /// ```
    pub fn constant_label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.push((name.into(), value.into()));
        self
    }

    /// The exporter, not started yet. `CACHIER_METRICS_ADDR` (`host:port`) replaces the default address; it is ignored
    /// if the builder has a host or a port.
    ///
    /// # Errors
    /// When the path does not begin with `/`, an allowed host is invalid, the prefix or a constant label is none, or the
    /// variable is malformed.
    pub fn build(self) -> Result<PrometheusExporter, ExportError> {
        if !self.path.starts_with('/') {
            let message = format!(
                "the path `{}` of the metrics does not begin with `/`",
                self.path
            );
            return Err(ExportError::new(message));
        }
        let (host, port) = match (self.host, self.port) {
            (None, None) => from_environment()?.unwrap_or((DEFAULT_HOST.to_owned(), DEFAULT_PORT)),
            (host, port) => (
                host.unwrap_or_else(|| DEFAULT_HOST.to_owned()),
                port.unwrap_or(DEFAULT_PORT),
            ),
        };
        let mut hosts = AllowedHosts::new();
        // An invalid name is an IPv6 address, or nothing to listen at.
        hosts.allow(&host);
        if let Some(name) = self.allowed.iter().find(|name| !hosts.allow(name)) {
            let message = format!("`{name}` is no host to allow, as `app.internal` would be one");
            return Err(ExportError::new(message));
        }
        let is_bare_v6 = host.contains(':') && !host.starts_with('[');
        let address = match is_bare_v6 {
            true => format!("[{host}]:{port}"),
            false => format!("{host}:{port}"),
        };
        let mut registry = MetricsRegistry::new("prometheus");
        if let Some(prefix) = self.prefix {
            registry = registry.prefix(prefix)?;
        }
        for (name, value) in self.labels {
            registry = registry.constant_label(name, value)?;
        }
        Ok(PrometheusExporter {
            address,
            path: self.path,
            hosts,
            detail: self.detail,
            registry: Arc::new(registry),
            server: Mutex::default(),
        })
    }
}

const DEFAULT_HOST: &str = "127.0.0.1";
const DEFAULT_PORT: u16 = 9464;
const ADDRESS_VARIABLE: &str = "CACHIER_METRICS_ADDR";

/// The address from the environment, if there is one.
fn from_environment() -> Result<Option<(String, u16)>, ExportError> {
    parse_address(std::env::var_os(ADDRESS_VARIABLE))
}

/// A variable that is set to nothing counts as unset.
fn parse_address(value: Option<OsString>) -> Result<Option<(String, u16)>, ExportError> {
    let Some(value) = value.filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    let address = value.to_str().and_then(|value| value.rsplit_once(':'));
    match address.map(|(host, port)| (host, port.parse())) {
        Some((host, Ok(port))) if !host.is_empty() => Ok(Some((host.to_owned(), port))),
        _ => Err(ExportError::new(format!(
            "{ADDRESS_VARIABLE} is `{}`, not `host:port`",
            value.display()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_host_and_port() {
        let parsed = |value: &str| parse_address(Some(value.into())).ok();
        assert_eq!(parsed("[::1]:80"), Some(Some(("[::1]".to_owned(), 80))));
        assert_eq!(parsed(""), Some(None));
        assert_eq!(parse_address(None).ok(), Some(None));
        for unusable in [
            "9464",
            ":9464",
            "localhost:",
            "localhost:99999",
            "localhost:x",
        ] {
            assert_eq!(parsed(unusable), None, "{unusable}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn an_address_must_be_unicode() {
        use std::os::unix::ffi::OsStringExt as _;

        let value = OsString::from_vec(b"\xff:9464".to_vec());
        assert!(parse_address(Some(value)).is_err());
    }
}

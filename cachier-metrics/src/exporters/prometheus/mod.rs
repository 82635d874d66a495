//! The Prometheus exporter: the catalogue as text, served over HTTP.

mod server;
mod text;

use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use self::server::Server;
use super::buckets::Detail;
use super::error::ExportError;
use super::registry::Registry;
use crate::metrics::CacheMetrics;

/// Serves the metrics of functions to Prometheus.
///
/// Each exporter has a registry of its own, so that two of them never get in each other's way. Dropping it stops the
/// server.
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
    detail: Detail,
    registry: Arc<Registry>,
    server: Mutex<Option<Server>>,
}

impl PrometheusExporter {
    /// An exporter for `http://127.0.0.1:9464/metrics`, unless told otherwise.
    pub fn builder() -> PrometheusBuilder {
        PrometheusBuilder {
            host: "127.0.0.1".to_owned(),
            port: 9464,
            path: "/metrics".to_owned(),
            detail: Detail::Brief,
        }
    }

    /// Exports a function.
    ///
    /// # Errors
    /// When it is registered already, or another one of the same name is.
    pub fn register_function(&self, metrics: &'static CacheMetrics) -> Result<(), ExportError> {
        self.registry.register(metrics)
    }

    /// Exports several functions.
    ///
    /// # Errors
    /// At the first one that [`register_function`](Self::register_function) refuses; those before it are registered.
    pub fn register_functions(
        &self,
        functions: impl IntoIterator<Item = &'static CacheMetrics>,
    ) -> Result<(), ExportError> {
        functions
            .into_iter()
            .try_for_each(|metrics| self.register_function(metrics))
    }

    /// Exports all functions of the process, those of now and those to come. One that comes later under a name that
    /// is taken is left out, and counted once in `cachier_export_dropped_total`; calling this again says which one it is.
    ///
    /// # Errors
    /// When two functions of now share a name; the message has it.
    pub fn register_all(&self) -> Result<(), ExportError> {
        self.registry.register_all()
    }

    /// Starts to serve, in a thread of its own.
    ///
    /// # Errors
    /// When it has been started already, or the address cannot be had.
    pub fn start(&self) -> Result<(), ExportError> {
        let mut server = self.server();
        if server.is_some() {
            return Err(ExportError::new(
                "the Prometheus exporter has been started already",
            ));
        }
        let registry = Arc::clone(&self.registry);
        let detail = self.detail;
        let render = move || text::render(&registry.select(), detail);
        let started = TcpListener::bind(&self.address)
            .and_then(|listener| Server::start(listener, &self.path, render))
            .map_err(|error| {
                ExportError::io(
                    format!("cannot serve metrics at {}: {error}", self.address),
                    error,
                )
            });
        *server = Some(started?);
        Ok(())
    }

    /// Where it serves, while it does: with port 0, the port that the system chose.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.server().as_ref().map(Server::address)
    }

    /// Ends the server and its connections. It can be started again.
    pub fn stop(&self) {
        drop(self.server().take());
    }

    /// What a scrape gets, in the text format 0.0.4 of Prometheus.
    pub fn render(&self) -> String {
        text::render(&self.registry.select(), self.detail)
    }

    fn server(&self) -> MutexGuard<'_, Option<Server>> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where a [`PrometheusExporter`] serves, and how much.
#[derive(Clone, Debug)]
#[must_use]
pub struct PrometheusBuilder {
    host: String,
    port: u16,
    path: String,
    detail: Detail,
}

impl PrometheusBuilder {
    /// The address to listen at: `127.0.0.1` unless set, which nobody else can reach.
    pub fn host(mut self, host: impl Into<String>) -> Self {
        self.host = host.into();
        self
    }

    /// The port: 9464 unless set; 0 lets the system choose.
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// The path: `/metrics` unless set.
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// How many classic buckets histograms have: few unless set.
    pub fn detail(mut self, detail: Detail) -> Self {
        self.detail = detail;
        self
    }

    /// The exporter, not started yet. `CACHIER_METRICS_ADDR` (`host:port`) overrides host and port.
    ///
    /// # Errors
    /// When the path does not begin with `/`, or the variable is not of that form.
    pub fn build(self) -> Result<PrometheusExporter, ExportError> {
        if !self.path.starts_with('/') {
            let message = format!(
                "the path `{}` of the metrics does not begin with `/`",
                self.path
            );
            return Err(ExportError::new(message));
        }
        let address = match std::env::var(ADDRESS_VARIABLE) {
            Ok(address) => checked(address)?,
            Err(_) if self.host.contains(':') => format!("[{}]:{}", self.host, self.port),
            Err(_) => format!("{}:{}", self.host, self.port),
        };
        let (registry, server) = (Arc::default(), Mutex::default());
        Ok(PrometheusExporter {
            address,
            path: self.path,
            detail: self.detail,
            registry,
            server,
        })
    }
}

const ADDRESS_VARIABLE: &str = "CACHIER_METRICS_ADDR";

fn checked(address: String) -> Result<String, ExportError> {
    match address.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => Ok(address),
        _ => Err(ExportError::new(format!(
            "{ADDRESS_VARIABLE} is `{address}`, not `host:port`"
        ))),
    }
}

//! The Prometheus exporter: the figures in the formats of Prometheus, served over HTTP.

mod access;
mod builder;
#[cfg(feature = "prometheus-client")]
mod collector;
mod connections;
mod endpoint;
mod exporter;
mod format;
mod gateway;
mod host;
mod json;
#[cfg(any(feature = "prometheus-client", feature = "prometheus-protobuf"))]
mod native;
mod page;
#[cfg(feature = "prometheus-protobuf")]
mod protobuf;
mod query;
mod series;
mod server;
mod summary;
mod text;
mod view;

pub use self::builder::PrometheusBuilder;
use self::builder::Settings;
#[cfg(feature = "prometheus-client")]
use self::collector::ViewCollector;
use self::connections::{Answer, Limits};
use self::endpoint::Endpoint;
#[cfg(feature = "axum")]
use self::endpoint::{HEALTH, READY, STATS};
pub use self::exporter::PrometheusExporter;
use self::host::AllowedHosts;
use self::server::{Place, Server};
use self::text::Dialect;
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
    settings: Settings,
    server: Mutex<Option<Server>>,
}

impl PrometheusExporter {
    /// The `Content-Type` of what [`render`](Self::render) returns.
    pub const CONTENT_TYPE: &'static str = "text/plain; version=0.0.4; charset=utf-8";

    /// A builder for `http://127.0.0.1:9464/metrics`.
    pub fn builder() -> PrometheusBuilder {
        PrometheusBuilder::default()
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
        let started = Server::start(&self.settings.place, Limits::default(), |address| {
            let is_private = address.is_none_or(|address| address.ip().is_loopback());
            self.endpoint(address.map(|_| self.settings.hosts.clone()), is_private)
        });
        *server = Some(started.map_err(|error| {
            let place = match &self.settings.place {
                Place::Address(address) => address.clone(),
                #[cfg(unix)]
                Place::Socket(path) => path.display().to_string(),
            };
            ExportError::io(format!("cannot serve metrics at {place}: {error}"), error)
        })?);
        Ok(())
    }

    /// The address it serves at, while it does: with port 0, the one chosen by the system. A Unix socket has none.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.server().as_ref().and_then(Server::address)
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
        self.settings.view.render(Dialect::Plain)
    }

    /// The pages of the exporter for a server of one's own, to be mounted with `.nest("/cachier", …)`: `/metrics`,
    /// `/stats.json`, `/health` and `/ready`. That server decides whom it lets in; the token is asked for as ever.
    ///
    /// ```
    /// use cachier_metrics::PrometheusExporter;
    ///
    /// let exporter = PrometheusExporter::builder().build()?;
    /// exporter.register_all()?;
    /// let app = axum::Router::<()>::new().nest("/cachier", exporter.router());
    /// # drop(app);
    /// # Ok::<(), cachier_metrics::ExportError>(())
    /// ```
    #[cfg(feature = "axum")]
    pub fn router<S: Clone + Send + Sync + 'static>(&self) -> axum::Router<S> {
        let endpoint = Arc::new(Endpoint::new(
            Arc::clone(&self.settings.view),
            self.settings.path.clone(),
            self.access(None, true),
        ));
        let answer = move |request: axum::extract::Request| {
            let endpoint = Arc::clone(&endpoint);
            async move { endpoint.answer(request).await }
        };
        let paths = [&self.settings.path, STATS, HEALTH, READY];
        paths.into_iter().fold(axum::Router::new(), |router, path| {
            router.route(path, axum::routing::any(answer.clone()))
        })
    }

    /// The figures as a part of what the program exports already with the crate `prometheus-client`, which is re-exported
    /// in the version that this is for. Names and labels are those of [`render`](Self::render), below the prefix and the labels of
    /// the registry; its protobuf format has native histograms, too. What that crate cannot carry is not there: when a
    /// counter began.
    ///
    /// ```
    /// use cachier_metrics::PrometheusExporter;
    /// use cachier_metrics::prometheus_client::encoding::text::encode;
    /// use cachier_metrics::prometheus_client::registry::Registry;
    ///
    /// let exporter = PrometheusExporter::builder().build()?;
    /// exporter.register_all()?;
    /// let mut registry = Registry::default(); // the one that the program has
    /// registry.register_collector(exporter.collector());
    ///
    /// let mut page = String::new();
    /// encode(&mut page, &registry).unwrap();
    /// assert!(page.contains("cachier_build_info"));
    /// # Ok::<(), cachier_metrics::ExportError>(())
    /// ```
    #[cfg(feature = "prometheus-client")]
    pub fn collector(&self) -> Box<dyn prometheus_client::collector::Collector> {
        Box::new(ViewCollector(Arc::clone(&self.settings.view)))
    }

    /// What answers the requests of the exporter's own server.
    fn endpoint(&self, hosts: Option<AllowedHosts>, is_private: bool) -> Answer {
        let access = self.access(hosts, is_private);
        let endpoint = Endpoint::new(
            Arc::clone(&self.settings.view),
            self.settings.path.clone(),
            access,
        );
        let endpoint = Arc::new(endpoint);
        Arc::new(move |request| {
            let endpoint = Arc::clone(&endpoint);
            Box::pin(async move { endpoint.answer(request).await })
        })
    }

    fn access(&self, hosts: Option<AllowedHosts>, is_private: bool) -> Access {
        Access {
            hosts,
            token: self.settings.token.clone(),
            page: self.settings.page,
            is_private,
        }
    }

    fn server(&self) -> MutexGuard<'_, Option<Server>> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The same as its own methods, for programs with exporters of several kinds.
impl MetricsExporter for PrometheusExporter {
    fn registry(&self) -> &MetricsRegistry {
        &self.settings.view.registry
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

impl PrometheusBuilder {
    /// The exporter, not started yet. `CACHIER_METRICS_ADDR` (`host:port`) replaces the default address; it is ignored
    /// if the builder has a host or a port.
    ///
    /// # Errors
    /// When the path does not begin with `/` or is that of another page, an allowed host, the prefix, a constant label or
    /// the token is invalid, or the variable is malformed.
    pub fn build(self) -> Result<PrometheusExporter, ExportError> {
        Ok(PrometheusExporter {
            settings: self.resolve()?,
            server: Mutex::default(),
        })
    }
}

//! The exporter as programs use it: they register functions, start and stop the server.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::access::Access;
use super::builder::{PrometheusBuilder, Settings};
#[cfg(feature = "prometheus-client")]
use super::collector::ViewCollector;
#[cfg(feature = "axum")]
use super::connections::Load;
use super::connections::{Answer, Limits};
use super::endpoint::Endpoint;
#[cfg(feature = "axum")]
use super::endpoint::{HEALTH, PAGE, READY, STATS};
use super::host::AllowedHosts;
use super::server::{ListenAddress, Server};
use super::text::Dialect;
use crate::exporters::error::ExportError;
use crate::exporters::exporter::MetricsExporter;
use crate::exporters::registry::MetricsRegistry;
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
                ListenAddress::Address(address) => address.clone(),
                #[cfg(unix)]
                ListenAddress::Socket(path) => path.display().to_string(),
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

    /// Replaces what a Pushgateway has of this job by the figures of now, for a program that ends before Prometheus would
    /// scrape it. It takes ten seconds at most.
    ///
    /// The gateway keeps them until they are deleted, so they do not show that the program is alive: `push_time_seconds`
    /// of the gateway tells when it pushed. Each run counts from zero, so `increase()` over runs is of no use; alert on
    /// the values of the last run. Two programs of one job and one set of [grouping
    /// labels](PrometheusBuilder::grouping_label) replace each other's figures; with an instance as a label they do not, and
    /// the gateway keeps those of every instance that there ever was. Programs that run for long are better scraped.
    ///
    /// ```no_run
    /// # use cachier_metrics::{ExportError, PrometheusExporter};
    /// let exporter = PrometheusExporter::builder()
    ///     .pushgateway("http://gateway.internal:9091", "nightly-import")
    ///     .build()?;
    /// exporter.register_all()?;
    /// // … the work …
    /// exporter.push_once()?;
    /// # Ok::<(), ExportError>(())
    /// ```
    ///
    /// # Errors
    /// When no gateway was named, or it cannot be reached or does not take the figures.
    pub fn push_once(&self) -> Result<(), ExportError> {
        let gateway = self.settings.gateway.as_ref().ok_or_else(|| {
            ExportError::new("no Pushgateway to push to: name one by `.pushgateway(url, job)`")
        })?;
        let (registry, text) = (MetricsExporter::registry(self), self.render());
        let pushed = gateway.put(Self::CONTENT_TYPE, &text);
        match &pushed {
            Ok(()) => registry.export_sent(text.len() as u64),
            Err(_) => registry.export_failed(),
        }
        pushed
    }

    /// The pages of the exporter for a server of one's own, to be mounted with `.nest("/cachier", …)`: the live page,
    /// `/metrics`, `/stats.json`, `/health` and `/ready`. The other server decides whom it lets in; the token is required all
    /// the same.
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
            async move {
                let answer = endpoint.answer(request, Load::Usual).await;
                answer.map(axum::body::Body::from)
            }
        };
        let metrics = &*self.settings.path;
        let pages = [PAGE, STATS, HEALTH, READY].into_iter();
        let paths = pages.filter(|page| *page != metrics).chain([metrics]);
        paths.fold(axum::Router::new(), |router, path| {
            router.route(path, axum::routing::any(answer.clone()))
        })
    }

    /// The figures as a part of what the program exports already with the crate `prometheus-client`, which is re-exported
    /// in the version that this is for. Names and labels are those of [`render`](Self::render), below the prefix and the labels of
    /// the registry; its protobuf format has native histograms, too. The times when counters began are missing, as that
    /// crate cannot carry them.
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

    /// The handler of requests to the exporter's own server.
    fn endpoint(&self, hosts: Option<AllowedHosts>, is_private: bool) -> Answer {
        let access = self.access(hosts, is_private);
        let endpoint = Endpoint::new(
            Arc::clone(&self.settings.view),
            self.settings.path.clone(),
            access,
        );
        let endpoint = Arc::new(endpoint);
        Arc::new(move |request, load| {
            let endpoint = Arc::clone(&endpoint);
            Box::pin(async move { endpoint.answer(request, load).await })
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

    fn push_once(&self) -> Result<(), ExportError> {
        self.push_once()
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
    /// When the path does not begin with `/` or is that of another page, an allowed host, the prefix, a constant label,
    /// the token, the Pushgateway or a grouping label is invalid, or the variable is malformed.
    pub fn build(self) -> Result<PrometheusExporter, ExportError> {
        Ok(PrometheusExporter {
            settings: self.resolve()?,
            server: Mutex::default(),
        })
    }
}

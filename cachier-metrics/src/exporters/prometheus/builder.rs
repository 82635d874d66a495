//! The configuration of a Prometheus exporter.

use std::ffi::OsString;
use std::fmt;
#[cfg(unix)]
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::access::Token;
use super::endpoint::{HEALTH, READY, STATS};
use super::gateway::{Gateway, GatewaySettings};
use super::host::AllowedHosts;
use super::server::ListenAddress;
use super::text::Created;
use super::view::View;
use crate::exemplars::{Exemplar, ExemplarSource, ask};
use crate::exporters::buckets::Detail;
use crate::exporters::error::ExportError;
use crate::exporters::naming::Naming;
use crate::exporters::registry::MetricsRegistry;
use crate::exporters::scope::Scope;

/// Configures a [`PrometheusExporter`](crate::PrometheusExporter).
///
/// ```
/// use cachier_metrics::PrometheusExporter;
///
/// let exporter = PrometheusExporter::builder().host("0.0.0.0").port(9100).path("/cache").build()?;
/// # drop(exporter);
/// # Ok::<(), cachier_metrics::ExportError>(())
/// ```
#[derive(Clone, Default)]
#[must_use]
pub struct PrometheusBuilder {
    host: Option<String>,
    port: Option<u16>,
    #[cfg(unix)]
    socket: Option<PathBuf>,
    path: Option<String>,
    allowed: Vec<String>,
    token: Option<String>,
    page: bool,
    naming: Naming,
    detail: Detail,
    created: Created,
    scope: Scope,
    gateway: Option<GatewaySettings>,
    grouping: Vec<(String, String)>,
    exemplar: Option<ExemplarSource>,
}

/// The validated configuration.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) place: ListenAddress,
    pub(super) path: String,
    pub(super) hosts: AllowedHosts,
    pub(super) token: Option<Token>,
    pub(super) page: bool,
    pub(super) view: Arc<View>,
    pub(super) gateway: Option<Gateway>,
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
        self.path = Some(path.into());
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
        self.scope.prefix = Some(prefix.into());
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
        self.scope.labels.push((name.into(), value.into()));
        self
    }

    /// Serves under other names, for dashboards that exist already.
    pub fn naming(mut self, naming: Naming) -> Self {
        self.naming = naming;
        self
    }

    /// Serves figures only to clients with this token: `Authorization: Bearer …`. `/health` and `/ready` need none. A browser
    /// shows none by itself: for the live page, a proxy at hand adds it.
    ///
    /// ```
    /// # use cachier_metrics::{ExportError, PrometheusExporter};
    /// let exporter = PrometheusExporter::builder().host("0.0.0.0").bearer_token("s3cret").build()?;
    /// # Ok::<(), ExportError>(())
    /// ```
    pub fn bearer_token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// Serves the live page and `/stats.json` to other machines without a token, too. They then see the names of all functions.
    pub fn page(mut self, page: bool) -> Self {
        self.page = page;
        self
    }

    /// Listens at a Unix socket instead of an address. It is removed when the exporter stops.
    ///
    /// ```
    /// # use cachier_metrics::{ExportError, PrometheusExporter};
    /// let exporter = PrometheusExporter::builder().unix_socket("/run/app/metrics.sock").build()?;
    /// # Ok::<(), ExportError>(())
    /// ```
    #[cfg(unix)]
    pub fn unix_socket(mut self, path: impl Into<PathBuf>) -> Self {
        self.socket = Some(path.into());
        self
    }

    /// The most series, 20,000 unless set. Past half of them the histograms of further functions go without their buckets,
    /// then functions without their rare labels, and the last ones share one name, `(other)`, so that no count is lost.
    /// The series of a function are fixed when it is registered.
    pub fn max_series(mut self, max_series: usize) -> Self {
        self.scope.max_series = Some(max_series);
        self
    }

    /// Writes when counting began as a series `…_created` next to each counter and histogram, in OpenMetrics. A Prometheus
    /// that does not read start times stores them as series: up to a half more.
    pub fn created_series(mut self) -> Self {
        self.created = Created::Written;
        self
    }

    /// Shows an exemplar next to each bucket: the latest call in it for which this returns one. It is called on the
    /// thread of each sampled call that ends, so it must be quick and call no cached function. OpenMetrics and protobuf have
    /// a place for it; a Prometheus keeps them with `--enable-feature=exemplar-storage`. All exporters of the process show what
    /// the one that was built last asks for.
    ///
    /// ```
    /// use cachier_metrics::{Exemplar, PrometheusExporter};
    ///
    /// # fn current_trace() -> Option<String> { None }
    /// let exporter = PrometheusExporter::builder()
    ///     .exemplar(|| Exemplar::new([("trace_id", current_trace()?)]))
    ///     .build()?;
    /// # drop(exporter);
    /// # Ok::<(), cachier_metrics::ExportError>(())
    /// ```
    pub fn exemplar(
        mut self,
        exemplar: impl Fn() -> Option<Exemplar> + Send + Sync + 'static,
    ) -> Self {
        self.exemplar = Some(Arc::new(exemplar));
        self
    }

    /// The Pushgateway that [`push_once`](crate::PrometheusExporter::push_once) pushes to, and the job that the figures are of.
    ///
    /// ```
    /// # use cachier_metrics::{ExportError, PrometheusExporter};
    /// let exporter = PrometheusExporter::builder()
    ///     .pushgateway("http://gateway.internal:9091", "nightly-import")
    ///     .grouping_label("instance", "db1")
    ///     .build()?;
    /// # Ok::<(), ExportError>(())
    /// ```
    pub fn pushgateway(mut self, url: impl Into<String>, job: impl Into<String>) -> Self {
        let (url, job) = (url.into(), job.into());
        self.gateway = Some(GatewaySettings { url, job });
        self
    }

    /// Tells figures of one job apart at a Pushgateway, which keeps those of the last push for each set of values.
    pub fn grouping_label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.grouping.push((name.into(), value.into()));
        self
    }

    /// Validates the configuration.
    pub(super) fn resolve(self) -> Result<Settings, ExportError> {
        let path = self.path.as_deref().unwrap_or("/metrics");
        if !path.starts_with('/') {
            let message = format!("the path `{path}` of the metrics does not begin with `/`");
            return Err(ExportError::new(message));
        }
        if [STATS, HEALTH, READY].contains(&path) {
            let message = format!("the path `{path}` of the metrics is that of another page");
            return Err(ExportError::new(message));
        }
        let token = match &self.token {
            Some(token) => Some(Token::new(token.clone()).ok_or_else(|| {
                // Not shown: it may be the token but for a line break.
                ExportError::new(
                    "the bearer token is empty, or has other characters than visible ones of ASCII",
                )
            })?),
            None => None,
        };
        let gateway = match &self.gateway {
            Some(settings) => Some(Gateway::of(settings, &self.grouping)?),
            None => None,
        };
        let mut hosts = AllowedHosts::new();
        let place = self.place(&mut hosts)?;
        if let Some(name) = self.allowed.iter().find(|name| !hosts.allow(name)) {
            let message = format!("`{name}` is no host to allow, as `app.internal` would be one");
            return Err(ExportError::new(message));
        }
        let registry = self.registry()?;
        self.exemplar.into_iter().for_each(ask);
        Ok(Settings {
            place,
            path: path.to_owned(),
            hosts,
            token,
            page: self.page,
            gateway,
            view: Arc::new(View {
                registry,
                naming: self.naming,
                detail: self.detail,
                created: self.created,
            }),
        })
    }

    /// Where to listen, at a host that requests may name.
    fn place(&self, hosts: &mut AllowedHosts) -> Result<ListenAddress, ExportError> {
        #[cfg(unix)]
        if let Some(path) = &self.socket {
            OUTRANKED.store(true, Relaxed);
            return Ok(ListenAddress::Socket(path.clone()));
        }
        let default = || (DEFAULT_HOST.to_owned(), DEFAULT_PORT);
        let (host, port) = match (&self.host, self.port) {
            (None, None) => from_environment()?.unwrap_or_else(default),
            (host, port) => {
                OUTRANKED.store(true, Relaxed);
                (
                    host.as_deref().unwrap_or(DEFAULT_HOST).to_owned(),
                    port.unwrap_or(DEFAULT_PORT),
                )
            }
        };
        // An invalid name is an IPv6 address, or nothing to listen at.
        hosts.allow(&host);
        let is_bare_v6 = host.contains(':') && !host.starts_with('[');
        Ok(ListenAddress::Address(match is_bare_v6 {
            true => format!("[{host}]:{port}"),
            false => format!("{host}:{port}"),
        }))
    }

    fn registry(&self) -> Result<MetricsRegistry, ExportError> {
        let buckets = match self.detail {
            Detail::Brief => 0,
            Detail::Full => FURTHER_BUCKETS,
        };
        let started = match self.created {
            Created::Left => 0,
            Created::Written => START_TIMES,
        };
        let registry = MetricsRegistry::new("prometheus").further_series(buckets, started);
        let registry = registry.prefix(self.naming.prefix())?;
        self.scope.clone().limit(registry)
    }
}

impl fmt::Debug for PrometheusBuilder {
    /// Without the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrometheusBuilder")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// The most series of all buckets of a function, beyond the usual ones.
const FURTHER_BUCKETS: usize = 100;
/// The most series of its start times.
const START_TIMES: usize = 80;
const DEFAULT_HOST: &str = "127.0.0.1";
const DEFAULT_PORT: u16 = 9464;
const ADDRESS_VARIABLE: &str = "CACHIER_METRICS_ADDR";

/// Whether an exporter was given a place by the program.
static OUTRANKED: AtomicBool = AtomicBool::new(false);

/// Fails if `CACHIER_METRICS_ADDR` cannot be used, unless the program has given an exporter its place.
#[doc(hidden)]
pub fn check_metrics_address() -> Result<(), ExportError> {
    match OUTRANKED.load(Relaxed) {
        true => Ok(()),
        false => from_environment().map(drop),
    }
}

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

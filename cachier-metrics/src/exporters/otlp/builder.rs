//! Settings of an OTLP exporter, by the program and its environment.

use std::env;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use hyper::HeaderMap;
use hyper::header::{
    CONTENT_ENCODING, CONTENT_TYPE, HOST, HeaderName, HeaderValue, TE, USER_AGENT,
};

use super::client::Receiver;
use super::endpoint::{Address, Endpoint, Security};
use super::environment::Environment;
use super::http;
use super::protocol::{OtlpCompression, OtlpProtocol};
use super::resource::Identity;
use super::temporality::Temporality;
use super::tls::{Files, Tls};
use crate::exporters::error::ExportError;
use crate::exporters::registry::MetricsRegistry;
use crate::exporters::scope::Scope;
use crate::warning::warn;

/// Configures an [`OtlpExporter`](crate::OtlpExporter). Each setting overrides its environment variable of OpenTelemetry.
///
/// ```
/// use std::time::Duration;
/// use cachier_metrics::{OtlpExporter, OtlpProtocol};
///
/// let exporter = OtlpExporter::builder()
///     .endpoint("http://collector:4317")
///     .protocol(OtlpProtocol::Grpc)
///     .header("api-key", "s3cret")
///     .service_name("shop")
///     .interval(Duration::from_secs(10))
///     .build()?;
/// # drop(exporter);
/// # Ok::<(), cachier_metrics::ExportError>(())
/// ```
#[derive(Clone, Default)]
#[must_use]
pub struct OtlpBuilder {
    endpoint: Option<String>,
    protocol: Option<OtlpProtocol>,
    compression: Option<OtlpCompression>,
    temporality: Option<Temporality>,
    headers: Vec<(String, String)>,
    files: Files,
    timeout: Option<Duration>,
    interval: Option<Duration>,
    attributes: Vec<(String, String)>,
    scope: Scope,
}

/// The settings of a program and its environment, validated.
pub(super) struct Settings {
    pub(super) registry: MetricsRegistry,
    pub(super) receiver: Receiver,
    pub(super) identity: Identity,
    pub(super) temporality: Temporality,
    pub(super) interval: Duration,
}

const TIMEOUT: Duration = Duration::from_secs(10);
const MAX_TIMEOUT: Duration = Duration::from_secs(3600);
const INTERVAL: Duration = Duration::from_secs(60);
const HTTP_ENDPOINT: &str = "http://localhost:4318";
const GRPC_ENDPOINT: &str = "http://localhost:4317";

impl OtlpBuilder {
    /// The address of the receiver: by default `OTEL_EXPORTER_OTLP_METRICS_ENDPOINT`, `OTEL_EXPORTER_OTLP_ENDPOINT`, or
    /// `http://localhost:4318` (gRPC: `:4317`). Over HTTP, one without a path gets `/v1/metrics`.
    pub fn endpoint(mut self, endpoint: impl Into<String>) -> Self {
        self.endpoint = Some(endpoint.into());
        self
    }

    /// HTTP or gRPC: by default `OTEL_EXPORTER_OTLP_METRICS_PROTOCOL`, `OTEL_EXPORTER_OTLP_PROTOCOL`, or HTTP.
    pub fn protocol(mut self, protocol: OtlpProtocol) -> Self {
        self.protocol = Some(protocol);
        self
    }

    /// Whether requests are compressed: by default `OTEL_EXPORTER_OTLP_METRICS_COMPRESSION`,
    /// `OTEL_EXPORTER_OTLP_COMPRESSION`, or not.
    pub fn compression(mut self, compression: OtlpCompression) -> Self {
        self.compression = Some(compression);
        self
    }

    /// Since when figures count: by default `OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE`, or since the beginning.
    pub fn temporality(mut self, temporality: Temporality) -> Self {
        self.temporality = Some(temporality);
        self
    }

    /// Sends a header, such as a token of the receiver, in addition to those of `OTEL_EXPORTER_OTLP_METRICS_HEADERS` or
    /// `OTEL_EXPORTER_OTLP_HEADERS`; it replaces one of the same name. It is never printed.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Trusts the certificates of this file, in PEM, instead of the system's: by default
    /// `OTEL_EXPORTER_OTLP_METRICS_CERTIFICATE` or `OTEL_EXPORTER_OTLP_CERTIFICATE`, if set.
    pub fn certificate(mut self, file: impl Into<PathBuf>) -> Self {
        self.files.trusted = Some(file.into());
        self
    }

    /// Shows this certificate to the receiver, with its key in another file, both in PEM: by default
    /// `OTEL_EXPORTER_OTLP_METRICS_CLIENT_CERTIFICATE` or `OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE`, and `…_CLIENT_KEY`, if
    /// both are set.
    ///
    /// ```no_run
    /// # use cachier_metrics::{ExportError, OtlpExporter};
    /// let exporter = OtlpExporter::builder()
    ///     .endpoint("https://collector:4318")
    ///     .client_certificate("/etc/app/certificate.pem", "/etc/app/key.pem")
    ///     .build()?;
    /// # Ok::<(), ExportError>(())
    /// ```
    pub fn client_certificate(
        mut self,
        certificate: impl Into<PathBuf>,
        key: impl Into<PathBuf>,
    ) -> Self {
        self.files.own = Some((certificate.into(), key.into()));
        self
    }

    /// The longest that a request takes, with all its attempts: by default `OTEL_EXPORTER_OTLP_METRICS_TIMEOUT`,
    /// `OTEL_EXPORTER_OTLP_TIMEOUT`, or 10 seconds. At most an hour.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Between two pushes: by default `OTEL_METRIC_EXPORT_INTERVAL`, or a minute.
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = Some(interval);
        self
    }

    /// The name of the program: by default `OTEL_SERVICE_NAME`, `service.name` in `OTEL_RESOURCE_ATTRIBUTES`, or
    /// `unknown_service:` and the name of its file.
    pub fn service_name(self, name: impl Into<String>) -> Self {
        self.resource_attribute("service.name", name)
    }

    /// A further attribute of the program: `service.namespace`, `deployment.environment.name`. Added to those of
    /// `OTEL_RESOURCE_ATTRIBUTES`.
    ///
    /// ```
    /// # use cachier_metrics::{ExportError, OtlpExporter};
    /// let exporter = OtlpExporter::builder().resource_attribute("service.namespace", "shop").build()?;
    /// # Ok::<(), ExportError>(())
    /// ```
    pub fn resource_attribute(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.attributes.push((name.into(), value.into()));
        self
    }

    /// Begins all names with this instead of `cachier`.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.scope.prefix = Some(prefix.into());
        self
    }

    /// Adds an attribute to all points: `tenant`. For the whole program prefer a
    /// [`resource_attribute`](Self::resource_attribute).
    pub fn constant_label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.scope.labels.push((name.into(), value.into()));
        self
    }

    /// The most series, 20,000 unless set: see [`MetricsRegistry::max_series`]. Histograms keep their buckets, as each is one
    /// series to OpenTelemetry.
    pub fn max_series(mut self, max_series: usize) -> Self {
        self.scope.max_series = Some(max_series);
        self
    }

    /// The settings, where the environment of the process says what the builder does not.
    pub(super) fn resolve_in_process(self) -> Result<Settings, ExportError> {
        self.resolve(&Environment {
            variable: &|name| env::var(name).ok(),
            tell: &tell,
        })
    }

    /// The validated settings.
    fn resolve(self, environment: &Environment<'_>) -> Result<Settings, ExportError> {
        let receiver = self.receiver(environment)?;
        let temporality = self.temporality.or_else(|| environment.temporality());
        let interval = self.interval.or_else(|| environment.interval());
        Ok(Settings {
            registry: self
                .scope
                .limit(MetricsRegistry::new("otlp").without_buckets())?,
            receiver,
            identity: Identity::new(self.attributes, environment),
            temporality: temporality.unwrap_or_default(),
            interval: interval.unwrap_or(INTERVAL),
        })
    }

    fn receiver(&self, environment: &Environment<'_>) -> Result<Receiver, ExportError> {
        let protocol = self.protocol.or_else(|| environment.protocol());
        let protocol = protocol.unwrap_or_default();
        let said = self.endpoint.clone().map(Endpoint::Program);
        let said = said.or_else(|| environment.endpoint());
        let endpoint = said.unwrap_or_else(|| {
            Endpoint::Program(match protocol {
                OtlpProtocol::Http => HTTP_ENDPOINT.to_owned(),
                OtlpProtocol::Grpc => GRPC_ENDPOINT.to_owned(),
            })
        });
        let schemeless = match environment.is_insecure() {
            true => Security::Plain,
            false => Security::Tls,
        };
        let address = Address::of(&endpoint, protocol, schemeless)?;
        let tls = match address.security {
            Security::Plain => None,
            Security::Tls => {
                let (said, others) = (self.files.clone(), environment.files());
                let files = Files {
                    trusted: said.trusted.or(others.trusted),
                    own: said.own.or(others.own),
                };
                Some(Tls::new(&address.host, protocol, &files)?)
            }
        };
        let compression = self.compression.or_else(|| environment.compression());
        let compression = compression.unwrap_or_default();
        let timeout = self.timeout.or_else(|| environment.timeout());
        Ok(Receiver {
            headers: self.headers(environment, &address, protocol, compression)?,
            address,
            protocol,
            compression,
            tls,
            timeout: timeout.unwrap_or(TIMEOUT).min(MAX_TIMEOUT),
        })
    }

    /// The headers of each request; ours before the program's before the environment's.
    fn headers(
        &self,
        environment: &Environment<'_>,
        address: &Address,
        protocol: OtlpProtocol,
        compression: OtlpCompression,
    ) -> Result<HeaderMap, ExportError> {
        let mut headers = HeaderMap::new();
        for (name, value) in environment.headers().iter().chain(&self.headers) {
            let name: Result<HeaderName, _> = name.parse();
            let (Ok(name), Ok(mut value)) = (name, HeaderValue::from_str(value)) else {
                // Not shown: the value is a token as a rule.
                return Err(ExportError::new(
                    "a header for OTLP has a name or a value that no header can have",
                ));
            };
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        let agent = concat!("cachier-metrics/", env!("CARGO_PKG_VERSION"));
        headers.insert(USER_AGENT, HeaderValue::from_static(agent));
        let gzip = HeaderValue::from_static("gzip");
        let (content, encoding) = match protocol {
            OtlpProtocol::Http => {
                let host = HeaderValue::from_str(&address.authority());
                headers.insert(
                    HOST,
                    host.expect("an address is made of what headers are made of"),
                );
                (http::PROTOBUF, CONTENT_ENCODING)
            }
            OtlpProtocol::Grpc => {
                headers.insert(TE, HeaderValue::from_static("trailers"));
                let encoding = HeaderName::from_static("grpc-encoding");
                (HeaderValue::from_static("application/grpc"), encoding)
            }
        };
        headers.insert(CONTENT_TYPE, content);
        if compression == OtlpCompression::Gzip {
            headers.insert(encoding, gzip);
        }
        Ok(headers)
    }
}

/// Tells a person of a variable that cannot be used, once.
fn tell(problem: &str) {
    warn(problem, problem);
}

impl fmt::Debug for OtlpBuilder {
    /// Without endpoint and headers, which may hold credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OtlpBuilder")
            .field("protocol", &self.protocol)
            .field("temporality", &self.temporality)
            .field("timeout", &self.timeout)
            .field("interval", &self.interval)
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn resolved(builder: OtlpBuilder, variables: &[(&str, &str)]) -> Result<Settings, ExportError> {
        let variable = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        builder.resolve(&Environment {
            variable: &variable,
            tell: &tell,
        })
    }

    const ALL: [(&str, &str); 7] = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:1"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "250"),
        (
            "OTEL_EXPORTER_OTLP_HEADERS",
            "api-key=of the environment,x=y,content-type=mine",
        ),
        ("OTEL_METRIC_EXPORT_INTERVAL", "5000"),
        ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "delta"),
    ];

    fn header(settings: &Settings, name: &str) -> Option<String> {
        let value = settings.receiver.headers.get(name)?;
        Some(value.to_str().unwrap().to_owned())
    }

    #[test]
    fn the_environment_replaces_defaults_only() {
        let settings = resolved(OtlpBuilder::default(), &ALL).unwrap();
        let receiver = &settings.receiver;
        assert_eq!(receiver.address.authority(), "collector:1");
        assert_eq!(receiver.protocol, OtlpProtocol::Grpc);
        assert_eq!(receiver.timeout, Duration::from_millis(250));
        assert_eq!(settings.interval, Duration::from_secs(5));
        assert_eq!(settings.temporality, Temporality::Delta);
        let of = |name| header(&settings, name);
        assert_eq!(of("api-key").as_deref(), Some("of the environment"));
        assert_eq!(of("grpc-encoding").as_deref(), Some("gzip"));
        assert_eq!(of("content-type").as_deref(), Some("application/grpc"));
        let builder = OtlpBuilder::default()
            .endpoint("http://mine:2")
            .protocol(OtlpProtocol::Http)
            .compression(OtlpCompression::None)
            .timeout(Duration::MAX)
            .interval(Duration::from_secs(1))
            .temporality(Temporality::Cumulative)
            .header("Api-Key", "s3cret");
        let settings = resolved(builder, &ALL).unwrap();
        let receiver = &settings.receiver;
        assert_eq!(receiver.address.authority(), "mine:2");
        assert_eq!(receiver.protocol, OtlpProtocol::Http);
        assert_eq!(receiver.timeout, MAX_TIMEOUT);
        assert_eq!(settings.interval, Duration::from_secs(1));
        assert_eq!(settings.temporality, Temporality::Cumulative);
        let of = |name| header(&settings, name);
        assert_eq!(
            (of("api-key").as_deref(), of("x").as_deref()),
            (Some("s3cret"), Some("y"))
        );
        assert_eq!(of("host").as_deref(), Some("mine:2"));
        assert_eq!(of("content-encoding"), None);
    }

    #[test]
    fn a_variable_that_cannot_be_used_changes_nothing() {
        let variables = [("OTEL_EXPORTER_OTLP_TIMEOUT", "soon")];
        let settings = resolved(OtlpBuilder::default(), &variables).unwrap();
        assert_eq!(settings.receiver.timeout, TIMEOUT);
    }

    #[test]
    fn receivers_are_local_by_default() {
        let address = |protocol| {
            let builder = OtlpBuilder::default().protocol(protocol);
            let receiver = resolved(builder, &[]).unwrap().receiver;
            (receiver.address.authority(), receiver.tls.is_some())
        };
        assert_eq!(
            address(OtlpProtocol::Http),
            ("localhost:4318".to_owned(), false)
        );
        assert_eq!(
            address(OtlpProtocol::Grpc),
            ("localhost:4317".to_owned(), false)
        );
    }

    #[test]
    fn grpc_without_scheme_is_encrypted_by_default() {
        let is_encrypted = |more: &[(&str, &str)]| {
            let usual = [
                ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317"),
                ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ];
            let settings = resolved(OtlpBuilder::default(), &[&usual, more].concat()).unwrap();
            settings.receiver.tls.is_some()
        };
        assert!(is_encrypted(&[]));
        assert!(!is_encrypted(&[("OTEL_EXPORTER_OTLP_INSECURE", "true")]));
    }

    #[test]
    fn what_cannot_be_is_an_error_without_secrets() {
        let builder = OtlpBuilder::default;
        let tls = || builder().endpoint("https://collector");
        for (unfit, problem) in [
            (builder().endpoint("http://s3cret@c"), "no address"),
            (builder().header("two words", "s3cret"), "a header"),
            (builder().header("api-key", "s3cret\n"), "a header"),
            (builder().prefix("1"), "no prefix"),
            (builder().constant_label("function", "f"), "constant label"),
            (
                tls().certificate("/none.pem"),
                "no certificate can be read from /none.pem",
            ),
            (builder().endpoint("https://a..b"), "no host"),
            (
                tls().client_certificate("/none.pem", "/no.key"),
                "no certificate can be read from /none.pem",
            ),
        ] {
            assert!(!format!("{unfit:?}").contains("s3cret"));
            let error = resolved(unfit, &[]).err().unwrap().to_string();
            assert!(
                error.contains(problem) && !error.contains("s3cret"),
                "{error}"
            );
        }
        assert!(
            resolved(
                builder().max_series(9).prefix("p").constant_label("t", "x"),
                &[]
            )
            .is_ok()
        );
    }
}

//! Where a receiver is. Pure.

use hyper::Uri;

use super::protocol::OtlpProtocol;
use crate::exporters::error::ExportError;

/// Where metrics go, and who said so.
#[derive(Clone, PartialEq)]
pub(super) enum Endpoint {
    /// By the environment, for metrics alone: taken as it is.
    Metrics(String),
    /// By the environment, for all signals: each has a path below it.
    Base(String),
    /// By the program: with a path of its own or with the usual one.
    Program(String),
}

/// The address of a receiver.
#[derive(Clone, PartialEq)]
pub(super) struct Address {
    pub(super) security: Security,
    /// Without the brackets of an IPv6 address.
    pub(super) host: String,
    pub(super) port: u16,
    /// As a request says it: over HTTP/1 without scheme and host.
    pub(super) uri: Uri,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Security {
    Plain,
    Tls,
}

const METRICS_PATH: &str = "/v1/metrics";
const GRPC_METHOD: &str = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";

impl Address {
    /// The address of an endpoint. `schemeless` is the security of one without `http` or `https`, which only gRPC allows.
    pub(super) fn of(
        endpoint: &Endpoint,
        protocol: OtlpProtocol,
        schemeless: Security,
    ) -> Result<Self, ExportError> {
        Self::parsed(endpoint, protocol, schemeless).ok_or_else(|| {
            // Not shown: it may hold a password.
            ExportError::new(
                "the endpoint of OTLP is no address as `http://collector:4318` is one; credentials go into headers \
                 (`.header(…)` or OTEL_EXPORTER_OTLP_HEADERS)",
            )
        })
    }

    fn parsed(endpoint: &Endpoint, protocol: OtlpProtocol, schemeless: Security) -> Option<Self> {
        let (Endpoint::Metrics(text) | Endpoint::Base(text) | Endpoint::Program(text)) = endpoint;
        let uri: Uri = text.trim().parse().ok()?;
        let security = match (uri.scheme_str(), protocol) {
            (Some("http"), _) => Security::Plain,
            (Some("https"), _) => Security::Tls,
            (None, OtlpProtocol::Grpc) => schemeless,
            _ => return None,
        };
        let authority = uri.authority()?.as_str();
        let (host, port) = (uri.host()?, uri.port_u16());
        // Without credentials, and without a port that is none.
        let is_whole = match port {
            Some(port) => authority == format!("{host}:{port}"),
            None => authority == host,
        };
        let default_port = match (security, protocol) {
            (_, OtlpProtocol::Grpc) => 4317,
            (Security::Plain, OtlpProtocol::Http) => 80,
            (Security::Tls, OtlpProtocol::Http) => 443,
        };
        let port = port.unwrap_or(default_port);
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let uri = match (protocol, endpoint) {
            (OtlpProtocol::Grpc, _) => {
                format!("{}://{host}:{port}{GRPC_METHOD}", security.scheme())
            }
            (OtlpProtocol::Http, Endpoint::Program(_)) if path == "/" => METRICS_PATH.to_owned(),
            (OtlpProtocol::Http, Endpoint::Base(_)) => {
                uri.path().trim_end_matches('/').to_owned() + METRICS_PATH
            }
            (OtlpProtocol::Http, _) => path.to_owned(),
        };
        is_whole.then_some(Self {
            security,
            host: host.trim_matches(['[', ']']).to_owned(),
            port,
            uri: uri.parse().ok()?,
        })
    }

    /// `host:port`, for a person and for headers.
    pub(super) fn authority(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }
}

impl Security {
    fn scheme(self) -> &'static str {
        match self {
            Self::Plain => "http",
            Self::Tls => "https",
        }
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;

    fn address(endpoint: Endpoint, protocol: OtlpProtocol) -> Option<(String, String)> {
        let address = Address::of(&endpoint, protocol, Security::Tls).ok()?;
        Some((address.authority(), address.uri.to_string()))
    }

    #[test]
    fn endpoints_of_http_have_paths() {
        let of = |endpoint| address(endpoint, OtlpProtocol::Http);
        let base = |text: &str| of(Endpoint::Base(text.to_owned()));
        let metrics = |text: &str| of(Endpoint::Metrics(text.to_owned()));
        let program = |text: &str| of(Endpoint::Program(text.to_owned()));
        let is = |authority: &str, path: &str| Some((authority.to_owned(), path.to_owned()));
        assert_eq!(base("http://c:1"), is("c:1", "/v1/metrics"));
        assert_eq!(base(" https://c/otlp/ "), is("c:443", "/otlp/v1/metrics"));
        assert_eq!(metrics("http://[::1]/m?x=1"), is("[::1]:80", "/m?x=1"));
        assert_eq!(metrics("http://c"), is("c:80", "/"));
        assert_eq!(program("http://c"), is("c:80", "/v1/metrics"));
        assert_eq!(program("http://c/mine"), is("c:80", "/mine"));
        for unfit in [
            "",
            "/v1",
            "c:4318",
            "ftp://c",
            "http://user:s3cret@c",
            "http://user@c:1",
            "http://c:99999",
            "http://",
        ] {
            assert_eq!(base(unfit), None, "{unfit}");
        }
    }

    #[test]
    fn endpoints_of_grpc_are_hosts() {
        let base = |text: &str| address(Endpoint::Base(text.to_owned()), OtlpProtocol::Grpc);
        let at = |authority: &str, uri: &str| {
            Some((authority.to_owned(), format!("{uri}{GRPC_METHOD}")))
        };
        assert_eq!(base("http://c:1/ignored"), at("c:1", "http://c:1"));
        assert_eq!(base("c:4317"), at("c:4317", "https://c:4317"));
        assert_eq!(
            base("https://[::1]"),
            at("[::1]:4317", "https://[::1]:4317")
        );
    }

    #[test]
    fn errors_show_no_endpoint() {
        let endpoint = Endpoint::Base("http://user:s3cret@c".to_owned());
        let error = Address::of(&endpoint, OtlpProtocol::Http, Security::Plain).err();
        let error = error.map(|error| error.to_string()).unwrap_or_default();
        assert!(
            error.contains("headers") && !error.contains("s3cret"),
            "{error}"
        );
    }
}

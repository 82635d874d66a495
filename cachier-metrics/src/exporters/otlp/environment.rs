//! The environment variables that all OpenTelemetry exporters share. Pure.
//!
//! By its specification a value that cannot be used is told, and counts as unset.

use std::path::PathBuf;
use std::time::Duration;

use super::endpoint::Endpoint;
use super::protocol::{OtlpCompression, OtlpProtocol};
use super::temporality::Temporality;
use super::tls::Files;

/// Looks variables up, and tells of those that cannot be used.
pub(super) struct Environment<'a> {
    pub(super) variable: &'a dyn Fn(&str) -> Option<String>,
    pub(super) tell: &'a dyn Fn(&str),
}

const PREFIX: &str = "OTEL_EXPORTER_OTLP_";
const PREFIX_OF_METRICS: &str = "OTEL_EXPORTER_OTLP_METRICS_";

impl Environment<'_> {
    pub(super) fn endpoint(&self) -> Option<Endpoint> {
        let of_metrics = self.set("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT");
        let base = || self.set("OTEL_EXPORTER_OTLP_ENDPOINT").map(Endpoint::Base);
        of_metrics.map(Endpoint::Metrics).or_else(base)
    }

    pub(super) fn protocol(&self) -> Option<OtlpProtocol> {
        self.parsed(
            "PROTOCOL",
            "`grpc` and `http/protobuf` are",
            |value| match value {
                "grpc" => Some(OtlpProtocol::Grpc),
                "http/protobuf" => Some(OtlpProtocol::Http),
                _ => None,
            },
        )
    }

    pub(super) fn compression(&self) -> Option<OtlpCompression> {
        self.parsed(
            "COMPRESSION",
            "`gzip` and `none` are",
            |value| match value {
                "gzip" => Some(OtlpCompression::Gzip),
                "none" => Some(OtlpCompression::None),
                _ => None,
            },
        )
    }

    pub(super) fn timeout(&self) -> Option<Duration> {
        self.parsed("TIMEOUT", MILLISECONDS, milliseconds)
    }

    /// Between two pushes.
    pub(super) fn interval(&self) -> Option<Duration> {
        let name = "OTEL_METRIC_EXPORT_INTERVAL";
        self.parsed_of(name, MILLISECONDS, milliseconds)
    }

    pub(super) fn temporality(&self) -> Option<Temporality> {
        let name = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE";
        let usable = "`cumulative`, `delta` and `lowmemory` are";
        self.parsed_of(name, usable, |value| match &*value.to_ascii_lowercase() {
            "cumulative" => Some(Temporality::Cumulative),
            "delta" => Some(Temporality::Delta),
            "lowmemory" => Some(Temporality::LowMemory),
            _ => None,
        })
    }

    /// Whether a gRPC endpoint that does not say so is spoken to without TLS.
    pub(super) fn is_insecure(&self) -> bool {
        let is_insecure = self.parsed("INSECURE", "`true` and `false` are", |value| {
            value.to_ascii_lowercase().parse().ok()
        });
        is_insecure.unwrap_or(false)
    }

    /// Paths of certificates and keys.
    pub(super) fn files(&self) -> Files {
        let file = |name| self.either(name).map(|(_, value)| PathBuf::from(value));
        Files {
            trusted: file("CERTIFICATE"),
            own: file("CLIENT_CERTIFICATE").zip(file("CLIENT_KEY")),
        }
    }

    pub(super) fn headers(&self) -> Vec<(String, String)> {
        let Some((name, value)) = self.either("HEADERS") else {
            return Vec::new();
        };
        self.pairs(&name, &value)
    }

    /// The attributes of the program that its environment sets.
    pub(super) fn resource_attributes(&self) -> Vec<(String, String)> {
        let name = "OTEL_RESOURCE_ATTRIBUTES";
        let value = self.set(name).unwrap_or_default();
        self.pairs(name, &value)
    }

    pub(super) fn service_name(&self) -> Option<String> {
        self.set("OTEL_SERVICE_NAME")
    }

    /// `key=value` between commas, the values percent-encoded; all of them or none.
    fn pairs(&self, name: &str, list: &str) -> Vec<(String, String)> {
        let pairs = list.split(',').map(str::trim);
        let pairs = pairs.filter(|pair| !pair.is_empty()).map(pair);
        pairs.collect::<Option<_>>().unwrap_or_else(|| {
            // Not shown: it may hold a token.
            self.tell(
                name,
                "it has pairs `key=value` between commas, with percent-encoded values",
            );
            Vec::new()
        })
    }

    fn parsed<T>(&self, name: &str, usable: &str, parse: fn(&str) -> Option<T>) -> Option<T> {
        let (name, value) = self.either(name)?;
        self.or_tell(&name, usable, parse(value.trim()))
    }

    fn parsed_of<T>(&self, name: &str, usable: &str, parse: fn(&str) -> Option<T>) -> Option<T> {
        let value = self.set(name)?;
        self.or_tell(name, usable, parse(value.trim()))
    }

    fn or_tell<T>(&self, name: &str, usable: &str, parsed: Option<T>) -> Option<T> {
        if parsed.is_none() {
            self.tell(name, &format!("{usable} usable here"));
        }
        parsed
    }

    /// The variable of metrics, or that of all signals, with its name.
    fn either(&self, name: &str) -> Option<(String, String)> {
        let names = [PREFIX_OF_METRICS, PREFIX].map(|prefix| format!("{prefix}{name}"));
        names.into_iter().find_map(|name| {
            let value = self.set(&name)?;
            Some((name, value))
        })
    }

    /// One that is set to nothing counts as unset.
    fn set(&self, name: &str) -> Option<String> {
        (self.variable)(name).filter(|value| !value.trim().is_empty())
    }

    fn tell(&self, name: &str, reason: &str) {
        (self.tell)(&format!(
            "{name} counts as unset, as it cannot be used: {reason}"
        ));
    }
}

const MILLISECONDS: &str = "whole milliseconds above zero are";

fn milliseconds(value: &str) -> Option<Duration> {
    let milliseconds = value.parse().ok().filter(|number| *number > 0);
    milliseconds.map(Duration::from_millis)
}

fn pair(pair: &str) -> Option<(String, String)> {
    let (key, value) = pair.split_once('=')?;
    let key = decoded(key.trim()).filter(|key| !key.is_empty())?;
    Some((key, decoded(value.trim())?))
}

/// Without its percent-encoding; none if that is no encoding of a text.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let (high, low) = (digit(bytes.next()?)?, digit(bytes.next()?)?);
                high << 4 | low
            }
            byte => byte,
        });
    }
    String::from_utf8(decoded).ok()
}

fn digit(byte: u8) -> Option<u8> {
    let digit = char::from(byte).to_digit(16)?;
    u8::try_from(digit).ok()
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use std::cell::RefCell;

    use super::*;

    /// Reads these variables; also returns the warnings.
    fn read<T>(
        variables: &[(&str, &str)],
        read: impl FnOnce(&Environment<'_>) -> T,
    ) -> (T, Vec<String>) {
        let told = RefCell::new(Vec::new());
        let variable = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let tell = |problem: &str| told.borrow_mut().push(problem.to_owned());
        let environment = Environment {
            variable: &variable,
            tell: &tell,
        };
        let read = read(&environment);
        (read, told.into_inner())
    }

    #[test]
    fn metrics_variables_override_those_of_all_signals() {
        let variables = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://all:1"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "http/protobuf"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
            ("OTEL_EXPORTER_OTLP_METRICS_COMPRESSION", "none"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "250"),
            ("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", " "),
            ("OTEL_METRIC_EXPORT_INTERVAL", "5000"),
            (
                "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE",
                "LowMemory",
            ),
            ("OTEL_EXPORTER_OTLP_INSECURE", "TRUE"),
            ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/ca.pem"),
            ("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "/own.pem"),
            ("OTEL_EXPORTER_OTLP_METRICS_CLIENT_KEY", "/own.key"),
            ("OTEL_SERVICE_NAME", "shop"),
        ];
        let (_, told) = read(&variables, |environment| {
            let endpoint = Endpoint::Base("http://all:1".to_owned());
            assert!(environment.endpoint() == Some(endpoint));
            assert_eq!(environment.protocol(), Some(OtlpProtocol::Http));
            assert_eq!(environment.compression(), Some(OtlpCompression::None));
            assert_eq!(environment.timeout(), Some(Duration::from_millis(250)));
            assert_eq!(environment.interval(), Some(Duration::from_secs(5)));
            assert_eq!(environment.temporality(), Some(Temporality::LowMemory));
            assert!(environment.is_insecure());
            let files = environment.files();
            assert_eq!(files.trusted, Some("/ca.pem".into()));
            assert_eq!(files.own, Some(("/own.pem".into(), "/own.key".into())));
            assert_eq!(environment.service_name().as_deref(), Some("shop"));
        });
        assert!(told.is_empty(), "{told:?}");
        let of_metrics = [("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://m:1")];
        let (endpoint, _) = read(&of_metrics, |all| all.endpoint());
        assert!(endpoint == Some(Endpoint::Metrics("http://m:1".to_owned())));
    }

    #[test]
    fn pairs_are_decoded() {
        let headers = [(
            "OTEL_EXPORTER_OTLP_HEADERS",
            "api-key=s3cr%65t=, x = a%2Cb ,,",
        )];
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let (pairs, _) = read(&headers, |all| all.headers());
        assert_eq!(pairs, [pair("api-key", "s3cret="), pair("x", "a,b")]);
        let attributes = [("OTEL_RESOURCE_ATTRIBUTES", "service.name=caf%C3%A9")];
        let (pairs, _) = read(&attributes, |all| all.resource_attributes());
        assert_eq!(pairs, [pair("service.name", "café")]);
        let (pairs, told) = read(&[], |environment| {
            (environment.headers(), environment.resource_attributes())
        });
        assert_eq!((pairs, told), ((vec![], vec![]), vec![]));
    }

    #[test]
    fn what_cannot_be_used_is_told_and_unset() {
        let settings = [
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "0"),
            ("OTEL_METRIC_EXPORT_INTERVAL", "soon"),
            ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "both"),
            ("OTEL_EXPORTER_OTLP_INSECURE", "perhaps"),
        ];
        let (_, told) = read(&settings, |environment| {
            assert_eq!(environment.protocol(), None);
            assert_eq!(environment.compression(), None);
            assert_eq!(environment.timeout(), None);
            assert_eq!(environment.interval(), None);
            assert_eq!(environment.temporality(), None);
            assert!(!environment.is_insecure());
        });
        assert_eq!(told.len(), settings.len());
        for ((name, _), told) in settings.iter().zip(&told) {
            assert!(
                told.starts_with(&format!("{name} counts as unset")),
                "{told}"
            );
        }
        for unfit in [
            "s3cret",
            "=s3cret",
            "k=%s3cret",
            "k=s3cret%f",
            "k=s3cret%ff",
            "k=s3cret,x",
        ] {
            let headers = [("OTEL_EXPORTER_OTLP_METRICS_HEADERS", unfit)];
            let (pairs, told) = read(&headers, |all| all.headers());
            assert_eq!((pairs.len(), told.len()), (0, 1), "{unfit}");
            assert!(!told[0].contains("s3cret"), "{told:?}");
        }
    }
}

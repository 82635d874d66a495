//! Exporters: each translates what one export has read, none computes figures of its own.

#[cfg(any(feature = "cloudwatch", feature = "otel"))]
mod block_on;
#[cfg_attr(
    not(feature = "prometheus"),
    expect(
        dead_code,
        unreachable_pub,
        reason = "only Prometheus has classic buckets"
    )
)]
mod buckets;
mod budget;
mod catalogue;
#[cfg(any(feature = "cloudwatch", feature = "emf"))]
mod cloudwatch;
#[cfg(any(
    feature = "cloudwatch",
    feature = "emf",
    feature = "metrics",
    feature = "statsd"
))]
mod deltas;
mod error;
mod export;
mod exporter;
#[cfg(feature = "metrics")]
mod facade;
mod family;
#[cfg(any(feature = "prometheus", feature = "statsd"))]
mod first_ok;
mod functions;
#[cfg_attr(
    not(feature = "prometheus"),
    expect(dead_code, unreachable_pub, reason = "only Prometheus has other names")
)]
mod naming;
#[cfg(feature = "otel")]
mod otlp;
#[cfg(any(
    feature = "cloudwatch",
    feature = "emf",
    feature = "metrics",
    feature = "otel",
    feature = "statsd"
))]
mod periodic;
mod points;
#[cfg(feature = "prometheus")]
mod prometheus;
mod reading;
mod registry;
#[cfg(any(
    feature = "cloudwatch",
    feature = "emf",
    feature = "metrics",
    feature = "otel",
    feature = "prometheus",
    feature = "statsd"
))]
mod scope;
#[cfg(any(
    feature = "cloudwatch",
    feature = "emf",
    feature = "metrics",
    feature = "otel",
    feature = "statsd"
))]
mod series;
#[cfg(feature = "statsd")]
mod statsd;

#[cfg(feature = "prometheus")]
pub use buckets::Detail;
#[cfg(feature = "cloudwatch")]
pub use cloudwatch::{CloudWatchBuilder, CloudWatchExporter};
#[cfg(feature = "emf")]
pub use cloudwatch::{EmfBuilder, EmfExporter};
pub use error::ExportError;
pub use export::Export;
pub use exporter::MetricsExporter;
#[cfg(feature = "metrics")]
pub use facade::{FacadeBuilder, FacadeExporter};
pub use family::{MetricFamily, MetricKind, MetricUnit, Sample, SampleValue};
#[cfg(feature = "prometheus")]
pub use naming::Naming;
#[cfg(feature = "otel")]
pub use otlp::{OtlpBuilder, OtlpCompression, OtlpExporter, OtlpProtocol, Temporality};
#[cfg(feature = "prometheus")]
pub use prometheus::{PrometheusBuilder, PrometheusExporter, check_metrics_address};
pub use registry::MetricsRegistry;
#[cfg(feature = "statsd")]
pub use statsd::{StatsdBuilder, StatsdDialect, StatsdExporter};

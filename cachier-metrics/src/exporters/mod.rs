//! Exporters: each translates what one export has read, none computes figures of its own.

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
mod error;
mod export;
mod exporter;
mod family;
mod functions;
#[cfg_attr(
    not(feature = "prometheus"),
    expect(dead_code, unreachable_pub, reason = "only Prometheus has other names")
)]
mod naming;
#[cfg(feature = "statsd")]
mod periodic;
mod points;
#[cfg(feature = "prometheus")]
mod prometheus;
mod reading;
mod registry;
#[cfg(any(feature = "prometheus", feature = "statsd"))]
mod scope;
#[cfg(feature = "statsd")]
mod statsd;
#[cfg(feature = "statsd")]
mod told;

#[cfg(feature = "prometheus")]
pub use buckets::Detail;
pub use error::ExportError;
pub use export::Export;
pub use exporter::MetricsExporter;
pub use family::{MetricFamily, MetricKind, MetricUnit, Sample, SampleValue};
#[cfg(feature = "prometheus")]
pub use naming::Naming;
#[cfg(feature = "prometheus")]
pub use prometheus::{PrometheusBuilder, PrometheusExporter};
pub use registry::MetricsRegistry;
#[cfg(feature = "statsd")]
pub use statsd::{StatsdBuilder, StatsdDialect, StatsdExporter};

//! The OpenTelemetry exporter: the figures as OTLP, over HTTP and gRPC.
//!
//! Not by the SDK of OpenTelemetry, which takes no ready histograms: its messages are made here.

mod builder;
mod client;
mod endpoint;
mod environment;
mod exporter;
mod grpc;
mod http;
mod names;
mod protocol;
mod requests;
mod resource;
mod retry;
mod temporality;
mod tls;

pub use self::builder::OtlpBuilder;
pub use self::exporter::OtlpExporter;
pub use self::protocol::{OtlpCompression, OtlpProtocol};
pub use self::temporality::Temporality;

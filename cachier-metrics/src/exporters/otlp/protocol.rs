//! How OTLP is sent.

/// How OTLP is spoken.
///
/// ```
/// use cachier_metrics::{OtlpExporter, OtlpProtocol};
///
/// let exporter = OtlpExporter::builder().protocol(OtlpProtocol::Grpc).build()?;
/// # drop(exporter);
/// # Ok::<(), cachier_metrics::ExportError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OtlpProtocol {
    /// Protobuf over HTTP/1.1: port 4318 as a rule.
    #[default]
    Http,
    /// gRPC: port 4317 as a rule.
    Grpc,
}

/// Whether requests of OTLP are compressed.
///
/// ```
/// use cachier_metrics::{OtlpCompression, OtlpExporter};
///
/// let exporter = OtlpExporter::builder().compression(OtlpCompression::Gzip).build()?;
/// # drop(exporter);
/// # Ok::<(), cachier_metrics::ExportError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OtlpCompression {
    /// As they are.
    #[default]
    None,
    /// A tenth of the size.
    Gzip,
}

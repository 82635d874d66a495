//! Whom the exporter trusts.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

use super::OtlpProtocol;
use crate::exporters::error::ExportError;

/// How a receiver is spoken to over TLS, and the name that its certificate must have.
#[derive(Clone)]
pub(super) struct Tls {
    pub(super) connector: TlsConnector,
    pub(super) name: ServerName<'static>,
}

impl Tls {
    /// Trusts the certificates of a file, or else those of the system.
    pub(super) fn new(
        host: &str,
        protocol: OtlpProtocol,
        certificates: Option<&Path>,
    ) -> Result<Self, ExportError> {
        let name = ServerName::try_from(host.to_owned()).map_err(|_| {
            ExportError::new(format!(
                "`{host}` is no host that a certificate could be for"
            ))
        })?;
        let roots = match certificates {
            Some(file) => of_file(file)?,
            None => of_the_system(),
        };
        let provider = Arc::new(ring::default_provider());
        let versions =
            ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = versions.expect("ring speaks all versions of TLS that there are");
        let mut config = builder.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = match protocol {
            OtlpProtocol::Http => vec![b"http/1.1".to_vec()],
            OtlpProtocol::Grpc => vec![b"h2".to_vec()],
        };
        Ok(Self {
            connector: Arc::new(config).into(),
            name,
        })
    }
}

fn of_file(file: &Path) -> Result<RootCertStore, ExportError> {
    let mut roots = RootCertStore::empty();
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let certificates = read.unwrap_or_default();
    match roots.add_parsable_certificates(certificates) {
        (0, _) => Err(ExportError::new(format!(
            "no certificate can be read from {}: a file in PEM has one after `-----BEGIN CERTIFICATE-----`",
            file.display()
        ))),
        _ => Ok(roots),
    }
}

/// Without any, no receiver is trusted.
fn of_the_system() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

//! Whom the exporter trusts.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

use super::protocol::OtlpProtocol;
use crate::exporters::error::ExportError;

/// How a receiver is spoken to over TLS, and the name that its certificate must have.
#[derive(Clone)]
pub(super) struct Tls {
    pub(super) connector: TlsConnector,
    pub(super) name: ServerName<'static>,
}

/// Files in PEM.
#[derive(Clone, Debug, Default)]
pub(super) struct Files {
    /// Certificates that are trusted instead of the system's.
    pub(super) trusted: Option<PathBuf>,
    /// The exporter's own certificate, and its key.
    pub(super) own: Option<(PathBuf, PathBuf)>,
}

impl Tls {
    /// Trusts the certificates of a file, or else those of the system; shows its own, if it has one.
    pub(super) fn new(
        host: &str,
        protocol: OtlpProtocol,
        files: &Files,
    ) -> Result<Self, ExportError> {
        let unfit = format!("`{host}` is no host that a certificate could be for");
        let name = ServerName::try_from(host.to_owned()).ok();
        let name = name.ok_or(ExportError::new(unfit))?;
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(match &files.trusted {
            Some(file) => certificates(file)?,
            // Without any, no receiver is trusted.
            None => rustls_native_certs::load_native_certs().certs,
        });
        let provider = Arc::new(ring::default_provider());
        let versions =
            ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = versions.expect("ring speaks all versions of TLS that there are");
        let builder = builder.with_root_certificates(roots);
        let mut config = match &files.own {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let (chain, private) = (
                    certificates(certificate)?,
                    PrivateKeyDer::from_pem_file(key),
                );
                let private = private.map_err(|_| unreadable("key", key))?;
                let own = builder.with_client_auth_cert(chain, private);
                own.map_err(|_| unreadable("key of its certificate", key))?
            }
        };
        config.alpn_protocols = match protocol {
            OtlpProtocol::Http => vec![b"http/1.1".to_vec()],
            OtlpProtocol::Grpc => vec![b"h2".to_vec()],
        };
        // Sessions are kept behind a lock, which a forked child could inherit locked.
        config.resumption = Resumption::disabled();
        Ok(Self {
            connector: Arc::new(config).into(),
            name,
        })
    }
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, ExportError> {
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let all = read.ok().filter(|all| !all.is_empty());
    all.ok_or_else(|| unreadable("certificate", file))
}

fn unreadable(what: &str, file: &Path) -> ExportError {
    let file = file.display();
    ExportError::new(format!("no {what} can be read from {file}, a file in PEM"))
}

//! A server with TLS.

use super::certificate::Certificate;
use super::single::serve;
use crate::{Server, free_port};

/// A server with TLS.
#[derive(Debug)]
pub struct Tls {
    _server: Server,
    /// Its address.
    pub url: String,
    /// Its certificate, as PEM.
    pub certificate: Vec<u8>,
}

/// A new server with its own certificate; `None` if the programs are not installed.
///
/// # Panics
/// When no certificate can be made.
#[must_use]
pub fn start_tls() -> Option<Tls> {
    let (certificate, port) = (Certificate::new()?, free_port());
    let options = certificate.options(port);
    let options: Vec<_> = options.iter().map(String::as_str).collect();
    let server = serve("redis-server", free_port(), &options)?;
    Some(Tls {
        _server: server,
        url: format!("rediss://localhost:{port}"),
        certificate: std::fs::read(certificate.path()).expect("the certificate"),
    })
}

//! Certificates for TLS servers.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::installed::installed;
use crate::folder;

/// A self-signed certificate for a local server.
#[derive(Debug)]
pub(super) struct Certificate(TempDir);

impl Certificate {
    /// A new certificate; `None` without `openssl`.
    pub(super) fn new() -> Option<Self> {
        let made = Self(folder());
        let request = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost \
                       -addext subjectAltName=DNS:localhost,IP:127.0.0.1 \
                       -addext basicConstraints=critical,CA:FALSE";
        let done = Command::new(installed("openssl")?)
            .args(request.split_whitespace())
            .arg("-keyout")
            .arg(made.key())
            .arg("-out")
            .arg(made.path())
            .output()
            .expect("openssl runs");
        assert!(done.status.success(), "{done:?}");
        Some(made)
    }

    /// Its path, as PEM.
    pub(super) fn path(&self) -> PathBuf {
        self.0.path().join("certificate.pem")
    }

    fn key(&self) -> PathBuf {
        self.0.path().join("key.pem")
    }

    /// Server options for TLS on this port.
    pub(super) fn options(&self, port: u16) -> Vec<String> {
        let text = |path: PathBuf| Path::display(&path).to_string();
        let port = port.to_string();
        let (certificate, key) = (text(self.path()), text(self.key()));
        let options = [
            ["--tls-port", &port],
            ["--tls-auth-clients", "no"],
            ["--tls-cert-file", &certificate],
            ["--tls-key-file", &key],
            ["--tls-ca-cert-file", &certificate],
        ];
        options.concat().into_iter().map(str::to_owned).collect()
    }
}

//! An endpoint behind TLS, with a certificate of a private authority.

use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;

use crate::program::serving;

/// `ca.pem` in a folder, and a certificate of it for `localhost`; `false`, said, without `openssl`.
fn make_certificates(folder: &Path) -> bool {
    for request in [
        "-nodes -days 2 -subj /CN=authority -addext basicConstraints=critical,CA:TRUE -keyout ca.key -out ca.pem",
        "-nodes -days 2 -subj /CN=server -addext subjectAltName=DNS:localhost -addext basicConstraints=critical,CA:FALSE \
         -CA ca.pem -CAkey ca.key -keyout key.pem -out certificate.pem",
        "-nodes -days 2 -subj /CN=stranger -addext basicConstraints=critical,CA:TRUE -keyout other.key -out other.pem",
    ] {
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "rsa:2048"])
            .args(request.split_whitespace())
            .current_dir(folder)
            .output();
        let Ok(made) = made else {
            let _ = writeln!(
                std::io::stderr(),
                "skipped: openssl is not installed (`apt install openssl`)"
            );
            assert!(
                std::env::var_os("CACHIER_TEST_REQUIRE").is_none(),
                "CACHIER_TEST_REQUIRE is set, and openssl is not installed"
            );
            return false;
        };
        assert!(made.status.success(), "{made:?}");
    }
    true
}

/// Hands what comes over TLS on to an endpoint, until the runtime is dropped.
fn serve_with_tls(folder: &Path, endpoint: SocketAddr) -> (Runtime, u16) {
    let certificate = CertificateDer::from_pem_file(folder.join("certificate.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(folder.join("key.pem")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let runtime = Runtime::new().unwrap();
    let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)));
    let listener = listener.unwrap();
    let port = listener.local_addr().unwrap().port();
    runtime.spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                // One that does not trust it says so itself.
                let Ok(mut client) = acceptor.accept(client).await else {
                    return;
                };
                let mut server = TcpStream::connect(endpoint).await.unwrap();
                let _ = copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    (runtime, port)
}

fn top(address: &str, authority: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cachier"))
        .args(["top", "--once", address])
        // What the system trusts, as far as a program asks it.
        .env("SSL_CERT_FILE", authority)
        .env_remove("SSL_CERT_DIR")
        .output()
        .unwrap()
}

#[test]
fn private_authorities_are_trusted_as_the_system_does() {
    let folder = tempfile::tempdir().unwrap();
    if !make_certificates(folder.path()) {
        return;
    }
    let (_exporter, endpoint) = serving();
    let (_runtime, port) = serve_with_tls(folder.path(), endpoint);
    let address = format!("https://localhost:{port}");
    let shown = top(&address, &folder.path().join("ca.pem"));
    let table = String::from_utf8_lossy(&shown.stdout);
    assert!(
        shown.status.success() && table.contains("shop::price"),
        "{shown:?}"
    );
    let other_name = format!("https://127.0.0.1:{port}");
    for (address, authority) in [(&address, "other.pem"), (&other_name, "ca.pem")] {
        let refused = top(address, &folder.path().join(authority));
        let complained = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(1));
        assert!(
            complained.contains("no TLS: invalid peer certificate"),
            "{complained}"
        );
    }
}

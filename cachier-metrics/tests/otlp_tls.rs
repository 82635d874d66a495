//! The OpenTelemetry exporter over TLS.
#![cfg(all(feature = "otel", not(shuttle)))]
#![allow(clippy::unwrap_used)]

use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use cachier_metrics::*;

#[path = "support/busy.rs"]
#[allow(dead_code, reason = "not all tests need all of it")]
mod busy;
#[path = "support/collector.rs"]
#[allow(dead_code, reason = "not all tests need all of it")]
mod collector;

use busy::metrics;
use collector::{Collector, Speaks};

/// A certificate in a folder for this machine; `false`, said, without `openssl`.
fn make_certificate(folder: &Path) -> bool {
    let request = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost \
                   -addext subjectAltName=DNS:localhost,IP:127.0.0.1 \
                   -addext basicConstraints=critical,CA:FALSE -keyout key.pem -out certificate.pem";
    let made = Command::new("openssl")
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
    true
}

#[test]
fn a_receiver_is_trusted_by_its_certificate() {
    let folder = tempfile::tempdir().unwrap();
    if !make_certificate(folder.path()) {
        return;
    }
    for (speaks, protocol) in [
        (Speaks::Http, OtlpProtocol::Http),
        (Speaks::Grpc, OtlpProtocol::Grpc),
    ] {
        let collector = Collector::start_with_tls(folder.path(), speaks, false);
        let builder = || {
            let port = collector.address.port();
            let builder = OtlpExporter::builder().endpoint(format!("https://localhost:{port}"));
            builder.protocol(protocol)
        };
        let trusting = builder().certificate(folder.path().join("certificate.pem"));
        let exporter = trusting.build().unwrap();
        exporter.register_function(metrics("safe").0).unwrap();
        exporter.flush().unwrap();
        assert_eq!(collector.requests().len(), 1);
        // The system does not know it.
        let other = builder().timeout(std::time::Duration::from_millis(300));
        let error = other.build().unwrap().flush().unwrap_err().to_string();
        assert!(error.contains("certificate"), "{error}");
        assert_eq!(collector.requests().len(), 1);
    }
}

#[test]
fn a_receiver_may_ask_who_sends() {
    let folder = tempfile::tempdir().unwrap();
    if !make_certificate(folder.path()) {
        return;
    }
    let (certificate, key) = (
        folder.path().join("certificate.pem"),
        folder.path().join("key.pem"),
    );
    let collector = Collector::start_with_tls(folder.path(), Speaks::Http, true);
    let builder = || {
        let endpoint = format!("https://localhost:{}", collector.address.port());
        let builder = OtlpExporter::builder()
            .endpoint(endpoint)
            .certificate(&certificate);
        builder.timeout(std::time::Duration::from_millis(300))
    };
    let exporter = builder()
        .client_certificate(&certificate, &key)
        .build()
        .unwrap();
    exporter.flush().unwrap();
    assert_eq!(collector.requests().len(), 1);
    assert!(builder().build().unwrap().flush().is_err());
    assert_eq!(collector.requests().len(), 1);
    // Neither a file that holds no key nor the key of another.
    let error = builder()
        .client_certificate(&certificate, &certificate)
        .build()
        .unwrap_err();
    assert!(error.to_string().contains("no key can be read"), "{error}");
    let other = tempfile::tempdir().unwrap();
    assert!(make_certificate(other.path()));
    let error = builder()
        .client_certificate(&certificate, other.path().join("key.pem"))
        .build();
    let error = error.unwrap_err().to_string();
    assert!(error.contains("no key of its certificate"), "{error}");
}

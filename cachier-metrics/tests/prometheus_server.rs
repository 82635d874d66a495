//! The Prometheus exporter from outside: to whom it says what it says, and how it stands up to bad clients.
#![cfg(all(feature = "prometheus", not(shuttle)))]
#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};

use cachier_metrics::*;

fn metrics(name: &str) -> &'static CacheMetrics {
    CacheMetrics::create(MetricsOptions {
        clock: Clock::manual(),
        listed: false,
        ..MetricsOptions::new(name, "file")
    })
}

fn exporter() -> PrometheusExporter {
    PrometheusExporter::builder().port(0).build().unwrap()
}

fn ask(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn get(address: SocketAddr, path: &str) -> String {
    ask(
        address,
        &format!("GET {path} HTTP/1.1\r\nHost: here\r\n\r\n"),
    )
}

fn serving(metrics: &'static CacheMetrics) -> (PrometheusExporter, SocketAddr) {
    let exporter = exporter();
    exporter.register_function(metrics).unwrap();
    exporter.start().unwrap();
    let address = exporter.local_addr().unwrap();
    (exporter, address)
}

#[test]
fn it_serves_get_and_head_at_its_path_and_nothing_else() {
    let (exporter, address) = serving(metrics("served"));
    let answer = get(address, "/metrics");
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert!(answer.contains("content-type: text/plain; version=0.0.4; charset=utf-8"));
    assert!(answer.ends_with(&exporter.render()));
    let head = ask(address, "HEAD /metrics HTTP/1.1\r\nHost: here\r\n\r\n");
    assert!(
        head.starts_with("HTTP/1.1 200 OK") && head.ends_with("\r\n\r\n"),
        "{head}"
    );
    let post = ask(
        address,
        "POST /metrics HTTP/1.1\r\nHost: here\r\nContent-Length: 0\r\n\r\n",
    );
    assert!(
        post.starts_with("HTTP/1.1 405") && post.contains("allow: GET, HEAD"),
        "{post}"
    );
    assert!(get(address, "/other").starts_with("HTTP/1.1 404"));
    assert!(get(address, "/metrics?x=1").starts_with("HTTP/1.1 200"));
}

#[test]
fn slow_and_broken_clients_block_nobody() {
    let (_exporter, address) = serving(metrics("patient"));
    let slow: Vec<_> = (0..20)
        .map(|_| {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.write_all(b"GET /metr").unwrap();
            stream
        })
        .collect();
    assert!(get(address, "/metrics").starts_with("HTTP/1.1 200"));
    let long = format!(
        "GET /metrics HTTP/1.1\r\nHost: {}\r\n\r\n",
        "x".repeat(100_000)
    );
    let mut stream = TcpStream::connect(address).unwrap();
    // The server may hang up before it has read everything.
    let _ = stream.write_all(long.as_bytes());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP/1.1 200"));
    assert!(get(address, "/metrics").starts_with("HTTP/1.1 200"));
    drop(slow);
}

#[test]
fn it_can_be_stopped_and_started_again() {
    let (exporter, address) = serving(metrics("restarted"));
    let error = exporter.start().unwrap_err();
    assert_eq!(
        error.to_string(),
        "the Prometheus exporter has been started already"
    );
    assert!(std::error::Error::source(&error).is_none());
    exporter.stop();
    assert_eq!(exporter.local_addr(), None);
    assert!(TcpStream::connect(address).is_err());
    exporter.start().unwrap();
    assert!(get(exporter.local_addr().unwrap(), "/metrics").starts_with("HTTP/1.1 200"));
}

#[test]
fn an_address_that_cannot_be_had_is_an_error_that_names_it() {
    let (_exporter, address) = serving(metrics("first"));
    let second = PrometheusExporter::builder()
        .port(address.port())
        .build()
        .unwrap();
    let error = second.start().unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with(&format!("cannot serve metrics at {address}: ")),
        "{error}"
    );
    assert!(std::error::Error::source(&error).is_some());
    let path = PrometheusExporter::builder()
        .path("metrics")
        .build()
        .unwrap_err();
    assert_eq!(
        path.to_string(),
        "the path `metrics` of the metrics does not begin with `/`"
    );
}

#[test]
fn host_and_path_can_be_chosen() {
    let exporter = PrometheusExporter::builder()
        .host("::1")
        .port(0)
        .path("/m")
        .build()
        .unwrap();
    match exporter.start() {
        Ok(()) => {
            let address = exporter.local_addr().unwrap();
            assert!(address.is_ipv6() && get(address, "/m").starts_with("HTTP/1.1 200"));
        }
        Err(error) => assert!(
            error
                .to_string()
                .starts_with("cannot serve metrics at [::1]:0: ")
        ),
    }
}

/// Environment variables are set for a process of its own: the test runs itself.
#[test]
fn the_environment_overrides_the_address() {
    const INSIDE: &str = "CACHIER_TEST_EXPECTED";
    if let Ok(expected) = std::env::var(INSIDE) {
        let exporter = PrometheusExporter::builder().host("192.0.2.1").build();
        let outcome = exporter.and_then(|exporter| exporter.start());
        assert_eq!(
            outcome
                .err()
                .map(|error| error.to_string())
                .unwrap_or_default(),
            expected
        );
        return;
    }
    for (address, expected) in [
        ("127.0.0.1:0", ""),
        ("9464", "CACHIER_METRICS_ADDR is `9464`, not `host:port`"),
        (":9464", "CACHIER_METRICS_ADDR is `:9464`, not `host:port`"),
        (
            "localhost:99999",
            "CACHIER_METRICS_ADDR is `localhost:99999`, not `host:port`",
        ),
    ] {
        let this = std::env::current_exe().unwrap();
        let status = Command::new(this)
            .args(["--exact", "the_environment_overrides_the_address"])
            .envs([("CACHIER_METRICS_ADDR", address), (INSIDE, expected)])
            .stdout(Stdio::null())
            .status();
        assert!(status.unwrap().success(), "{address}");
    }
}

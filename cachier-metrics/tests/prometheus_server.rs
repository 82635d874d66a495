//! The Prometheus exporter: access, and bad clients.
#![cfg(all(feature = "prometheus", not(shuttle)))]
#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use cachier_metrics::*;

fn metrics(name: &str) -> &'static CacheMetrics {
    CacheMetrics::create(
        MetricsOptions::new(name, "file")
            .clock(Clock::manual())
            .unlisted(),
    )
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
        &format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"),
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
fn it_serves_only_get_and_head() {
    let (exporter, address) = serving(metrics("served"));
    let answer = get(address, "/metrics");
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert!(answer.contains("content-type: text/plain; version=0.0.4; charset=utf-8"));
    let content_type = format!("content-type: {}\r\n", PrometheusExporter::CONTENT_TYPE);
    assert!(answer.contains(&content_type), "{answer}");
    assert!(answer.ends_with(&exporter.render()));
    let head = ask(address, "HEAD /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert!(
        head.starts_with("HTTP/1.1 200 OK") && head.ends_with("\r\n\r\n"),
        "{head}"
    );
    let post = ask(
        address,
        "POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n",
    );
    assert!(
        post.starts_with("HTTP/1.1 405") && post.contains("allow: GET, HEAD"),
        "{post}"
    );
    assert!(get(address, "/other").starts_with("HTTP/1.1 404"));
    assert!(get(address, "/metrics?x=1").starts_with("HTTP/1.1 200"));
}

/// A scrape is answered within a second.
fn scrape(address: SocketAddr) {
    let started = Instant::now();
    assert!(get(address, "/metrics").starts_with("HTTP/1.1 200"));
    let took = started.elapsed();
    assert!(took < Duration::from_secs(1), "{took:?}");
}

/// Clients that have sent this much, and wait.
fn clients(address: SocketAddr, count: usize, sent: &str) -> Vec<TcpStream> {
    let client = |_| {
        let mut stream = TcpStream::connect(address).unwrap();
        // The server may have closed the connection of the last ones already.
        let _ = stream.write_all(sent.as_bytes());
        stream
    };
    (0..count).map(client).collect()
}

const REQUEST: &str = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";

#[test]
fn idle_connections_delay_no_scrape() {
    let (_exporter, address) = serving(metrics("idle"));
    let _idle = clients(address, 64, "");
    scrape(address);
    let _more = clients(address, 300, "");
    scrape(address);
}

#[test]
fn half_sent_headers_delay_no_scrape() {
    let (_exporter, address) = serving(metrics("half_sent"));
    for sent in [
        "G",
        "GET /metrics HTTP/1.1\r\n",
        &REQUEST[..REQUEST.len() - 2],
    ] {
        let _slow = clients(address, 100, sent);
        scrape(address);
    }
}

#[test]
fn clients_that_never_read_delay_no_scrape() {
    let (exporter, address) = serving(metrics("unread"));
    for number in 0..4 {
        let metrics = metrics(&format!("unread_{number}"));
        exporter.register_function(metrics).unwrap();
    }
    let _deaf = clients(address, 64, REQUEST);
    scrape(address);
}

/// Reconnects whenever the server closes the connection.
fn comes_back(address: SocketAddr, is_over: &AtomicBool) {
    let is_open = |mut stream: &TcpStream| {
        let read = stream.read(&mut [0]);
        read.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
    };
    while !is_over.load(Ordering::Relaxed) {
        let stream = TcpStream::connect(address).unwrap();
        let limit = Some(Duration::from_millis(100));
        stream.set_read_timeout(limit).unwrap();
        while is_open(&stream) && !is_over.load(Ordering::Relaxed) {
            thread::yield_now();
        }
    }
}

#[test]
fn idle_connections_that_come_back_delay_no_scrape() {
    let (_exporter, address) = serving(metrics("coming_back"));
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..300 {
            scope.spawn(|| comes_back(address, &is_over));
        }
        let scrapes = std::panic::catch_unwind(|| (0..20).for_each(|_| scrape(address)));
        is_over.store(true, Ordering::Relaxed);
        scrapes.unwrap();
    });
}

#[test]
fn too_long_a_header_is_refused() {
    let (_exporter, address) = serving(metrics("too_long"));
    let long = "x".repeat(100_000);
    let mut stream = TcpStream::connect(address).unwrap();
    // The server may close the connection before it has read everything.
    let _ = write!(stream, "GET /metrics HTTP/1.1\r\nHost: {long}\r\n\r\n");
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP/1.1 200"));
    scrape(address);
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
fn an_unavailable_address_is_named() {
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

/// The status of the response to a request with these header lines.
fn status(address: SocketAddr, lines: &[&str]) -> u16 {
    let answer = ask(address, &format!("{}\r\n\r\n", lines.join("\r\n")));
    answer[9..12].parse().unwrap()
}

#[test]
fn only_hosts_that_are_allowed_are_answered() {
    let exporter = PrometheusExporter::builder()
        .host("localhost")
        .port(0)
        .allow_host("Metrics.Example:9464")
        .allow_host("127.0.0.1")
        .build()
        .unwrap();
    exporter.start().unwrap();
    let address = exporter.local_addr().unwrap();
    let get = "GET /metrics HTTP/1.1";
    for (expected, lines) in [
        (200, &[get, "Host: 127.0.0.1"] as &[&str]),
        (200, &[get, "Host: 127.0.0.1:9464"]),
        (200, &[get, "Host: 192.0.2.1"]),
        (200, &[get, "Host: [::1]"]),
        (200, &[get, "host: [2001:db8::1]:9464"]),
        (200, &[get, "Host: localhost"]),
        (200, &[get, "Host: LocalHost:1"]),
        (200, &[get, "Host: localhost."]),
        (200, &[get, "Host: metrics.example"]),
        (200, &[get, "Host: METRICS.EXAMPLE.:80"]),
        (403, &[get, "Host: evil.example"]),
        (403, &[get, "Host: evil.example:9464"]),
        (403, &[get, "Host: localhost.evil.example"]),
        (403, &[get, "Host: 127.0.0.1.evil.example"]),
        (403, &[get, "Host: sub.metrics.example"]),
        (403, &[get, "Host: evil-localhost"]),
        (400, &[get]),
        (400, &[get, "Host:"]),
        (400, &[get, "Host: ::1"]),
        (400, &[get, "Host: [evil.example]"]),
        (400, &[get, "Host: localhost@evil.example"]),
        (400, &[get, "Host: localhost", "Host: evil.example"]),
        (400, &[get, "Host: localhost", "Host: localhost"]),
        (200, &["GET /metrics HTTP/1.0"]),
        (403, &["GET /metrics HTTP/1.0", "Host: evil.example"]),
        (
            200,
            &["GET http://localhost/metrics HTTP/1.1", "Host: localhost"],
        ),
        (
            200,
            &["GET http://[::1]:9464/metrics HTTP/1.1", "Host: [::1]:9464"],
        ),
        (
            403,
            &[
                "GET http://evil.example/metrics HTTP/1.1",
                "Host: localhost",
            ],
        ),
        (
            403,
            &[
                "GET http://localhost/metrics HTTP/1.1",
                "Host: evil.example",
            ],
        ),
        (400, &["GET http://localhost/metrics HTTP/1.1"]),
        (403, &["GET /other HTTP/1.1", "Host: evil.example"]),
        (
            403,
            &[
                "POST /metrics HTTP/1.1",
                "Host: evil.example",
                "Content-Length: 0",
            ],
        ),
    ] {
        assert_eq!(status(address, lines), expected, "{lines:?}");
    }
}

#[test]
fn a_refusal_says_what_to_set() {
    let (exporter, address) = serving(metrics("refusing"));
    let refused = ask(
        address,
        "GET /metrics HTTP/1.1\r\nHost: App.Example:80\r\n\r\n",
    );
    assert!(refused.contains("content-type: text/plain; charset=utf-8"));
    assert!(
        refused.ends_with("allow it: PrometheusExporter::builder().allow_host(\"app.example\")\n"),
        "{refused}"
    );
    assert!(!refused.contains("cachier_"), "{refused}");
    drop(exporter);
    let url = PrometheusExporter::builder().allow_host("http://app.example");
    assert_eq!(
        url.build().unwrap_err().to_string(),
        "`http://app.example` is no host to allow, as `app.internal` would be one"
    );
}

/// Environment variables need a process of their own: the test runs itself.
#[test]
fn the_environment_replaces_the_default_address_alone() {
    const INSIDE: &str = "CACHIER_TEST_GIVEN";
    if let Ok(given) = std::env::var(INSIDE) {
        let builder = PrometheusExporter::builder();
        let builder = match given.as_str() {
            "host and port" => builder.host("127.0.0.1").port(0),
            "port" => builder.port(0),
            "host" => builder.host("192.0.2.1"),
            _ => builder,
        };
        let outcome = builder.build().and_then(|exporter| exporter.start());
        let is_malformed = outcome
            .as_ref()
            .is_err_and(|error| error.to_string().contains("not `host:port`"));
        assert_eq!(check_metrics_address().is_err(), is_malformed);
        let outcome = outcome.map_or_else(|error| error.to_string(), |()| "served".to_owned());
        let expected = std::env::var("CACHIER_TEST_EXPECTED").unwrap();
        assert!(outcome.starts_with(&expected), "{outcome}");
        return;
    }
    // Nobody can listen on a documentation address.
    for (given, address, expected) in [
        ("", "127.0.0.1:0", "served"),
        ("", "192.0.2.1:1", "cannot serve metrics at 192.0.2.1:1: "),
        ("port", "192.0.2.1:1", "served"),
        (
            "host",
            "127.0.0.1:1",
            "cannot serve metrics at 192.0.2.1:9464: ",
        ),
        ("host and port", "192.0.2.1:1", "served"),
        ("port", "nonsense", "served"),
        (
            "",
            "9464",
            "CACHIER_METRICS_ADDR is `9464`, not `host:port`",
        ),
        (
            "",
            ":9464",
            "CACHIER_METRICS_ADDR is `:9464`, not `host:port`",
        ),
        (
            "",
            "localhost:99999",
            "CACHIER_METRICS_ADDR is `localhost:99999`, not `host:port`",
        ),
    ] {
        let this = std::env::current_exe().unwrap();
        let status = Command::new(this)
            .args([
                "--exact",
                "the_environment_replaces_the_default_address_alone",
            ])
            .envs([("CACHIER_METRICS_ADDR", address), (INSIDE, given)])
            .env("CACHIER_TEST_EXPECTED", expected)
            .stdout(Stdio::null())
            .status();
        assert!(status.unwrap().success(), "{given}: {address}");
    }
}

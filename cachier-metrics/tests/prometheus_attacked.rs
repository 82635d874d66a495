//! The Prometheus exporter under attack: whatever clients do, a scraper is answered within a second.
#![cfg(all(feature = "prometheus", not(shuttle)))]
#![allow(clippy::unwrap_used)]

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::panic::catch_unwind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use cachier_metrics::*;

#[allow(dead_code, reason = "not all tests need all of it")]
#[path = "support/busy.rs"]
mod busy;
#[allow(dead_code, reason = "not all tests need all of it")]
#[path = "support/client.rs"]
mod client;

use busy::in_use_for_long;
use client::get;

const SCRAPE_LIMIT: Duration = Duration::from_secs(1);
/// Far longer than a refusal takes; the server gives up half a request sooner.
const ANSWER_LIMIT: Duration = Duration::from_secs(20);
/// Far more than the connections that are served at once.
const CLIENTS: usize = 500;
/// The pause of each of them before it goes on.
const SLOWNESS: Duration = Duration::from_millis(5);

/// An endpoint whose figures are more than a system buffers for a client.
fn serving(builder: PrometheusBuilder) -> (PrometheusExporter, SocketAddr) {
    let (exporter, address) = client::serving(builder);
    for number in 0..20 {
        let (busy, _running) = in_use_for_long(&format!("attacked_{number}"));
        exporter.register_function(busy).unwrap();
    }
    (exporter, address)
}

/// Asks for all figures, and gets them all within a second.
fn scrape(address: SocketAddr) {
    let started = Instant::now();
    let answer = get(address, "/metrics", "");
    let took = started.elapsed();
    assert_eq!(answer.status(), 200);
    assert!(
        answer
            .text()
            .ends_with("export_folded_functions{exporter=\"prometheus\"} 0\n"),
        "{} bytes",
        answer.body.len()
    );
    assert!(took < SCRAPE_LIMIT, "{took:?}");
}

/// One of many clients that are slow on purpose, each in its own way. It connects again whenever the server ends it.
struct SlowClient {
    stream: TcpStream,
    kind: usize,
    sent: usize,
}

const REQUESTS: [&str; 5] = [
    // Asks nothing.
    "",
    // Asks byte by byte.
    "GET /metrics HTTP/1.1\r\nHost: localhost\r\nX-Padding: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    // These never read what they ask for, or a byte at a time.
    "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "GET /stats.json HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept: application/openmetrics-text\r\nAccept-Encoding: gzip\r\n\r\n",
];

impl SlowClient {
    fn new(address: SocketAddr, number: usize) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nonblocking(true).unwrap();
        Self {
            stream,
            kind: number % REQUESTS.len(),
            sent: 0,
        }
    }

    /// Does a little of what it is up to; whether it is still connected.
    fn go_on(&mut self) -> bool {
        let rest = &REQUESTS[self.kind].as_bytes()[self.sent..];
        let next = match self.kind {
            1 => &rest[..rest.len().min(1)],
            _ => rest,
        };
        let is_lost = self.stream.write_all(next).is_err();
        self.sent += next.len();
        let read = match self.kind {
            // Notices no end before it can send no more.
            3 => return !is_lost,
            _ => self.stream.read(&mut [0]),
        };
        let is_waiting = |error: &std::io::Error| error.kind() == ErrorKind::WouldBlock;
        !is_lost && read.map_or_else(|error| is_waiting(&error), |read| read > 0)
    }
}

#[test]
fn many_slow_clients_delay_no_scraper() {
    let (_exporter, address) = serving(PrometheusExporter::builder());
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut clients: Vec<_> = (0..CLIENTS)
                .map(|number| SlowClient::new(address, number))
                .collect();
            while !is_over.load(Ordering::Relaxed) {
                for (number, client) in clients.iter_mut().enumerate() {
                    if !client.go_on() {
                        *client = SlowClient::new(address, number);
                    }
                }
                thread::sleep(SLOWNESS);
            }
        });
        let scrapes = catch_unwind(|| (0..10).for_each(|_| scrape(address)));
        is_over.store(true, Ordering::Relaxed);
        scrapes.unwrap();
    });
    // And the server is none the worse for it.
    scrape(address);
}

/// What the server says to this, whatever it is, before it ends the connection.
fn said_to(address: SocketAddr, sent: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(ANSWER_LIMIT)).unwrap();
    // It may end the connection before it has read everything.
    let _ = stream.write_all(sent);
    let mut answer = Vec::new();
    let end = stream.read_to_end(&mut answer);
    let is_waiting = end.is_err_and(|error| error.kind() == ErrorKind::WouldBlock);
    let shown = String::from_utf8_lossy(&sent[..sent.len().min(80)]);
    assert!(!is_waiting, "no end to {shown:?}");
    String::from_utf8_lossy(&answer).into_owned()
}

/// Sends each of these, which gets no figures, and one of the statuses: 0 for an end without an answer.
fn are_refused(builder: PrometheusBuilder, requests: &[Vec<u8>], statuses: &[u16]) {
    let (_exporter, address) = serving(builder);
    for request in requests {
        let answer = said_to(address, request);
        let shown = String::from_utf8_lossy(&request[..request.len().min(80)]);
        let status = answer
            .get(9..12)
            .map_or(0, |status| status.parse().unwrap());
        assert!(statuses.contains(&status), "{shown:?}: {answer:.200}");
        assert!(!answer.contains("attacked_"), "{shown:?}: {answer:.200}");
    }
    scrape(address);
}

const TAIL: &str = "HTTP/1.1\r\nHost: localhost\r\n";

#[test]
fn garbage_is_refused() {
    let client_hello = b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03".repeat(20);
    let garbage = [
        client_hello,
        b"\0".repeat(50_000),
        b"\xff".repeat(50_000),
        b"\r\n".repeat(50_000),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        b"GET /metrics HTTP/9.9\r\nHost: localhost\r\n\r\n".to_vec(),
        b"GET\r\n\r\n".to_vec(),
        b"GET /metrics\r\n\r\n".to_vec(),
        b"GET  HTTP/1.1\r\n\r\n".to_vec(),
        b"GET /met\0rics HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
        b"GET /metrics HTTP/1.1\r\nHost : localhost\r\n\r\n".to_vec(),
        b"GET /metrics HTTP/1.1\r\nHost: \0\r\n\r\n".to_vec(),
        b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n".to_vec(),
        b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n".to_vec(),
        b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked, x\r\n\r\n".to_vec(),
    ];
    are_refused(PrometheusExporter::builder(), &garbage, &[0, 400, 431, 505]);
}

#[test]
fn huge_headers_are_refused() {
    let x = |count| "x".repeat(count);
    let huge = [
        format!("GET /metrics {TAIL}X-Long: {}\r\n\r\n", x(1 << 20)),
        format!("GET /metrics {TAIL}{}: x\r\n\r\n", x(1 << 20)),
        format!("GET /metrics {TAIL}{}\r\n", "X-Y: z\r\n".repeat(100)),
        format!("GET /metrics {TAIL}{}\r\n", "X-Y: z\r\n".repeat(100_000)),
        format!("GET /{} {TAIL}\r\n", x(1 << 20)),
        format!("GET /stats.json?function={} {TAIL}\r\n", x(1 << 20)),
        format!("{} /metrics {TAIL}\r\n", x(1 << 20)),
    ];
    let huge = huge.map(String::into_bytes);
    are_refused(PrometheusExporter::builder(), &huge, &[0, 400, 414, 431]);
}

#[test]
fn tricks_with_paths_lead_nowhere() {
    let paths = [
        "//metrics",
        "/metrics/",
        "/metrics/..",
        "/../metrics",
        "/./metrics",
        "/x/../metrics",
        "/metrics%00",
        "/%6detrics",
        "/metrics;x",
        "/METRICS",
        "/%2e%2e/stats.json",
        "/..%2f..%2fetc%2fpasswd",
        "/../../../../etc/passwd",
        "/stats.json/../health",
        "/health/../stats.json",
        "/health/metrics",
        "/\\metrics",
        "*",
    ];
    let requests = |methods: &[&str]| -> Vec<Vec<u8>> {
        let of = |method: &&str| {
            let method = (*method).to_owned();
            paths.map(|path| format!("{method} {path} {TAIL}\r\n").into_bytes())
        };
        methods.iter().flat_map(of).collect()
    };
    let usual = requests(&["GET", "HEAD", "POST"]);
    are_refused(PrometheusExporter::builder(), &usual, &[400, 404]);
}

#[test]
fn no_trick_replaces_the_token() {
    let (_exporter, address) = serving(PrometheusExporter::builder().bearer_token("s3cret"));
    for path in [
        "//metrics",
        "/health/../metrics",
        "/health/metrics",
        "/ready/stats.json",
        "/metrics?x=/health",
    ] {
        for headers in [
            "",
            "Authorization: Bearer\r\n",
            "Authorization: Bearer \r\n",
            "Authorization: Basic s3cret\r\n",
            "Authorization: Bearer s3cret, Bearer x\r\n",
            "Authorization: Bearer x\r\nAuthorization: Bearer s3cret\r\n",
            "X-Original-URL: /health\r\n",
        ] {
            let answer = get(address, path, headers);
            assert_eq!(answer.status(), 401, "{path} {headers}");
            assert!(!answer.text().contains("attacked_"), "{path} {headers}");
        }
    }
}

#[test]
fn other_methods_change_and_show_nothing() {
    let methods = [
        "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "get", "X",
    ];
    let paths = ["/metrics", "/stats.json", "/", "/health", "/ready"];
    let of = |path: &str| {
        let path = path.to_owned();
        methods.map(|method| {
            // A body that is announced, and never comes.
            format!("{method} {path} {TAIL}Content-Length: 1000000000\r\n\r\n").into_bytes()
        })
    };
    let requests: Vec<_> = paths.into_iter().flat_map(of).collect();
    are_refused(PrometheusExporter::builder(), &requests, &[400, 405]);
    let connect = format!("CONNECT localhost:1 {TAIL}\r\n").into_bytes();
    are_refused(PrometheusExporter::builder(), &[connect], &[400, 404, 405]);
}

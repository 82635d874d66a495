//! What the Prometheus exporter pushes: to a real Pushgateway, and to servers that are none.
#![cfg(all(feature = "prometheus", not(shuttle)))]
#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use cachier_metrics::*;
use cachier_servers::pushgateway;

#[path = "support/busy.rs"]
#[allow(dead_code, reason = "not all tests need all of it")]
mod busy;

use busy::{in_use_for_long, metrics};

fn hits(metrics: &'static CacheMetrics, count: u64) {
    for _ in 0..count {
        metrics
            .start_call(None, None)
            .finish(Outcome::Hit, None, None);
    }
}

/// A count of the exporter's own; 0 if it is not there.
fn own(exporter: &PrometheusExporter, name: &str) -> u64 {
    let text = exporter.render();
    let of_name = |line: &&str| line.starts_with(&format!("cachier_{name}{{"));
    let line = text.lines().find(of_name);
    line.map_or(0, |line| line.rsplit(' ').next().unwrap().parse().unwrap())
}

#[test]
fn a_gateway_holds_what_was_pushed() {
    let Some(gateway) = pushgateway::start() else {
        return;
    };
    let exporter = |instance: &str| {
        PrometheusExporter::builder()
            .pushgateway(gateway.url(), "nightly import")
            .grouping_label("instance", instance)
            .grouping_label("run", "")
            .constant_label("service", "till")
            .build()
            .unwrap()
    };
    let (function, _) = metrics("a\\b\"c\nd — ü{},=");
    let (busy, _running) = in_use_for_long("busy");
    let first = exporter("db/1");
    first.register_functions([function, busy]).unwrap();
    hits(function, 3);
    first.push_once().unwrap();
    let series = |instance: &str, value: u64| {
        format!(
            "cachier_calls_total{{backend=\"file\",function=\"a\\\\b\\\"c\\nd — ü{{}},=\",instance=\"{instance}\",\
             job=\"nightly import\",outcome=\"hit\",run=\"\",service=\"till\"}} {value}\n"
        )
    };
    let text = gateway.metrics();
    assert!(text.contains(&series("db/1", 3)), "{text}");
    // Histograms as well, and all else.
    let buckets = "cachier_compute_duration_seconds_bucket{backend=\"file\",function=\"busy\",instance=\"db/1\"";
    assert!(text.contains(buckets), "{text}");
    assert!(
        text.contains("push_time_seconds{instance=\"db/1\",job=\"nightly import\",run=\"\"}"),
        "{text}"
    );
    // A later push replaces it, and that of another instance does not.
    hits(function, 2);
    first.push_once().unwrap();
    let second = exporter("db2");
    second.register_function(function).unwrap();
    let exporters: [&dyn MetricsExporter; 1] = [&second];
    exporters[0].push_once().unwrap();
    let text = gateway.metrics();
    assert!(
        text.contains(&series("db/1", 5)) && text.contains(&series("db2", 5)),
        "{text}"
    );
    assert!(!text.contains(&series("db/1", 3)));
    assert_eq!(own(&first, "export_requests_total"), 2);
    assert_eq!(own(&first, "export_failures_total"), 0);
}

/// A server that reads a whole request and answers so, in pieces; its URL.
fn answering(answer: &'static [&'static str]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        read_request(&mut client);
        for piece in answer {
            client.write_all(piece.as_bytes()).unwrap();
            client.flush().unwrap();
        }
    });
    url
}

/// Strict: a PUT with what HTTP/1.1 asks for, and a body as long as it says.
fn read_request(client: &mut TcpStream) {
    let (mut request, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let text = String::from_utf8_lossy(&request).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            assert!(
                head.starts_with("PUT /metrics/job/strict HTTP/1.1\r\nHost: 127.0.0.1:"),
                "{head}"
            );
            assert!(head.contains("\r\nConnection: close\r\n"), "{head}");
            let length = head.split("\r\nContent-Length: ").nth(1).unwrap();
            let length: usize = length.lines().next().unwrap().parse().unwrap();
            if body.len() == length {
                return;
            }
            assert!(body.len() < length);
        }
        let length = client.read(&mut buffer).unwrap();
        assert!(length > 0, "{text}");
        request.extend_from_slice(&buffer[..length]);
    }
}

fn pushing_to(url: &str) -> (PrometheusExporter, Result<(), ExportError>) {
    let exporter = PrometheusExporter::builder().pushgateway(url, "strict");
    let exporter = exporter.build().unwrap();
    exporter.register_function(metrics("pushed").0).unwrap();
    let pushed = exporter.push_once();
    (exporter, pushed)
}

#[test]
fn an_answer_in_pieces_is_one() {
    let (_, pushed) = pushing_to(&answering(&["HTTP/1.1 2", "02 Acc", "epted\r\n\r\n"]));
    pushed.unwrap();
}

#[test]
fn answers_that_take_nothing_are_told() {
    for (answer, told) in [
        (
            &["HTTP/1.1 400 Bad Request\r\n\r\npushed metrics are invalid\n"][..],
            "`HTTP/1.1 400 Bad Request` pushed metrics are invalid",
        ),
        (
            &["HTTP/1.1 301 Moved\r\nLocation: /\r\n\r\n"],
            "`HTTP/1.1 301 Moved`",
        ),
        (&["SSH-2.0-OpenSSH 2\r\n"], "`SSH-2.0-OpenSSH 2`"),
        (&[], "``"),
    ] {
        let (exporter, pushed) = pushing_to(&answering(answer));
        let error = pushed.unwrap_err().to_string();
        assert!(
            error.contains("does not take the metrics: ") && error.contains(told),
            "{error}"
        );
        assert_eq!(own(&exporter, "export_failures_total"), 1);
        assert_eq!(own(&exporter, "export_requests_total"), 0);
    }
}

/// A gateway that never ends its answer, or begins none, is left.
#[test]
fn a_gateway_that_does_not_end_is_left() {
    let began = Instant::now();
    let endless = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", endless.local_addr().unwrap());
    thread::spawn(move || {
        let (mut client, _) = endless.accept().unwrap();
        while client.write_all(&[b'x'; 1024]).is_ok() {}
    });
    assert!(pushing_to(&url).1.is_err());
    assert!(began.elapsed() < Duration::from_secs(5));
    let gone = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", gone.local_addr().unwrap());
    drop(gone);
    let (exporter, pushed) = pushing_to(&url);
    let error = pushed.unwrap_err().to_string();
    assert!(
        error.starts_with("cannot push metrics to 127.0.0.1:"),
        "{error}"
    );
    assert_eq!(own(&exporter, "export_failures_total"), 1);
}

#[test]
fn what_cannot_be_pushed_to_is_refused() {
    let builder = PrometheusExporter::builder;
    let error = builder().build().unwrap().push_once().unwrap_err();
    assert!(
        error.to_string().contains(".pushgateway(url, job)"),
        "{error}"
    );
    let error = builder().pushgateway("https://gateway", "job").build();
    let error = error.map(drop).unwrap_err().to_string();
    assert!(
        error.contains("the URL of the Pushgateway") && !error.contains("https://gateway"),
        "{error}"
    );
}

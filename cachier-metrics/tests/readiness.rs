//! Readiness as whoever runs cached functions tells it, in a process that has no other tests.
#![cfg(all(feature = "prometheus", not(shuttle)))]
#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};

use cachier_metrics::{PrometheusExporter, StoreReadiness, StoreState, set_readiness_probe};

static PROBES: AtomicU64 = AtomicU64::new(0);

fn probe() -> Vec<StoreReadiness> {
    if PROBES.fetch_add(1, Ordering::Relaxed) == 0 {
        // Without output.
        std::panic::resume_unwind(Box::new("on purpose"));
    }
    let store = |name: &str, state| StoreReadiness {
        name: name.to_owned(),
        store: String::new(),
        state,
    };
    vec![
        store("file", StoreState::Works),
        store("redis", StoreState::Degraded("timeout")),
        store("environment", StoreState::Fails("not_registered")),
    ]
}

#[test]
fn what_can_never_work_is_not_ready() {
    set_readiness_probe(probe);
    let exporter = PrometheusExporter::builder().port(0).build().unwrap();
    exporter.start().unwrap();
    let address = exporter.local_addr().unwrap();
    let ask = |path: &str| {
        let mut stream = TcpStream::connect(address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    let answer = ask("/ready");
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert!(answer.contains("panicked"), "{answer}");
    let answer = ask("/ready");
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    let json: serde_json::Value =
        serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
    assert_eq!(json["status"], "failing");
    let states: Vec<_> = json["stores"]
        .as_array()
        .unwrap()
        .iter()
        .map(|store| &store["state"])
        .collect();
    assert_eq!(states, ["works", "degraded", "fails"]);
    assert!(json["stores"][0]["error"].is_null());
    assert_eq!(json["stores"][2]["error"], "not_registered");
    assert!(ask("/ready?strict").starts_with("HTTP/1.1 503"));
    assert_eq!(PROBES.load(Ordering::Relaxed), 2, "one answer is for both");
    // The process is there, whatever the stores do.
    assert!(ask("/health").starts_with("HTTP/1.1 200"));
}

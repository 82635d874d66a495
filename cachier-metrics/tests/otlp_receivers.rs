//! The OpenTelemetry exporter: receivers that are away, refuse, or answer nonsense.
#![cfg(all(feature = "otel", not(shuttle)))]
#![allow(clippy::unwrap_used)]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::thread;
use std::time::{Duration, Instant};

use cachier_metrics::*;
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsPartialSuccess, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use prost::Message as _;

#[path = "support/busy.rs"]
#[allow(dead_code, reason = "not all tests need all of it")]
mod busy;
#[path = "support/collector.rs"]
#[allow(dead_code, reason = "not all tests need all of it")]
mod collector;

use busy::metrics;
use collector::{Answer, Collector, Received, Speaks};

fn exporter(
    speaks: Speaks,
    address: SocketAddr,
    change: fn(OtlpBuilder) -> OtlpBuilder,
) -> OtlpExporter {
    let protocol = match speaks {
        Speaks::Http => OtlpProtocol::Http,
        Speaks::Grpc => OtlpProtocol::Grpc,
    };
    let builder = OtlpExporter::builder().endpoint(format!("http://{address}/s3cret"));
    let builder = builder.protocol(protocol).header("api-key", "s3cret");
    let exporter = change(builder).build().unwrap();
    exporter.register_function(metrics("function").0).unwrap();
    exporter
}

/// A figure of the exporter itself, as it was sent.
fn own(request: &Received, name: &str) -> i64 {
    match request.metric(name) {
        Some(Data::Sum(sum)) => match sum.data_points[0].value {
            Some(Value::AsInt(count)) => count,
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

/// The error of a push, which shows no secret, and what was received in all.
fn error(speaks: Speaks, answers: Vec<Answer>) -> (String, usize) {
    let collector = Collector::start(speaks, answers);
    let exporter = exporter(speaks, collector.address, |builder| builder);
    let error = exporter.flush().unwrap_err();
    let shown = format!("{error} {error:?} {exporter:?}");
    assert!(!shown.contains("s3cret"), "{shown}");
    (error.to_string(), collector.requests().len())
}

#[test]
fn what_may_pass_is_tried_again() {
    // `google.rpc.Status` with `RetryInfo` of no delay.
    let at_once = "Gi4KKHR5cGUuZ29vZ2xlYXBpcy5jb20vZ29vZ2xlLnJwYy5SZXRyeUluZm8SAgoA";
    for (speaks, busy) in [
        (Speaks::Http, Answer::http(503).with("retry-after", "0")),
        (
            Speaks::Grpc,
            Answer::grpc(14).with("grpc-status-details-bin", at_once),
        ),
    ] {
        let collector = Collector::start(speaks, vec![busy.clone(), busy]);
        let exporter = exporter(speaks, collector.address, |builder| builder);
        exporter.flush().unwrap();
        let requests = collector.requests();
        assert_eq!(requests.len(), 3);
        assert!(requests[0].message == requests[2].message);
        exporter.flush().unwrap();
        let requests = collector.requests();
        assert_eq!(own(&requests[3], "cachier.export.failures"), 0);
        assert_eq!(own(&requests[3], "cachier.export.requests"), 1);
    }
}

#[test]
fn attempts_are_few() {
    let busy = Answer::http(429).with("retry-after", "0");
    let (error, requests) = error(Speaks::Http, vec![busy; 9]);
    assert!(error.contains("429"), "{error}");
    assert_eq!(requests, 5);
}

#[test]
fn pauses_beyond_the_timeout_are_not_awaited() {
    let begin = Instant::now();
    let busy = Answer::http(503).with("retry-after", "3600");
    let (error, requests) = error(Speaks::Http, vec![busy]);
    assert!(error.contains("503") && requests == 1, "{error}");
    assert!(begin.elapsed() < Duration::from_secs(5));
}

#[test]
fn what_is_refused_is_not_tried_again() {
    for (speaks, answer, reason) in [
        (
            Speaks::Http,
            Answer::http(400),
            "it answers 400 Bad Request",
        ),
        (
            Speaks::Http,
            Answer::http(307).with("location", "/"),
            "it answers 307",
        ),
        (
            Speaks::Grpc,
            Answer::grpc(16).with("grpc-message", "s3cret"),
            "it answers UNAUTHENTICATED",
        ),
        (Speaks::Grpc, Answer::http(404), "it answers 404"),
        (
            Speaks::Grpc,
            Answer::http(200),
            "its answer is none of gRPC",
        ),
    ] {
        let (error, requests) = error(speaks, vec![answer]);
        assert!(error.contains(reason), "{error}");
        assert_eq!(requests, 1, "{error}");
    }
    let body = b"nonsense".to_vec();
    let nonsense = Answer {
        body,
        ..Answer::http(200).with("content-type", "application/x-protobuf")
    };
    let (error, requests) = error(Speaks::Http, vec![nonsense]);
    assert!(
        error.contains("its answer is none of OTLP") && requests == 1,
        "{error}"
    );
}

#[test]
fn rejected_points_are_counted() {
    let partial = ExportMetricsServiceResponse {
        partial_success: Some(ExportMetricsPartialSuccess {
            rejected_data_points: 3,
            error_message: "too old".to_owned(),
        }),
    };
    let partial = partial.encode_to_vec();
    let frame = [&[0, 0, 0, 0, partial.len() as u8][..], &partial].concat();
    for (speaks, answer, body) in [
        (
            Speaks::Http,
            Answer::http(200).with("content-type", "application/x-protobuf"),
            partial,
        ),
        (Speaks::Grpc, Answer::grpc(0), frame),
    ] {
        let collector = Collector::start(speaks, vec![Answer { body, ..answer }]);
        let exporter = exporter(speaks, collector.address, |builder| builder);
        exporter.flush().unwrap();
        exporter.flush().unwrap();
        let requests = collector.requests();
        assert_eq!(requests.len(), 2, "it is not sent again");
        assert_eq!(own(&requests[1], "cachier.export.dropped"), 3);
    }
}

/// The receiver says that it has taken them, and then makes no sense.
#[test]
fn differences_that_were_taken_are_sent_once() {
    for (speaks, answer) in [
        (
            Speaks::Http,
            Answer::http(200).with("content-type", "application/x-protobuf"),
        ),
        (Speaks::Grpc, Answer::grpc(0)),
    ] {
        let body = b"nonsense".to_vec();
        let collector = Collector::start(speaks, vec![Answer { body, ..answer }]);
        let delta = |builder: OtlpBuilder| builder.temporality(Temporality::Delta);
        let exporter = exporter(speaks, collector.address, delta);
        let (called, _clock) = metrics("called");
        exporter.register_function(called).unwrap();
        let call = called.start_call(Some(Sampled::ONE), None);
        call.finish(Outcome::Miss, None, None);
        assert!(exporter.flush().is_err());
        exporter.flush().unwrap();
        let requests = collector.requests();
        assert!(requests[0].metric("cachier.calls").is_some());
        assert!(requests[1].metric("cachier.calls").is_none());
        assert_eq!(own(&requests[1], "cachier.export.failures"), 1);
    }
}

#[test]
fn silence_ends_with_the_timeout() {
    for speaks in [Speaks::Http, Speaks::Grpc] {
        let collector = Collector::start(speaks, vec![Answer::silent()]);
        let timeout = |builder: OtlpBuilder| builder.timeout(Duration::from_millis(100));
        let exporter = exporter(speaks, collector.address, timeout);
        let begin = Instant::now();
        let error = exporter.flush().unwrap_err().to_string();
        assert!(error.contains("does not answer in time"), "{error}");
        assert!(begin.elapsed() < Duration::from_secs(5));
        exporter.flush().unwrap();
    }
}

#[test]
fn nonsense_is_no_answer() {
    for (speaks, reason) in [(Speaks::Http, "no HTTP"), (Speaks::Grpc, "breaks off")] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for client in listener.incoming() {
                let mut client = client.unwrap();
                let _ = client.read(&mut [0; 4096]);
                let _ = client.write_all(&b"nonsense ".repeat(100));
            }
        });
        let timeout = |builder: OtlpBuilder| builder.timeout(Duration::from_millis(400));
        let error = exporter(speaks, address, timeout)
            .flush()
            .unwrap_err()
            .to_string();
        assert!(error.contains(reason), "{error}");
    }
}

#[test]
fn long_answers_are_not_read_to_the_end() {
    let long = Answer {
        body: vec![b'x'; 100_000],
        ..Answer::http(200)
    };
    let collector = Collector::start(Speaks::Http, vec![long; 5]);
    let timeout = |builder: OtlpBuilder| builder.timeout(Duration::from_millis(400));
    let exporter = exporter(Speaks::Http, collector.address, timeout);
    let error = exporter.flush().unwrap_err().to_string();
    assert!(
        error.contains("its answer breaks off or is long"),
        "{error}"
    );
}

/// It is started before its receiver, whose port nobody listens at.
#[test]
fn it_recovers_by_itself() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let often = |builder: OtlpBuilder| {
        let builder = builder.interval(Duration::from_millis(5));
        builder.timeout(Duration::from_millis(50))
    };
    let exporter = exporter(Speaks::Http, address, often);
    exporter.start().unwrap();
    let is_failed = || {
        let export = exporter.registry().gather();
        let failures = export
            .families()
            .find(|family| family.name == "export_failures");
        failures.unwrap().samples[0].value != SampleValue::Count(0)
    };
    wait_until(is_failed);
    let collector = Collector::start_at(address, Speaks::Http, vec![]);
    let requests = collector.wait_for(1);
    assert!(own(&requests[0], "cachier.export.failures") > 0);
    assert!(exporter.start().is_err(), "it is started already");
    exporter.stop();
    let count = collector.requests().len();
    exporter.stop();
    assert_eq!(collector.requests().len(), count, "it has stopped");
    exporter.start().unwrap();
    collector.wait_for(count + 1);
}

/// The last push is one of what came since.
#[test]
fn stopping_sends_the_rest() {
    let collector = Collector::start(Speaks::Http, vec![]);
    let exporter = exporter(Speaks::Http, collector.address, |builder| builder);
    exporter.stop();
    assert!(collector.requests().is_empty(), "it was not started");
    exporter.start().unwrap();
    exporter.stop();
    assert_eq!(collector.requests().len(), 1);
}

#[test]
fn a_task_may_flush() {
    let collector = Collector::start(Speaks::Grpc, vec![]);
    let exporter = exporter(Speaks::Grpc, collector.address, |builder| builder);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async { exporter.flush() }).unwrap();
    assert_eq!(collector.requests().len(), 1);
}

fn wait_until(condition: impl Fn() -> bool) {
    let until = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < until);
        thread::sleep(Duration::from_millis(5));
    }
}

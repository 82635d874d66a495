//! The exporter by CloudWatch's API: against moto, behind a translator of the protocol that asserts the limits, and against
//! servers that refuse.
#![cfg(all(feature = "cloudwatch", not(shuttle)))]
#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use aws_sdk_cloudwatch::config::interceptors::BeforeSerializationInterceptorContextRef;
use aws_sdk_cloudwatch::config::{BehaviorVersion, ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_cloudwatch::error::BoxError;
use aws_sdk_cloudwatch::{Client, Config};
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use cachier_metrics::*;
use cachier_servers::s3::{S3, start_moto};

#[path = "support/busy.rs"]
#[allow(dead_code, reason = "not all tests need all of it")]
mod busy;
#[path = "support/cloudwatch.rs"]
mod service;

use busy::{in_use_for_long, metrics};
use service::{answering, cbor, client, config, fine};

fn exporter(endpoint: &str, metrics: &'static CacheMetrics) -> CloudWatchExporter {
    let exporter = CloudWatchExporter::builder(client(endpoint)).namespace("Shop/Cache");
    let exporter = exporter.constant_label("service", "till").build().unwrap();
    exporter.register_function(metrics).unwrap();
    exporter
}

/// Calls that take this long, each timed.
fn calls(metrics: &'static CacheMetrics, clock: &Clock, count: u64, millis: u64) {
    for _ in 0..count {
        let call = metrics.start_call(Some(Sampled::ONE), None);
        clock.advance(Duration::from_millis(millis));
        call.finish(Outcome::Hit, None, None);
    }
}

/// A count of the exporter's own.
fn own(exporter: &CloudWatchExporter, name: &str) -> u64 {
    let export = exporter.registry().gather();
    let family = export.families().find(|family| family.name == name);
    match family.map(|family| family.samples[0].value.clone()) {
        Some(SampleValue::Count(count)) => count,
        _ => 0,
    }
}

/// A statistic of all that moto has of a metric with these dimensions.
fn statistic(moto: &S3, name: &str, dimensions: &[(&str, &str)], statistic: &str) -> f64 {
    let numbered = dimensions
        .iter()
        .enumerate()
        .map(|(number, (name, value))| {
            let member = format!("Dimensions.member.{}", number + 1);
            format!("&{member}.Name={name}&{member}.Value={value}")
        });
    let form = format!(
        "Action=GetMetricStatistics&Version=2010-08-01&Namespace=Shop/Cache&MetricName={name}\
         &StartTime=2020-01-01T00:00:00Z&EndTime=2100-01-01T00:00:00Z&Period=3153600000\
         &Statistics.member.1={statistic}{}",
        numbered.collect::<String>()
    );
    let address = moto.place().endpoint.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    let length = form.len();
    write!(
        stream,
        "POST / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {length}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nAuthorization: AWS4-HMAC-SHA256 \
         Credential=a/20260101/us-east-1/monitoring/aws4_request, SignedHeaders=host, Signature=0\r\n\r\n{form}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let tag = format!("<{statistic}>");
    let values = answer.split(&tag).skip(1);
    let values = values.map(|value| value.split('<').next().unwrap().parse::<f64>().unwrap());
    let values: Vec<_> = values.collect();
    assert!(!values.is_empty(), "{form}: {answer}");
    values.iter().sum()
}

#[test]
fn moto_returns_what_was_put() {
    let Some(moto) = start_moto() else {
        return;
    };
    let (metrics, clock) = metrics("put");
    let exporter = exporter(&moto.place().endpoint, metrics);
    calls(metrics, &clock, 5, 20);
    exporter.flush().unwrap();
    calls(metrics, &clock, 3, 20);
    // As from a program whose main function is async.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async { exporter.push_once().unwrap() });
    let of_function = [
        ("Service", "till"),
        ("Function", "put"),
        ("Backend", "file"),
    ];
    let of_hits = [&of_function[..], &[("Outcome", "hit")]].concat();
    assert_eq!(statistic(&moto, "Calls", &of_hits, "Sum"), 8.0);
    assert_eq!(
        statistic(&moto, "SamplingRatio", &of_function, "Maximum"),
        1.0
    );
    // Moto makes a value of each, not of its count.
    let longest = statistic(&moto, "CallDuration", &of_hits, "Maximum");
    assert!((longest / 0.02 - 1.0).abs() < 0.023, "{longest}");
    assert_eq!(own(&exporter, "export_requests"), 2);
    assert_eq!(own(&exporter, "export_failures"), 0);
}

/// The translator before moto refuses what is beyond a limit.
#[test]
fn limits_hold_for_everything_a_program_can_have() {
    let Some(moto) = start_moto() else {
        return;
    };
    let (wide, clock) = metrics("wide");
    let endpoint = &moto.place().endpoint;
    let builder = CloudWatchExporter::builder(client(endpoint)).namespace("Shop/Cache");
    let builder = (0..26).fold(builder, |builder, number| {
        builder.constant_label(format!("label_{number}"), "ü".repeat(1000))
    });
    let exporter = builder.max_series(100_000).build().unwrap();
    exporter.register_function(wide).unwrap();
    let mut nanos = 10.0;
    for _ in 0..250 {
        let call = wide.start_call(Some(Sampled::ONE), None);
        clock.advance(Duration::from_nanos(nanos as u64));
        call.finish(Outcome::Hit, None, None);
        nanos *= 1.1;
    }
    let busy: Vec<_> = (0..12)
        .map(|number| in_use_for_long(&format!("busy {number}")))
        .collect();
    for (metrics, _running) in &busy {
        exporter.register_function(metrics).unwrap();
    }
    exporter.flush().unwrap();
    assert!(own(&exporter, "export_requests") > 10, "by its size");
}

fn refusing(status: &str, code: &str) -> Vec<u8> {
    let length = u8::try_from(code.len()).unwrap();
    let body = [b"\xa1\x66__type\x78", &[length][..], code.as_bytes()].concat();
    cbor(status, &body)
}

#[test]
fn a_failed_periodic_export_is_followed_by_others() {
    let (endpoint, told) = answering(|number| {
        Some(match number {
            0 => refusing("400 Bad Request", "InvalidParameterValue"),
            _ => fine(),
        })
    });
    let (metrics, clock) = metrics("failed once");
    let builder = CloudWatchExporter::builder(client(&endpoint));
    let exporter = builder.interval(Duration::from_millis(1)).build().unwrap();
    exporter.register_function(metrics).unwrap();
    calls(metrics, &clock, 5, 20);
    exporter.start().unwrap();
    for _ in 0..2 {
        told.recv_timeout(Duration::from_secs(20)).unwrap();
    }
    exporter.stop();
    assert_eq!(own(&exporter, "export_failures"), 1);
}

#[test]
fn what_is_throttled_is_sent_later() {
    let (endpoint, told) = answering(|number| {
        Some(match number {
            0 => refusing("400 Bad Request", "Throttling"),
            _ => fine(),
        })
    });
    let (metrics, clock) = metrics("throttled");
    let exporter = exporter(&endpoint, metrics);
    calls(metrics, &clock, 5, 20);
    let error = exporter.flush().unwrap_err().to_string();
    assert!(
        error.starts_with("cannot send metrics to CloudWatch: "),
        "{error}"
    );
    assert_eq!(
        told.try_iter().count(),
        1,
        "the client tries no more than once"
    );
    assert_eq!(
        (
            own(&exporter, "export_failures"),
            own(&exporter, "export_dropped")
        ),
        (1, 0)
    );
    exporter.flush().unwrap();
    let all = told.try_iter().sum::<usize>();
    exporter.flush().unwrap();
    let gauges = told.try_iter().sum::<usize>();
    assert!(all > gauges, "{all} and {gauges}");
}

/// Once more what may have been counted would be counted twice.
#[test]
fn what_nobody_knows_of_is_dropped_and_counted() {
    for answer in [
        None,
        Some(refusing(
            "500 Internal Server Error",
            "InternalServiceError",
        )),
        Some(refusing("400 Bad Request", "InvalidParameterValue")),
    ] {
        let (endpoint, _told) = answering(move |number| match number {
            0 => answer.clone(),
            _ => Some(fine()),
        });
        let (metrics, clock) = metrics("unknown");
        let exporter = exporter(&endpoint, metrics);
        calls(metrics, &clock, 5, 20);
        exporter.flush().unwrap_err();
        let dropped = own(&exporter, "export_dropped");
        assert!(dropped > 5, "{dropped}");
        exporter.flush().unwrap();
        assert_eq!(own(&exporter, "export_dropped"), dropped);
        assert_eq!(own(&exporter, "export_failures"), 1);
    }
}

/// An exporter whose figures take several requests, as the labels are so long that few figures fit into one.
fn of_many_requests(endpoint: &str) -> CloudWatchExporter {
    let builder = CloudWatchExporter::builder(client(endpoint));
    let builder = (0..26).fold(builder, |builder, number| {
        builder.constant_label(format!("label_{number}"), "ü".repeat(1000))
    });
    let exporter = builder.build().unwrap();
    for number in 0..8 {
        let (metrics, _running) = in_use_for_long(&format!("function {number}"));
        exporter.register_function(metrics).unwrap();
    }
    exporter
}

/// Each request that follows would cost as much time, and the figures of one more request.
#[test]
fn an_unknown_outcome_ends_the_export() {
    let unknown = refusing("500 Internal Server Error", "InternalServiceError");
    for answer in [None, Some(unknown)] {
        let (endpoint, told) = answering(move |number| match number {
            0 => answer.clone(),
            _ => Some(fine()),
        });
        let exporter = of_many_requests(&endpoint);
        exporter.flush().unwrap_err();
        assert_eq!(told.try_iter().count(), 1, "requests while it is unknown");
        let dropped = own(&exporter, "export_dropped");
        assert!((1..40).contains(&dropped), "{dropped}");
        exporter.flush().unwrap();
        let rest = told.try_iter().count();
        exporter.flush().unwrap();
        let gauges = told.try_iter().count();
        assert!(rest > gauges + 2, "{rest} and {gauges}");
        assert_eq!(own(&exporter, "export_dropped"), dropped);
    }
}

#[test]
fn a_request_refused_for_good_ends_no_export() {
    let (endpoint, told) = answering(|number| {
        Some(match number {
            0 => refusing("400 Bad Request", "InvalidParameterValue"),
            _ => fine(),
        })
    });
    let exporter = of_many_requests(&endpoint);
    exporter.flush().unwrap_err();
    let all = told.try_iter().count();
    let dropped = own(&exporter, "export_dropped");
    assert!((1..40).contains(&dropped), "{dropped}");
    exporter.flush().unwrap();
    let gauges = told.try_iter().count();
    assert!(all > gauges + 2, "{all} and {gauges}");
    assert_eq!(own(&exporter, "export_dropped"), dropped);
}

/// The client tells these by its words alone.
#[test]
fn a_service_out_of_reach_gets_everything_later() {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = gone.local_addr().unwrap();
    drop(gone);
    let plain = TcpListener::bind("127.0.0.1:0").unwrap();
    let no_tls = plain.local_addr().unwrap();
    thread::spawn(move || {
        for client in plain.incoming() {
            let _ = client
                .unwrap()
                .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    // Longer than a part of a name may be.
    let unknown = "a".repeat(64);
    for endpoint in [
        format!("http://{address}"),
        format!("http://{unknown}.invalid"),
        format!("https://{no_tls}"),
    ] {
        let (metrics, clock) = metrics("unreached");
        let ring = Provider::Rustls(CryptoMode::Ring);
        let http = aws_smithy_http_client::Builder::new().tls_provider(ring);
        let client = config(&endpoint).http_client(http.build_https()).build();
        let exporter = CloudWatchExporter::builder(Client::from_conf(client));
        let exporter = exporter.build().unwrap();
        exporter.register_function(metrics).unwrap();
        calls(metrics, &clock, 5, 20);
        let error = exporter.flush().unwrap_err().to_string();
        assert!(error.contains(": it cannot be reached"), "{error}");
        let failures = own(&exporter, "export_failures");
        assert_eq!((failures, own(&exporter, "export_dropped")), (1, 0));
    }
}

/// Part of a client that fails as a program for credentials may, or panics.
#[derive(Debug)]
enum Broken {
    Fails,
    Panics,
}

impl Intercept for Broken {
    fn name(&self) -> &'static str {
        "broken"
    }

    fn read_before_serialization(
        &self,
        _: &BeforeSerializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        match self {
            Self::Fails => Err("the token is s3cret".into()),
            Self::Panics => panic!("the token is s3cret"),
        }
    }
}

#[test]
fn a_broken_client_is_told_without_its_words() {
    for (broken, told) in [
        (Broken::Fails, "the client makes no request"),
        (Broken::Panics, "its client has panicked"),
    ] {
        let config = config("http://127.0.0.1:9").interceptor(broken).build();
        let exporter = CloudWatchExporter::builder(Client::from_conf(config));
        let exporter = exporter.build().unwrap();
        let error = exporter.flush().unwrap_err().to_string();
        assert!(error.contains(told), "{error}");
        assert!(!error.contains("s3cret"), "{error}");
        let failures = own(&exporter, "export_failures");
        assert_eq!((failures, own(&exporter, "export_dropped")), (1, 0));
    }
}

#[test]
fn a_client_that_lacks_all_loses_nothing() {
    let config = Config::builder().behavior_version(BehaviorVersion::latest());
    let unable = CloudWatchExporter::builder(Client::from_conf(config.build()));
    let unable = unable.build().unwrap();
    unable.flush().unwrap_err();
    assert_eq!(
        (
            own(&unable, "export_failures"),
            own(&unable, "export_dropped")
        ),
        (1, 0)
    );
}

#[test]
fn it_sends_periodically_and_on_stop() {
    let (endpoint, told) = answering(|_| Some(fine()));
    let (metrics, clock) = metrics("periodic");
    let builder = CloudWatchExporter::builder(client(&endpoint));
    let exporter = builder.interval(Duration::from_millis(1)).build().unwrap();
    exporter.register_function(metrics).unwrap();
    calls(metrics, &clock, 5, 20);
    exporter.start().unwrap();
    exporter.start().unwrap_err();
    told.recv_timeout(Duration::from_secs(20)).unwrap();
    exporter.stop();
    exporter.stop();
    assert!(told.try_iter().count() > 0);
}

#[test]
fn what_cannot_be_is_refused() {
    let builder = || CloudWatchExporter::builder(client("http://127.0.0.1:9"));
    assert!(builder().namespace("AWS/Mine").build().is_err());
    assert!(builder().constant_label("calls", "x").build().is_err());
    assert!(builder().constant_label("a b", "x").build().is_err());
}

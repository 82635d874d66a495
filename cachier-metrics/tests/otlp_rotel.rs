//! A real receiver of OpenTelemetry gets the figures of the program, over HTTP and over gRPC.
#![cfg(all(feature = "otel", not(shuttle)))]
#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use cachier_metrics::*;
use cachier_servers::rotel::Rotel;

#[path = "support/busy.rs"]
#[allow(dead_code, reason = "not all tests need all of it")]
mod busy;

use busy::in_use_for_long;

/// What rotel prints of one service, but for the times and the instance.
fn printed(rotel: &Rotel, service: &str) -> Vec<String> {
    let until = Instant::now() + Duration::from_secs(20);
    // The last metric, so that all is there.
    let last = "-> Name: cachier.export.folded.functions";
    loop {
        let output = rotel.output();
        let mut requests = output.split("ResourceMetrics #0");
        let of_it = format!("service.name: Str({service})");
        let found = requests.find(|request| request.contains(&of_it) && request.contains(last));
        // Followed by its only point, whose value is printed last.
        let end = found.and_then(|found| {
            let (all, last_metric) = found.split_once(last)?;
            last_metric.contains("\nValue: ").then_some(all)
        });
        if let Some(all) = end {
            let differs = ["Timestamp", "service.", "Rotel"];
            let lines = all.lines();
            let lines = lines.filter(|line| !differs.iter().any(|word| line.contains(word)));
            return lines.map(|line| line.trim().to_owned()).collect();
        }
        assert!(Instant::now() < until, "{output}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn rotel_receives_the_same_over_both() {
    let (busy, _running) = in_use_for_long("real");
    let Some(rotel) = Rotel::start() else {
        return;
    };
    let kinds = [
        (
            "http",
            OtlpProtocol::Http,
            rotel.http_port(),
            OtlpCompression::None,
        ),
        (
            "http-gzip",
            OtlpProtocol::Http,
            rotel.http_port(),
            OtlpCompression::Gzip,
        ),
        (
            "grpc",
            OtlpProtocol::Grpc,
            rotel.grpc_port(),
            OtlpCompression::None,
        ),
        (
            "grpc-gzip",
            OtlpProtocol::Grpc,
            rotel.grpc_port(),
            OtlpCompression::Gzip,
        ),
    ];
    let received = kinds.map(|(service, protocol, port, compression)| {
        let builder = OtlpExporter::builder().endpoint(format!("http://127.0.0.1:{port}"));
        let builder = builder.protocol(protocol).compression(compression);
        let exporter = builder.service_name(service).build().unwrap();
        exporter.register_function(busy).unwrap();
        exporter.push_once().unwrap();
        printed(&rotel, service)
    });
    for other in &received[1..] {
        assert_eq!(*other, received[0]);
    }
    let all = received[0].join("\n");
    for part in [
        "-> outcome: Str(stale)\nValue: 1\n",
        "-> reason: Str(refresh)\nValue: 1\n",
        "-> DataType: ExponentialHistogram\n-> AggregationTemporality: AGGREGATION_TEMPORALITY_CUMULATIVE",
        "Count: 8\nSum: 0.024\nMin: 0.003\nMax: 0.003\nBucket (0.002884426",
        "-> tier: Str(near)\nValue: 7\n",
    ] {
        assert!(all.contains(part), "no {part} in {all}");
    }
}

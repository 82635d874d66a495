//! Metrics in forked processes, as of servers that fork their workers.
#![cfg(all(unix, feature = "prometheus"))]
#![allow(clippy::unwrap_used)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::exit;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use cachier_metrics::{CacheMetrics, MetricsOptions, Outcome, PrometheusExporter, Reason};
use fork::{Fork, fork, waitpid};

#[cfg(feature = "otel")]
#[allow(dead_code, reason = "not all tests need all of it")]
#[path = "support/collector.rs"]
mod collector;

/// One test at a time: a child has whatever locks the others hold.
static ALONE: Mutex<()> = Mutex::new(());

#[test]
fn a_child_counts_from_zero() {
    let _alone = ALONE.lock().unwrap();
    let metrics = CacheMetrics::create(MetricsOptions::new("forked", "memory"));
    let call = || {
        metrics
            .start_call(None, Some(0))
            .finish(Outcome::Miss, None, None);
    };
    call();
    assert_eq!(metrics.stats().calls, 1);
    let (_running, _waiting) = (
        metrics.start_call(None, Some(0)),
        metrics.start_compute(Reason::Absent),
    );
    let exporter = PrometheusExporter::builder().port(0).build().unwrap();
    exporter.register_function(metrics).unwrap();
    exporter.start().unwrap();
    match fork().unwrap() {
        Fork::Child => {
            let alone = AssertUnwindSafe(|| {
                assert_eq!(metrics.stats().calls, 0);
                assert_eq!(metrics.snapshot().calls.values().sum::<u64>(), 0);
                call();
                assert_eq!(metrics.stats().calls, 1);
                drop(exporter);
            });
            // The test harness is not running in the child.
            exit(i32::from(catch_unwind(alone).is_err()));
        }
        Fork::Parent(child) => assert_eq!(waitpid(child).unwrap(), 0),
    }
    assert_eq!(metrics.stats().calls, 1);
    assert!(exporter.render().contains("cachier_calls_total"));
}

/// A child has no thread of its parent's, counts from zero, and tells so once it is asked to or started.
#[cfg(feature = "statsd")]
#[test]
fn a_child_sends_what_it_has_counted_itself() {
    use std::collections::BTreeMap;
    use std::net::UdpSocket;

    use cachier_metrics::{MetricsExporter as _, StatsdExporter};

    let _alone = ALONE.lock().unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let wait = Some(Duration::from_secs(20));
    socket.set_read_timeout(wait).unwrap();
    let metrics = CacheMetrics::create(MetricsOptions::new("sent", "memory"));
    let calls = |count| {
        for _ in 0..count {
            let call = metrics.start_call(None, Some(0));
            call.finish(Outcome::Hit, None, None);
        }
    };
    let exporter = StatsdExporter::builder()
        .address(socket.local_addr().unwrap().to_string())
        .interval(Duration::from_millis(1));
    let exporter = exporter.build().unwrap();
    exporter.register_function(metrics).unwrap();
    let mut counts = BTreeMap::<u64, u32>::new();
    // Those of which it is told, until a sum of calls has arrived.
    let mut told = |sum: u64| {
        let mut buffer = [0; 2048];
        while counts
            .iter()
            .map(|(n, times)| n * u64::from(*times))
            .sum::<u64>()
            < sum
        {
            let length = socket.recv(&mut buffer).unwrap();
            let packet = std::str::from_utf8(&buffer[..length]).unwrap();
            let lines = packet.lines().filter_map(|line| {
                line.strip_prefix("cachier.calls.sent.memory.hit:")?
                    .strip_suffix("|c")
            });
            lines.for_each(|count| *counts.entry(count.parse().unwrap()).or_default() += 1);
        }
        counts.clone()
    };
    calls(3);
    exporter.start().unwrap();
    told(3);
    let in_the_child = || {
        calls(10);
        exporter.flush().unwrap();
        calls(100);
        exporter.start().unwrap();
        exporter.stop();
    };
    assert_eq!(in_a_child(in_the_child), 0);
    exporter.stop();
    assert_eq!(told(113), BTreeMap::from([(3, 1), (10, 1), (100, 1)]));
}

#[test]
fn a_child_exports_whatever_its_parent_was_doing() {
    let _alone = ALONE.lock().unwrap();
    for number in 0..2_000 {
        CacheMetrics::create(MetricsOptions::new(format!("crowd_{number}"), "memory"));
    }
    let exporter = PrometheusExporter::builder()
        .port(0)
        .max_series(usize::MAX)
        .build()
        .unwrap();
    exporter.register_all().unwrap();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        // Holds the locks of the exporter and of the functions nearly all the time.
        for _ in 0..2 {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    exporter.register_all().unwrap();
                }
            });
        }
        let codes: Vec<_> = (0..10).map(|_| in_a_child(|| exports(&exporter))).collect();
        is_over.store(true, Ordering::Relaxed);
        assert_eq!(codes, [0; 10]);
    });
}

/// Creates a function and looks whether it is exported.
fn exports(exporter: &PrometheusExporter) {
    CacheMetrics::create(MetricsOptions::new("born in a child", "memory"));
    assert!(exporter.render().contains("born in a child"));
    exporter.register_all().unwrap();
}

/// The exit code of a forked child that does this; 2 if it hangs.
fn in_a_child(work: impl FnOnce()) -> i32 {
    match fork().unwrap() {
        Fork::Child => {
            thread::spawn(|| {
                thread::sleep(Duration::from_secs(20));
                exit(2);
            });
            exit(i32::from(catch_unwind(AssertUnwindSafe(work)).is_err()));
        }
        Fork::Parent(child) => waitpid(child).unwrap() >> 8,
    }
}

/// It would otherwise send differences to what its parent has sent, in its parent's name.
#[cfg(feature = "otel")]
#[test]
fn a_child_is_another_instance_to_opentelemetry() {
    use cachier_metrics::{MetricsExporter as _, OtlpExporter, Temporality};
    use opentelemetry_proto::tonic::metrics::v1::metric::Data;

    let _alone = ALONE.lock().unwrap();
    let receiver = collector::Collector::start(collector::Speaks::Http, vec![]);
    let builder = OtlpExporter::builder().endpoint(format!("http://{}", receiver.address));
    let exporter = builder.temporality(Temporality::Delta).build().unwrap();
    let metrics = CacheMetrics::create(MetricsOptions::new("pushed", "memory"));
    exporter.register_function(metrics).unwrap();
    let push = |misses| {
        for _ in 0..misses {
            let call = metrics.start_call(None, Some(0));
            call.finish(Outcome::Miss, None, None);
        }
        exporter.push_once().unwrap();
    };
    exporter.start().unwrap();
    push(3);
    assert_eq!(in_a_child(|| push(2)), 0);
    let requests = receiver.requests();
    let misses = |request: &collector::Received| match request.metric("cachier.calls") {
        Some(Data::Sum(sum)) => {
            let points = sum
                .data_points
                .iter()
                .map(|point| format!("{:?}", point.value));
            points.collect::<String>()
        }
        other => panic!("{other:?}"),
    };
    let misses: Vec<_> = requests.iter().map(misses).collect();
    assert!(
        misses[0].contains('3') && misses[1].contains('2'),
        "{misses:?}"
    );
    let instance = |request: &collector::Received| {
        let resource = request.message.resource_metrics[0]
            .resource
            .clone()
            .unwrap();
        let mut attributes = resource.attributes.into_iter();
        attributes
            .find(|one| one.key == "service.instance.id")
            .unwrap()
            .value
    };
    assert_ne!(instance(&requests[0]), instance(&requests[1]));
}

//! The StatsD exporter: against a real daemon, and for DogStatsD against a parser of its grammar.
#![cfg(all(feature = "statsd", unix, not(shuttle)))]
#![allow(clippy::unwrap_used)]

use std::net::UdpSocket;
use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::{Duration, Instant};

use cachier_metrics::*;
use cachier_servers::statsd;
use cachier_servers::wait::until;

#[path = "support/busy.rs"]
#[allow(dead_code, reason = "not all tests need all of it")]
mod busy;
#[path = "support/dogstatsd.rs"]
mod dogstatsd;

use busy::{in_use_for_long, metrics};
use dogstatsd::{Line, received};

const UDP_LIMIT: usize = 1432;
const SOCKET_LIMIT: usize = 8192;
const UNREACHED_INTERVAL: Duration = Duration::from_secs(3600);

/// Calls that take this long, each timed.
fn calls(metrics: &'static CacheMetrics, clock: &Clock, count: u64, millis: u64) {
    for _ in 0..count {
        let call = metrics.start_call(Some(Sampled::ONE), None);
        clock.advance(Duration::from_millis(millis));
        call.finish(Outcome::Hit, None, None);
    }
}

/// A receiver of packets over UDP, and its address.
fn listening() -> (UdpSocket, String) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_nonblocking(true).unwrap();
    let address = socket.local_addr().unwrap().to_string();
    (socket, address)
}

fn dogstatsd(builder: StatsdBuilder) -> (StatsdExporter, &'static CacheMetrics, Clock) {
    let builder = builder.dialect(StatsdDialect::DogStatsd);
    let builder = builder
        .constant_label("service", "a,b|c")
        .constant_label("env", "");
    let exporter = builder.prefix("shop").build().unwrap();
    let (metrics, clock) = metrics("app::dog #1");
    exporter.register_function(metrics).unwrap();
    (exporter, metrics, clock)
}

/// The only line of a name.
#[track_caller]
fn the<'a>(lines: &'a [Line], name: &str) -> &'a Line {
    let of_name: Vec<_> = lines.iter().filter(|line| line.name == name).collect();
    assert_eq!(of_name.len(), 1, "{name}: {of_name:?}");
    of_name[0]
}

/// A count of the exporter's own.
fn own(exporter: &StatsdExporter, name: &str) -> u64 {
    let export = exporter.registry().gather();
    let family = export.families().find(|family| family.name == name);
    match family.map(|family| family.samples[0].value.clone()) {
        Some(SampleValue::Count(count)) => count,
        other => panic!("{name}: {other:?}"),
    }
}

#[test]
fn a_daemon_reports_the_totals() {
    let Some(daemon) = statsd::start(UNREACHED_INTERVAL) else {
        return;
    };
    let (metrics, clock) = metrics("app::totals");
    let exporter = StatsdExporter::builder().address(daemon.address());
    let exporter = exporter.build().unwrap();
    exporter.register_function(metrics).unwrap();
    let hits = "cachier.calls.app__totals.file.hit";
    calls(metrics, &clock, 3, 100);
    metrics.rejected(1 << 20);
    exporter.flush().unwrap();
    daemon.has("counters", hits, "3");
    calls(metrics, &clock, 4, 0);
    exporter.flush().unwrap();
    exporter.push_once().unwrap();
    daemon.has("counters", hits, "7");
    daemon.has(
        "counters",
        "cachier.rejected_bytes.app__totals.file",
        "1048576",
    );
    daemon.has(
        "gauges",
        "cachier.start_time_seconds.app__totals.file",
        "1704067200",
    );
    daemon.has("counters", "statsd.bad_lines_seen", "0");
    let sent = own(&exporter, "export_requests");
    daemon.has("counters", "statsd.packets_received", &sent.to_string());
}

/// Everything that there is reaches the daemon as numbers that it takes, in many packets.
#[test]
fn a_daemon_takes_every_figure() {
    let Some(daemon) = statsd::start(UNREACHED_INTERVAL) else {
        return;
    };
    let (busy, _running) = in_use_for_long("many \n|:#@ ü");
    let exporter = StatsdExporter::builder().address(daemon.address());
    let exporter = exporter.constant_label("service", "till").build().unwrap();
    exporter.register_function(busy).unwrap();
    exporter.flush().unwrap();
    daemon.has("counters", "statsd.bad_lines_seen", "0");
    let (mut counters, mut gauges) = (0, 0);
    let export = exporter.registry().gather();
    let about_the_function = |family: &MetricFamily<'_>| !family.name.starts_with("export");
    for family in export.families().filter(about_the_function) {
        let is_counter = family.kind == MetricKind::Counter;
        for sample in &family.samples {
            let value = match sample.value {
                SampleValue::Count(count) => count as f64,
                SampleValue::Number(number) => number,
                _ => continue,
            };
            let values = sample.labels.iter().map(|(_, value)| *value);
            let unit = match family.unit {
                MetricUnit::Seconds => "_seconds",
                MetricUnit::Bytes => "_bytes",
                _ => "",
            };
            let spelt = |value: &str| value.replace(|c: char| !c.is_ascii_alphanumeric(), "_");
            let parts: Vec<_> = values.map(spelt).collect();
            let name = format!("cachier.{}{unit}.{}", family.name, parts.join("."));
            match (is_counter, value > 0.0) {
                (true, true) => daemon.has(
                    "counters",
                    &name.replace("_other_", "other"),
                    &value.to_string(),
                ),
                (true, false) => {}
                (false, _) => daemon.has("gauges", &name, &value.to_string()),
            }
            counters += usize::from(is_counter);
            gauges += usize::from(!is_counter);
        }
    }
    assert!(counters > 50 && gauges > 10, "{counters} and {gauges}");
}

#[test]
fn a_daemon_counts_the_observations() {
    let Some(daemon) = statsd::start(Duration::from_millis(300)) else {
        return;
    };
    let (metrics, clock) = metrics("observed");
    let exporter = StatsdExporter::builder().address(daemon.address());
    let exporter = exporter.build().unwrap();
    exporter.register_function(metrics).unwrap();
    calls(metrics, &clock, 7, 100);
    exporter.flush().unwrap();
    let duration = "cachier.call_duration.observed.file.hit";
    until("the daemon prints the timer", || {
        daemon.output().contains(duration)
    });
    let output = daemon.output();
    let about = output.split(&format!("'{duration}': {{")).nth(1).unwrap();
    let figure = |name: &str| {
        let text = about.split(&format!(" {name}: ")).nth(1).unwrap();
        let text = text.split([',', ' ', '\n']).next().unwrap();
        text.parse::<f64>().unwrap()
    };
    assert_eq!(figure("count"), 7.0, "{about}");
    assert!((figure("upper") / 100.0 - 1.0).abs() < 0.023, "{about}");
}

#[test]
fn dogstatsd_is_told_with_tags() {
    let (socket, address) = listening();
    let (exporter, metrics, clock) = dogstatsd(StatsdExporter::builder().address(address));
    calls(metrics, &clock, 5, 20);
    metrics.rejected(1 << 20);
    exporter.flush().unwrap();
    let (lines, packets) = received(|buffer| socket.recv(buffer), UDP_LIMIT);
    let calls = the(&lines, "shop.calls");
    assert_eq!((calls.value, &*calls.kind, calls.rate), (5.0, "c", 1.0));
    let tags = [
        ("backend", "file"),
        ("env", ""),
        ("function", "app::dog _1"),
        ("outcome", "hit"),
        ("service", "a_b_c"),
    ];
    let found = calls.tags.iter().map(|(key, value)| (&**key, &**value));
    assert!(found.eq(tags), "{calls:?}");
    let duration = the(&lines, "shop.call_duration_seconds");
    assert_eq!((&*duration.kind, duration.count()), ("d", 5));
    assert!((duration.value / 0.02 - 1.0).abs() < 0.023, "{duration:?}");
    assert_eq!(the(&lines, "shop.rejected_bytes").value, f64::from(1 << 20));
    assert_eq!(the(&lines, "shop.sampling_ratio").kind, "g");
    // What does not change is not told again, but for gauges; the exporter has counted its first export.
    exporter.flush().unwrap();
    let (again, _) = received(|buffer| socket.recv(buffer), UDP_LIMIT);
    assert_eq!(the(&again, "shop.export_requests").value, packets as f64);
    let moved = again.iter().filter(|line| line.kind != "g");
    let moved: Vec<_> = moved.map(|line| &*line.name).collect();
    assert_eq!(moved, ["shop.export_requests", "shop.export_sent_bytes"]);
}

#[test]
fn packets_to_a_socket_are_larger() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dog.sock");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_nonblocking(true).unwrap();
    let (exporter, ..) = dogstatsd(StatsdExporter::builder().unix_socket(&path));
    let (busy, _running) = in_use_for_long("busy");
    exporter.register_function(busy).unwrap();
    exporter.flush().unwrap();
    let (lines, packets) = received(|buffer| socket.recv(buffer), SOCKET_LIMIT);
    let bytes = own(&exporter, "export_sent");
    let limits = (bytes / UDP_LIMIT as u64, bytes / SOCKET_LIMIT as u64 + 1);
    assert!(
        lines.len() > 60 && limits.0 > 3,
        "{} lines of {bytes} bytes",
        lines.len()
    );
    assert_eq!(packets as u64, limits.1);
}

#[test]
fn a_socket_that_comes_late_gets_everything() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("late.sock");
    let (exporter, metrics, clock) = dogstatsd(StatsdExporter::builder().unix_socket(&path));
    calls(metrics, &clock, 2, 1);
    let error = exporter.flush().unwrap_err().to_string();
    let message = format!("cannot send metrics to {}: ", path.display());
    assert!(error.starts_with(&message), "{error}");
    calls(metrics, &clock, 3, 1);
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_nonblocking(true).unwrap();
    exporter.flush().unwrap();
    let (lines, _) = received(|buffer| socket.recv(buffer), SOCKET_LIMIT);
    assert_eq!(the(&lines, "shop.calls").value, 5.0);
    assert_eq!(the(&lines, "shop.call_duration_seconds").count(), 5);
    assert_eq!(the(&lines, "shop.export_failures").value, 1.0);
}

/// It refuses, is there for a while, refuses again, and comes back.
#[test]
fn absent_daemons_neither_lose_nor_repeat_figures() {
    let (socket, address) = listening();
    let port = socket.local_addr().unwrap().port();
    let (exporter, metrics, clock) = dogstatsd(StatsdExporter::builder().address(address));
    let mut receiver = Some(socket);
    let (mut told, mut observed, mut failures) = (0.0, 0, 0);
    for round in 1..=6 {
        calls(metrics, &clock, round, 20);
        if round % 2 == 0 {
            drop(receiver.take());
            let error = exporter.flush().unwrap_err().to_string();
            assert!(error.contains(&port.to_string()), "{error}");
            failures += 1;
            continue;
        }
        let socket = receiver.get_or_insert_with(|| {
            let socket = UdpSocket::bind(("127.0.0.1", port)).unwrap();
            socket.set_nonblocking(true).unwrap();
            socket
        });
        exporter.flush().unwrap();
        let (lines, _) = received(|buffer| socket.recv(buffer), UDP_LIMIT);
        told += the(&lines, "shop.calls").value;
        observed += the(&lines, "shop.call_duration_seconds").count();
        let so_far = (1..=round).sum::<u64>();
        assert_eq!((told, observed), (so_far as f64, so_far));
    }
    assert_eq!(own(&exporter, "export_failures"), failures);
    assert_eq!(own(&exporter, "export_dropped"), 0);
}

#[test]
fn waiting_for_stuck_daemons_is_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("full.sock");
    let socket = UnixDatagram::bind(&path).unwrap();
    let (exporter, metrics, clock) = dogstatsd(StatsdExporter::builder().unix_socket(&path));
    calls(metrics, &clock, 3, 20);
    let began = Instant::now();
    let mut sent = 0;
    let error = loop {
        match exporter.flush() {
            Ok(()) => sent += 1,
            Err(error) => break error,
        }
        assert!(sent < 100_000, "it takes everything");
    };
    assert!(began.elapsed() < Duration::from_secs(10), "{error}");
    assert_eq!(own(&exporter, "export_failures"), 1);
    // As soon as it reads it has all, each once.
    calls(metrics, &clock, 4, 20);
    socket.set_nonblocking(true).unwrap();
    let (mut lines, _) = received(|buffer| socket.recv(buffer), SOCKET_LIMIT);
    exporter.flush().unwrap();
    lines.extend(received(|buffer| socket.recv(buffer), SOCKET_LIMIT).0);
    let of_calls = lines.iter().filter(|line| line.name == "shop.calls");
    assert_eq!(of_calls.map(|line| line.value).sum::<f64>(), 7.0);
}

#[test]
fn figures_too_long_for_packets_are_counted() {
    let (socket, address) = listening();
    let exporter = StatsdExporter::builder().address(address).build().unwrap();
    let (long, clock) = metrics(&"x".repeat(UDP_LIMIT));
    let (short, _) = metrics("short");
    exporter.register_functions([long, short]).unwrap();
    calls(long, &clock, 1, 0);
    calls(short, &clock, 1, 0);
    exporter.flush().unwrap();
    let mut buffer = [0; 2048];
    let length = socket.recv(&mut buffer).unwrap();
    assert!(buffer[..length].starts_with(b"cachier.calls.short.file.hit:1|c"));
    let dropped = own(&exporter, "export_dropped");
    assert!(dropped > 5, "{dropped}");
    // Its counter and its histogram are not dropped again, as they have not moved; its gauges are.
    exporter.flush().unwrap();
    assert_eq!(own(&exporter, "export_dropped"), dropped + dropped - 2);
}

/// Names that a daemon cannot tell apart add up there.
#[test]
fn functions_of_one_spelling_add_up() {
    let Some(daemon) = statsd::start(UNREACHED_INTERVAL) else {
        return;
    };
    let exporter = StatsdExporter::builder().address(daemon.address());
    let exporter = exporter.max_series(100_000).build().unwrap();
    let functions = ["a::b", "a__b"].map(metrics);
    for (metrics, _) in &functions {
        exporter.register_function(metrics).unwrap();
    }
    for round in 1..=3 {
        calls(functions[0].0, &functions[0].1, 1, 0);
        calls(functions[1].0, &functions[1].1, 10, 0);
        exporter.flush().unwrap();
        let total = (11 * round).to_string();
        daemon.has("counters", "cachier.calls.a__b.file.hit", &total);
    }
}

#[test]
fn it_sends_periodically_and_on_stop() {
    let (socket, address) = listening();
    let (metrics, clock) = metrics("periodic");
    let arrives = |line: &str| {
        let mut buffer = [0; 2048];
        until(line, || {
            let length = socket.recv(&mut buffer).unwrap_or_default();
            let packet = std::str::from_utf8(&buffer[..length]).unwrap();
            packet.lines().any(|found| found == line)
        });
    };
    let builder = || StatsdExporter::builder().address(&address);
    let often = builder()
        .interval(Duration::from_millis(1))
        .build()
        .unwrap();
    often.register_function(metrics).unwrap();
    calls(metrics, &clock, 1, 0);
    often.start().unwrap();
    let error = often.start().unwrap_err().to_string();
    assert!(
        error.contains("`cachier-statsd` has been started already"),
        "{error}"
    );
    arrives("cachier.calls.periodic.file.hit:1|c");
    often.stop();
    often.stop();
    let rarely = builder()
        .interval(UNREACHED_INTERVAL)
        .constant_label("service", "late");
    let rarely = rarely.build().unwrap();
    rarely.register_function(metrics).unwrap();
    rarely.start().unwrap();
    rarely.stop();
    arrives("cachier.calls.late.periodic.file.hit:1|c");
}

#[test]
fn failed_periodic_exports_end_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("statsd.sock");
    let builder = StatsdExporter::builder().unix_socket(&path);
    let exporter = builder.interval(Duration::from_millis(1)).build().unwrap();
    let (metrics, clock) = metrics("late daemon");
    exporter.register_function(metrics).unwrap();
    calls(metrics, &clock, 1, 0);
    exporter.start().unwrap();
    let has_failed = || {
        let export = exporter.registry().gather();
        let mut own = export.families();
        own.find(|family| family.name == "export_failures")
            .is_some_and(|family| family.samples[0].value != SampleValue::Count(0))
    };
    until("it has failed", has_failed);
    let daemon = UnixDatagram::bind(&path).unwrap();
    let mut packet = [0; 9000];
    daemon
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    assert!(daemon.recv(&mut packet).unwrap() > 0);
    exporter.stop();
}

/// The program that this test is, too, exports to nobody until that has failed a few times.
#[test]
fn failures_of_one_cause_are_warned_once() {
    const IS_PROGRAM: &str = "CACHIER_TEST_WARNINGS";
    if std::env::var_os(IS_PROGRAM).is_some() {
        let builder = StatsdExporter::builder().unix_socket("/nowhere/statsd");
        let exporter = builder.interval(Duration::from_millis(1)).build().unwrap();
        exporter.start().unwrap();
        until("it fails", || own(&exporter, "export_failures") >= 3);
        return;
    }
    let program = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "failures_of_one_cause_are_warned_once",
            "--nocapture",
        ])
        .env(IS_PROGRAM, "")
        .output()
        .unwrap();
    let told = String::from_utf8(program.stderr).unwrap();
    let told = told.matches("cannot send metrics to /nowhere/statsd");
    assert_eq!((told.count(), program.status.success()), (1, true));
}

#[test]
fn what_cannot_be_is_refused() {
    let builder = StatsdExporter::builder;
    assert!(builder().prefix("a b").build().is_err());
    assert!(builder().constant_label("function", "f").build().is_err());
    assert!(builder().prefix("").build().is_ok());
    for nowhere in ["127.0.0.1", "[::1]:0"] {
        let error = builder().address(nowhere).build().unwrap().flush();
        let error = error.unwrap_err().to_string();
        let message = format!("cannot send metrics to {nowhere}: ");
        assert!(error.starts_with(&message), "{error}");
    }
}

//! A real Prometheus scrapes a program that is killed and started again: what happened in it is counted once.
#![cfg(all(feature = "prometheus", not(shuttle)))]
#![allow(clippy::unwrap_used)]

use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use cachier_metrics::*;
use cachier_servers::prometheus;

/// What the program is told: the port that it serves at.
const PORT: &str = "CACHIER_TEST_PORT";
/// And how often its function is called.
const CALLS: &str = "CACHIER_TEST_CALLS";

/// The scraped program, killed when dropped.
struct Program(Child);

impl Program {
    fn start(address: SocketAddr, calls: u64) -> Self {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "increase_is_right_across_a_restart"])
            .envs([
                (PORT, address.port().to_string()),
                (CALLS, calls.to_string()),
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn();
        Self(child.unwrap())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The program: its function has not been called when it is scraped first.
fn run(port: &str) {
    let metrics = CacheMetrics::create(MetricsOptions::new("restarted", "memory"));
    let builder = PrometheusExporter::builder().port(port.parse().unwrap());
    let exporter = builder.build().unwrap();
    exporter.register_function(metrics).unwrap();
    exporter.start().unwrap();
    let calls: u64 = std::env::var(CALLS).unwrap().parse().unwrap();
    for _ in 0..calls {
        metrics
            .start_call(Some(Sampled::ONE), None)
            .finish(Outcome::Miss, None, None);
        thread::sleep(Duration::from_millis(1));
    }
    // Until it is killed, or whoever started it has gone.
    let _ = std::io::stdin().read_line(&mut String::new());
}

#[test]
fn increase_is_right_across_a_restart() {
    if let Ok(port) = std::env::var(PORT) {
        return run(&port);
    }
    let free = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let Some(prometheus) = prometheus::start(&[("restarted", address)], &[], &[]) else {
        return;
    };
    // Until it has scraped something, as a series counts from its first value on.
    let _ = prometheus.query("up == 0");
    let has_counted = |calls: u64| {
        let _ = prometheus.query(&format!(
            "cachier_calls_total{{outcome=\"miss\"}} == {calls}"
        ));
    };
    let began = Instant::now();
    let (before, after) = (600, 40);
    let program = Program::start(address, before);
    has_counted(before);
    drop(program);
    let _ = prometheus.query("up == 0");
    let _program = Program::start(address, after);
    has_counted(after);
    // Prometheus extends what it has seen to the ends of the range, by half a scrape at most.
    let range = began.elapsed().as_secs() + 2;
    let increase = prometheus.number(&format!(
        "increase(cachier_calls_total{{outcome=\"miss\"}}[{range}s])"
    ));
    let counted = (before + after) as f64;
    assert!(
        (0.9 * counted..1.1 * counted).contains(&increase),
        "{increase}"
    );
    let of_histogram = prometheus.number(&format!(
        "increase(cachier_call_duration_seconds_count{{outcome=\"miss\"}}[{range}s])"
    ));
    assert!(of_histogram <= 1.1 * counted, "{of_histogram}");
}

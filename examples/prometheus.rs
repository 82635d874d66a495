//! Exports metrics to Prometheus: `cargo run --release --bin prometheus [-- --serve]`.
//!
//! With `--serve` it keeps calling and serving at <http://127.0.0.1:9464/metrics> until it is stopped.
#![expect(clippy::print_stdout, reason = "a program that shows figures")]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use cachier::{PrometheusExporter, cachier};

/// The factors of a number.
#[cachier(backend = "memory", capacity = 1000, enable_metrics)]
fn factors(mut number: u64) -> Vec<u64> {
    let mut factors = Vec::new();
    for candidate in 2.. {
        while number.is_multiple_of(candidate) {
            factors.push(candidate);
            number /= candidate;
        }
        if number < 2 {
            break;
        }
    }
    factors
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let serve = std::env::args().any(|argument| argument == "--serve");
    let exporter = PrometheusExporter::builder()
        .port(if serve { 9464 } else { 0 })
        .build()?;
    exporter.register_all()?;
    exporter.start()?;
    let address = exporter
        .local_addr()
        .ok_or("the exporter has just been started")?;
    println!("metrics at http://{address}/metrics\n");

    for round in 0.. {
        (2..500).for_each(|number| drop(factors(number * (round % 3 + 1))));
        if round == 3 {
            excerpt(&scrape(address)?);
        }
        if round >= 3 && !serve {
            break;
        }
        std::thread::sleep(Duration::from_millis(if serve { 200 } else { 0 }));
    }
    exporter.stop();
    Ok(())
}

/// The response to a scrape of Prometheus.
fn scrape(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    write!(
        stream,
        "GET /metrics HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )?;
    let mut response = String::new();
    stream.read_to_string(&mut response)?;
    Ok(response)
}

/// Prints the call counters and other short lines.
fn excerpt(response: &str) {
    let of_interest = [
        "HTTP/",
        "cachier_calls_total",
        "cachier_hit_ratio",
        "cachier_entries",
    ];
    for line in response.lines() {
        if of_interest.iter().any(|start| line.starts_with(start)) {
            println!("{line}");
        }
    }
    println!("… {} lines in all", response.lines().count());
}

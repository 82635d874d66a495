//! Sends metrics to StatsD: `cargo run --release --bin statsd [-- HOST:PORT]`.
//!
//! Without an address it listens itself and prints what a daemon would get; with `--dogstatsd` as DogStatsD has it.
#![expect(clippy::print_stdout, reason = "a program that shows figures")]

use std::error::Error;
use std::io::ErrorKind;
use std::net::UdpSocket;
use std::time::Duration;

use cachier::{MetricsExporter, StatsdDialect, StatsdExporter, cachier};

/// How many steps the Collatz sequence takes from a number to one.
#[cachier(backend = "memory", capacity = 10_000, enable_metrics)]
fn steps(number: u64) -> u64 {
    match number {
        0 | 1 => 0,
        even if even % 2 == 0 => 1 + steps(even / 2),
        odd => 1 + steps(3 * odd + 1),
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let (flags, addresses): (Vec<_>, Vec<_>) = std::env::args()
        .skip(1)
        .partition(|argument| argument.starts_with("--"));
    let dialect = match flags.iter().any(|flag| flag == "--dogstatsd") {
        true => StatsdDialect::DogStatsd,
        false => StatsdDialect::Statsd,
    };
    let daemon = UdpSocket::bind("127.0.0.1:0")?;
    let address = match addresses.first() {
        Some(address) => address.clone(),
        None => daemon.local_addr()?.to_string(),
    };
    let exporter = StatsdExporter::builder()
        .address(&address)
        .dialect(dialect)
        .constant_label("service", "example")
        .interval(Duration::from_secs(10))
        .build()?;
    exporter.register_all()?;
    exporter.start()?; // sends every ten seconds, in its own thread

    let longest = (1..1000).max_by_key(|number| steps(*number)).unwrap_or(1);
    println!("{longest} takes {} steps\n", steps(longest));

    exporter.stop(); // sends once more
    if addresses.is_empty() {
        excerpt(&daemon)?;
    } else {
        println!("sent to {address}");
    }
    Ok(())
}

/// Prints some of what has arrived: counters, a gauge, and durations, each with the share of values that it is one of.
fn excerpt(daemon: &UdpSocket) -> std::io::Result<()> {
    let of_interest = [
        "cachier.calls",
        "cachier.entries",
        "cachier.compute_duration",
    ];
    daemon.set_nonblocking(true)?;
    let (mut packet, mut lines) = ([0; 2048], 0);
    loop {
        let length = match daemon.recv(&mut packet) {
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => return Err(error),
        };
        for line in String::from_utf8_lossy(&packet[..length]).lines() {
            lines += 1;
            if of_interest.iter().any(|start| line.starts_with(start)) {
                println!("{line}");
            }
        }
    }
    println!("… {lines} lines in all");
    Ok(())
}

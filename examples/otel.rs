//! Sends metrics to OpenTelemetry: `cargo run --release --features otel --bin otel`.
//!
//! To the receiver that `OTEL_EXPORTER_OTLP_ENDPOINT` names, or else to a private one that prints what it gets and ends with
//! this program. rotel is downloaded for it (10 MB, once).
#![expect(clippy::print_stdout, reason = "a program that tells what it does")]

use std::error::Error;
use std::thread::sleep;
use std::time::{Duration, Instant};

use cachier::{MetricsExporter as _, OtlpCompression, OtlpExporter, OtlpProtocol, cachier};
use cachier_servers::rotel::Rotel;

/// The number of steps to 1, by the rule of Collatz.
#[cachier(backend = "memory", enable_metrics, sampling_rate = 1.0)]
fn steps(number: u64) -> u64 {
    match number {
        1 => 0,
        even if even.is_multiple_of(2) => 1 + steps(even / 2),
        odd => 1 + steps(3 * odd + 1),
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut builder = OtlpExporter::builder()
        .service_name("collatz")
        .compression(OtlpCompression::Gzip);
    let receiver = match std::env::var_os("OTEL_EXPORTER_OTLP_ENDPOINT") {
        Some(_) => None,
        None => Some(Rotel::start_or_fetch()?),
    };
    if let Some(receiver) = &receiver {
        builder = builder
            .endpoint(format!("http://127.0.0.1:{}", receiver.grpc_port()))
            .protocol(OtlpProtocol::Grpc);
    }
    let exporter = builder.build()?;
    exporter.register_all()?;
    exporter.start()?; // each minute

    let longest = (1..10_000).max_by_key(|number| steps(*number));
    println!("most steps: {longest:?}");
    exporter.stop(); // sends the rest
    exporter.flush()?; // and tells whether it was received

    match receiver {
        Some(receiver) => excerpt(&received(&receiver)?),
        None => println!("sent to the receiver that OTEL_EXPORTER_OTLP_ENDPOINT names"),
    }
    Ok(())
}

/// What the receiver has printed, which it does a moment later.
fn received(receiver: &Rotel) -> Result<String, &'static str> {
    let until = Instant::now() + Duration::from_secs(20);
    while Instant::now() < until {
        let output = receiver.output();
        if output.contains("cachier.start.time") {
            return Ok(output);
        }
        sleep(Duration::from_millis(20));
    }
    Err("the receiver prints nothing")
}

/// Prints who sent, and the counts of calls.
fn excerpt(output: &str) {
    let lines = output
        .lines()
        .skip_while(|line| !line.contains("service.name"));
    for line in lines.take_while(|line| !line.contains("cachier.calls.abandoned")) {
        let is_of_interest = ["service", "Name", "Unit", "outcome", "Value"];
        if is_of_interest.iter().any(|word| line.contains(word)) {
            println!("{}", line.trim());
        }
    }
}

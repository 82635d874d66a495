//! Writes metrics for CloudWatch: `cargo run --release --bin cloudwatch [-- FILE]`.
//!
//! In AWS Lambda, and in containers whose output goes to CloudWatch Logs, the lines of JSON on the standard output become
//! metrics in the namespace `Example`; the CloudWatch agent reads those in a file. No client is needed, and none is here.
#![expect(clippy::print_stdout, reason = "a program that shows figures")]

use cachier::{EmfExporter, MetricsExporter, cachier};

/// The number of partitions of a number into parts of at most a size.
#[cachier(backend = "memory", enable_metrics)]
fn partitions(number: u32, largest: u32) -> u64 {
    match (number, largest) {
        (0, _) => 1,
        (_, 0) => 0,
        _ => (1..=largest.min(number))
            .map(|part| partitions(number - part, part))
            .sum(),
    }
}

/// What a Lambda function does in each call.
fn handle(exporter: &EmfExporter, number: u32) -> Result<u64, Box<dyn std::error::Error>> {
    let found = partitions(number, number);
    // The environment stands still between calls, threads included: so at the end of each.
    exporter.flush()?;
    Ok(found)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut builder = EmfExporter::builder()
        .namespace("Example")
        .constant_label("service", "partitions");
    let file = std::env::args_os().nth(1);
    if let Some(path) = &file {
        builder = builder.file(path);
    }
    let exporter = builder.build()?;
    exporter.register_all()?;
    for number in [50, 60, 60] {
        let found = handle(&exporter, number)?;
        if file.is_some() {
            println!("{number} has {found} partitions");
        }
    }
    Ok(())
}

//! Sends metrics to CloudWatch by its API: `cargo run --release --features cloudwatch --bin cloudwatch_api`.
//!
//! To a private moto, which stands for the service and ends with this program; it is downloaded (once), and needs Python. A
//! program in AWS makes its client of what `aws_config` finds, and starts the exporter, which sends each minute.
#![expect(clippy::print_stdout, reason = "a program that tells what it does")]

use cachier::aws_sdk_cloudwatch::config::{BehaviorVersion, Credentials, Region};
use cachier::aws_sdk_cloudwatch::{Client, Config};
use cachier::metrics::SampleValue;
use cachier::{CloudWatchExporter, MetricsExporter as _, cachier};
use cachier_servers::s3::start_moto;

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

/// A client of moto, which takes any credentials.
fn client(endpoint: &str) -> Client {
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("key", "secret", None, None, "example"))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .endpoint_url(endpoint);
    Client::from_conf(config.build())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let moto = start_moto().ok_or("there is no moto: run `tests/servers/get-moto`")?;
    let exporter = CloudWatchExporter::builder(client(&moto.place().endpoint))
        .namespace("Example")
        .constant_label("service", "partitions")
        .build()?;
    exporter.register_all()?;
    for number in [50, 60, 60] {
        println!("{number} has {} partitions", partitions(number, number));
    }
    // What a program does that ends soon; one that stays starts the exporter.
    exporter.push_once()?;
    let export = exporter.registry().gather();
    for family in export
        .families()
        .filter(|family| family.name == "export_requests")
    {
        for sample in &family.samples {
            if let SampleValue::Count(requests) = &sample.value {
                println!("CloudWatch has taken the figures, in {requests} request(s)");
            }
        }
    }
    Ok(())
}

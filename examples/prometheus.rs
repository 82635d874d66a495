//! Exports metrics to Prometheus as a part of a web service: `cargo run --release --bin prometheus [-- --serve]`.
//!
//! The pages of the exporter are mounted in the service's own server, below `/cachier`: figures for Prometheus at
//! `/cachier/metrics`, the live page for people at `/cachier`. With `--serve` it listens at <http://127.0.0.1:9464> until it is
//! stopped; else it uses a free port, makes some requests itself, and ends.
#![expect(clippy::print_stdout, reason = "a program that shows figures")]

use std::error::Error;
use std::net::SocketAddr;

use axum::extract::Path;
use axum::routing::get;
use axum::{Json, Router};
use cachier::{PrometheusExporter, cachier};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

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

async fn answer(Path(number): Path<u64>) -> Json<Vec<u64>> {
    Json(factors(number))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let serve = std::env::args().any(|argument| argument == "--serve");
    let exporter = PrometheusExporter::builder().build()?;
    exporter.register_all()?;
    let service = Router::new()
        .route("/factors/{number}", get(answer))
        .nest("/cachier", exporter.router());
    let listener = TcpListener::bind(("127.0.0.1", if serve { 9464 } else { 0 })).await?;
    let address = listener.local_addr()?;
    println!("the service is at http://{address}/factors/360");
    println!(
        "metrics are at http://{address}/cachier/metrics, the page at http://{address}/cachier\n"
    );
    let server = tokio::spawn(axum::serve(listener, service).into_future());

    for number in [360, 9991, 360, 360] {
        let response = request(address, &format!("/factors/{number}")).await?;
        println!("{number}: {}", response.lines().last().unwrap_or_default());
    }
    excerpt(&request(address, "/cachier/metrics").await?);
    if serve {
        server.await??;
    }
    Ok(())
}

/// The response to a GET request.
async fn request(address: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut response = String::new();
    stream.read_to_string(&mut response).await?;
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

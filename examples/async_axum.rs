//! A web service with a cached handler: `cargo run --release --bin async_axum [-- --serve]`.
//!
//! It uses a free port, makes some requests itself, and ends; with `--serve` it stays.
#![expect(clippy::print_stdout, reason = "a program that tells what it does")]

use std::future::ready;
use std::io::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::Path;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use cachier::{PrometheusExporter, cachier};
use serde::Serialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// The response of the service.
#[derive(Clone, Serialize)]
struct Forecast {
    city: String,
    celsius: i32,
}

/// Asks a remote service, once for all concurrent requests for a city. A forecast older than ten minutes is still
/// returned, while a new one is fetched in the background.
#[cachier(
    backend = "memory",
    capacity = 10_000,
    stale_after = "10m",
    next_time,
    max_stale = "1d",
    enable_metrics
)]
async fn forecast(city: &str) -> Result<Forecast, StatusCode> {
    tokio::time::sleep(LATENCY).await;
    match city.len() {
        1..=20 => Ok(Forecast {
            city: city.to_owned(),
            celsius: city.len() as i32,
        }),
        _ => Err(StatusCode::NOT_FOUND),
    }
}

const LATENCY: Duration = Duration::from_millis(200);

async fn weather(Path(city): Path<String>) -> Result<Json<Forecast>, StatusCode> {
    forecast(&city).await.map(Json)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let exporter = Arc::new(PrometheusExporter::builder().build()?);
    exporter.register_all()?;
    let service = Router::new()
        .route("/weather/{city}", get(weather))
        .route("/metrics", get(move || ready(scrape(&exporter))));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    println!("http://{address}/weather/Oslo\nhttp://{address}/metrics\n");
    let server = tokio::spawn(axum::serve(listener, service).into_future());

    try_out(address).await?;
    if std::env::args().any(|argument| argument == "--serve") {
        server.await??;
    }
    Ok(())
}

/// The metrics, as Prometheus asks for them.
fn scrape(exporter: &PrometheusExporter) -> impl IntoResponse + use<> {
    (
        [(CONTENT_TYPE, PrometheusExporter::CONTENT_TYPE)],
        exporter.render(),
    )
}

/// Makes requests, and prints the results.
async fn try_out(address: SocketAddr) -> Result<(), Box<dyn std::error::Error>> {
    let at_once = (0..100).map(|_| tokio::spawn(request(address, "/weather/Oslo")));
    let at_once: Vec<_> = at_once.collect();
    for response in at_once {
        response.await??;
    }
    let stats = forecast::metrics().stats();
    println!(
        "100 requests at once: {} computed, {} waited for it, {} came later",
        stats.misses, stats.coalesced, stats.hits
    );

    for path in [
        "/weather/Oslo",
        "/weather/Bergen",
        "/weather/Nowhere-at-all-to-be-found",
    ] {
        let started = Instant::now();
        let response = request(address, path).await?;
        let (head, body) = response.split_once("\r\n\r\n").unwrap_or_default();
        let status = head.lines().next().unwrap_or_default();
        println!("{path}: {status} {body} in {:.1?}", started.elapsed());
    }
    println!("\n{}", forecast::metrics().stats());
    Ok(())
}

/// The response to a GET request.
async fn request(address: SocketAddr, path: &'static str) -> Result<String, Error> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut response = String::new();
    stream.read_to_string(&mut response).await?;
    Ok(response)
}

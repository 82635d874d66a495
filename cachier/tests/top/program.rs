//! A program with an endpoint: this one.

use std::net::SocketAddr;
use std::sync::Once;
use std::thread;
use std::time::{Duration, Instant};

use cachier::{PrometheusBuilder, PrometheusExporter, cachier};

#[cachier(
    backend = "memory",
    name = "shop::price",
    capacity = 1000,
    enable_metrics
)]
fn price(article: u64) -> u64 {
    article * 3
}

#[cachier(backend = "memory", name = "shop::stock", enable_metrics)]
fn stock(article: u64) -> u64 {
    article % 7
}

#[cachier(
    backend = "memory",
    name = "reports::of_a_visitor_of_the_shop_in_a_month",
    enable_metrics
)]
fn report(visitor: u64) -> Vec<u64> {
    (0..visitor).collect()
}

/// Calls the functions: of those of the shop 1,000 and 100 times.
pub(crate) fn call() {
    for number in 0..1000 {
        price(number % 100);
    }
    for number in 0..100 {
        stock(number % 50);
    }
    for number in 0..20 {
        report(number);
    }
}

/// An endpoint that is not started yet, of functions that have been called.
pub(crate) fn exporter(builder: PrometheusBuilder) -> PrometheusExporter {
    static CALLED: Once = Once::new();
    CALLED.call_once(call);
    let exporter = builder.constant_label("service", "shop").build().unwrap();
    exporter.register_all().unwrap();
    exporter
}

/// An endpoint on a free port.
pub(crate) fn serving() -> (PrometheusExporter, SocketAddr) {
    let exporter = exporter(PrometheusExporter::builder().port(0));
    exporter.start().unwrap();
    let address = exporter.local_addr().unwrap();
    (exporter, address)
}

/// An endpoint where there was one before.
pub(crate) fn serving_at(address: SocketAddr) -> PrometheusExporter {
    let exporter = exporter(PrometheusExporter::builder().port(address.port()));
    let started = Instant::now();
    // A client's connection may have the port for a moment.
    while let Err(error) = exporter.start() {
        assert!(started.elapsed() < Duration::from_secs(30), "{error}");
        thread::sleep(Duration::from_millis(10));
    }
    exporter
}

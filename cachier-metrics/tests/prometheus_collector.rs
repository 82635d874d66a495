//! The figures in a registry of the crate `prometheus-client`.
#![cfg(all(feature = "prometheus-client", not(shuttle)))]
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use cachier_metrics::prometheus_client::encoding::{prometheus_text, text};
use cachier_metrics::prometheus_client::metrics::counter::Counter;
use cachier_metrics::prometheus_client::registry::Registry;
use cachier_metrics::*;

#[path = "support/busy.rs"]
#[allow(dead_code, reason = "not all tests need all of it")]
mod busy;

use busy::{in_use_for_long, store};

/// Each series with its value; bounds of buckets as numbers, whoever wrote them.
fn series(page: &str) -> BTreeMap<String, f64> {
    let lines = page.lines().filter(|line| !line.starts_with('#'));
    let series = lines.map(|line| {
        let (name, value) = line.rsplit_once(' ').unwrap();
        let Some((_, bound)) = name.split_once("le=\"") else {
            return (name.to_owned(), value.parse().unwrap());
        };
        let (bound, _) = bound.split_once('"').unwrap();
        // Wherever it stands among the labels.
        let label = format!("le=\"{bound}\"");
        let name = name
            .replace(&format!(",{label}"), "")
            .replace(&format!("{label},"), "");
        let name = format!("{name} {}", bound.parse::<f64>().unwrap());
        (name, value.parse().unwrap())
    });
    series.collect()
}

fn same(one: &str, other: &str) {
    let (one, other) = (series(one), series(other));
    assert!(one.len() > 150, "{}", one.len());
    for (name, value) in &one {
        let found = other
            .get(name)
            .unwrap_or_else(|| panic!("no {name} in {other:#?}"));
        // What the exporter counts of itself aside, they are the same numbers.
        assert!(
            (found - value).abs() <= value.abs() * 1e-12,
            "{name}: {found}, {value}"
        );
    }
    assert_eq!(one.len(), other.len());
}

#[test]
fn a_registry_shows_what_the_exporter_does() {
    let _store = store();
    let (busy, _running) = in_use_for_long("a\\b\"c\nd — ü{},=");
    for builder in [
        PrometheusExporter::builder(),
        PrometheusExporter::builder()
            .detail(Detail::Full)
            .prefix("till")
            .constant_label("service", "x"),
    ] {
        let exporter = builder.build().unwrap();
        exporter.register_function(busy).unwrap();
        let mut registry = Registry::default();
        registry.register_collector(exporter.collector());
        let mut page = String::new();
        prometheus_text::encode(&mut page, &registry).unwrap();
        same(&exporter.render(), &page);
        let mut page = String::new();
        text::encode(&mut page, &registry).unwrap();
        same(&exporter.render(), page.trim_end_matches("# EOF\n"));
    }
}

#[test]
fn the_figures_of_the_program_stay_beside() {
    let exporter = PrometheusExporter::builder().build().unwrap();
    let mut registry = Registry::with_prefix("shop");
    let orders: Counter = Counter::default();
    orders.inc();
    registry.register("orders", "Orders", orders);
    registry.register_collector(exporter.collector());
    let mut page = String::new();
    text::encode(&mut page, &registry).unwrap();
    assert!(page.contains("shop_orders_total 1"), "{page}");
    assert!(page.contains("shop_cachier_build_info{version="), "{page}");
}

/// Other names have no buckets and no stores.
#[test]
fn other_names_are_those_of_the_exporter() {
    let (busy, _running) = in_use_for_long("classic");
    let exporter = PrometheusExporter::builder()
        .naming(Naming::Classic)
        .build()
        .unwrap();
    exporter.register_function(busy).unwrap();
    let mut registry = Registry::default();
    registry.register_collector(exporter.collector());
    let mut page = String::new();
    prometheus_text::encode(&mut page, &registry).unwrap();
    assert_eq!(series(&page), series(&exporter.render()));
}

#[test]
fn a_function_without_buckets_has_none() {
    let (busy, _running) = in_use_for_long("coarse");
    let exporter = PrometheusExporter::builder()
        .max_series(1_500)
        .build()
        .unwrap();
    for number in 0..3 {
        exporter
            .register_function(busy::metrics(&format!("before{number}")).0)
            .unwrap();
    }
    exporter.register_function(busy).unwrap();
    let mut registry = Registry::default();
    registry.register_collector(exporter.collector());
    let mut page = String::new();
    prometheus_text::encode(&mut page, &registry).unwrap();
    // Another test may begin to use a store meanwhile.
    let of_functions = |page: &str| {
        let mut all = series(page);
        all.retain(|name, _| name.contains("function=\""));
        all
    };
    assert_eq!(of_functions(&page), of_functions(&exporter.render()));
    assert!(
        page.contains("le=\"+Inf\"") && !page.contains("le=\"4.0\""),
        "{page}"
    );
}

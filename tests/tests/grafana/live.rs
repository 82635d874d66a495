//! A real Prometheus that scrapes a real program finds data for every panel, and evaluates every rule.

use std::net::SocketAddr;
use std::path::Path;

use cachier_servers::prometheus::{self, Prometheus};
use cachier_servers::wait::until;

use crate::files::{RULES, grafana};
use crate::panel::Panel;
use crate::panels::rows;
use crate::program::while_it_runs;

/// Alerts on what takes minutes or days, and on calls that are slower than those here; promtool tries them.
const TAKE_LONGER: [&str; 5] = [
    "CachierComputationStuck",
    "CachierHitRateFell",
    "CachierLatencyBurnsFast",
    "CachierLatencyBurns",
    "CachierLatencyBurnsSlowly",
];

#[test]
fn every_panel_and_rule_finds_data() {
    while_it_runs(|address| {
        let targets = [("shop", address)];
        let rules = RULES.map(grafana);
        let rules = rules.each_ref().map(|file| file.as_path());
        let Some(classic) = prometheus::start(&targets, &rules, &[]) else {
            return;
        };
        let Some(native) = native(address) else {
            return;
        };
        for panel in rows().iter().flat_map(|row| &row.panels) {
            has_data(&classic, panel);
            has_data(&native, panel);
        }
        all_rules_are_evaluated(&classic);
    });
}

/// One that takes native histograms, and no classic ones beside them.
fn native(address: SocketAddr) -> Option<Prometheus> {
    let option = ["--enable-feature=native-histograms"];
    prometheus::start(&[("shop", address)], &[] as &[&Path], &option)
}

/// Each query of the panel finds a number, with what its legend names.
fn has_data(prometheus: &Prometheus, panel: &Panel) {
    for query in &panel.queries {
        let expression = as_grafana_asks(&query.expression);
        let found = prometheus.query(&expression);
        let labels = query.legend.split("{{").skip(1);
        for label in labels.filter_map(|rest| rest.split("}}").next()) {
            let has = found.iter().all(|(labels, _)| labels[label].is_string());
            assert!(has, "{}: no {label} in {found:?}", panel.title);
        }
    }
}

/// All services, backends and functions, and a short window.
fn as_grafana_asks(expression: &str) -> String {
    let replaced = [
        ("$service", ".*"),
        ("$backend", ".*"),
        ("$function", ".*"),
        ("$window", "5s"),
    ];
    let replaced = replaced
        .iter()
        .fold(expression.to_owned(), |text, (variable, value)| {
            text.replace(variable, value)
        });
    assert!(!replaced.contains('$'), "{replaced}");
    replaced
}

fn all_rules_are_evaluated(prometheus: &Prometheus) {
    let rules = prometheus.rules();
    assert!(rules.len() > 30, "{rules:?}");
    for rule in rules {
        let name = rule["name"].as_str().unwrap();
        match rule["type"].as_str() {
            Some("recording") => drop(prometheus.query(name)),
            _ if TAKE_LONGER.contains(&name) => {}
            _ => until(name, || {
                let rules = prometheus.rules();
                let now = rules.iter().find(|now| now["name"] == name);
                now.is_some_and(|rule| rule["state"] != "inactive")
            }),
        }
    }
    let rules = prometheus.rules();
    let unwell: Vec<_> = rules.iter().filter(|rule| rule["health"] != "ok").collect();
    assert!(unwell.is_empty(), "{unwell:?}");
}

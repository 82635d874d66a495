//! The files of `cachier-metrics/grafana`, without a Prometheus that runs.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use cachier_servers::prometheus::promtool;
use serde_json::Value;

use crate::dashboard::dashboard;

/// Set to write the dashboard anew, after its description has changed.
const WRITE_VARIABLE: &str = "CACHIER_WRITE_DASHBOARD";

/// Metrics on no panel: of exporters that send, which nobody scrapes, and totals over restarts, which only programs with a
/// folder for them have.
const NOT_SHOWN: [&str; 4] = [
    "export_requests_total",
    "export_sent_bytes_total",
    "lifetime_calls",
    "lifetime_time_saved_seconds",
];

pub(crate) const RULES: [&str; 2] = ["rules.yml", "latency-rules.yml"];

/// A file of the workspace.
pub(crate) fn path(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).join(name)
}

pub(crate) fn grafana(name: &str) -> PathBuf {
    path("cachier-metrics/grafana").join(name)
}

fn read(path: PathBuf) -> String {
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn all_rules() -> String {
    RULES.map(|file| read(grafana(file))).concat()
}

/// The rest of each line that begins with these words.
fn after<'a>(text: &'a str, words: &str) -> Vec<&'a str> {
    let lines = text.lines().map(str::trim);
    lines
        .filter_map(|line| line.strip_prefix(words))
        .map(str::trim)
        .collect()
}

#[test]
fn the_dashboard_is_current() {
    let path = grafana("dashboard.json");
    if std::env::var_os(WRITE_VARIABLE).is_some() {
        let text = serde_json::to_string_pretty(&dashboard()).unwrap();
        fs::write(&path, text + "\n").unwrap();
    }
    let committed: Value = serde_json::from_str(&read(path)).unwrap();
    let is_current = committed == dashboard();
    assert!(is_current, "write it with {WRITE_VARIABLE}=1");
}

#[test]
fn every_metric_is_on_the_dashboard() {
    let golden = read(path("cachier-metrics/tests/golden/metrics.txt"));
    let metrics = after(&golden, "cachier_").into_iter();
    let metrics = metrics.map(|line| line.split(' ').next().unwrap());
    let shown = dashboard().to_string();
    let is_shown = |metric: &str| shown.contains(&format!("cachier_{metric}"));
    let missing: Vec<_> = metrics
        .filter(|metric| is_shown(metric) == NOT_SHOWN.contains(metric))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn panels_have_names_of_their_own() {
    let dashboard = dashboard();
    let panels = dashboard["panels"].as_array().unwrap();
    let nested = panels.iter().flat_map(|panel| panel["panels"].as_array());
    let all: Vec<_> = panels.iter().chain(nested.flatten()).collect();
    let ids: BTreeSet<_> = all.iter().map(|panel| panel["id"].as_u64()).collect();
    assert_eq!(ids.len(), all.len());
    for panel in all {
        assert_ne!(panel["title"], "", "{panel}");
        let right =
            panel["gridPos"]["x"].as_u64().unwrap() + panel["gridPos"]["w"].as_u64().unwrap();
        assert!(right <= 24, "{panel}");
    }
}

#[test]
fn alerts_have_sections_of_the_runbook() {
    let runbook = read(path("cachier/src/guide/runbook.md"));
    let sections: BTreeSet<_> = after(&runbook, "## Cachier").into_iter().collect();
    let rules = all_rules();
    let alerts = after(&rules, "- alert: Cachier").into_iter();
    assert_eq!(alerts.clone().collect::<BTreeSet<_>>(), sections);
    let links = after(&rules, "runbook: cachier::guide::runbook#cachier");
    let alerts: Vec<_> = alerts.map(str::to_lowercase).collect();
    assert_eq!(links, alerts);
}

#[test]
fn alerts_are_tried_both_ways() {
    let tests = ["rules.test.yml", "days.test.yml"]
        .map(|file| read(path("tests/tests/grafana").join(file)));
    let tests = tests.concat();
    let rules = all_rules();
    for alert in after(&rules, "- alert:") {
        assert!(
            tests.contains(&format!("alertname: {alert}, exp_alerts: []")),
            "{alert} is silent"
        );
        assert!(
            tests.contains(&format!(
                "alertname: {alert}\n        exp_alerts:\n          - exp_labels"
            )),
            "{alert} fires"
        );
    }
}

#[test]
fn promtool_finds_nothing_wrong() {
    let tests =
        ["rules.test.yml", "days.test.yml"].map(|file| path("tests/tests/grafana").join(file));
    for (what, files) in [("check", RULES.map(grafana)), ("test", tests)] {
        match promtool(&[what, "rules"], &files) {
            Some(done) => assert_eq!(done, Ok(())),
            None => return,
        }
    }
}

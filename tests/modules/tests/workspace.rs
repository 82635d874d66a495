//! The crates of this workspace: no cycles among modules, in `cachier` the layers of ARCHITECTURE.md, and an example for each
//! public item.
#![allow(clippy::unwrap_used, missing_docs)]

use std::fs;
use std::path::Path;

use cachier_modules::{Graph, Layers, Source, cycles, without_examples};

const CRATES: [&str; 7] = [
    "cachier",
    "cachier-backends",
    "cachier-macros",
    "cachier-metrics",
    "tests",
    "tests/modules",
    "tests/servers",
];

/// How many of them are published: the first.
const PUBLISHED: usize = 4;

const ARCHITECTURE: &str = include_str!("../../../ARCHITECTURE.md");

fn source_of(folder: &str) -> Source {
    let workspace = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let root = workspace.join(folder).join("src/lib.rs");
    Source::read(&root).unwrap()
}

fn graph_of(folder: &str) -> Graph {
    Graph::of(&source_of(folder))
}

#[test]
fn modules_are_in_no_cycles() {
    let of_crate = |folder| cycles(&graph_of(folder)).into_iter();
    let cycles = CRATES.into_iter().flat_map(of_crate);
    let shown: Vec<_> = cycles.map(|cycle| cycle.to_string()).collect();
    assert!(shown.is_empty(), "{}", shown.concat());
}

#[test]
fn modules_keep_to_the_layers_of_the_architecture() {
    let layers = Layers::parse(ARCHITECTURE, "Inside `cachier`");
    let violations = layers.judge(&graph_of("cachier"));
    let shown: Vec<_> = violations.iter().map(ToString::to_string).collect();
    assert!(shown.is_empty(), "ARCHITECTURE.md: {shown:#?}");
}

#[test]
fn public_items_have_examples() {
    let of_crate = |folder: &&str| without_examples(&source_of(folder));
    let without = CRATES[..PUBLISHED].iter().flat_map(of_crate);
    let shown: Vec<_> = without.map(|item| item.to_string()).collect();
    assert!(shown.is_empty(), "{shown:#?}");
}

/// Where `cachier` waits by a timer itself: what calls wait by, what they wait for within their budgets, and what no call waits
/// for. All else waits by a `Budget`, so that no call outlasts it.
const WAIT_BY_TIMERS: [&str; 10] = [
    "backend_handle.rs",
    "background/on_runtime.rs",
    "budget.rs",
    "budget/operation.rs",
    "health.rs",
    "heartbeat.rs",
    "heartbeat/renewal.rs",
    "limiter.rs",
    "storage/target.rs",
    "timer.rs",
];

#[test]
fn calls_wait_by_their_budgets_alone() {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../cachier/src"));
    let (mut folders, mut waiting) = (vec![root.to_owned()], Vec::new());
    while let Some(folder) = folders.pop() {
        for item in fs::read_dir(folder).unwrap() {
            let path = item.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            let waits = |line: &str| {
                let waits = [".sleep(", ".timeout(", ".timeout_at("];
                waits.iter().any(|wait| line.contains(wait))
            };
            if text.lines().any(waits) {
                let file = path.strip_prefix(root).unwrap();
                waiting.push(file.to_str().unwrap().replace('\\', "/"));
            }
        }
    }
    waiting.sort_unstable();
    assert_eq!(waiting, WAIT_BY_TIMERS);
}

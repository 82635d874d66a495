//! The crates of this workspace: no cycles among modules, in `cachier` the layers of ARCHITECTURE.md, and an example for each
//! public item.
#![allow(clippy::unwrap_used, missing_docs)]

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

//! The crates of this workspace: no cycles among modules, in `cachier` the layers of ARCHITECTURE.md, an example for each
//! public item, and the rules of style.
#![allow(clippy::unwrap_used, missing_docs)]

use std::fs;
use std::path::Path;

use cachier_modules::{
    Graph, Layers, Source, cycles, definitions, excessive_lines, long_test_names, without_examples,
};

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

/// The roots of programs, and of tests of several files.
const PROGRAMS: [&str; 9] = [
    "cachier/src/bin/cachier/main.rs",
    "cachier/tests/top/main.rs",
    "cachier-metrics/tests/page/main.rs",
    "examples/quickstart/main.rs",
    "tests/tests/chaos/main.rs",
    "tests/tests/e2e/main.rs",
    "tests/tests/grafana/main.rs",
    "tests/tests/servers/main.rs",
    "tests/tests/shapes/main.rs",
];

const ARCHITECTURE: &str = include_str!("../../../ARCHITECTURE.md");

/// The folders of all packages.
const FOLDERS: [&str; 6] = [
    "cachier",
    "cachier-backends",
    "cachier-macros",
    "cachier-metrics",
    "examples",
    "tests",
];

fn workspace() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

fn source_of(folder: &str) -> Source {
    let root = workspace().join(folder).join("src/lib.rs");
    Source::read(&root).unwrap()
}

/// The Rust files below a folder of the workspace, by their paths from there, with their texts; build output is left out.
fn files_in(folder: &str) -> Vec<(String, String)> {
    let root = workspace().join(folder);
    let (mut folders, mut files) = (vec![root.clone()], Vec::new());
    while let Some(folder) = folders.pop() {
        for item in fs::read_dir(folder).unwrap() {
            let path = item.unwrap().path();
            if path.is_dir() {
                folders.extend((!path.ends_with("target")).then_some(path));
            } else if path.extension().is_some_and(|end| end == "rs") {
                let name = path.strip_prefix(&root).unwrap().to_str().unwrap();
                let text = fs::read_to_string(&path).unwrap();
                files.push((name.replace('\\', "/"), text));
            }
        }
    }
    files.sort_unstable();
    files
}

/// The violations of a rule in all packages, each with its file. `find` gets the name and the text of a file.
fn violations(find: impl Fn(&str, &str) -> Vec<String>) -> Vec<String> {
    let of_folder = |folder: &str| {
        let files = files_in(folder).into_iter();
        let of_file = files.flat_map(|(name, text)| {
            let found = find(&name, &text).into_iter();
            let shown = found.map(|violation| format!("{folder}/{name}: {violation}"));
            shown.collect::<Vec<_>>()
        });
        of_file.collect::<Vec<_>>()
    };
    FOLDERS.into_iter().flat_map(of_folder).collect()
}

#[test]
fn modules_are_in_no_cycles() {
    let shown = shown_cycles(Graph::of);
    assert!(shown.is_empty(), "{shown}");
}

#[test]
fn children_import_from_siblings_not_through_their_parent() {
    let shown = shown_cycles(Graph::with_doors);
    assert!(shown.is_empty(), "{shown}");
}

/// The cycles of all libraries and programs.
fn shown_cycles(graph_of: fn(&Source) -> Graph) -> String {
    let libraries = CRATES.map(source_of).into_iter();
    let programs = PROGRAMS.map(|root| Source::read(&workspace().join(root)).unwrap());
    let cycles = libraries
        .chain(programs)
        .flat_map(|source| cycles(&graph_of(&source)));
    cycles.map(|cycle| cycle.to_string()).collect()
}

#[test]
fn modules_keep_to_the_layers_of_the_architecture() {
    let layers = Layers::parse(ARCHITECTURE, "Inside `cachier`");
    let violations = layers.judge(&Graph::of(&source_of("cachier")));
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
const WAIT_BY_TIMERS: [&str; 14] = [
    "backend_handle.rs",
    "background/on_runtime.rs",
    "budget.rs",
    "budget/operation.rs",
    "cluster/member.rs",
    "cluster/metrics_store.rs",
    "cluster/reader.rs",
    "cluster/view.rs",
    "health.rs",
    "heartbeat.rs",
    "heartbeat/renewal.rs",
    "limiter.rs",
    "storage/target.rs",
    "timer.rs",
];

/// Those that ask a backend for what no call waits for.
const ASK_OUTSIDE_CALLS: [&str; 5] = [
    "backends.rs",
    "cluster/metrics_store.rs",
    "health.rs",
    "storage/change_listeners.rs",
    "storage/target.rs",
];

#[test]
fn calls_wait_by_their_budgets_alone() {
    let waits = [".sleep(", ".timeout(", ".timeout_at("];
    assert_eq!(files_with(&waits), WAIT_BY_TIMERS);
    assert_eq!(files_with(&["Bounded::OUTSIDE_CALLS"]), ASK_OUTSIDE_CALLS);
}

/// The files of `cachier` with any of these texts.
fn files_with(texts: &[&str]) -> Vec<String> {
    let files = files_in("cachier/src").into_iter();
    let found = files.filter(|(_, file)| texts.iter().any(|text| file.contains(text)));
    found.map(|(name, _)| name).collect()
}

#[test]
fn files_have_at_most_500_lines() {
    let long = violations(|_, text| {
        let lines = excessive_lines(text).into_iter();
        lines.map(|lines| format!("{lines} lines")).collect()
    });
    assert!(long.is_empty(), "{long:#?}");
}

#[test]
fn names_of_tests_have_at_most_eight_words() {
    let long = violations(|_, text| long_test_names(text));
    assert!(long.is_empty(), "{long:#?}");
}

#[test]
fn mod_files_in_src_define_nothing() {
    let rooms = violations(|name, text| {
        let parts: Vec<_> = name.split('/').collect();
        match parts.contains(&"src") && parts.last() == Some(&"mod.rs") {
            true => definitions(text).unwrap(),
            false => Vec::new(),
        }
    });
    assert!(rooms.is_empty(), "{rooms:#?}");
}

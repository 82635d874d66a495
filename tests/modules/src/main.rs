//! Fails if modules use each other in cycles, or if those of `cachier` do not keep to the layers in ARCHITECTURE.md.
//!
//! `cargo run -p cachier-modules` checks all crates; with a crate's name it prints all uses within its cycles.
#![allow(clippy::print_stdout)]

use std::env;
use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use cachier_modules::{Cycle, Graph, Layers, Source, SourceError, cycles};

const CRATES: [(&str, &str); 7] = [
    ("cachier", "cachier/src/lib.rs"),
    ("cachier-backends", "cachier-backends/src/lib.rs"),
    ("cachier-macros", "cachier-macros/src/lib.rs"),
    ("cachier-metrics", "cachier-metrics/src/lib.rs"),
    ("cachier-modules", "tests/modules/src/lib.rs"),
    ("cachier-servers", "tests/servers/src/lib.rs"),
    ("cachier-tests", "tests/src/lib.rs"),
];

const ARCHITECTURE: &str = include_str!("../../../ARCHITECTURE.md");

fn main() -> Result<ExitCode, Box<dyn Error>> {
    env::set_current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))?;
    if let Some(asked) = env::args().nth(1) {
        for (_, root) in CRATES.iter().filter(|(name, _)| *name == asked) {
            cycles_of(root)?.iter().for_each(print_uses);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let mut passed = true;
    for (name, root) in CRATES {
        for cycle in cycles_of(root)? {
            print!("{name}: {cycle}");
            passed = false;
        }
    }
    let layers = Layers::parse(ARCHITECTURE, "Inside `cachier`");
    for violation in layers.judge(&graph_of("cachier/src/lib.rs")?) {
        println!("ARCHITECTURE.md, layers of cachier: {violation}");
        passed = false;
    }
    Ok(if passed {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn cycles_of(root: &str) -> Result<Vec<Cycle>, SourceError> {
    Ok(cycles(&graph_of(root)?))
}

fn graph_of(root: &str) -> Result<Graph, SourceError> {
    Ok(Graph::of(&Source::read(Path::new(root))?))
}

fn print_uses(cycle: &Cycle) {
    print!("{cycle}");
    println!("all uses among them:");
    cycle.uses.iter().for_each(|step| println!("  {step}"));
}

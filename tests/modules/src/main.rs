//! Fails if modules use each other in circles that are not in the list of those that are allowed for now.
//!
//! `cargo run -p cachier-modules` judges all crates; with the name of a crate it prints every use within its circles.
#![allow(clippy::print_stdout)]

use std::env;
use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use cachier_modules::{Allowance, Circle, Graph, Source, SourceError, circles};

const CRATES: [(&str, &str); 7] = [
    ("cachier", "cachier/src/lib.rs"),
    ("cachier-backends", "cachier-backends/src/lib.rs"),
    ("cachier-macros", "cachier-macros/src/lib.rs"),
    ("cachier-metrics", "cachier-metrics/src/lib.rs"),
    ("cachier-modules", "tests/modules/src/lib.rs"),
    ("cachier-servers", "tests/servers/src/lib.rs"),
    ("cachier-tests", "tests/src/lib.rs"),
];

const ALLOWED: &str = include_str!("../allowed");

fn main() -> Result<ExitCode, Box<dyn Error>> {
    env::set_current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))?;
    if let Some(asked) = env::args().nth(1) {
        for (_, root) in CRATES.iter().filter(|(name, _)| *name == asked) {
            circles_of(root)?.iter().for_each(print_uses);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let allowance = Allowance::parse(ALLOWED);
    let mut passed = true;
    for (name, root) in CRATES {
        for objection in allowance.judge(name, &circles_of(root)?) {
            print!("{name}: {objection}");
            passed = false;
        }
    }
    Ok(if passed {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn circles_of(root: &str) -> Result<Vec<Circle>, SourceError> {
    Ok(circles(&Graph::of(&Source::read(Path::new(root))?)))
}

fn print_uses(circle: &Circle) {
    print!("{circle}");
    println!("all uses among them:");
    circle.uses.iter().for_each(|step| println!("  {step}"));
}

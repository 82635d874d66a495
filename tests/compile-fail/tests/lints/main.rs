//! Lints say of a cached function what they say of the same one without the attribute.
//!
//! `functions.rs` is linted as it is, and once more without the attributes of cachier.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::io::{Write as _, stderr};
use std::path::Path;
use std::process::Command;

use cachier_compile_fail::Package;
use serde_json::Value;

/// Lost lints, by function: the body is another function than the one that is called. So it is not public, unlike the one
/// that documents its panics; a call by its own name is no call of itself; and both are in use where the companion is.
const LOST: [(&str, &str); 7] = [
    ("await_holding_lock", "clippy::missing_panics_doc"),
    ("dead_code", "dead_code"),
    ("dead_code_async", "dead_code"),
    ("method_dead_code", "dead_code"),
    ("panics", "clippy::missing_panics_doc"),
    ("recursion_only", "clippy::only_used_in_recursion"),
    ("unwrap_used", "clippy::missing_panics_doc"),
];

#[test]
fn cached_and_plain_functions_have_equal_lints() {
    if !has_clippy() {
        return;
    }
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lints/functions.rs");
    let cached = fs::read_to_string(source).unwrap();
    let plain = without_attributes(&cached);
    // Libraries, as some lints spare what others can call.
    let targets = "[lib]\nname = \"plain\"\npath = \"plain.rs\"\n\n[[example]]\nname = \"cached\"\npath = \"cached.rs\"\ncrate-type = [\"lib\"]\n";
    let package = Package::new("lints", &["file", "memory"], targets);
    for (name, text) in [("cached.rs", &cached), ("plain.rs", &plain)] {
        fs::write(package.folder().join(name), text).unwrap();
    }
    let said = package.cargo(&["clippy", "--lib", "--examples"]);
    let of = |example: &str| -> BTreeSet<Lint> {
        let messages = said.messages.iter();
        let messages = messages.filter(|(target, _)| target == example);
        messages
            .filter_map(|(_, message)| lint(message, &cached))
            .collect()
    };
    let (of_cached, of_plain) = (of("cached"), of("plain"));
    assert!(of_plain.len() > 200, "{}", said.rest);
    let added: Vec<_> = of_cached.difference(&of_plain).collect();
    assert!(added.is_empty(), "of cached functions alone: {added:?}");
    let lost = of_plain.difference(&of_cached);
    let lost: Vec<_> = lost
        .map(|(function, lint)| (&**function, &**lint))
        .collect();
    assert_eq!(lost, LOST);
}

/// A function's name, and what is said of it.
type Lint = (String, String);

fn has_clippy() -> bool {
    let version = Command::new("cargo").args(["clippy", "--version"]).output();
    let is_there = version.is_ok_and(|ended| ended.status.success());
    if !is_there {
        let is_required = std::env::var_os("CACHIER_TEST_REQUIRE").is_some();
        assert!(!is_required, "the component clippy is missing");
        // Past the harness's capture.
        let _ = writeln!(
            stderr(),
            "skipped: what lints say of cached functions, as clippy is missing"
        );
    }
    is_there
}

/// The source without the attributes of cachier, line by line.
fn without_attributes(source: &str) -> String {
    let lines = source
        .lines()
        .map(|line| match line.trim_start().starts_with("#[cachier") {
            true => "//",
            false => line,
        });
    lines.collect::<Vec<_>>().join("\n")
}

/// The function that a message is about, and the lint; `None` for mere totals.
fn lint(message: &Value, source: &str) -> Option<Lint> {
    let lint = message["code"]["code"].as_str()?.to_owned();
    let spans = message["spans"].as_array()?;
    let mut span = spans.iter().find(|span| span["is_primary"] == true)?;
    while span["expansion"].is_object() {
        span = &span["expansion"]["span"];
    }
    let line = usize::try_from(span["line_start"].as_u64()?).ok()?;
    Some((function(source, line)?, lint))
}

/// The name of the function around a line, or below it if it is an attribute's or a comment's.
fn function(source: &str, line: usize) -> Option<String> {
    let lines: Vec<_> = source.lines().collect();
    let name = |line: &&str| {
        let (_, named) = line.split_once("fn ")?;
        let (name, _) = named.split_once(['(', '<'])?;
        Some(name.to_owned())
    };
    let (before, after) = lines.split_at_checked(line)?;
    let at = before.last()?.trim_start();
    match at.starts_with("#[") || at.starts_with("//") {
        true => after.iter().find_map(name),
        false => before.iter().rev().find_map(name),
    }
}

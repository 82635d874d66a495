//! What the attribute says when it is used wrongly, pinned with the place of each message.
//!
//! Beside each case stand its errors: those that cachier words, with their notes, and of the compiler's own the first line.
//! What else the compiler says, and where it is in the standard library, is not compared: that depends on what is installed.
//! With another compiler than the one that the workspace is written for, only cachier's own words are, and where
//! they begin, however often it repeats them.
//!
//! After a deliberate change of a message: `UPDATE_SNAPSHOTS=1 cargo test -p cachier-compile-fail`, and read the difference.
#![allow(clippy::unwrap_used)]

mod build;
mod errors;
mod words;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{Write as _, stderr};
use std::path::Path;
use std::process::Command;

use errors::{By, CaseError};
use words::Words;

#[test]
fn every_diagnostic_says_what_to_write_instead() {
    compare("cases", &["file", "memory"]);
}

#[test]
fn disabled_features_are_named() {
    compare("cases-bare", &["file"]);
}

/// Compares the errors of all cases in a folder with those that are pinned there.
fn compare(folder: &str, features: &[&str]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let words = Words::of_cachier();
    let compared = compared();
    let mut differing = String::new();
    for (case, messages) in build::errors(&folder, features) {
        let errors = messages
            .iter()
            .filter_map(|message| CaseError::new(message, &case, &words));
        let found = errors::written(errors);
        let file = folder.join(&case).with_extension("errors");
        if std::env::var_os("UPDATE_SNAPSHOTS").is_some() && compared == By::Compiler {
            fs::write(&file, &found).unwrap();
        }
        let pinned = fs::read_to_string(&file).unwrap_or_default();
        let (pinned, found) = (
            errors::only(&pinned, compared),
            errors::only(&found, compared),
        );
        if pinned != found {
            write!(differing, "\n{case}, pinned:\n{pinned}\nfound:\n{found}").unwrap();
        }
    }
    assert!(differing.is_empty(), "{differing}");
}

/// Whose errors can be compared, cachier's in any case: the compiler's own only where it is the one that they are pinned for.
fn compared() -> By {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Command::new(rustc).arg("--version").output().unwrap();
    let version = String::from_utf8(version.stdout).unwrap();
    let pinned = env!("CARGO_PKG_RUST_VERSION");
    if version.starts_with(&format!("rustc {pinned}.")) {
        return By::Compiler;
    }
    // Past the harness, which keeps what tests print to itself.
    let _ = writeln!(
        stderr(),
        "skipped: the errors that the compiler itself words, which are pinned for {pinned}: this is {version}"
    );
    By::Cachier
}

/// The errors of each case, by the name of its file.
type Cases = BTreeMap<String, Vec<serde_json::Value>>;

//! The attribute's diagnostics for wrong uses, pinned with their spans.
//!
//! Next to each case are its errors: cachier's own with their notes, and the first line of the compiler's. Everything
//! else that the compiler says, including paths into the standard library, depends on the installation and is not
//! compared. With another compiler than the workspace's, only cachier's own words and where they begin are compared.
//!
//! After a deliberate change of a message: `UPDATE_SNAPSHOTS=1 cargo test -p cachier-compile-fail`, and read the
//! difference.
#![allow(clippy::unwrap_used)]

mod build;
mod errors;
mod private;
mod words;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{Write as _, stderr};
use std::path::Path;
use std::process::Command;

use errors::{By, CaseError};
use private::Private;
use words::Words;

#[test]
fn every_diagnostic_says_what_to_write_instead() {
    let cases = compare("cases", &["file", "memory"]);
    if compared() == By::Compiler {
        operations_are_suggested_for_other_names(&cases["operations.rs"]);
        values_of_wrong_types_are_told_theirs(&cases["duration.rs"]);
    }
}

/// The compiler knows aliases.
fn operations_are_suggested_for_other_names(messages: &[serde_json::Value]) {
    for (written, operation) in [
        ("clear", "clear_cache"),
        ("remove", "invalidate"),
        ("get", "peek"),
        ("insert", "precache_value"),
        ("stats", "metrics"),
        ("set", "precache_value"),
        ("delete", "invalidate"),
        ("size", "usage"),
    ] {
        let error = format!("item named `{written}` found");
        let help = format!("there is an associated function `{operation}`");
        let mut messages = messages.iter();
        let message =
            messages.find(|message| errors::texts(message).any(|text| text.contains(&error)));
        let mut texts = message.into_iter().flat_map(errors::texts);
        assert!(texts.any(|text| text.contains(&help)), "{written}");
    }
}

/// And of nothing that the attribute makes of them.
fn values_of_wrong_types_are_told_theirs(messages: &[serde_json::Value]) {
    let texts: Vec<_> = messages.iter().flat_map(errors::texts).collect();
    for ty in ["Duration", "Share"] {
        let expected = format!("expected `{ty}`, found `u64`");
        assert!(texts.contains(&&*expected), "{texts:#?}");
    }
    for text in texts {
        assert!(!text.contains("enum variant"), "{text}");
    }
}

#[test]
fn disabled_features_are_named() {
    compare("cases-bare", &["file"]);
}

/// Each function there has one type that does not fit.
#[test]
fn an_unfit_type_is_one_error() {
    let cases = compare("cases-types", &["file", "memory"]);
    for (case, messages) in cases {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases-types");
        let source = fs::read_to_string(source.join(&case)).unwrap();
        let on_impls = source.matches("#[cachier::methods").count();
        let functions = source.matches("#[cachier").count() - on_impls;
        let errors = messages
            .iter()
            .filter(|message| errors::is_counted(message));
        assert_eq!(errors.count(), functions, "{case}");
    }
}

/// Compares the errors of all cases in a folder with the pinned ones, and returns them. No message of cachier's counts as the
/// compiler's, and no text of the compiler that they are pinned for names what is private.
fn compare(folder: &str, features: &[&str]) -> Cases {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let words = Words::of_cachier();
    let compared = compared();
    let mut differing = String::new();
    let cases = build::errors(&folder, features);
    for (case, messages) in &cases {
        let errors = messages.iter();
        let errors = errors.filter_map(|message| CaseError::new(message, case, &words));
        let errors: Vec<_> = errors.collect();
        for message in errors.iter().filter_map(CaseError::uncoded_of_compiler) {
            assert!(!words.begin(message), "{case}: cachier says {message:?}");
        }
        let found = errors::written(errors.into_iter());
        let file = folder.join(case).with_extension("errors");
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
    let private = Private::of_cachier();
    for (case, messages) in cases.iter().filter(|_| compared == By::Compiler) {
        for text in messages.iter().flat_map(errors::texts) {
            // By what path a constant is evaluated is the compiler's to say.
            let is_evaluation = text.starts_with("evaluation of `") || text.starts_with("inside `");
            let is_private = text.contains("__") && !is_evaluation;
            assert!(!is_private, "{case} names what is private: {text}");
            let named = private.named_in(text);
            assert!(named.is_none(), "{case} names {named:?}: {text}");
        }
    }
    cases
}

/// The errors to compare: cachier's, and the compiler's if it is the version they are pinned for.
fn compared() -> By {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Command::new(rustc).arg("--version").output().unwrap();
    let version = String::from_utf8(version.stdout).unwrap();
    let pinned = env!("CARGO_PKG_RUST_VERSION");
    if version.starts_with(&format!("rustc {pinned}.")) {
        return By::Compiler;
    }
    // Past the harness's capture.
    let _ = writeln!(
        stderr(),
        "skipped: the errors that the compiler itself words, which are pinned for {pinned}: this is {version}"
    );
    By::Cachier
}

/// The errors of each case, by file name.
type Cases = BTreeMap<String, Vec<serde_json::Value>>;

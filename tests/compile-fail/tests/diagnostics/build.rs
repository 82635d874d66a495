//! Builds all cases at once.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::Cases;

/// The compiler's messages for each case in a folder, built with these features of cachier.
pub(crate) fn errors(folder: &Path, features: &[&str]) -> Cases {
    let project = target().join(folder.file_name().unwrap());
    let mut cases = write(&project, folder, features);
    let checked = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args([
            "check",
            "--offline",
            "--keep-going",
            "--message-format=json",
            "--bins",
        ])
        .arg("--manifest-path")
        .arg(project.join("Cargo.toml"))
        .env("CARGO_TARGET_DIR", target().join("target"))
        // Incremental builds repeat some errors more often.
        .env("CARGO_INCREMENTAL", "0")
        .env_remove("RUSTFLAGS")
        .output()
        .unwrap();
    for line in String::from_utf8(checked.stdout).unwrap().lines() {
        let message: Value = serde_json::from_str(line).unwrap();
        let case = message["target"]["name"]
            .as_str()
            .map(|name| format!("{name}.rs"));
        if let Some(messages) = case.and_then(|case| cases.get_mut(&case))
            && message["message"]["level"] == "error"
        {
            messages.push(message["message"].clone());
        }
    }
    let silent: Vec<_> = cases
        .iter()
        .filter(|(_, errors)| errors.is_empty())
        .collect();
    let said = String::from_utf8_lossy(&checked.stderr);
    assert!(silent.is_empty(), "no errors in {silent:?}:\n{said}");
    cases
}

/// Writes a project with one program per case; initially without errors.
fn write(project: &Path, folder: &Path, features: &[&str]) -> Cases {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap();
    let cachier = workspace.join("cachier");
    let mut manifest = format!(
        r#"[package]
name = "cases"
version = "0.0.0"
edition = "2024"

[dependencies]
cachier = {{ path = {cachier:?}, default-features = false, features = {features:?} }}
serde = {{ version = "1", features = ["derive"] }}

[workspace]
"#
    );
    let mut cases = Cases::new();
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            let stem = path.file_stem().unwrap().to_str().unwrap();
            write!(manifest, "\n[[bin]]\nname = {stem:?}\npath = {path:?}\n").unwrap();
            cases.insert(format!("{stem}.rs"), Vec::new());
        }
    }
    fs::create_dir_all(project).unwrap();
    fs::write(project.join("Cargo.toml"), manifest).unwrap();
    fs::copy(workspace.join("Cargo.lock"), project.join("Cargo.lock")).unwrap();
    cases
}

/// Persistent, so that the cases' dependencies are built once.
fn target() -> PathBuf {
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize();
    workspace.unwrap().join(target).join("tests/compile-fail")
}

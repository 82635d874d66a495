//! Packages outside of the workspace, which use cachier as others do.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// A package outside of the workspace.
#[derive(Debug)]
pub struct Package {
    folder: PathBuf,
}

/// The output of a run of cargo.
#[derive(Debug, Default)]
pub struct Said {
    /// The compiler's messages, each with the target that it is about.
    pub messages: Vec<(String, Value)>,
    /// All else, for people.
    pub rest: String,
}

impl Package {
    /// Writes its manifest: with these features of cachier, and these targets. Sources can stand anywhere.
    ///
    /// # Panics
    /// If that fails.
    #[must_use]
    pub fn new(name: &str, features: &[&str], targets: &str) -> Self {
        let workspace = workspace();
        let cachier = workspace.join("cachier");
        let manifest = format!(
            r#"[package]
name = {name:?}
version = "0.0.0"
edition = "2024"

[dependencies]
cachier = {{ path = {cachier:?}, default-features = false, features = {features:?} }}
serde = {{ version = "1", features = ["derive"] }}
tracing = "0.1"

[workspace]

{targets}"#
        );
        let folder = kept().join(name);
        let written = fs::create_dir_all(&folder)
            .and_then(|()| fs::write(folder.join("Cargo.toml"), manifest))
            .and_then(|()| fs::copy(workspace.join("Cargo.lock"), folder.join("Cargo.lock")));
        written.expect("the package can be written");
        Self { folder }
    }

    /// Where its manifest is.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Runs a command of cargo that builds, and goes on after errors.
    ///
    /// # Panics
    /// If that cannot be done.
    #[must_use]
    pub fn cargo(&self, arguments: &[&str]) -> Said {
        let ended = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .args(arguments)
            .args(["--offline", "--keep-going", "--message-format=json"])
            .arg("--manifest-path")
            .arg(self.folder.join("Cargo.toml"))
            .env("CARGO_TARGET_DIR", Self::target())
            // Incremental builds repeat some errors more often.
            .env("CARGO_INCREMENTAL", "0")
            .env_remove("RUSTFLAGS")
            .output()
            .expect("cargo can be run");
        let mut said = Said {
            messages: Vec::new(),
            rest: String::from_utf8_lossy(&ended.stderr).into_owned(),
        };
        for line in String::from_utf8_lossy(&ended.stdout).lines() {
            let mut message: Value = serde_json::from_str(line).expect("cargo writes JSON");
            if let Some(target) = message["target"]["name"].as_str().map(str::to_owned)
                && message["message"].is_object()
            {
                said.messages.push((target, message["message"].take()));
            }
        }
        said
    }

    /// Where all packages are built, so that their dependencies are built once.
    #[must_use]
    pub fn target() -> PathBuf {
        kept().join("target")
    }
}

/// The folder that is kept between runs of tests.
fn kept() -> PathBuf {
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
    workspace().join(target).join("tests/compile-fail")
}

fn workspace() -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    workspace.canonicalize().expect("the workspace is there")
}

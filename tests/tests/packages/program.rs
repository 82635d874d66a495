//! Small programs in packages of their own.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, PoisonError};

/// A built program.
pub(crate) struct Program {
    path: PathBuf,
}

/// A program's output.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Said {
    /// Values and outcomes of its two calls, one of them async.
    pub(crate) calls: String,
    /// The default folder, or the given one.
    pub(crate) folder: PathBuf,
    /// The displayed name of the first function.
    pub(crate) name: String,
}

/// A text in every program.
pub(crate) const MARKER: &str = "a text that stands in the program in clear";

impl Program {
    /// Builds the program `app` of a package in this folder. Its functions are the same everywhere; its helper adds a
    /// number. `cargo_home` is the compiler's `CARGO_HOME`.
    pub(crate) fn build(
        folder: &Path,
        package: &str,
        adds: u64,
        cargo_home: Option<&Path>,
    ) -> Self {
        // One at a time: all are named `app` and share dependencies.
        static BUILDING: Mutex<()> = Mutex::new(());
        let _building = BUILDING.lock().unwrap_or_else(PoisonError::into_inner);
        write(folder, package, adds);
        let target = target();
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or("cargo".into()));
        cargo
            .args(["build", "--quiet", "--offline", "--manifest-path"])
            .arg(folder.join("Cargo.toml"))
            .env("CARGO_TARGET_DIR", &target)
            .env("CARGO_PROFILE_DEV_DEBUG", "0")
            .env_remove("RUSTFLAGS");
        if let Some(home) = cargo_home {
            let wrapper = folder.join("compiler");
            let script = format!("#!/bin/sh\nCARGO_HOME='{}' exec \"$@\"\n", home.display());
            fs::write(&wrapper, script).unwrap();
            executable(&wrapper);
            cargo.env("RUSTC_WORKSPACE_WRAPPER", wrapper);
        }
        let built = cargo.output().unwrap();
        let said = String::from_utf8_lossy(&built.stderr);
        assert!(built.status.success(), "{said}");
        let path = folder.join("built");
        fs::copy(target.join("debug/app"), &path).unwrap();
        Self { path }
    }

    /// Runs it with this cache folder and these variables.
    pub(crate) fn run(&self, caches: &Path, variables: &[(&str, &str)]) -> Said {
        let output = self.output(caches, variables);
        let said = String::from_utf8(output.stdout).unwrap();
        let lines: BTreeMap<_, _> = said.lines().filter_map(|l| l.split_once(": ")).collect();
        Said {
            calls: lines["calls"].to_owned(),
            folder: lines["folder"].into(),
            name: lines["name"].to_owned(),
        }
    }

    /// The problems that it reports on its standard error stream.
    pub(crate) fn problems(&self, caches: &Path, variables: &[(&str, &str)]) -> Vec<String> {
        let said = String::from_utf8(self.output(caches, variables).stderr).unwrap();
        said.lines().map(str::to_owned).collect()
    }

    fn output(&self, caches: &Path, variables: &[(&str, &str)]) -> Output {
        let mut command = Command::new(&self.path);
        for variable in ["CACHIER_CACHE_DIR", "CACHIER_NAMESPACE", "CACHIER_BACKEND"] {
            command.env_remove(variable);
        }
        command.env("XDG_CACHE_HOME", caches);
        let output = command.envs(variables.iter().copied()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        output
    }

    /// Whether the binary contains these bytes.
    pub(crate) fn holds(&self, text: &str) -> bool {
        let program = fs::read(&self.path).unwrap();
        program
            .windows(text.len())
            .any(|part| part == text.as_bytes())
    }
}

fn write(folder: &Path, package: &str, adds: u64) {
    let workspace = workspace();
    let cachier = workspace.join("cachier");
    let manifest = format!(
        r#"[package]
name = "{package}"
version = "0.1.0"
edition = "2024"

[[bin]]
name = "app"
path = "src/main.rs"

[dependencies]
cachier = {{ path = {cachier:?}, default-features = false, features = ["file"] }}
futures-lite = "2"

[workspace]
"#
    );
    let source = format!(
        r#"
use cachier::{{CallOptions, cachier}};

fn helper(number: u64) -> u64 {{
    number + {adds}
}}

#[cachier]
fn price(number: u64) -> u64 {{
    helper(number)
}}

#[cachier]
async fn price_later(number: u64) -> u64 {{
    helper(number)
}}

fn main() {{
    println!("{MARKER}");
    let now = price::call_detailed(CallOptions::new(), 1);
    let later = futures_lite::future::block_on(price_later::call_detailed(CallOptions::new(), 1));
    println!("calls: {{}} {{}}, {{}} {{}}", now.value, now.outcome, later.value, later.outcome);
    println!("folder: {{}}", price::cache_dir().display());
    println!("name: {{}}", cachier::functions()[0].name());
    assert_eq!(cachier::check()[0].store, price::cache_dir().display().to_string());
    cachier::flush();
}}
"#
    );
    fs::create_dir_all(folder.join("src")).unwrap();
    fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    fs::copy(workspace.join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    fs::write(folder.join("src/main.rs"), source).unwrap();
}

fn workspace() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap().to_owned()
}

/// Persistent, so that dependencies are built once.
fn target() -> PathBuf {
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
    workspace().join(target).join("tests/packages")
}

#[cfg(unix)]
fn executable(script: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(script, fs::Permissions::from_mode(0o755)).unwrap();
}

#[cfg(not(unix))]
fn executable(_: &Path) {}

//! Build time and size of a program with 200 cached functions, for each library.
//!
//! All programs come from one template and differ in their attributes only. They are built offline, with the versions
//! of this workspace's Cargo.lock.
#![allow(missing_docs)]
#![expect(
    clippy::print_stderr,
    reason = "who waits for minutes wants to see what for"
)]

#[path = "footprint/hello.rs"]
mod hello;

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;
use std::{env, fs};

use cachier_bench::case::Mode;
use cachier_bench::machine;
use cachier_bench::report::{Verdict, publish, verdicts};
use hello::Hello;

/// The number of copies of each of the ten signatures.
const COPIES: usize = 20;

fn main() {
    let mode = Mode::chosen();
    let copies = if mode == Mode::Full { COPIES } else { 1 };
    let runs = if mode == Mode::Full { 3 } else { 1 };
    let load = machine::load();
    let built: Vec<Built> = LIBRARIES
        .iter()
        .map(|library| library.build(copies, runs))
        .collect();
    let hellos = hello::measured(&root());
    publish("footprint", &report(&built, &hellos, copies, load), mode);
}

/// The folder of the workspace.
fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.canonicalize().expect("the workspace is there")
}

/// How one library caches.
struct Library {
    name: &'static str,
    folder: &'static str,
    dependency: &'static str,
    import: &'static str,
    plain: &'static str,
    bounded: &'static str,
    aging: &'static str,
}

const LIBRARIES: [Library; 3] = [
    Library {
        name: "**cachier**, metrics off",
        folder: "cachier-off",
        dependency: r#"cachier = { path = "{root}/cachier", default-features = false, features = ["memory", "tokio"] }"#,
        import: "use cachier::cachier;",
        plain: r#"#[cachier(backend = "memory")]"#,
        bounded: r#"#[cachier(backend = "memory", capacity = 1_000)]"#,
        aging: r#"#[cachier(backend = "memory", stale_after = "1h")]"#,
    },
    Library {
        name: "**cachier**, metrics on",
        folder: "cachier-on",
        dependency: r#"cachier = { path = "{root}/cachier", default-features = false, features = ["memory", "tokio"] }"#,
        import: "use cachier::cachier;",
        plain: r#"#[cachier(backend = "memory", enable_metrics, sampling_rate = 0.1)]"#,
        bounded: r#"#[cachier(backend = "memory", capacity = 1_000, enable_metrics, sampling_rate = 0.1)]"#,
        aging: r#"#[cachier(backend = "memory", stale_after = "1h", enable_metrics, sampling_rate = 0.1)]"#,
    },
    Library {
        name: "cached, `#[cached]`",
        folder: "cached",
        dependency: r#"cached = { version = "4.1", features = ["async"] }"#,
        import: "use cached::macros::cached;",
        plain: "#[cached]",
        bounded: "#[cached(max_size = 1_000)]",
        aging: "#[cached(ttl_secs = 3600)]",
    },
];

/// The results of one library.
struct Built {
    name: &'static str,
    /// Without and with the functions.
    debug: [Build; 2],
    release: [Build; 2],
}

/// One build of the program, with its dependencies already built.
#[derive(Clone, Copy)]
struct Build {
    seconds: f64,
    bytes: u64,
}

impl Library {
    fn build(&self, copies: usize, runs: usize) -> Built {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join("footprint")
            .join(self.folder);
        let build = |copies, release| {
            self.write(&folder, copies);
            build(&folder, release, runs)
        };
        let debug = [build(0, false), build(copies, false)];
        let release = [build(0, true), build(copies, true)];
        Built {
            name: self.name,
            debug,
            release,
        }
    }

    /// Writes the program's sources.
    fn write(&self, folder: &Path, copies: usize) {
        let root = root();
        let manifest = include_str!("../footprint/manifest.toml").replace(
            "{dependency}",
            &self
                .dependency
                .replace("{root}", &root.display().to_string()),
        );
        let write = |name: &str, text: &str| {
            fs::write(folder.join(name), text).expect("the program can be written")
        };
        fs::create_dir_all(folder.join("src")).expect("the folder can be made");
        write("Cargo.toml", &manifest);
        write("src/main.rs", &self.program(copies));
        fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock"))
            .expect("the workspace has a lock file");
    }

    fn program(&self, copies: usize) -> String {
        let functions = include_str!("../footprint/functions.rs")
            .replace("#[plain]", self.plain)
            .replace("#[bounded]", self.bounded)
            .replace("#[aging]", self.aging);
        let mut program = String::from("#![allow(dead_code)]\n");
        let mut calls = String::new();
        for copy in 0..copies {
            let _ = writeln!(
                program,
                "mod group_{copy} {{\n{}\n{functions}\n}}",
                self.import
            );
            let _ = writeln!(calls, "    runtime.block_on(group_{copy}::call_all(seed));");
        }
        program + &include_str!("../footprint/main.rs").replace("    // calls\n", &calls)
    }
}

/// Builds the program, and times the build of the program alone.
fn build(folder: &Path, release: bool, runs: usize) -> Build {
    cargo(folder, release);
    let main = folder.join("src/main.rs");
    let source = fs::read(&main).expect("the source has been written");
    let mut seconds: Vec<f64> = (0..runs)
        .map(|_| {
            // A newer file makes cargo build again.
            fs::write(&main, &source).expect("the source can be written");
            let started = Instant::now();
            cargo(folder, release);
            started.elapsed().as_secs_f64()
        })
        .collect();
    seconds.sort_by(f64::total_cmp);
    let program = program_path(folder, release);
    let bytes = fs::metadata(&program)
        .expect("the program has been built")
        .len();
    eprintln!(
        "{}: {:.1} s, {bytes} bytes",
        program.display(),
        seconds[runs / 2]
    );
    Build {
        seconds: seconds[runs / 2],
        bytes,
    }
}

fn cargo(folder: &Path, release: bool) {
    let mut command = Command::new(env!("CARGO"));
    command
        .args(["build", "--offline", "--quiet"])
        .current_dir(folder);
    command.env("CARGO_TARGET_DIR", folder.join("target"));
    // An incremental build of unchanged code would compile nothing.
    command.env("CARGO_INCREMENTAL", "0");
    if release {
        command.arg("--release");
    }
    assert!(
        command.status().expect("cargo runs").success(),
        "the program in {} does not build",
        folder.display()
    );
}

fn program_path(folder: &Path, release: bool) -> PathBuf {
    let profile = if release { "release" } else { "debug" };
    folder
        .join("target")
        .join(profile)
        .join("footprint")
        .with_extension(env::consts::EXE_EXTENSION)
}

fn report(built: &[Built], hellos: &[Hello], copies: usize, load: Option<f64>) -> String {
    let mut text = format!(
        "# What {} cached functions cost to build\n\n\
         Written by `cargo bench -p cachier-bench --bench footprint` on {}. Ten signatures, {copies} times each, sync and\n\
         async; values in memory; the sources are in `footprint/`. Seconds to build the program again when its dependencies\n\
         are built; bytes of the program, stripped, in release with thin LTO and one codegen unit. Load of the machine: {}.\n\n",
        10 * copies,
        machine::describe(),
        load.map_or_else(|| "unknown".to_owned(), |load| load.to_string()),
    );
    let mut limits = limits(built);
    limits.extend(hello::limits(hellos));
    text.push_str(&verdicts(&limits));
    text.push_str("\n| library | profile | build, s | program, KiB | for each function, bytes |\n|---|---|--:|--:|--:|\n");
    for Built {
        name,
        debug,
        release,
    } in built
    {
        for (profile, [without, with]) in [("dev", debug), ("release", release)] {
            let each = (with.bytes as f64 - without.bytes as f64) / (10 * copies) as f64;
            let (seconds, size) = (with.seconds, with.bytes as f64 / 1024.0);
            let _ = writeln!(
                text,
                "| {name} | {profile} | {seconds:.1} | {size:.0} | {each:.0} |"
            );
        }
    }
    text.push_str(&hello::table(hellos));
    text
}

fn limits(built: &[Built]) -> Vec<Verdict> {
    let [ours, _, peer] = built else {
        unreachable!("there are three libraries")
    };
    let verdict = |what: &str, at_most, measured| Verdict {
        what: format!("{what}, metrics off : `#[cached]`"),
        at_most,
        measured,
    };
    vec![
        verdict(
            "build time, release",
            1.8,
            ours.release[1].seconds / peer.release[1].seconds,
        ),
        verdict(
            "build time, dev",
            1.6,
            ours.debug[1].seconds / peer.debug[1].seconds,
        ),
        verdict(
            "size of the program, release",
            1.6,
            ours.release[1].bytes as f64 / peer.release[1].bytes as f64,
        ),
    ]
}

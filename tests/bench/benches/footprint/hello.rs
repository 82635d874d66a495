//! The build cost of one cached function, dependencies included: the number of crates, and the time of the processor.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;

use cachier_bench::report::Verdict;

/// How one library caches one function.
struct Library {
    name: &'static str,
    folder: &'static str,
    dependency: &'static str,
    program: &'static str,
}

const LIBRARIES: [Library; 3] = [
    Library {
        name: "**cachier**, `memory` alone",
        folder: "hello-cachier",
        dependency: r#"cachier = { path = "{root}/cachier", default-features = false, features = ["memory"] }"#,
        program: "#[cachier::cachier(backend = \"memory\")]\nfn square(n: u64) -> u64 {\n    n * n\n}\n\nfn main() {\n    println!(\"{}\", square(3));\n}\n",
    },
    Library {
        name: "cached, with its macro",
        folder: "hello-cached",
        dependency: r#"cached = "4.1""#,
        program: "#[cached::macros::cached]\nfn square(n: u64) -> u64 {\n    n * n\n}\n\nfn main() {\n    println!(\"{}\", square(3));\n}\n",
    },
    Library {
        name: "moka, `sync`",
        folder: "hello-moka",
        dependency: r#"moka = { version = "0.12", features = ["sync"] }"#,
        program: "fn main() {\n    let cache = moka::sync::Cache::new(10);\n    println!(\"{}\", cache.get_with(3_u64, || 9_u64));\n}\n",
    },
];

/// One library's program.
pub(crate) struct Hello {
    name: &'static str,
    /// The program and all that it depends on, for building too.
    crates: usize,
    /// Processor time of a debug build of all of it; `None` where that cannot be told.
    seconds: Option<f64>,
}

/// Builds all programs.
pub(crate) fn measured(root: &Path) -> Vec<Hello> {
    LIBRARIES
        .iter()
        .map(|library| library.build(root))
        .collect()
}

/// The table.
pub(crate) fn table(built: &[Hello]) -> String {
    let mut text = String::from(
        "\n## One function, from nothing\n\nA debug build of a program with one cached number, with all that it depends on: \
         the crates, the program's own included,\nand seconds of the processor.\n\n| library | crates | build, CPU s |\n|---|--:|--:|\n",
    );
    for Hello {
        name,
        crates,
        seconds,
    } in built
    {
        let seconds = seconds.map_or_else(|| "?".to_owned(), |seconds| format!("{seconds:.1}"));
        let _ = writeln!(text, "| {name} | {crates} | {seconds} |");
    }
    text
}

/// Ours beside `cached`.
pub(crate) fn limits(built: &[Hello]) -> Vec<Verdict> {
    let [ours, peer, _] = built else {
        unreachable!("there are three libraries")
    };
    let verdict = |what: &str, measured| Verdict {
        what: format!("{what}, `memory` alone : `cached`"),
        at_most: 1.0,
        measured,
    };
    let crates = verdict("crates compiled", ours.crates as f64 / peer.crates as f64);
    let seconds = ours.seconds.zip(peer.seconds);
    let time = seconds.map(|(ours, peer)| verdict("clean debug build, CPU", ours / peer));
    [crates].into_iter().chain(time).collect()
}

impl Library {
    fn build(&self, root: &Path) -> Hello {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join("footprint")
            .join(self.folder);
        self.write(&folder, root);
        // From nothing: what an earlier run has built does not count.
        let target = folder.join("target");
        if target.exists() {
            fs::remove_dir_all(&target).expect("what was built before can be removed");
        }
        let before = processor_seconds();
        cargo(&folder, &["build", "--offline", "--quiet"]);
        let seconds = processor_seconds()
            .zip(before)
            .map(|(now, before)| now - before);
        Hello {
            name: self.name,
            crates: crates(&folder),
            seconds,
        }
    }

    fn write(&self, folder: &Path, root: &Path) {
        let dependency = self
            .dependency
            .replace("{root}", &root.display().to_string());
        let manifest = format!(
            "[package]\nname = \"hello\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[workspace]\n\n[dependencies]\n{dependency}\n"
        );
        fs::create_dir_all(folder.join("src")).expect("the folder can be made");
        fs::write(folder.join("Cargo.toml"), manifest).expect("the manifest can be written");
        fs::write(folder.join("src/main.rs"), self.program).expect("the program can be written");
        fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock"))
            .expect("the workspace has a lock file");
    }
}

/// How many crates cargo compiles for the program.
fn crates(folder: &Path) -> usize {
    let tree = [
        "tree",
        "--offline",
        "-e",
        "normal,build",
        "--prefix",
        "none",
    ];
    let lines = cargo(folder, &tree);
    let name = |line: &str| line.split(" (").next().unwrap_or_default().to_owned();
    lines.lines().map(name).collect::<BTreeSet<_>>().len()
}

fn cargo(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .current_dir(folder)
        .env("CARGO_TARGET_DIR", folder.join("target"))
        .stderr(std::process::Stdio::inherit())
        .output()
        .expect("cargo runs");
    assert!(
        output.status.success(),
        "the program in {} does not build",
        folder.display()
    );
    String::from_utf8(output.stdout).expect("cargo writes text")
}

/// Processor time of the finished child processes of this one, and of theirs; on Linux.
pub(crate) fn processor_seconds() -> Option<f64> {
    /// The kernel's for programs, whatever its own.
    const TICKS_A_SECOND: f64 = 100.0;
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // After the name, in parentheses: the state is the third field, these are the 16th and 17th.
    let fields = stat.rsplit(')').next()?.split_whitespace().skip(13);
    let ticks: Vec<f64> = fields
        .take(2)
        .filter_map(|ticks| ticks.parse().ok())
        .collect();
    Some(ticks.iter().sum::<f64>() / TICKS_A_SECOND)
}

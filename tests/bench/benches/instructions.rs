//! Instructions per hit, counted by valgrind's callgrind and checked against the committed figures.
//!
//! `CACHIER_BENCH=accept` updates these.
#![allow(missing_docs)]
#![expect(
    clippy::print_stdout,
    reason = "the figures are what a bench is run for"
)]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::rc::Rc;
use std::{env, fs};

use cachier_bench::case::Case;
use cachier_bench::machine;
use cachier_bench::subjects::{asynchronous, numbers, pairs, words};
use cachier_bench::workload::{KEYS, shuffled};
use serde::{Deserialize, Serialize};

/// Under valgrind this program runs itself; the variable names the subject.
const SUBJECT_VARIABLE: &str = "CACHIER_BENCH_COUNTED";
/// Calls per key.
const REPETITIONS: usize = 5;

fn main() -> ExitCode {
    if let Ok(label) = env::var(SUBJECT_VARIABLE) {
        run(&label);
        ExitCode::SUCCESS
    } else if Command::new("valgrind").arg("--version").output().is_err() {
        println!("NOT CHECKED: instructions for each hit, because there is no valgrind here");
        ExitCode::SUCCESS
    } else {
        check()
    }
}

/// The committed figures.
#[derive(Deserialize, Serialize)]
struct Gate {
    /// With another compiler, figures are printed but not checked.
    compiler: String,
    /// The relative growth that is allowed.
    tolerance: f64,
    hits: BTreeMap<String, f64>,
}

impl Gate {
    /// The subject's label, and its instructions per hit. As hash seeds and the times of reclamation vary, a figure
    /// that is too high gets two more chances.
    fn measure(&self, subject: &Counted) -> (String, f64) {
        let mut least = subject.count();
        for _ in 0..2 {
            if self.allows(&subject.label, least) {
                break;
            }
            least = least.min(subject.count());
        }
        (subject.label.clone(), least)
    }

    fn allows(&self, label: &str, now: f64) -> bool {
        let committed = self.hits.get(label);
        committed.is_some_and(|committed| now <= committed * (1.0 + self.tolerance))
    }
}

fn check() -> ExitCode {
    let text = fs::read_to_string(gate_path()).expect("the gate's file can be read");
    let gate: Gate = toml::from_str(&text).expect("the gate's file is in order");
    let hits: BTreeMap<String, f64> = subjects()
        .into_iter()
        .map(|subject| gate.measure(&subject))
        .collect();
    if env::var("CACHIER_BENCH").is_ok_and(|value| value == "accept") {
        accept(&Gate {
            compiler: machine::compiler(),
            hits,
            ..gate
        });
        return ExitCode::SUCCESS;
    }
    let has_grown = compare(&gate, &hits);
    if gate.compiler != machine::compiler() {
        println!(
            "\nNOT JUDGED: the figures belong to {}, this is {}",
            gate.compiler,
            machine::compiler()
        );
        ExitCode::SUCCESS
    } else if has_grown {
        println!(
            "\nHits have grown by more than {} %",
            gate.tolerance * 100.0
        );
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

/// Prints both figures of each subject; returns whether one has grown too much, or is new.
fn compare(gate: &Gate, hits: &BTreeMap<String, f64>) -> bool {
    println!("| instructions for each hit | committed | now |\n|---|--:|--:|");
    let mut any = false;
    for (label, now) in hits {
        let committed = gate.hits.get(label).copied().unwrap_or(0.0);
        let has_grown = !gate.allows(label, *now);
        println!(
            "| {label} | {committed:.1} | {now:.1}{} |",
            if has_grown { " **more**" } else { "" }
        );
        any |= has_grown;
    }
    any
}

fn accept(gate: &Gate) {
    let figures = toml::to_string(gate).expect("figures are TOML");
    let comment = "# Instructions for each hit: see benches/instructions.rs.\n";
    fs::write(gate_path(), format!("{comment}{figures}")).expect("the gate's file can be written");
    println!("accepted: {}", gate_path().display());
}

fn gate_path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("instructions.toml")
}

/// A subject with the calls to count.
struct Counted {
    label: String,
    calls: Box<dyn Fn()>,
}

impl Counted {
    /// Instructions per hit.
    fn count(&self) -> f64 {
        let output = Command::new("valgrind")
            .args([
                "--tool=callgrind",
                "--callgrind-out-file=/dev/null",
                "--toggle-collect=*count_these*",
            ])
            .arg(env::current_exe().expect("this program has a path"))
            .env(SUBJECT_VARIABLE, &self.label)
            .output()
            .expect("valgrind runs");
        let report = String::from_utf8_lossy(&output.stderr);
        let collected = report.lines().find_map(|line| {
            line.split_once("Collected : ")?
                .1
                .trim()
                .parse::<f64>()
                .ok()
        });
        let collected =
            collected.unwrap_or_else(|| panic!("{}: valgrind says\n{report}", self.label));
        collected / (REPETITIONS * KEYS) as f64
    }
}

/// Ours, and the peers that the tables refer to.
fn subjects() -> Vec<Counted> {
    let numbers = [
        numbers::unbounded(),
        numbers::bounded(),
        numbers::aging(),
        asynchronous::unbounded(),
    ];
    let mut all: Vec<Counted> = numbers.into_iter().flat_map(subjects_of).collect();
    all.extend(subjects_of(words::unbounded()));
    all.extend(subjects_of(pairs::unbounded()));
    all
}

fn subjects_of<A: Copy + 'static>(case: Case<A>) -> impl Iterator<Item = Counted> {
    let Case {
        title,
        keys,
        reference,
        subjects,
        ..
    } = case;
    let keys: Rc<[A]> = shuffled(keys.len())
        .into_iter()
        .map(|key| keys[key])
        .collect();
    let compared = subjects
        .into_iter()
        .filter(move |subject| subject.name.contains("cachier") || subject.name == reference);
    compared.map(move |subject| {
        let keys = Rc::clone(&keys);
        let label = format!("{title}: {}, {}", subject.name, subject.metrics);
        let calls = move || {
            black_box((subject.run)(&keys));
        };
        Counted {
            label,
            calls: Box::new(calls),
        }
    })
}

/// Runs under valgrind.
fn run(label: &str) {
    let mut all = subjects().into_iter();
    let subject = all
        .find(|subject| subject.label == label)
        .expect("the label is one of ours");
    // The second run, when per-thread state is initialised.
    (subject.calls)();
    (subject.calls)();
    (0..REPETITIONS).for_each(|_| count_these(&*subject.calls));
}

/// Valgrind counts what happens in this function.
#[inline(never)]
fn count_these(calls: &dyn Fn()) {
    calls();
}

//! Allocations per hit and per miss: counted exactly, so the limits are checked in every mode.
#![allow(missing_docs)]

use std::fmt::Write;

use allocation_counter::measure;
use cachier::cachier;
use cachier_bench::case::{Case, Mode};
use cachier_bench::report::publish;
use cachier_bench::subjects::{asynchronous, numbers, pairs, words};

fn main() {
    let mut table = Table(String::from(
        "# What hits and misses allocate\n\nAllocations for each call. The value of the last case is a `String`, whose clone is one.\n\n\
         | call | subject | metrics | allocations |\n|---|---|---|--:|\n",
    ));
    table.add(&numbers::unbounded());
    table.add(&numbers::bounded());
    table.add(&numbers::aging());
    table.add(&asynchronous::unbounded());
    let words = table.add(&words::unbounded());
    let pairs = table.add(&pairs::unbounded());
    let misses = table.add_misses();
    publish("allocations", &table.0, Mode::chosen());
    // But for the figures of a function's timed hits, made once with the first that are added to them.
    const ONCE: f64 = 0.001;
    assert!(words < ONCE, "a hit with a `&str` allocates {words} times");
    assert!(
        pairs < 1.0 + ONCE,
        "a hit allocates {pairs} times, more than the clone of its value"
    );
    assert!(
        misses <= MAX_OF_MISS,
        "a miss allocates {misses} times, more than {MAX_OF_MISS}"
    );
}

/// The call, the key and the value without their types, and the flight; seldom a larger table.
const MAX_OF_MISS: f64 = 4.1;

#[cachier(backend = "memory")]
fn number(n: u64) -> u64 {
    n
}

struct Table(String);

impl Table {
    /// Adds a row per subject; returns the highest count per hit of ours.
    fn add<A>(&mut self, case: &Case<A>) -> f64 {
        let mut ours: f64 = 0.0;
        for subject in &case.subjects {
            // The second run, when per-thread state is initialised.
            (subject.run)(&case.keys);
            (subject.run)(&case.keys);
            let counted = measure(|| {
                (subject.run)(&case.keys);
            });
            let allocations = counted.count_total as f64 / case.keys.len() as f64;
            let _ = writeln!(
                self.0,
                "| {} | {} | {} | {allocations:.2} |",
                case.title, subject.name, subject.metrics
            );
            if subject.name.starts_with("**cachier**") {
                ours = ours.max(allocations);
            }
        }
        ours
    }

    /// Adds a row for misses of numbers; returns the count per miss.
    fn add_misses(&mut self) -> f64 {
        const MISSES: u64 = 10_000;
        // What a thread and a function have once.
        number(MISSES);
        let counted = measure(|| {
            (0..MISSES).for_each(|n| {
                number(n);
            });
        });
        let allocations = counted.count_total as f64 / MISSES as f64;
        let _ = writeln!(
            self.0,
            "| miss, `u64` | **cachier** | off | {allocations:.2} |"
        );
        allocations
    }
}

//! Reports in Markdown: printed, and kept for the README to quote.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use crate::case::{Measured, Mode, Threads};

/// A ratio and its limit.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The two quantities.
    pub what: String,
    /// The limit.
    pub at_most: f64,
    /// The ratio.
    pub measured: f64,
}

/// The table of a case.
pub fn table(case: &Measured) -> String {
    let reference = case.rows.iter().find(|row| row.name == case.reference);
    let mut text = format!("\n### {}\n\n", case.title);
    text.push_str("| subject | metrics | 1 thread, ns | 2 threads, ns | ratio | ratio, 2 threads |\n|---|---|--:|--:|--:|--:|\n");
    for row in &case.rows {
        let _ = write!(text, "| {} | {} |", row.name, row.metrics);
        for threads in [Threads::One, Threads::Two] {
            let _ = write!(text, " {} |", nanos(row.timings(threads).median()));
        }
        for threads in [Threads::One, Threads::Two] {
            let ratio =
                reference.map(|reference| row.timings(threads).ratio(reference.timings(threads)));
            let _ = write!(
                text,
                " {} |",
                ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}"))
            );
        }
        text.push('\n');
    }
    let repeated = 100.0 * case.repeated as f64 / case.turns as f64;
    let _ = writeln!(
        text,
        "\nRatios to {}. Turns repeated: {repeated:.0} %.",
        case.reference
    );
    text
}

/// The table of limits.
pub fn verdicts(verdicts: &[Verdict]) -> String {
    let mut text =
        String::from("| ours : peer, same run | at most | measured | |\n|---|--:|--:|---|\n");
    for Verdict {
        what,
        at_most,
        measured,
    } in verdicts
    {
        let judgement = if measured <= at_most {
            "met"
        } else {
            "**missed**"
        };
        let _ = writeln!(text, "| {what} | {at_most} | {measured:.2} | {judgement} |");
    }
    text
}

/// Prints the text, and keeps it unless the mode is quick.
#[expect(clippy::print_stdout, reason = "the report is what a bench is run for")]
pub fn publish(name: &str, text: &str, mode: Mode) {
    println!("{text}");
    if mode == Mode::Full {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("results")
            .join(name)
            .with_extension("md");
        fs::write(&path, text).expect("the results can be written");
        println!("\nwritten to {}", path.display());
    }
}

fn nanos(nanos: f64) -> String {
    if nanos < 100.0 {
        format!("{nanos:.1}")
    } else {
        format!("{nanos:.0}")
    }
}

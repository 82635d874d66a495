//! The report, in Markdown.

use std::fmt::Write;
use std::time::Duration;

use cachier_bench::machine;
use cachier_bench::report::{Verdict, verdicts};

use crate::compare::{Compared, Row};
use crate::waiting::Waits;

pub(crate) fn text(hits: &[Row], waits: &[Waits]) -> String {
    let mut text = format!(
        "# What a hit on a store costs\n\nWritten by `cargo bench -p cachier-bench --features stores --bench stores` on {}. \
         Ours and the bare client take turns in one process, on a private server on the loopback interface; SQLite in a \
         file with a write-ahead log. Callers have one processor, servers another. Values of some 250 bytes, 100 keys; metrics on at rate 0.1. The bare client sends \
         the least that finds the same bytes by a short key, through the same driver: a prepared statement, a cached \
         `find_one`, one kept connection for each kind of caller. It has no header, no checksum, no deadline but its \
         driver's, and decodes the same CBOR.\n\n",
        machine::describe()
    );
    let verdict = |Row {
                       what,
                       at_most,
                       compared,
                   }: &Row| Verdict {
        what: (*what).to_owned(),
        at_most: *at_most,
        measured: compared.ratio,
    };
    text.push_str(&verdicts(&hits.iter().map(verdict).collect::<Vec<_>>()));
    text.push_str("\n| | ours, µs | bare, µs |\n|---|--:|--:|\n");
    for Row { what, compared, .. } in hits {
        let Compared { ours, theirs, .. } = compared;
        let _ = writeln!(text, "| {what} | {:.2} | {:.2} |", ours / 1e3, theirs / 1e3);
    }
    if !waits.is_empty() {
        text.push_str(&waits_in(waits));
    }
    text
}

/// A table of waiting times.
fn waits_in(waits: &[Waits]) -> String {
    let mut text = String::from(
        "\n## When a waiter learns of the result\n\nAnother process waits for the same key. From the end of the \
         computation, storing included, until the waiter's call has returned, in milliseconds.\n\n\
         | store | computations | median | p99 | at most | |\n|---|--:|--:|--:|--:|---|\n",
    );
    for waits in waits {
        let millis = |share| waits.quantile(share).as_secs_f64() * 1e3;
        let judgement = match waits.quantile(0.99) <= LIMIT {
            true => "met",
            false => "**missed**",
        };
        let _ = writeln!(
            text,
            "| {} | {} | {:.2} | {:.2} | {} | {judgement} |",
            waits.store,
            waits.count(),
            millis(0.5),
            millis(0.99),
            LIMIT.as_millis(),
        );
    }
    text
}

const LIMIT: Duration = Duration::from_millis(20);

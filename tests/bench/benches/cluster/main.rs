//! Figures of many instances: bytes published, time to merge, and both over Redis. Runs only when asked for, with
//! `--features stores --bench cluster`.
#![allow(missing_docs)]

use std::fmt::Write as _;

use cachier_bench::case::Mode;
use cachier_bench::machine;
use cachier_bench::report::{Verdict, publish, verdicts};

#[path = "redis.rs"]
mod over_redis;
mod simulation;

use simulation::{FUNCTIONS, Recorded};

const INSTANCES: usize = 10_000;
/// Merged at a time: others may go on in between.
const PIECE: usize = 100;
const INTERVALS: usize = 120;
const MAX_BYTES: f64 = 16.0 * 1024.0;

fn main() {
    let mut rows = String::new();
    let mut all = Vec::new();
    for share in [1, 5, 20] {
        let recorded = Recorded::of(INTERVALS, share);
        let published = recorded.publish();
        let bytes = published.bytes as f64 / published.publications as f64;
        let merged = recorded.merge(INSTANCES, PIECE);
        assert!(merged.hits > 0, "it has merged something");
        let of = format!("1 of {share} functions called in each interval");
        let _ = writeln!(
            rows,
            "| {of} | {bytes:.0} | {} | {} | {:.1} | {:.0} |",
            published.largest_change,
            published.largest_full,
            merged.took.as_secs_f64(),
            merged.longest_piece.as_secs_f64() * 1e3,
        );
        let verdict = |what: &str, at_most, measured| Verdict {
            what: format!("{what}: {of}"),
            at_most,
            measured,
        };
        all.push(verdict(
            "bytes an instance and interval, KiB of 16",
            1.0,
            bytes / MAX_BYTES,
        ));
        let seconds = merged.took.as_secs_f64();
        all.push(verdict(
            "merging 10,000 instances on one core, s of 30",
            1.0,
            seconds / 30.0,
        ));
    }
    if let Some(took) = over_redis::publish_and_merge() {
        all.push(Verdict {
            what: "publishing and merging 100 instances over redis, s".to_owned(),
            at_most: 1.0,
            measured: took.as_secs_f64(),
        });
    }
    let text = format!(
        "# Figures of many instances\n\nWritten by `cargo bench -p cachier-bench --features stores --bench cluster` on {}. \
         {INSTANCES} instances of {FUNCTIONS} functions, {INTERVALS} intervals.\n{}\n\
         | traffic | bytes, mean | largest change | all figures | merging, s | longest piece, ms |\n\
         |---|--:|--:|--:|--:|--:|\n{rows}",
        machine::describe(),
        verdicts(&all),
    );
    publish("cluster", &text, Mode::chosen());
}

//! In which process they are, hits know without asking the system, although that may be a forked child.

use std::fs;
use std::hint::black_box;
use std::process::id;

use cachier::{CallOptions, Outcome, Tier, cachier};
use cachier_tests::process::{Process, part, skip};
use futures_lite::future::block_on;

const HITS: usize = 1_000;

#[cachier(backend = "memory", enable_metrics)]
fn in_memory(number: u64) -> u64 {
    number
}

#[cachier(backend = "memory", enable_metrics)]
async fn in_memory_async(number: u64) -> u64 {
    number
}

#[cachier(
    backend = "file",
    near_cache = 10,
    near_stale_after = "1d",
    enable_metrics
)]
fn near(number: u64) -> u64 {
    number
}

/// A thousand hits of each kind, after a first call.
fn hit() {
    for _ in 0..=HITS {
        in_memory(1);
        block_on(in_memory_async(1));
        near(1);
    }
    let tier = near::call_detailed(CallOptions::new(), 1).tier;
    assert_eq!(tier, Some(Tier::Near));
    assert_eq!(
        in_memory::metrics().snapshot().calls[Outcome::Hit],
        HITS as u64
    );
}

fn ask() {
    for _ in 0..HITS {
        black_box(id());
    }
}

#[test]
fn hits_read_no_process_id() {
    const TEST: &str = "process_id::hits_read_no_process_id";
    if let Some(part) = part() {
        return match part.as_str() {
            "hit" => hit(),
            _ => ask(),
        };
    }
    let folder = tempfile::tempdir().unwrap();
    let asked = |part| {
        let trace = folder.path().join(part);
        let options = ["-e", "trace=getpid"];
        let started = Process::start_under_strace(TEST, part, &options, &trace, |command| {
            command.env("CACHIER_CACHE_DIR", folder.path().join("cache"));
        });
        started?.finish();
        let trace = fs::read_to_string(trace).unwrap();
        Some(trace.matches("getpid()").count())
    };
    let Some(control) = asked("ask") else {
        return skip("there is no strace that could tell who asks the system");
    };
    assert!(control >= HITS, "{control}: who asks is noticed");
    let by_hits = asked("hit").unwrap();
    assert!(by_hits < HITS / 10, "{by_hits} in {HITS} hits of each kind");
}

//! The file backend among processes: values outlive them, one of them computes, and none waits for a dead one.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use cachier::{CallOptions, cachier};
use cachier_tests::process::{Process, hear, part, say};
use cachier_tests::sandbox::{entries, files};
use cachier_tests::wait::until;
use rustix::process::Signal;

/// Reports its computation, and ends it when the test says so.
#[cachier(backend = "file", enable_metrics)]
fn double(number: u64) -> u64 {
    say("computing");
    assert_eq!(hear(), "go on");
    number * 2
}

#[cachier(backend = "file")]
fn square(number: u64) -> u64 {
    number * number
}

/// The parts of other processes; does nothing in the test itself.
fn plays_a_part() -> bool {
    let Some(part) = part() else {
        return false;
    };
    match part.as_str() {
        "call" => call(),
        "own" => say(double(21)),
        "own impatiently" => {
            let timeout = Duration::from_millis(50);
            cachier::set_global_params(cachier::global_params().wait_for_calc_timeout(timeout));
            say(double(21));
        }
        "squares" => {
            let calls = (0..20).map(|number| square::call_detailed(CallOptions::new(), number));
            let right = calls.enumerate().map(|(number, call)| {
                assert_eq!(call.value, (number * number) as u64);
                call.outcome.label()
            });
            say(right.collect::<Vec<_>>().join(" "));
        }
        part => panic!("no part {part}"),
    }
    true
}

/// Calls, and reports waiting and the outcome.
fn call() {
    let caller = thread::spawn(|| double::call_detailed(CallOptions::new(), 21));
    let is_waiting = || double::metrics().snapshot().activity.waiting_calls == 1;
    until("it waits or ends", || {
        is_waiting() || caller.is_finished() || is_computing()
    });
    if is_waiting() {
        say("waiting");
    }
    let call = caller.join().unwrap();
    say(format!("{} {}", call.value, call.outcome));
}

fn is_computing() -> bool {
    double::metrics().snapshot().activity.inflight_computations == 1
}

fn start(test: &str, part: &str, folder: &Path) -> Process {
    Process::start(
        &format!("file_backend::{test}"),
        part,
        |command: &mut Command| {
            command.env("CACHIER_CACHE_DIR", folder);
        },
    )
}

/// Starts callers; the one that computes first.
fn start_callers(test: &str, count: usize, folder: &Path) -> Vec<Process> {
    let mut callers: Vec<_> = (0..count).map(|_| start(test, "call", folder)).collect();
    let said: Vec<_> = callers.iter().map(Process::line).collect();
    let owner = said.iter().position(|line| line == "computing").unwrap();
    let waiting = said.iter().filter(|line| *line == "waiting").count();
    assert_eq!(waiting, count - 1, "{said:?}");
    callers.swap(0, owner);
    callers
}

/// Everything in the folder but entries and shard tables.
fn left_over(folder: &Path) -> Vec<String> {
    let mut files = files(folder);
    let entries = entries(folder);
    files.retain(|path| !path.ends_with(".ledger") && !entries.contains(path));
    files
        .iter()
        .map(|path| path.display().to_string())
        .collect()
}

const NOTHING: [String; 0] = [];

#[test]
fn what_is_stored_outlives_the_process() {
    if plays_a_part() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for outcome in ["miss", "hit", "hit"] {
        let process = start(
            "what_is_stored_outlives_the_process",
            "squares",
            folder.path(),
        );
        assert_eq!(process.last_line(), [outcome; 20].join(" "));
    }
}

#[test]
fn a_killed_owner_is_replaced_at_once() {
    const TEST: &str = "a_killed_owner_is_replaced_at_once";
    if plays_a_part() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let squares = start(TEST, "squares", folder.path());
    assert_eq!(squares.last_line(), ["miss"; 20].join(" "));

    let mut callers = start_callers(TEST, 4, folder.path());
    let killed = Instant::now();
    callers.remove(0).kill();
    let mut next = None;
    until("another computes", || {
        next = callers
            .iter()
            .position(|caller| caller.try_line().is_some_and(|line| line == "computing"));
        next.is_some()
    });
    let took = killed.elapsed();
    let lease_period = cachier::global_params().lease_period;
    assert!(took < lease_period / 4, "it took {took:?}");
    callers[next.unwrap()].tell("go on");
    let mut said: Vec<_> = callers.iter().map(Process::line).collect();
    said.sort();
    // The successor has waited, and then computed.
    assert_eq!(said, ["42 coalesced", "42 coalesced", "42 miss"]);
    callers.into_iter().for_each(Process::finish);

    let squares = start(TEST, "squares", folder.path());
    assert_eq!(squares.last_line(), ["hit"; 20].join(" "));
    assert_eq!(entries(folder.path()).len(), 21);
    assert_eq!(left_over(folder.path()), NOTHING);
}

#[test]
fn a_stopped_owner_blocks_only_until_the_timeout() {
    const TEST: &str = "a_stopped_owner_blocks_only_until_the_timeout";
    if plays_a_part() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut owner = start(TEST, "own", folder.path());
    assert_eq!(owner.line(), "computing");
    owner.signal(Signal::STOP);

    let mut impatient = start(TEST, "own impatiently", folder.path());
    assert_eq!(impatient.line(), "computing");
    impatient.tell("go on");
    assert_eq!(impatient.last_line(), "42");
    let entry = &entries(folder.path())[0];
    let newer = fs::read(entry).unwrap();

    owner.signal(Signal::CONT);
    owner.tell("go on");
    assert_eq!(owner.last_line(), "42");
    assert_eq!(fs::read(entry).unwrap(), newer);
    assert_eq!(left_over(folder.path()), NOTHING);
}

//! Crowds on a file function, by the system's clock: waiting for each other is no failure of the store.

use std::thread;
use std::time::Duration;

use cachier::{Call, CallOptions, Outcome, cachier};
use cachier_tests::process::{Process, part, say};

/// Concurrent callers.
const THREADS: usize = 400;

#[cachier(backend = "file", wait_for_calc_timeout = "100ms")]
fn slow(number: u64) -> u64 {
    thread::sleep(Duration::from_millis(500));
    number * 2
}

#[cachier(backend = "file")]
fn unrelated(number: u64) -> u64 {
    number * 3
}

/// Runs the test in another process with its own folder.
fn in_a_process(test: &str) -> Process {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(&format!("file_crowd::{test}"), "call", |command| {
        command.env("CACHIER_CACHE_DIR", folder.path().join("cache"));
    });
    // It reports when it is done with the folder.
    assert_eq!(process.line(), "done");
    process
}

#[test]
fn a_crowd_that_waited_too_long_succeeds() {
    if part().is_none() {
        let test = "a_crowd_that_waited_too_long_succeeds";
        return in_a_process(test).finish();
    }
    unrelated(1);
    let calls: Vec<Call<u64>> = thread::scope(|scope| {
        let call = || slow::call_detailed(CallOptions::new(), 21);
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(call)).collect();
        let other = unrelated::call_detailed(CallOptions::new(), 1);
        assert_eq!(other.outcome, Outcome::Hit);
        threads.into_iter().map(|it| it.join().unwrap()).collect()
    });
    let errors: Vec<_> = calls
        .iter()
        .filter_map(|it| it.backend_error.as_ref())
        .collect();
    assert!(
        errors.is_empty(),
        "{} errors, as {}",
        errors.len(),
        errors[0]
    );
    assert!(calls.iter().all(|call| call.value == 42));
    let other = unrelated::call_detailed(CallOptions::new(), 1);
    assert_eq!(other.outcome, Outcome::Hit);
    let again = slow::call_detailed(CallOptions::new(), 21);
    assert_eq!(again.outcome, Outcome::Hit);
    say("done");
}

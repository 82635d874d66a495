//! A process stopped while it holds the lock of a function's folder: others go on using the store.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use cachier::{CallOptions, Outcome};
use cachier_tests::callers::runtime;
use cachier_tests::process::{Process, part, say};
use cachier_tests::sandbox::{files, in_folder};
use cachier_tests::{double, outcome, triple};
use rustix::process::Signal;

double!(backend = "file");

triple!(backend = "file");

/// The shard table that a process is to lock.
const SHARD_TABLE: &str = "CACHIER_TEST_SHARD_TABLE";

/// Limit for an operation that takes the lock away.
const LOCK_TAKEOVER_LIMIT: Duration = Duration::from_secs(3);

/// Starts processes that lock every shard table in a folder, and stops them.
fn stopped_holders(test: &str, folder: &Path) -> Vec<Process> {
    let tables = files(folder)
        .into_iter()
        .filter(|path| path.ends_with(".ledger"));
    let hold = |table| {
        let holder = Process::start(&format!("file_stopped::{test}"), "hold", |command| {
            command.env(SHARD_TABLE, table);
        });
        assert_eq!(holder.line(), "locked");
        holder.signal(Signal::STOP);
        holder
    };
    tables.map(hold).collect()
}

/// Holds the lock until killed, if that is this process's part.
fn holds() -> bool {
    if part().is_none() {
        return false;
    }
    let table = fs::File::open(std::env::var_os(SHARD_TABLE).unwrap()).unwrap();
    table.lock().unwrap();
    say("locked");
    std::thread::park();
    true
}

#[test]
fn threads_go_on_despite_a_stopped_lock_holder() {
    const TEST: &str = "threads_go_on_despite_a_stopped_lock_holder";
    if holds() {
        return;
    }
    in_folder(|folder| {
        double(1);
        let holders = stopped_holders(TEST, folder);
        let began = Instant::now();
        assert!(double::invalidate(1).unwrap());
        assert!(
            began.elapsed() < LOCK_TAKEOVER_LIMIT,
            "{:?}",
            began.elapsed()
        );
        let outcomes = [(); 2].map(|()| outcome!(double(2)));
        assert_eq!(outcomes, [Outcome::Miss, Outcome::Hit]);
        assert_eq!(double::clear_cache().unwrap(), Some(1));
        kill(holders);
    });
}

#[test]
fn tasks_go_on_despite_a_stopped_lock_holder() {
    const TEST: &str = "tasks_go_on_despite_a_stopped_lock_holder";
    if holds() {
        return;
    }
    in_folder(|folder| {
        runtime().block_on(triple(1));
        let holders = stopped_holders(TEST, folder);
        runtime().block_on(async {
            let began = Instant::now();
            assert!(triple::invalidate(1).await.unwrap());
            assert!(
                began.elapsed() < LOCK_TAKEOVER_LIMIT,
                "{:?}",
                began.elapsed()
            );
            for outcome in [Outcome::Miss, Outcome::Hit] {
                let call = triple::call_detailed(CallOptions::new(), 2).await;
                assert_eq!(call.outcome, outcome);
            }
            assert_eq!(triple::clear_cache().await.unwrap(), Some(1));
        });
        kill(holders);
    });
}

fn kill(holders: Vec<Process>) {
    assert!(!holders.is_empty());
    holders.into_iter().for_each(Process::kill);
}

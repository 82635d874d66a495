//! Chaos: processes, threads and tasks share a store, while processes are killed, stopped and forked, connections cut
//! and delayed, servers hung, and files torn. Whatever happens:
//!
//! - a value belongs to its key, and is intact;
//! - a call after an invalidation gets nothing older, as far as the guide promises;
//! - outcomes add up to calls;
//! - no call takes longer than its function and budget, except for scheduling;
//! - everything works five seconds after the last fault.
//!
//! `CACHIER_CHAOS_SECONDS=600` makes it longer. `CACHIER_CHAOS_SEED` repeats a run's choices, not its scheduling.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod faults;
mod faulty_backend;
mod functions;
mod log;
mod operations;
mod settings;
mod shared;
mod stalls;
mod store;
mod truth;
mod value;
mod worker;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use cachier_tests::process::{Process, part, skip};
use fastrand::Rng;

use crate::faults::Faults;
use crate::settings::{LAST_CALLS, RECOVERY, duration, seed};
use crate::store::{Site, Store};

/// A test per store, whose processes run it by name.
macro_rules! chaos_on {
    ($($test:ident: $store:ident)*) => {
        $(
            #[test]
            fn $test() {
                match part() {
                    Some(_) => worker::work(Store::$store),
                    None => chaos(Store::$store, stringify!($test)),
                }
            }
        )*
    };
}

chaos_on! {
    memory: Memory
    files: File
    sqlite: Sqlite
    redis: Redis
    postgres: Postgres
    mariadb: MariaDb
    mongo: Mongo
    s3: S3
}

fn chaos(store: Store, test: &'static str) {
    let Some(mut site) = store.start() else {
        return skip(&format!(
            "{store:?}: its server is not installed; `tests/run` does that"
        ));
    };
    let seed = seed();
    let folder = tempfile::tempdir().expect("a folder");
    let mut stage = Stage {
        store,
        test,
        address: site.address(store),
        folder: folder.path(),
        rng: Rng::with_seed(seed),
    };
    stage.run(&mut site);
    let remarks = stage.read("remarks");
    if !remarks.is_empty() {
        let _ = writeln!(std::io::stderr(), "{store:?}:\n{remarks}");
    }
    let failures = stage.read("failures");
    let log = stage.log();
    assert!(
        failures.is_empty(),
        "CACHIER_CHAOS_SEED={seed} {store:?}:\n{failures}\n{log}\n{failures}"
    );
}

/// A test's processes, and the folder for their reports.
struct Stage<'a> {
    store: Store,
    test: &'static str,
    address: String,
    folder: &'a Path,
    rng: Rng,
}

impl Stage<'_> {
    fn run(&mut self, site: &mut Site) {
        let mut processes: Vec<_> = (0..self.store.processes()).map(|_| self.start()).collect();
        let log = fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(self.folder.join("log"));
        let log = log.expect("a file for the log");
        let tell = |what: &str| writeln!(&log, "{} {what}", truth::now()).expect("it is told");
        let mut faults = Faults::new(self.store, site, self.rng.fork(), &tell);
        let started = Instant::now();
        while started.elapsed() < duration() && !self.has_failed() {
            faults.step(&mut processes, &mut || self.start());
        }
        self.end(processes);
    }

    fn start(&mut self) -> Process {
        let most = 2 * (duration() + RECOVERY + LAST_CALLS);
        Process::start(self.test, "work", |command| {
            command
                .env(worker::ADDRESS, &self.address)
                .env(worker::FOLDER, self.folder)
                .env(worker::MAX_SECONDS, most.as_secs().to_string())
                .env(worker::WORKER_SEED, self.rng.u32(..).to_string());
        })
    }

    /// After the last fault.
    fn end(&self, mut processes: Vec<Process>) {
        processes
            .iter_mut()
            .for_each(|process| process.tell("calm"));
        thread::sleep(RECOVERY);
        let rested = self.ask(&mut processes, "rest", "rests");
        let checked = rested && self.ask(&mut processes, "check", "checked");
        // A process with hung calls has reported them and exited.
        if let Some(cell) = self.failed_cell().filter(|_| rested) {
            self.ask(&mut processes, &format!("tell {cell}"), "told");
        }
        if checked {
            processes.iter_mut().for_each(|process| process.tell("end"));
            processes.into_iter().for_each(Process::finish);
        }
    }

    /// Whether all processes obey. One that does not has reported why, and may have exited.
    fn ask(&self, processes: &mut [Process], what: &str, answer: &str) -> bool {
        processes.iter_mut().for_each(|process| process.tell(what));
        let started = Instant::now();
        processes.iter().all(|process| {
            loop {
                match process.try_line() {
                    Some(line) => break line == answer,
                    None if started.elapsed() > 2 * LAST_CALLS => {
                        assert!(self.has_failed(), "a process is silent");
                        break false;
                    }
                    None => thread::sleep(Duration::from_millis(5)),
                }
            }
        })
    }

    fn has_failed(&self) -> bool {
        self.folder.join("failures").exists()
    }

    /// Function and key of the first failure.
    fn failed_cell(&self) -> Option<String> {
        let failures = self.read("failures");
        let mut words = failures.split(' ');
        Some(format!("{} {}", words.next()?, words.next()?))
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.folder.join(name)).unwrap_or_default()
    }

    /// All reports, in order of their beginning.
    fn log(&self) -> String {
        let log = self.read("log");
        let mut lines: Vec<_> = log.lines().collect();
        lines.sort_unstable();
        lines.dedup();
        lines.join("\n")
    }
}

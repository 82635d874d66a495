//! Several processes, some of them stopped or killed.

#![cfg(unix)]
#![allow(clippy::unwrap_used)]

use std::collections::{HashMap, HashSet};
use std::env;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use cachier_backends::canonical::Unordered;
use cachier_backends::{BlockingBackend, KeyHash, LeaseReply, StoreReply};
use cachier_servers::process::{self, Process, hear, say};
use rustix::process::Signal;
use support::files::{self, Files, PERIOD, moment};
use support::random::Random;
use tempfile::tempdir;

mod support;

/// Processes that want the same value.
const CALLERS: usize = 8;

#[test]
fn of_eight_processes_one_computes() {
    let dir = tempdir().unwrap();
    for round in 0..5 {
        let dir = dir.path().join(round.to_string());
        fs::create_dir_all(dir.join("present")).unwrap();
        let callers: Vec<_> = (0..CALLERS).map(|_| start("call", &dir)).collect();
        for caller in callers {
            assert_eq!(caller.last_line(), "value");
        }
        let computed = fs::read_to_string(dir.join("computed")).unwrap();
        assert_eq!(computed, "computed\n");
        let files = Files::at(&dir.join("cache"));
        assert_eq!(files.all_but_shard_tables(), [files.path(&files.key(1))]);
    }
}

#[test]
fn a_killed_owner_frees_its_lease_at_once() {
    let dir = tempdir().unwrap();
    let files = Files::at(&dir.path().join("cache"));
    let key = files.key(1);
    files.store(&key, b"stale");
    let owner = start("own", dir.path());
    assert_eq!(owner.line(), "granted");
    assert!(matches!(files.lease(&key), LeaseReply::Held(_)));

    owner.kill();
    assert_eq!(files.load(&key), Some(files::entry(b"stale")));
    files.stored_under(files.granted(&key), b"fresh");
    assert_eq!(files.all_but_shard_tables(), [files.path(&key)]);
}

#[test]
fn a_stopped_owner_keeps_its_lease() {
    let dir = tempdir().unwrap();
    let files = Files::at(&dir.path().join("cache"));
    let key = files.key(1);
    let mut owner = start("own", dir.path());
    assert_eq!(owner.line(), "granted");
    owner.signal(Signal::STOP);
    for _ in 0..100 {
        assert!(matches!(files.lease(&key), LeaseReply::Held(_)));
    }
    owner.signal(Signal::CONT);
    owner.tell("store");
    assert_eq!(owner.last_line(), "Stored { evicted: 0 }");
    assert_eq!(files.load(&key), Some(files::entry(b"of the owner")));
}

#[test]
fn a_resumed_owner_overwrites_nothing_newer() {
    let dir = tempdir().unwrap();
    let files = Files::at(&dir.path().join("cache"));
    let key = files.key(1);
    for how in ["remove", "clear", "clear_leases", "store"] {
        let mut owner = start("own", dir.path());
        assert_eq!(owner.line(), "granted");
        owner.signal(Signal::STOP);
        match how {
            "remove" => assert!(files.backend.remove(&key).is_ok()),
            "clear" => assert!(files.backend.clear(&files.scope).is_ok()),
            "clear_leases" => assert!(files.backend.clear_leases(&files.scope).is_ok()),
            _ => assert_eq!(files.store(&key, b"new"), StoreReply::Stored { evicted: 0 }),
        }
        if how != "store" {
            files.stored_under(files.granted(&key), b"newer");
        }
        let newer = files.load(&key);
        assert!(newer.is_some());
        owner.signal(Signal::CONT);
        owner.tell("store");
        assert_eq!(owner.last_line(), "Superseded", "after {how}");
        assert_eq!(files.load(&key), newer);
        assert_eq!(files.all_but_shard_tables(), [files.path(&key)]);
    }
}

#[test]
fn a_kill_at_any_moment_breaks_nothing() {
    let dir = tempdir().unwrap();
    let files = Files::at(&dir.path().join("cache"));
    let mut random = Random(7);
    for _ in 0..25 {
        let busy = start("busy", dir.path());
        assert_eq!(busy.line(), "begun");
        pause(random.next() % 5000);
        busy.kill();
        for number in 0..KEYS {
            let key = files.key(number);
            if let Some(bytes) = files.load(&key) {
                let value = files::value_of(&bytes);
                assert_eq!(value, vec![number; LENGTH]);
            }
            files.backend.release(files.granted(&key)).unwrap();
        }
    }
    files.backend.cleanup(&files.scope, moment(0)).unwrap();
    let held = files.all_but_shard_tables();
    let usage = files.backend.usage(&files.scope).unwrap();
    let entries = held.iter().filter(|path| path.extension().is_none());
    assert_eq!(usage.entries, Some(entries.count() as u64));
    assert!(
        !held
            .iter()
            .any(|path| path.extension().is_some_and(|e| e == "lease"))
    );
}

#[test]
fn usage_is_exact_after_writers_were_killed() {
    let dir = tempdir().unwrap();
    let files = Files::at(&dir.path().join("cache"));
    let mut random = Random(11);
    let usage = || files.backend.usage(&files.scope).unwrap().entries;
    for _ in 0..40 {
        let writer = start("write", dir.path());
        assert_eq!(writer.line(), "begun");
        usage();
        pause(random.next() % 5000);
        writer.kill();
        let entries = files.all_but_shard_tables();
        let entries = entries.iter().filter(|path| path.extension().is_none());
        assert_eq!(usage(), Some(entries.count() as u64));
    }
}

#[test]
fn a_stop_at_any_moment_blocks_nobody() {
    let dir = tempdir().unwrap();
    let files = Files::at(&dir.path().join("cache"));
    let mut random = Random(13);
    for round in 0..12 {
        let writer = start("busy", dir.path());
        assert_eq!(writer.line(), "begun");
        pause(random.next() % 5000);
        writer.signal(Signal::STOP);
        let began = Instant::now();
        let (backend, key) = (&files.backend, files.key(9));
        assert_eq!(
            files.store(&key, b"value"),
            StoreReply::Stored { evicted: 0 }
        );
        assert!(backend.remove(&key).unwrap());
        backend.remove(&files.key(0)).unwrap();
        backend.clear(&files.scope).unwrap();
        assert_eq!(backend.usage(&files.scope).unwrap().entries, Some(0));
        assert!(
            began.elapsed() < Duration::from_secs(10),
            "in round {round}"
        );
        if round % 2 == 0 {
            writer.kill();
            assert_eq!(backend.usage(&files.scope).unwrap().entries, Some(0));
        } else {
            writer.signal(Signal::CONT);
        }
    }
}

#[test]
fn a_resumed_writer_restores_nothing_old() {
    let dir = tempdir().unwrap();
    let files = Files::at(&dir.path().join("cache"));
    let key = files.key(1);
    let mut random = Random(17);
    fs::write(dir.path().join("input"), 0_u32.to_le_bytes()).unwrap();
    let mut computers = [(); 2].map(|()| start("compute", dir.path()));
    for computer in &mut computers {
        assert_eq!(computer.line(), "begun");
    }
    let is_current = |input: u32, when: &str| {
        if let Some(bytes) = files.load(&key) {
            let value = files::value_of(&bytes);
            let found = u32::from_le_bytes(value.try_into().unwrap());
            assert!(found >= input, "{found} after {input}, {when}");
        }
    };
    for input in 1..30_u32 {
        pause(random.next() % 3000);
        let stopped = &computers[random.next() as usize % 2];
        stopped.signal(Signal::STOP);
        fs::write(dir.path().join("input"), input.to_le_bytes()).unwrap();
        files.backend.remove(&key).unwrap();
        is_current(input, "at once");
        stopped.signal(Signal::CONT);
        for _ in 0..20 {
            pause(200);
            is_current(input, "when it went on");
        }
    }
}

/// Sleeps for microseconds.
fn pause(micros: u64) {
    let moment = Instant::now() + Duration::from_micros(micros);
    while Instant::now() < moment {
        thread::yield_now();
    }
}

#[test]
fn equal_arguments_give_equal_keys_in_every_process() {
    let dir = tempdir().unwrap();
    let hashes: HashSet<String> = (0..4)
        .map(|_| {
            let process = start("hash", dir.path());
            process.last_line()
        })
        .collect();
    assert_eq!(hashes, HashSet::from([hash_of_arguments()]));
}

/// Keys, and the size of values, in the test of kills.
const KEYS: u8 = 4;
const LENGTH: usize = 20_000;

/// A process of this program with one of the parts below.
fn start(part: &str, dir: &Path) -> Process {
    Process::start("part", part, |command| {
        command.env("CACHIER_TEST_DIR", dir);
    })
}

/// Not a test: the parts of other processes.
#[test]
fn part() {
    let Some(part) = process::part() else { return };
    let dir = env::var_os("CACHIER_TEST_DIR").unwrap();
    let dir = Path::new(&dir);
    let files = Files::at(&dir.join("cache"));
    match part.as_str() {
        "call" => call(&files, dir),
        "own" => own(&files),
        "busy" => busy(&files),
        "write" => write(&files),
        "compute" => compute(&files, &dir.join("input")),
        "hash" => say(hash_of_arguments()),
        part => panic!("no part {part}"),
    }
}

/// Calls a cached function that takes until all callers are present.
fn call(files: &Files, dir: &Path) {
    fs::write(dir.join("present").join(std::process::id().to_string()), "").unwrap();
    let key = files.key(1);
    loop {
        if let Some(bytes) = files.load(&key) {
            let value = files::value_of(&bytes);
            return say(String::from_utf8_lossy(&value));
        }
        match files.backend.lease(&key, None, PERIOD).unwrap() {
            LeaseReply::Granted(lease) => {
                while fs::read_dir(dir.join("present")).unwrap().count() < CALLERS {
                    thread::yield_now();
                }
                let computed = dir.join("computed");
                let mut log = OpenOptions::new()
                    .create(true)
                    .append(true)
                    .open(computed)
                    .unwrap();
                log.write_all(b"computed\n").unwrap();
                files.stored_under(lease, b"value");
            }
            LeaseReply::Held(_) => thread::yield_now(),
            LeaseReply::Changed => {}
        }
    }
}

/// Takes the lease, and stores when told to.
fn own(files: &Files) {
    let lease = files.granted(&files.key(1));
    say("granted");
    assert_eq!(hear(), "store");
    say(format!("{:?}", files.store_under(lease, b"of the owner")));
}

/// Does everything, until killed.
fn busy(files: &Files) {
    say("begun");
    loop {
        for number in 0..KEYS {
            let key = files.key(number);
            let value = vec![number; LENGTH];
            if let LeaseReply::Granted(lease) = files.lease(&key) {
                files.store_under(lease, &value);
            }
            files.store(&key, &value);
            files.backend.remove(&key).unwrap();
            files.store(&key, &value);
        }
        files.backend.cleanup(&files.scope, moment(0)).unwrap();
    }
}

/// Stores entries and removes some, until killed.
fn write(files: &Files) {
    say("begun");
    for number in 0.. {
        files.store(&files.crowded_key(number % 50), b"value");
        files
            .backend
            .remove(&files.crowded_key(number % 7))
            .unwrap();
    }
}

/// Stores values computed from a number in a file, under leases, until killed.
fn compute(files: &Files, input: &Path) {
    say("begun");
    loop {
        if let LeaseReply::Granted(lease) = files.lease(&files.key(1)) {
            let number = fs::read(input).unwrap();
            // Empty while being written.
            if number.len() == 4 {
                files.store_under(lease, &number);
            }
        }
    }
}

fn hash_of_arguments() -> String {
    let map: HashMap<String, Vec<f64>> = (0..100)
        .map(|number| (number.to_string(), vec![f64::from(number), f64::NAN]))
        .collect();
    let set: HashSet<i64> = (-100..100).collect();
    let arguments = ("Oslo", map, Unordered(&set), -0.0, Some(None::<u8>));
    KeyHash::of(&arguments, None).unwrap().to_string()
}

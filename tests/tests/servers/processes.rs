//! Several processes on one store: one computation, and owners that die, stop or are overtaken.

use std::process::id;
use std::thread;
use std::time::{Duration, Instant};

use cachier::{CacheMetrics, CallOptions, Snapshot, cachier, global_params, set_global_params};
use cachier_tests::callers::Callers;
use cachier_tests::gate::Counter;
use cachier_tests::process::{Process, hear, part, say};
use cachier_tests::wait::{until, until_waiting};
use rustix::process::Signal;

use crate::store::{Store, Subject, unique};

crate::on_every_store! {
    eight_processes_of_fifty_callers_compute_once
    eight_processes_of_fifty_tasks_compute_once
    a_killed_owner_is_followed_by_another
    a_stopped_owner_overwrites_no_newer_value
    a_stopped_refresher_overwrites_no_newer_value
    values_forgotten_elsewhere_are_not_stored
}

/// The lease period.
const PERIOD: Duration = Duration::from_secs(2);

/// Computes when told to; returns the computing process.
#[cachier(backend = registered("store"), operation_timeout = "60s", enable_metrics)]
fn owner(number: u8) -> u32 {
    let _ = number;
    compute_when_told()
}

#[cachier(backend = registered("store"), operation_timeout = "60s", enable_metrics)]
async fn owner_async(number: u8) -> u32 {
    let _ = number;
    smol::unblock(compute_when_told).await
}

/// Announced computations of this process.
static COMPUTING: Counter = Counter::new();

fn compute_when_told() -> u32 {
    say("computing");
    COMPUTING.next();
    assert_eq!(hear(), "go");
    id()
}

/// In a process started by a test: does what it is told.
fn plays_a_part() -> bool {
    let Some(part) = part() else {
        return false;
    };
    match part.as_str() {
        "fifty callers" => {
            let callers = Callers::new();
            let callers = callers.on_threads(25, || owner(1));
            fifty(
                callers.on_blocking_threads(25, || owner(1)),
                owner::metrics(),
            );
        }
        "fifty tasks" => {
            let callers = Callers::new().in_tasks(50, || owner_async(1));
            fifty(callers, owner_async::metrics());
        }
        "call" => call(CallOptions::new()),
        // The stored value is stale for this call.
        "call anew" => call(CallOptions::new().max_age(Duration::from_millis(1))),
        "precache" => say(format!("{:?}", owner::precache_value(1, 0))),
        "peek" => say(format!("{:?}", owner::peek(1).unwrap())),
        "invalidate" => say(owner::invalidate(1).unwrap()),
        "clear" => say(format!("{:?}", owner::clear_cache().unwrap())),
        part => panic!("no part `{part}`"),
    }
    true
}

fn call(options: CallOptions) {
    set_global_params(global_params().lease_period(PERIOD));
    thread::spawn(|| {
        until_waiting(owner::metrics(), 1);
        say("waiting");
    });
    let call = owner::call_detailed(options, 1);
    say(format!("{} {}", call.value, call.outcome));
}

fn fifty(callers: Callers<u32>, metrics: &CacheMetrics) {
    until("all of them wait or compute", || {
        metrics.snapshot().activity.waiting_calls + COMPUTING.get() == 50
    });
    say("ready");
    let values = callers.values();
    assert_eq!(values.len(), 50);
    assert!(values.iter().all(|value| *value == values[0]), "{values:?}");
    let snapshot = serde_json::to_string(&metrics.snapshot()).unwrap();
    say(format!("{} {snapshot}", values[0]));
}

fn eight_processes_of_fifty_callers_compute_once(subject: &Subject) {
    if !plays_a_part() {
        compute_once_on_own_server(subject, "fifty callers");
    }
}

fn eight_processes_of_fifty_tasks_compute_once(subject: &Subject) {
    if !plays_a_part() {
        compute_once_on_own_server(subject, "fifty tasks");
    }
}

/// For moto on a server of its own: it serves one request at a time, and 400 callers would delay other tests until
/// their leases expire.
fn compute_once_on_own_server(subject: &Subject, part: &str) {
    let server = match subject.store {
        Store::Moto => subject.store.private(),
        _ => None,
    };
    match &server {
        Some(server) => compute_once(&subject.elsewhere(server.url()), part),
        None => compute_once(subject, part),
    }
}

fn compute_once(subject: &Subject, part: &str) {
    let namespace = unique("fifty");
    let mut processes: Vec<_> = (0..8).map(|_| subject.start(part, &namespace)).collect();
    let mut owner = None;
    for (number, process) in processes.iter().enumerate() {
        let mut line = process.line();
        if line == "computing" {
            assert_eq!(owner.replace(number), None, "two of them compute");
            line = process.line();
        }
        assert_eq!(line, "ready");
    }
    let owner = owner.expect("one of them computes");
    processes[owner].tell("go");
    let mut merged = Snapshot::default();
    let mut values = Vec::new();
    for process in processes {
        let line = process.line();
        let (value, snapshot) = line.split_once(' ').expect("a value and a snapshot");
        values.push(value.to_owned());
        merged.merge(&serde_json::from_str(snapshot).unwrap());
        process.finish();
    }
    assert!(values.iter().all(|value| *value == values[0]), "{values:?}");
    let stats = cachier::Stats::from(&merged);
    assert_eq!(
        (stats.calls, stats.misses, stats.recalculations),
        (400, 1, 1)
    );
    assert_eq!(stats.hits + stats.coalesced, 399);
}

/// Starts callers until one computes and the others wait; the owner first.
fn start_callers(subject: &Subject, part: &str, count: usize, namespace: &str) -> Vec<Process> {
    let owner = subject.start(part, namespace);
    assert_eq!(owner.line(), "computing");
    let others: Vec<_> = (1..count).map(|_| subject.start(part, namespace)).collect();
    for other in &others {
        assert_eq!(other.line(), "waiting");
    }
    std::iter::once(owner).chain(others).collect()
}

fn a_killed_owner_is_followed_by_another(subject: &Subject) {
    if plays_a_part() {
        return;
    }
    let mut callers = start_callers(subject, "call", 3, &unique("killed"));
    callers.remove(0).kill();
    let killed = Instant::now();
    let mut next = None;
    until("another one computes", || {
        next = callers
            .iter()
            .position(|caller| caller.try_line().is_some());
        next.is_some()
    });
    // At most a lease period, and tolerance for a loaded machine; S3 counts whole seconds, so up to two more.
    let more = match subject.store {
        Store::S3 | Store::Moto => Duration::from_secs(5),
        _ => Duration::from_secs(2),
    };
    assert!(killed.elapsed() < PERIOD + more, "{:?}", killed.elapsed());
    callers[next.unwrap()].tell("go");
    let said: Vec<_> = callers.iter().map(Process::line).collect();
    let values: Vec<_> = said
        .iter()
        .map(|line| line.split(' ').next().unwrap())
        .collect();
    assert_eq!(values[0], values[1], "{said:?}");
    callers.into_iter().for_each(Process::finish);
}

fn a_stopped_owner_overwrites_no_newer_value(subject: &Subject) {
    if plays_a_part() {
        return;
    }
    if subject.store == Store::File {
        // A stopped owner keeps a file's lock.
        return;
    }
    is_overtaken(subject, "call", &unique("stopped"));
}

fn a_stopped_refresher_overwrites_no_newer_value(subject: &Subject) {
    if plays_a_part() || subject.store == Store::File {
        return;
    }
    let namespace = unique("stopped anew");
    let precache = subject.start("precache", &namespace);
    assert_eq!(precache.last_line(), "Ok(())");
    is_overtaken(subject, "call anew", &namespace);
}

/// An owner is stopped and succeeded, and resumes.
fn is_overtaken(subject: &Subject, part: &str, namespace: &str) {
    let mut callers = start_callers(subject, part, 2, namespace);
    callers[0].signal(Signal::STOP);
    // The next owner follows when the lease expires.
    assert_eq!(callers[1].line(), "computing");
    callers[1].tell("go");
    let newer = callers[1].line();
    let newer = newer.split(' ').next().unwrap();
    callers[0].signal(Signal::CONT);
    callers[0].tell("go");
    let older = callers[0].line();
    assert_ne!(
        older.split(' ').next().unwrap(),
        newer,
        "each has its own value"
    );
    let peek = subject.start("peek", namespace);
    assert_eq!(peek.last_line(), format!("Some({newer})"));
    callers.into_iter().for_each(Process::finish);
}

fn values_forgotten_elsewhere_are_not_stored(subject: &Subject) {
    if plays_a_part() {
        return;
    }
    for (part, reply) in [
        ("invalidate", &["false"][..]),
        ("clear", &["Some(0)", "None"]),
    ] {
        let namespace = unique(part);
        let mut owner = start_callers(subject, "call", 1, &namespace).remove(0);
        let ask = |part: &str| {
            let process = subject.start(part, &namespace);
            process.last_line()
        };
        let said = ask(part);
        assert!(reply.contains(&said.as_str()), "{part}: {said}");
        owner.tell("go");
        assert!(owner.line().ends_with("miss"));
        assert_eq!(ask("peek"), "None", "after {part}");
        owner.finish();
    }
}

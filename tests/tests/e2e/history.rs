//! Figures over restarts, with processes that are killed, fork, and share a folder.

use std::fs;
use std::path::Path;
use std::time::Duration;

use cachier::{MetricsFile, cachier, flush, global_params, set_global_params};
use cachier_tests::forked::Forked;
use cachier_tests::process::{Process, hear, part, say};
use cachier_tests::wait::until;

#[cachier(backend = "memory", name = "history::counted", enable_metrics)]
fn counted(number: u64) -> u64 {
    number
}

fn count(calls: u64) {
    (0..calls).for_each(|number| _ = counted(number));
}

const FOLDER: &str = "CACHIER_METRICS_DIR";

fn start(test: &str, part: &str, folder: &Path) -> Process {
    Process::start(&format!("history::{test}"), part, |command| {
        command.env(FOLDER, folder);
    })
}

/// The calls of the lifetime as a process sees them, once it has read the folder.
fn lifetime() -> u64 {
    flush();
    counted::metrics().lifetime().map_or(0, |stats| stats.calls)
}

/// The calls in all files of a folder.
fn in_files(folder: &Path) -> u64 {
    MetricsFile::open(folder).unwrap().functions.total().calls
}

#[test]
fn kills_never_lose_what_was_written() {
    const TEST: &str = "kills_never_lose_what_was_written";
    if part().is_some() {
        // More and more, until it is killed.
        for _ in 0..20 {
            count(10);
            flush();
            say(counted::metrics().stats().calls);
        }
        // Until it is killed, if it has not been.
        let _ = hear();
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut written = 0;
    for round in 0..12 {
        let process = start(TEST, "count", folder.path());
        let mut said = process.line();
        for _ in 0..round % 4 {
            said = process.line();
        }
        // Amidst whatever it does.
        process.kill();
        let before = written;
        written += said.parse::<u64>().unwrap();
        let found = in_files(folder.path());
        assert!(
            (written..=before + 200).contains(&found),
            "{found} of {written}"
        );
        // It may have written more than it said.
        written = found;
    }
    // Their number stays bounded: at most the last one and the sum, with their locks.
    let files = fs::read_dir(folder.path()).unwrap().count();
    assert!(files <= 8, "{files} files");
}

#[test]
fn processes_at_one_time_share_a_folder() {
    const TEST: &str = "processes_at_one_time_share_a_folder";
    if let Some(part) = part() {
        count(part.parse().unwrap());
        say(lifetime());
        let _ = hear();
        say(lifetime());
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut processes = ["1", "2", "4"].map(|calls| start(TEST, calls, folder.path()));
    let told = processes.each_ref().map(Process::line);
    assert_eq!(told, ["1", "2", "4"], "no other has ended");
    for process in &mut processes {
        process.tell("go on");
    }
    for process in processes {
        process.finish();
    }
    let later = start(TEST, "8", folder.path());
    assert_eq!(later.line(), "15");
    later.kill();
    assert_eq!(in_files(folder.path()), 15);
    // Its counters began at zero, and its windows go on where those ended.
    let last = start("windows_go_on_with_what_they_cover", "show", folder.path());
    let said = last.last_line();
    let mut figures = said.split(' ').map(|figure| figure.parse::<f64>().unwrap());
    let mut next = || figures.next().unwrap();
    assert_eq!([next(), next()], [0.0, 15.0], "{said}");
    assert!(next() < 3600.0, "{said}");
}

/// A part of the test above.
#[test]
fn windows_go_on_with_what_they_cover() {
    if part().is_some() {
        let stats = counted::metrics().stats();
        until("the folder is read", || lifetime() == 15);
        let hour = counted::metrics().stats_over(Duration::from_secs(3600));
        say(format!(
            "{} {} {}",
            stats.calls,
            hour.calls,
            hour.covers.as_secs_f64()
        ));
    }
}

#[test]
fn a_forked_child_has_a_file() {
    const TEST: &str = "a_forked_child_has_a_file";
    if part().is_some() {
        count(3);
        assert_eq!(lifetime(), 3);
        let folder = std::env::var(FOLDER).unwrap();
        Forked::start(|| {
            // A child counts from its first call that is no hit.
            counted(77);
            count(5);
            // What the parent counts is its own as long as it lives.
            until("the child has written", || lifetime() == 6);
        })
        .finish();
        assert_eq!(in_files(folder.as_ref()), 9);
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    start(TEST, "fork", folder.path()).finish();
    assert_eq!(in_files(folder.path()), 9);
}

#[test]
fn damaged_files_are_started_anew() {
    const TEST: &str = "damaged_files_are_started_anew";
    if part().is_some() {
        count(2);
        say(lifetime());
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    start(TEST, "count", folder.path()).finish();
    for file in fs::read_dir(folder.path()).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|end| end == "metrics") {
            fs::write(path, "no figures").unwrap();
        }
    }
    // Its figures, and when they were counted.
    assert_eq!(MetricsFile::open(folder.path()).unwrap().unreadable, 2);
    let after = start(TEST, "count", folder.path());
    assert_eq!(after.last_line(), "2");
    fs::write(folder.path().join("ended.metrics"), "no figures").unwrap();
    assert_eq!(start(TEST, "count", folder.path()).last_line(), "4");
}

#[test]
fn a_program_may_name_the_folder() {
    const TEST: &str = "a_program_may_name_the_folder";
    if part().is_some() {
        let folder = std::env::var("NAMED").unwrap();
        set_global_params(global_params().metrics_dir(folder));
        count(2);
        flush();
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let named = folder.path().join("metrics");
    let process = Process::start(&format!("history::{TEST}"), "count", |command| {
        command.env("NAMED", &named).env_remove(FOLDER);
    });
    process.finish();
    assert_eq!(in_files(&named), 2);
}

#[test]
fn a_reset_reaches_windows_of_later_processes() {
    const TEST: &str = "a_reset_reaches_windows_of_later_processes";
    if let Some(part) = part() {
        let metrics = counted::metrics();
        if part == "reset" {
            count(3);
            flush();
            metrics.reset();
            flush();
        } else {
            until("the folder is read", || lifetime() == 3);
            assert_eq!(metrics.stats_over(Duration::from_secs(3600)).calls, 0);
        }
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    start(TEST, "reset", folder.path()).finish();
    start(TEST, "look", folder.path()).finish();
}

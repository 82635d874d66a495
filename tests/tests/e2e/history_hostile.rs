//! A folder of figures that others may write to, and what may stand in it, as seen by the process that keeps its figures there.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::thread;

use cachier::{BackendHealth, MetricsFile, cachier, check, flush, on_problem};
use cachier_tests::process::{Process, hear, part, say};
use cachier_tests::wait::{WAIT_TIMEOUT, until};
use rustix::fs::{CWD, Mode, mkfifoat};

#[cachier(backend = "memory", name = "history_hostile::counted", enable_metrics)]
fn counted(number: u64) -> u64 {
    number
}

static TOLD: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Counts two calls each time the test asks, keeps them, and says what it was told of problems since: at first, once what the
/// part is named after was told.
fn count() {
    on_problem(|problem| TOLD.lock().unwrap().push(problem.to_owned()));
    let mut expected = part().unwrap();
    loop {
        (0..2).for_each(|number| _ = counted(number));
        flush();
        // Another thread may have kept them, and tell of it after that.
        until("the problem is told", || {
            expected == NOTHING || TOLD.lock().unwrap().join("; ").contains(&expected)
        });
        NOTHING.clone_into(&mut expected);
        let told = std::mem::take(&mut *TOLD.lock().unwrap());
        say(format!("told: {}", told.join("; ")));
        if hear() == "end" {
            return;
        }
    }
}

/// A part to which no problem is told at first.
const NOTHING: &str = "nothing";

fn start(test: &str, folder: &Path) -> Process {
    start_told(test, folder, NOTHING)
}

fn start_told(test: &str, folder: &Path, expected: &str) -> Process {
    start_with_mode(test, folder, expected, "0700")
}

fn start_with_mode(test: &str, folder: &Path, expected: &str, mode: &str) -> Process {
    Process::start(&format!("history_hostile::{test}"), expected, |command| {
        let command = command.env("CACHIER_METRICS_DIR", folder);
        command.env("CACHIER_CACHE_MODE", mode);
    })
}

fn end(mut process: Process) {
    process.tell("end");
    process.finish();
}

/// The calls in all files of a folder.
fn in_files(folder: &Path) -> u64 {
    MetricsFile::open(folder).unwrap().functions.total().calls
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o777
}

/// Puts something at a path, which may lead to somebody's diary.
type Put = fn(&Path, &Path);

/// What stands in a file's place.
const HOSTILE: [(&str, Put); 5] = [
    ("link", |path, diary| symlink(diary, path).unwrap()),
    ("hard link", |path, diary| {
        fs::hard_link(diary, path).unwrap()
    }),
    ("folder", |path, _| fs::create_dir(path).unwrap()),
    ("pipe", |path, _| {
        mkfifoat(CWD, path, Mode::RWXU).unwrap();
    }),
    ("sparse file", |path, _| {
        File::create(path).unwrap().set_len(1 << 40).unwrap();
    }),
];

const DIARY: &str = "Dear diary";

/// For each of them: a process ended in the folder, then it stands at the file with this name or suffix. The problem that the
/// next process tells, and how many calls are in the folder once that has ended.
fn each_hostile(
    test: &str,
    name: &str,
    has_problem: fn(&str) -> bool,
    check: impl Fn(&str, &str, u64),
) {
    for (what, put) in HOSTILE {
        let home = tempfile::tempdir().unwrap();
        let (folder, diary) = (home.path().join("figures"), home.path().join("diary"));
        let process = start(test, &folder);
        assert_eq!(process.line(), "told: ");
        end(process);
        fs::write(&diary, DIARY).unwrap();
        let path = find(&folder, name);
        let _ = fs::remove_file(&path);
        put(&path, &diary);
        let expected = if has_problem(what) { name } else { NOTHING };
        let process = start_told(test, &folder, expected);
        let told = process.line();
        end(process);
        assert_eq!(fs::read_to_string(&diary).unwrap(), DIARY, "{what}");
        check(what, &told, in_files(&folder));
    }
}

/// The file of this name; of a mere suffix, that of the instance that has ended.
fn find(folder: &Path, name: &str) -> PathBuf {
    if name.starts_with("ended") {
        return folder.join(name);
    }
    let files = fs::read_dir(folder).unwrap();
    let mut paths = files.map(|file| file.unwrap().path());
    let is_it = |path: &PathBuf| {
        let path = path.to_str().unwrap();
        let is_trail = path.contains(".trail.");
        path.ends_with(name) && !path.contains("/ended.") && is_trail == name.contains(".trail.")
    };
    paths.find(is_it).unwrap()
}

const STANDS_THERE: &str = "a link or something else that is not cachier's stands there";

/// A test of what stands at each file: whether there is a problem, and how many calls are kept.
macro_rules! hostile {
    ($($test:ident: $name:literal, $has_problem:expr, $kept:expr;)*) => {$(
        #[test]
        fn $test() {
            if part().is_some() {
                return count();
            }
            let has_problem: fn(&str) -> bool = $has_problem;
            each_hostile(stringify!($test), $name, has_problem, |what, told, kept| {
                let is_told = told.contains(STANDS_THERE) || told.contains("damaged");
                assert_eq!(is_told, has_problem(what), "{what}: {told}");
                assert!(!is_told || told.contains($name), "{what}: {told}");
                assert_eq!(kept, $kept(what), "{what}: {told}");
            });
        }
    )*};
}

hostile! {
    hostile_sums_are_started_anew: "ended.metrics", |_| true, |_| 4;
    hostile_drafts_of_sums_are_replaced: "ended.tmp", |_| false, |_| 4;
    hostile_figures_of_others_are_left_out: ".metrics", |_| true, |_| 2;
    hostile_trails_of_others_are_begun_anew: ".trail.metrics", |_| true, |_| 4;
    hostile_locks_of_others_are_left_alone: ".lock", |what| what != "sparse file", |_| 4;
    a_hostile_common_lock_ends_keeping: "ended.lock", |what| what != "sparse file", |what| {
        if what == "sparse file" { 4 } else { 2 }
    };
}

/// As after a rollback: figures of a newer version, of all ended instances or of one, stop nobody from keeping its own.
#[test]
fn newer_files_stop_nobody_from_keeping_its_own() {
    if part().is_some() {
        count();
        let is_metrics = |health: &BackendHealth| health.name == "metrics";
        return assert!(!check().iter().any(is_metrics), "its own are kept");
    }
    for (name, earlier) in [("ended.metrics", 2), (".trail.metrics", 1)] {
        let folder = tempfile::tempdir().unwrap();
        let run = |expected| {
            let test = "newer_files_stop_nobody_from_keeping_its_own";
            let process = start_told(test, folder.path(), expected);
            let told = process.line();
            end(process);
            told
        };
        (0..earlier).for_each(|_| drop(run(NOTHING)));
        let newer = find(folder.path(), name);
        let mut bytes = fs::read(&newer).unwrap();
        // The version.
        bytes[4] += 1;
        fs::write(&newer, bytes).unwrap();
        let told = run("newer version");
        assert!(told.contains("newer version"), "{name}: {told}");
        let files = fs::read_dir(folder.path()).unwrap();
        let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        let trails = names.filter(|name| name.ends_with(".trail.metrics"));
        assert_eq!(trails.count(), 2, "{name}");
    }
}

/// The files of the first one could not be removed, and its lock cannot be opened for a while.
#[test]
fn who_was_folded_is_never_folded_again() {
    if part().is_some() {
        return count();
    }
    let folder = tempfile::tempdir().unwrap();
    let run = || {
        let process = start("who_was_folded_is_never_folded_again", folder.path());
        let _ = process.line();
        end(process);
    };
    run();
    let first = find(folder.path(), ".metrics");
    let (figures, lock) = (fs::read(&first).unwrap(), first.with_extension("lock"));
    run();
    fs::write(&first, figures).unwrap();
    mkfifoat(CWD, &lock, Mode::RWXU).unwrap();
    run();
    fs::remove_file(&lock).unwrap();
    run();
    assert_eq!(in_files(folder.path()), 8);
}

#[test]
fn folders_that_others_may_write_are_unused() {
    if part().is_some() {
        return count();
    }
    let folder = tempfile::tempdir().unwrap();
    set_mode(folder.path(), 0o777);
    let mut process = start_told(
        "folders_that_others_may_write_are_unused",
        folder.path(),
        "chmod go-w",
    );
    let told = process.line();
    assert!(
        told.contains("figures cannot be kept over restarts"),
        "{told}"
    );
    assert!(told.contains("chmod go-w"), "{told}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    process.tell("go on");
    assert_eq!(process.line(), "told: ", "it is told once");
    set_mode(folder.path(), 0o700);
    process.tell("go on");
    assert_eq!(process.line(), "told: ");
    end(process);
    assert_eq!(in_files(folder.path()), 6);
}

#[test]
fn check_shows_a_folder_others_may_write() {
    const TEST: &str = "check_shows_a_folder_others_may_write";
    if part().is_some() {
        on_problem(|_| {});
        loop {
            counted(1);
            flush();
            let shown = check().into_iter().find(|health| health.name == "metrics");
            say(shown.map_or_else(|| "well".to_owned(), |health| health.to_string()));
            if hear() == "end" {
                return;
            }
        }
    }
    let folder = tempfile::tempdir().unwrap();
    set_mode(folder.path(), 0o777);
    let mut process = start(TEST, folder.path());
    let shown = process.line();
    let expected = format!("metrics ({}): ", folder.path().display());
    assert!(shown.starts_with(&expected), "{shown}");
    assert!(shown.contains("chmod go-w"), "{shown}");
    set_mode(folder.path(), 0o700);
    process.tell("go on");
    assert_eq!(process.line(), "well");
    end(process);
}

/// What goes wrong in a folder of this user's own.
#[test]
fn check_shows_why_figures_are_not_kept() {
    const TEST: &str = "check_shows_why_figures_are_not_kept";
    if part().is_some() {
        on_problem(|_| {});
        flush();
        return say(check()[0].to_string());
    }
    let folder = tempfile::tempdir().unwrap();
    set_mode(folder.path(), 0o700);
    fs::create_dir(folder.path().join("ended.lock")).unwrap();
    let shown = start(TEST, folder.path()).last_line();
    assert!(
        shown.contains("figures cannot be kept over restarts"),
        "{shown}"
    );
    assert!(shown.contains(STANDS_THERE), "{shown}");
}

#[test]
fn a_folder_may_be_shared_with_a_group() {
    if part().is_some() {
        return count();
    }
    let folder = tempfile::tempdir().unwrap();
    set_mode(folder.path(), 0o2770);
    for calls in [2, 4] {
        let test = "a_folder_may_be_shared_with_a_group";
        let process = start_with_mode(test, folder.path(), NOTHING, "0770");
        assert_eq!(process.line(), "told: ");
        end(process);
        assert_eq!(in_files(folder.path()), calls);
    }
    for file in fs::read_dir(folder.path()).unwrap() {
        assert_eq!(mode(&file.unwrap().path()), 0o660);
    }
}

/// Before anything was kept.
#[test]
fn check_tries_to_make_the_folder() {
    const TEST: &str = "check_tries_to_make_the_folder";
    if part().is_some() {
        return say(check()[0].to_string());
    }
    let home = tempfile::tempdir().unwrap();
    let link = home.path().join("figures");
    symlink(home.path().join("nowhere"), &link).unwrap();
    let shown = start(TEST, &link).last_line();
    assert!(shown.starts_with("metrics ("), "{shown}");
}

/// It is told while nothing is locked that a flush needs.
#[test]
fn a_listener_may_wait_for_a_flush() {
    const TEST: &str = "a_listener_may_wait_for_a_flush";
    if part().is_some() {
        let (sender, heard) = channel();
        on_problem(move |_| {
            let (flushed, waited) = channel();
            thread::spawn(move || {
                flush();
                let _ = flushed.send(());
            });
            let _ = sender.send(waited.recv_timeout(WAIT_TIMEOUT / 3).is_ok());
        });
        // Figures are kept from the next second on.
        counted(1);
        return say(heard.recv_timeout(WAIT_TIMEOUT).unwrap());
    }
    let writable_for_others = tempfile::tempdir().unwrap();
    set_mode(writable_for_others.path(), 0o777);
    let damaged = tempfile::tempdir().unwrap();
    set_mode(damaged.path(), 0o700);
    fs::write(damaged.path().join("ended.metrics"), DIARY).unwrap();
    for folder in [writable_for_others, damaged] {
        assert_eq!(start(TEST, folder.path()).last_line(), "true");
    }
}

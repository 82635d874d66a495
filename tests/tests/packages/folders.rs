//! Folders that programs share.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use cachier::{CallOptions, cachier};
use cachier_tests::process::{Process, part, say};
use cachier_tests::sandbox::files;
use tempfile::{TempDir, tempdir};

use crate::program::{MARKER, Program};

const MISSES: &str = "2 miss, 2 miss";
const HITS: &str = "2 hit, 2 hit";

/// A folder for projects, and a user's cache folder.
fn folders() -> (TempDir, TempDir) {
    (tempdir().unwrap(), tempdir().unwrap())
}

fn path(folder: &TempDir) -> &str {
    folder.path().to_str().unwrap()
}

#[test]
fn a_problem_is_reported_once_without_tracing() {
    let (projects, caches) = folders();
    let program = Program::build(&projects.path().join("app"), "app", 1, None);
    let problems = |variables: &[_]| program.problems(caches.path(), variables);
    assert_eq!(problems(&[]), Vec::<String>::new());
    let unusable = ("CACHIER_CACHE_DIR", "/dev/null/x");
    let told = problems(&[unusable]);
    let [line] = &told[..] else {
        panic!("{told:?}")
    };
    assert!(line.starts_with("cachier: `app::price"), "{line}");
    assert!(line.contains("/dev/null/x"), "{line}");
    assert_eq!(
        problems(&[unusable, ("CACHIER_QUIET", "1")]),
        Vec::<String>::new()
    );
}

#[test]
fn programs_of_one_name_do_not_meet() {
    let (projects, caches) = folders();
    let build = |folder: &str, package, adds| {
        Program::build(&projects.path().join(folder), package, adds, None)
    };
    let one = build("one", "app", 1);
    let two = build("two", "app", 100);
    let run = |program: &Program, variables: &[_]| program.run(caches.path(), variables);

    let said = run(&one, &[]);
    assert_eq!(said.calls, MISSES);
    assert_eq!(said.name, "app::price");
    assert_eq!(run(&two, &[]).calls, "101 miss, 101 miss");
    assert_eq!(run(&one, &[]).calls, HITS);
    assert_eq!(run(&two, &[]).calls, "101 hit, 101 hit");
    let packages = caches.path().join("cachier/packages");
    assert_eq!(said.folder.parent(), Some(packages.as_path()));
    assert_ne!(run(&two, &[]).folder, said.folder);

    // In a shared folder, the package is part of the key.
    let other = build("other", "other", 100);
    let shared = tempdir().unwrap();
    let named = [("CACHIER_CACHE_DIR", path(&shared))];
    assert_eq!(run(&one, &named).calls, MISSES);
    assert_eq!(run(&other, &named).calls, "101 miss, 101 miss");
    assert_eq!(run(&other, &named).name, "app::price");

    for program in [&one, &two, &other] {
        assert!(program.holds(MARKER));
        let folder = projects.path().file_name().unwrap().to_str().unwrap();
        assert!(!program.holds(folder), "the path stands in the program");
    }
}

#[test]
fn copies_of_a_project_share_named_functions_only() {
    let (projects, caches) = folders();
    let build = |folder| Program::build(&projects.path().join(folder), "app", 1, None);
    let (one, copy) = (build("one"), build("copy"));
    let run = |program: &Program, variables: &[_]| program.run(caches.path(), variables);
    assert_eq!([run(&one, &[]).calls, run(&copy, &[]).calls], [MISSES; 2]);

    let shared = tempdir().unwrap();
    let folder = [("CACHIER_CACHE_DIR", path(&shared))];
    let namespace = [("CACHIER_NAMESPACE", "staging")];
    for named in [folder, namespace] {
        assert_eq!(run(&one, &named).calls, MISSES, "{named:?}");
        assert_eq!(run(&copy, &named).calls, HITS, "{named:?}");
    }
    let said = run(&one, &namespace);
    assert_eq!(said.folder, caches.path().join("cachier/shared"));
    unused_folders_go(caches.path(), &one, &copy);
}

/// Only folders unused for 30 days, once a day.
fn unused_folders_go(caches: &Path, one: &Program, copy: &Program) {
    let folder = copy.run(caches, &[]).folder;
    let looked = folder.with_file_name(".cleaned");
    let month = Duration::from_secs(31 * 24 * 60 * 60);
    let age = |files: &[PathBuf]| {
        for file in files {
            let file = File::options().write(true).open(file).unwrap();
            file.set_modified(SystemTime::now() - month).unwrap();
        }
    };
    // Already cleaned today.
    age(&files(&folder));
    one.run(caches, &[]);
    assert!(folder.exists());
    // A used folder stays, however old its entries are.
    assert_eq!(copy.run(caches, &[]).calls, HITS);
    age(std::slice::from_ref(&looked));
    one.run(caches, &[]);
    assert!(folder.exists());

    age(&files(&folder));
    age(&[looked]);
    assert_eq!(one.run(caches, &[]).calls, HITS);
    assert!(!folder.exists());
    assert_eq!(copy.run(caches, &[]).calls, MISSES);
}

#[test]
fn of_what_cargo_fetched_the_package_alone_counts() {
    let (projects, caches) = folders();
    let home = projects.path();
    let run = |folder: &str| {
        let program = Program::build(&home.join(folder), "app", 1, Some(home));
        program.run(caches.path(), &[])
    };
    let registry = run("registry/src/index/app-0.1.0");
    let git = run("git/checkouts/app-0123456789abcdef/89abcde");
    assert_eq!(registry.calls, MISSES);
    assert_eq!(git.calls, HITS);
    assert_eq!(git.folder, registry.folder);
    assert_eq!(run("elsewhere").calls, MISSES);
}

#[cachier(backend = "sql")]
fn in_sqlite(number: u64) -> u64 {
    number
}

#[cachier(backend = "sql")]
async fn in_sqlite_later(number: u64) -> u64 {
    number
}

#[test]
fn sqlites_default_file_is_the_packages() {
    if part().is_some() {
        let now = in_sqlite::call_detailed(CallOptions::new(), 1);
        let later = in_sqlite_later::call_detailed(CallOptions::new(), 1);
        let later = futures_lite::future::block_on(later);
        say(format!("{} {}", now.outcome, later.outcome));
        return say(&cachier::check()[0].store);
    }
    let caches = tempdir().unwrap();
    let run = |namespace: Option<&str>| {
        let test = "folders::sqlites_default_file_is_the_packages";
        let process = Process::start(test, "caller", |command| {
            for variable in ["CACHIER_CACHE_DIR", "CACHIER_NAMESPACE", "CACHIER_SQL_URL"] {
                command.env_remove(variable);
            }
            command.env("XDG_CACHE_HOME", caches.path());
            command.envs(namespace.map(|name| ("CACHIER_NAMESPACE", name)));
        });
        let said = [process.line(), process.line()];
        process.finish();
        said
    };
    let [outcomes, store] = run(None);
    assert_eq!(outcomes, "miss miss");
    assert_eq!(run(None)[0], "hit hit");
    let file = Path::new(store.strip_prefix("sqlite:").unwrap());
    let folder = file.parent().unwrap();
    let packages = caches.path().join("cachier/packages");
    assert_eq!(folder.parent(), Some(packages.as_path()));
    let name = folder.file_name().unwrap().to_str().unwrap();
    assert!(name.starts_with("cachier-tests-"), "{name}");
    assert!(fs::exists(folder.join(".used")).unwrap());

    let [outcomes, store] = run(Some("staging"));
    let shared = caches.path().join("cachier/shared/sql.db");
    assert_eq!(outcomes, "miss miss");
    assert_eq!(
        store,
        format!("sqlite:{}#cachier_entries", shared.display())
    );
}

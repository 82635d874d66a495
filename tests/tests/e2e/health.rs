//! Readiness probes see the stores that somebody has named, before the first call too.

use std::ffi::OsStr;
use std::path::Path;
use std::pin::pin;
use std::sync::LazyLock;
use std::time::Duration;

use cachier::testing::{Clock, isolated, isolated_async};
use cachier::{BackendHealth, ErrorKind, GlobalParams, cachier, set_global_params};
use cachier_tests::backend::{Fault, MapBackend, with_map};
use cachier_tests::callers::runtime;
use cachier_tests::identity;
use cachier_tests::process::{Process, part, say, skip};
use cachier_tests::sandbox::in_folder;
use futures_lite::future::poll_once;

#[cachier]
fn by_default(number: u64) -> u64 {
    number
}

identity!(in_memory, backend = "memory");

identity!(nowhere, backend = registered("nowhere"));

/// A folder that an attribute names.
static ASIDE: LazyLock<tempfile::TempDir> = LazyLock::new(|| tempfile::tempdir().unwrap());

identity!(aside, backend = "file", cache_dir = ASIDE.path());

/// The names of what is checked, on a thread as in a task, with `!` where that does not work.
fn checked() -> String {
    let shown = |lines: Vec<BackendHealth>| {
        let shown = lines.into_iter().map(|health| match health.is_healthy() {
            true => health.name,
            false => format!("{}!", health.name),
        });
        shown.collect::<Vec<_>>().join(" ")
    };
    let checked = shown(cachier::check());
    assert_eq!(checked, shown(runtime().block_on(cachier::check_async())));
    checked
}

#[test]
fn a_check_sees_what_the_environment_names() {
    if part().is_some() {
        return say(checked());
    }
    let home = tempfile::tempdir().unwrap();
    let said = |variables: &[(&str, &OsStr)]| {
        let test = "health::a_check_sees_what_the_environment_names";
        let process = Process::start(test, "check", |command| {
            command
                .env("HOME", home.path())
                .env_remove("XDG_CACHE_HOME")
                .envs(variables.iter().copied());
        });
        process.last_line()
    };
    let of = |variable, value: &str| said(&[(variable, OsStr::new(value))]);
    assert_eq!(said(&[]), "");
    assert_eq!(of("CACHIER_REDIS_URL", "redis://127.0.0.1:1"), "redis!");
    assert_eq!(of("CACHIER_REDIS_URL", "nonsense"), "redis!");
    assert_eq!(of("CACHIER_MONGO_URL", "mongodb:/nonsense"), "mongo!");
    assert_eq!(of("CACHIER_SQL_URL", "sqlite::memory:nonsense?"), "sql!");
    assert_eq!(of("CACHIER_SQL_URL", "oracle://nowhere"), "sql!");
    let s3 = [
        ("CACHIER_S3_BUCKET", "bucket"),
        ("CACHIER_S3_ENDPOINT", "http://127.0.0.1:1"),
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ACCESS_KEY_ID", "user"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
    ];
    assert_eq!(
        said(&s3.map(|(variable, value)| (variable, OsStr::new(value)))),
        "s3!"
    );
    assert_eq!(of("CACHIER_BACKEND", "nobody"), "nobody!");
    assert_eq!(of("CACHIER_BACKEND", "memory"), "memory!");
    assert_eq!(of("CACHIER_BACKEND", "file"), "file");
    let folder = home.path().join("named").display().to_string();
    assert_eq!(of("CACHIER_CACHE_DIR", &folder), "file");
    assert_eq!(of("CACHIER_CACHE_DIR", "~nobody/x"), "file!");
    for (variable, value) in [
        ("CACHIER_MAX_WORKERS", "eight"),
        ("CACHIER_STRICT", "maybe"),
        ("CACHIER_METRICS_DIR", "~nobody/x"),
        ("CACHIER_KEY_SECRET", ""),
    ] {
        assert_eq!(of(variable, value), "environment!", "{variable}");
    }
    use std::os::unix::ffi::OsStrExt as _;
    let no_unicode = OsStr::from_bytes(b"\xff");
    for variable in ["CACHIER_NAMESPACE", "CACHIER_BACKEND", "CACHIER_DISABLED"] {
        assert_eq!(
            said(&[(variable, no_unicode)]),
            "environment!",
            "{variable}"
        );
    }
}

#[test]
fn a_check_tells_of_each_unusable_variable() {
    if part().is_some() {
        let ill = cachier::check().into_iter();
        let ill = ill.filter(|health| !health.is_healthy());
        let shown = ill.map(|health| format!("{} {}: {}", health.name, health.store, health));
        return say(shown.collect::<Vec<_>>().join("; "));
    }
    use std::os::unix::ffi::OsStrExt as _;
    let no_unicode = OsStr::from_bytes(b"redis://\xff");
    let home = tempfile::tempdir().unwrap();
    for (name, variable, value) in [
        ("environment", "CACHIER_BACKEND", no_unicode),
        ("environment", "CACHIER_NAMESPACE", no_unicode),
        ("environment", "CACHIER_DISABLED", no_unicode),
        ("environment", "CACHIER_DISABLED", OsStr::new("2")),
        ("environment", "CACHIER_KEY_SECRET", OsStr::new("")),
        ("environment", "CACHIER_MAX_WORKERS", OsStr::new("0")),
        ("environment", "CACHIER_QUIET", OsStr::new("maybe")),
        ("environment", "CACHIER_STRICT", OsStr::new("maybe")),
        ("environment", "CACHIER_CACHE_MODE", OsStr::new("0777")),
        ("environment", "CACHIER_METRICS_ADDR", OsStr::new("9464")),
        ("environment", "CACHIER_METRICS_ADDR", no_unicode),
        (
            "environment",
            "CACHIER_METRICS_DIR",
            OsStr::new("~nobody/x"),
        ),
        ("file", "CACHIER_CACHE_DIR", OsStr::new("~nobody/x")),
        ("redis", "CACHIER_REDIS_URL", no_unicode),
        ("sql", "CACHIER_SQL_URL", no_unicode),
        ("mongo", "CACHIER_MONGO_URL", OsStr::new("localhost")),
        ("s3", "CACHIER_S3_BUCKET", no_unicode),
        ("s3", "CACHIER_S3_PREFIX", no_unicode),
        ("s3", "CACHIER_S3_ENDPOINT", OsStr::new("localhost")),
    ] {
        let test = "health::a_check_tells_of_each_unusable_variable";
        let process = Process::start(test, "check", |command| {
            command
                .env("HOME", home.path())
                .env_remove("XDG_CACHE_HOME")
                .env(variable, value);
        });
        let line = process.line();
        process.finish();
        let expected = format!("{name} {variable}: {name} ({variable}): ");
        assert!(line.starts_with(&expected), "{variable}: {line}");
        assert!(line.contains("set it to "), "{variable}: {line}");
        assert!(!line.contains("; environment"), "{variable}, once: {line}");
    }
}

#[test]
fn an_address_that_code_outranks_is_healthy() {
    if part().is_some() {
        let before = checked();
        let exporter = cachier::PrometheusExporter::builder().port(0).build();
        assert!(exporter.is_ok());
        return say(format!("{before} {}", checked()));
    }
    let test = "health::an_address_that_code_outranks_is_healthy";
    let process = Process::start(test, "check", |command| {
        command.env("CACHIER_METRICS_ADDR", "9464");
    });
    assert_eq!(process.last_line(), "environment! ");
}

#[test]
fn a_check_sees_what_the_program_names() {
    in_folder(|_| assert_eq!(checked(), "file"));
    isolated(|| {
        assert_eq!(checked(), "");
        in_memory(1);
        assert_eq!(checked(), "");
        set_global_params(GlobalParams::new().cache_dir("/dev/null/x"));
        assert_eq!(checked(), "file!");
    });
}

#[test]
fn a_check_asks_each_named_folder() {
    let test = "health::a_check_asks_each_named_folder";
    if part().is_some() {
        aside(1);
        let asked_alone = cachier::check_backend("file").is_healthy();
        cachier::expect([aside::handle(), by_default::handle()]);
        return say(format!("{} {asked_alone}", checked()));
    }
    let said = |variable: &str, value: &str| {
        let process = Process::start(test, "check", |command| {
            command.env("HOME", "/dev/null/home");
            command.env_remove("XDG_CACHE_HOME").env(variable, value);
        });
        process.last_line()
    };
    assert_eq!(said("CACHIER_CACHE_DIR", "/dev/null/x"), "file file! false");
    assert_eq!(said("CACHIER_BACKEND", "file"), "file file! false");
    isolated(|| {
        aside(1);
        assert_eq!(checked(), "file");
        set_global_params(GlobalParams::new().cache_dir("/dev/null/x"));
        assert_eq!(checked(), "file file!");
        assert!(!cachier::check_backend("file").is_healthy());
        // The folder that somebody names may be one that is in use.
        set_global_params(GlobalParams::new().cache_dir(ASIDE.path()));
        assert_eq!(checked(), "file");
    });
}

#[test]
fn a_check_omits_folders_no_longer_used() {
    let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let checked_in = |folder: &Path| {
        set_global_params(GlobalParams::new().cache_dir(folder));
        by_default(1);
        let lines = cachier::check();
        let stores: Vec<_> = lines.into_iter().map(|health| health.store).collect();
        assert_eq!(stores, [folder.display().to_string()]);
    };
    isolated(|| folders.iter().for_each(|folder| checked_in(folder.path())));
}

#[test]
fn a_missing_backend_is_unhealthy_once_called() {
    isolated(|| {
        assert_eq!(checked(), "");
        nowhere(1);
        assert_eq!(checked(), "nowhere!");
        cachier::register_backend("nowhere", MapBackend::default()).unwrap();
        assert_eq!(checked(), "nowhere");
    });
}

#[test]
fn a_store_that_gives_no_leases_is_unhealthy() {
    with_map(|map| {
        assert_eq!(checked(), "map");
        map.set(Fault::FailsToLease(ErrorKind::Io));
        assert_eq!(checked(), "map!");
        // Others check at the same time.
        map.set(Fault::OthersCompute);
        assert_eq!(checked(), "map");
    });
}

/// One after another, each for as long as an operation may take.
#[test]
fn a_check_in_a_task_leaves_its_thread() {
    let hung = MapBackend::default();
    hung.set(Fault::Hangs);
    let params = GlobalParams::new().operation_timeout(Duration::from_millis(50));
    let health = runtime().block_on(isolated_async(async {
        set_global_params(params);
        cachier::register_backend("hung", hung.clone()).unwrap();
        let mut checking = pin!(cachier::check_async());
        assert!(poll_once(&mut checking).await.is_none(), "it waits");
        Clock::advance(Duration::from_secs(1));
        checking.await
    }));
    let [health] = &health[..] else {
        panic!("one is registered: {health:?}")
    };
    assert_eq!(health.error.as_ref().unwrap().kind(), ErrorKind::Timeout);
}

#[test]
fn files_whose_locks_fail_are_unhealthy() {
    let test = "health::files_whose_locks_fail_are_unhealthy";
    if part().is_some() {
        return say(checked());
    }
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start_without_locks(test, "check", |command| {
        command.env("CACHIER_CACHE_DIR", folder.path());
    });
    let Some(process) = process else {
        return skip("there is no strace that could make locks fail");
    };
    assert_eq!(process.last_line(), "file!");
}

#[test]
fn a_check_leaves_no_entry_of_a_function() {
    in_folder(|_| {
        by_default(1);
        let usage = || by_default::usage().unwrap();
        let before = usage();
        for _ in 0..3 {
            assert_eq!(checked(), "file");
        }
        assert_eq!(usage().entries, before.entries);
        assert_eq!(cachier::functions().len(), 1);
    });
}

// What follows is new to programs too.

struct Shop;

impl Shop {
    #[cachier(backend = registered("of a method"), skip(self))]
    fn price(&self, item: u64) -> u64 {
        item
    }

    #[cachier(backend = registered("of a task"), skip(self))]
    async fn price_later(&self, item: u64) -> u64 {
        item
    }
}

#[cachier(backend = registered("of a generic"))]
fn generic<T: std::hash::Hash + serde::Serialize>(value: T) -> u64 {
    let _ = value;
    1
}

#[test]
fn expected_functions_count_before_their_first_calls() {
    isolated(|| {
        let _ = nowhere::handle();
        assert_eq!(checked(), "");
        cachier::expect([nowhere::handle(), in_memory::handle()]);
        assert_eq!(checked(), "nowhere!");
        cachier::expect([
            generic::handle(),
            Shop::price_cache().handle(),
            Shop::price_later_cache().handle(),
        ]);
        let expected = "nowhere! of a generic! of a method! of a task!";
        let mut names: Vec<_> = cachier::check()
            .into_iter()
            .map(|one| one.name + "!")
            .collect();
        names.sort();
        assert_eq!(names.join(" "), expected);
        assert!(cachier::functions().is_empty());
        cachier::register_backend("nowhere", MapBackend::default()).unwrap();
        assert!(cachier::check()[0].is_healthy());
    });
    let _ = (Shop.price(1), generic(1), Shop.price_later(1));
}

struct Shelf<T>(std::marker::PhantomData<T>);

impl<T> Shelf<T> {
    #[cachier(backend = registered("of a shelf"), skip(self))]
    fn place(&self, item: u64) -> u64 {
        let _ = self.0;
        item
    }
}

#[test]
fn expected_functions_that_are_off_do_not_count() {
    type Off = Shelf<u8>;
    type On = Shelf<u16>;
    let name = |of: &str| format!("e2e::health::{of}");
    isolated(|| {
        cachier::expect([nowhere::handle(), Off::place_cache().handle()]);
        cachier::disable(&name("nowhere"));
        cachier::disable(&name("Shelf<u8>::place"));
        assert_eq!(checked(), "", "called by nobody");
        let is_enabled = |name: &str| cachier::function(name).unwrap().is_enabled();
        assert!(!is_enabled(&name("nowhere")) && !is_enabled(&name("Shelf<u8>::place")));
        let _ = (nowhere(1), Shelf::<u8>(std::marker::PhantomData).place(1));
        assert_eq!(checked(), "", "called");

        cachier::expect([On::place_cache().handle()]);
        assert_eq!(checked(), "of a shelf!");
        assert!(is_enabled(&name("Shelf<u16>::place")));
        cachier::disable_caching();
        assert_eq!(checked(), "");
        cachier::enable_caching();
        assert_eq!(checked(), "nowhere! of a shelf!");
    });
}

#[test]
fn one_backend_can_be_asked() {
    in_folder(|folder| {
        let health = cachier::check_backend("file");
        assert!(health.is_healthy(), "{health}");
        assert_eq!(health.store, folder.display().to_string());
        let health = cachier::check_backend("nobody");
        assert_eq!(health.name, "nobody");
        assert_eq!(health.error.unwrap().kind(), ErrorKind::NotRegistered);
        assert!(!cachier::check_backend("memory").is_healthy());
        let _ = cachier::check_backend("redis");
        assert_eq!(checked(), "file", "who is asked is not in use by that");

        let map = MapBackend::default();
        cachier::register_backend("map", map.clone()).unwrap();
        assert!(cachier::check_backend("map").is_healthy());
        map.set(Fault::Fails(ErrorKind::Io));
        assert!(!cachier::check_backend("map").is_healthy());
        assert!(cachier::check_backend("file").is_healthy());
    });
}

#[tokio::test]
async fn one_backend_can_be_asked_in_a_task() {
    cachier::testing::isolated_async(async {
        cachier::register_backend("map", MapBackend::default()).unwrap();
        assert!(cachier::check_backend_async("map").await.is_healthy());
        assert!(!cachier::check_backend_async("nobody").await.is_healthy());
    })
    .await;
}

//! Odd environment variables give an error that names them, never something else.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use cachier::{CallOptions, ErrorKind, GlobalParams, cachier, set_global_params};
use cachier_tests::backend::MapBackend;
use cachier_tests::identity;
use cachier_tests::process::{Process, part, say};
use cachier_tests::sandbox::files;

#[cachier]
fn by_default(number: u64) -> u64 {
    number
}

identity!(in_redis, backend = "redis");

identity!(in_sql, backend = "sql");

identity!(in_mongo, backend = "mongo");

identity!(in_s3, backend = "s3");

/// The output of a test's part in a process with these variables, with caches in a folder.
fn said(test: &str, part: &str, folder: &Path, variables: &[(&str, &OsStr)]) -> String {
    let test = format!("environment::{test}");
    let process = Process::start(&test, part, |command| {
        command
            .env("HOME", folder)
            .env_remove("XDG_CACHE_HOME")
            .current_dir(folder)
            .envs(variables.iter().copied());
    });
    process.last_line()
}

/// Text that is not Unicode, but a URL otherwise.
fn no_unicode() -> OsString {
    use std::os::unix::ffi::OsStringExt as _;
    OsString::from_vec(b"redis://\xff".to_vec())
}

#[test]
fn an_unusable_variable_fails_the_first_call() {
    if let Some(part) = part() {
        let options = CallOptions::new();
        let call = match part.as_str() {
            "redis" => in_redis::call_detailed(options, 1),
            "sql" => in_sql::call_detailed(options, 1),
            "mongo" => in_mongo::call_detailed(options, 1),
            "s3" => in_s3::call_detailed(options, 1),
            _ => by_default::call_detailed(options, 1),
        };
        let error = call.backend_error.map(|error| error.to_string());
        return say(format!("{} {error:?}", call.outcome));
    }
    let folder = tempfile::tempdir().unwrap();
    let test = "an_unusable_variable_fails_the_first_call";
    let no_unicode = no_unicode();
    for (part, variable, value) in [
        ("default", "CACHIER_NAMESPACE", no_unicode.as_os_str()),
        ("default", "CACHIER_BACKEND", &no_unicode),
        ("default", "CACHIER_DISABLED", &no_unicode),
        ("default", "CACHIER_STRICT", &no_unicode),
        ("default", "CACHIER_STRICT", OsStr::new("maybe")),
        ("default", "CACHIER_QUIET", OsStr::new("maybe")),
        ("default", "CACHIER_MAX_WORKERS", &no_unicode),
        ("default", "CACHIER_MAX_WORKERS", OsStr::new("eight")),
        ("default", "CACHIER_MAX_WORKERS", OsStr::new("0")),
        ("default", "CACHIER_KEY_SECRET", OsStr::new("")),
        ("default", "CACHIER_CACHE_DIR", OsStr::new("~nobody/x")),
        ("default", "CACHIER_CACHE_MODE", OsStr::new("0777")),
        ("default", "CACHIER_CACHE_MODE", OsStr::new("rwxrwx---")),
        ("sql", "CACHIER_CACHE_MODE", OsStr::new("0775")),
        ("redis", "CACHIER_REDIS_URL", &no_unicode),
        ("redis", "CACHIER_REDIS_URL", OsStr::new("localhost")),
        ("sql", "CACHIER_SQL_URL", &no_unicode),
        ("mongo", "CACHIER_MONGO_URL", &no_unicode),
        ("s3", "CACHIER_S3_BUCKET", &no_unicode),
    ] {
        let said = said(test, part, folder.path(), &[(variable, value)]);
        assert!(said.starts_with("unavailable Some("), "{variable}: {said}");
        assert!(said.contains(variable), "{variable}: {said}");
        assert!(said.contains("set it to "), "{variable}: {said}");
    }
    for (variable, value) in [
        ("CACHIER_S3_PREFIX", no_unicode.as_os_str()),
        ("CACHIER_S3_ENDPOINT", &no_unicode),
        ("CACHIER_S3_ENDPOINT", OsStr::new("localhost")),
    ] {
        let bucket = ("CACHIER_S3_BUCKET", OsStr::new("bucket"));
        let said = said(test, "s3", folder.path(), &[bucket, (variable, value)]);
        assert!(said.starts_with("unavailable Some("), "{variable}: {said}");
        assert!(said.contains(variable), "{variable}: {said}");
    }
    assert_eq!(files(folder.path()), Vec::<std::path::PathBuf>::new());
}

#[test]
fn a_flag_may_be_spelled_out() {
    if part().is_some() {
        // Where a server is at the usual address, there is no error.
        let error = in_redis::peek(1).err();
        return say(error.is_some_and(|error| error.kind() == ErrorKind::NotRegistered));
    }
    let folder = tempfile::tempdir().unwrap();
    let is_strict = |value: &str| {
        let variables = [("CACHIER_STRICT", OsStr::new(value))];
        said(
            "a_flag_may_be_spelled_out",
            "peek",
            folder.path(),
            &variables,
        )
    };
    for on in ["1", "true", "yes", "on"] {
        assert_eq!(is_strict(on), "true", "{on}");
    }
    for off in ["", "0", "false", "no", "off"] {
        assert_eq!(is_strict(off), "false", "{off}");
    }
}

#[test]
fn a_tilde_means_the_home_folder() {
    identity!(named, backend = "file", cache_dir = "~/by attribute");

    if let Some(part) = part() {
        if part == "parameter" {
            set_global_params(GlobalParams::new().cache_dir("~/by parameter"));
        }
        let (error, folder) = match part.as_str() {
            "attribute" => {
                let call = named::call_detailed(CallOptions::new(), 1);
                (call.backend_error, named::cache_dir())
            }
            _ => {
                let call = by_default::call_detailed(CallOptions::new(), 1);
                (call.backend_error, by_default::cache_dir())
            }
        };
        let error = error.map(|error| error.to_string());
        return say(format!("{} {error:?}", folder.display()));
    }
    let test = "a_tilde_means_the_home_folder";
    for part in ["attribute", "parameter", "environment"] {
        let home = tempfile::tempdir().unwrap();
        let variables = match part {
            "environment" => &[("CACHIER_CACHE_DIR", OsStr::new("~/by environment"))][..],
            _ => &[],
        };
        let folder = home.path().join(format!("by {part}"));
        let with_home = said(test, part, home.path(), variables);
        assert_eq!(with_home, format!("{} None", folder.display()));
        assert!(!files(&folder).is_empty(), "{part}");
        assert!(!home.path().join("~").exists(), "{part}");

        let nobody = [variables, &[("HOME", OsStr::new("relative"))]].concat();
        let without = said(test, part, home.path(), &nobody);
        assert!(without.contains("home"), "{part}: {without}");
        assert!(!home.path().join("~").exists(), "{part}");
    }
}

#[test]
fn code_outranks_the_environment() {
    if part().is_some() {
        let folder = std::env::current_dir().unwrap().join("by code");
        let figures = folder.with_file_name("figures");
        let params = GlobalParams::new().namespace("code").metrics_dir(figures);
        set_global_params(params.cache_dir(&folder));
        let _ = cachier::set_default_backend("file");
        cachier::enable_caching();
        cachier::register_backend("redis", MapBackend::default()).unwrap();
        let calls = [
            by_default::call_detailed(CallOptions::new(), 1),
            in_redis::call_detailed(CallOptions::new(), 1),
        ];
        let errors = calls.map(|call| call.backend_error.map(|error| error.to_string()));
        let health = cachier::check().into_iter();
        let ill: Vec<_> = health.filter(|health| !health.is_healthy()).collect();
        return say(format!("{errors:?} {ill:?} {}", files(&folder).is_empty()));
    }
    let folder = tempfile::tempdir().unwrap();
    let no_unicode = no_unicode();
    for [namespace, backend, cache_dir, disabled] in [
        ["env", "redis", "by environment", "1"].map(OsStr::new),
        [
            &no_unicode,
            &no_unicode,
            OsStr::new("~nobody"),
            OsStr::new("1"),
        ],
    ] {
        let variables = [
            ("CACHIER_NAMESPACE", namespace),
            ("CACHIER_BACKEND", backend),
            ("CACHIER_CACHE_DIR", cache_dir),
            ("CACHIER_METRICS_DIR", cache_dir),
            ("CACHIER_DISABLED", disabled),
            ("CACHIER_REDIS_URL", OsStr::new("nonsense")),
        ];
        let said = said(
            "code_outranks_the_environment",
            "call",
            folder.path(),
            &variables,
        );
        assert_eq!(said, "[None, None] [] false");
    }
    assert!(!folder.path().join("by environment").exists());
}

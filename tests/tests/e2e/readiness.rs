//! `/ready` of the endpoint, as the stores of cached functions make it.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::ffi::OsStrExt as _;

use cachier::{PrometheusExporter, cachier};
use cachier_tests::process::{Process, part, say};

macro_rules! functions {
    ($($name:ident: $backend:tt;)*) => {$(
        functions! { @ $name $backend }
    )*};
    (@ $name:ident [$($backend:tt)*]) => {
        #[cachier($($backend)* on_backend_error = "propagate")]
        fn $name(number: u64) -> Result<u64, cachier::Error> {
            Ok(number)
        }
    };
}

functions! {
    by_default: [];
    in_files: [backend = "file",];
    on_redis: [backend = "redis",];
    unregistered: [backend = registered("nobody"),];
}

/// The status line of `/ready`, and what fails.
fn ready() -> String {
    let exporter = PrometheusExporter::builder().port(0).build().unwrap();
    exporter.start().unwrap();
    let mut stream = TcpStream::connect(exporter.local_addr().unwrap()).unwrap();
    write!(
        stream,
        "GET /ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let json: serde_json::Value = serde_json::from_str(body).unwrap();
    let stores = json["stores"].as_array().unwrap().iter();
    let failing = stores.filter(|store| store["state"] == "fails");
    let failing =
        failing.map(|store| format!("{} {}", store["name"], store["store"]).replace('"', ""));
    let code = head.split(' ').nth(1).unwrap();
    format!("{code} {}", failing.collect::<Vec<_>>().join(", "))
}

#[test]
fn what_no_call_can_use_is_not_ready() {
    if let Some(part) = part() {
        let (called, function) = part.split_once(' ').unwrap();
        let functions = [
            (
                "by_default",
                by_default as fn(u64) -> _,
                by_default::handle(),
            ),
            ("in_files", in_files, in_files::handle()),
            ("on_redis", on_redis, on_redis::handle()),
            ("unregistered", unregistered, unregistered::handle()),
        ];
        let (_, call, handle) = functions
            .into_iter()
            .find(|(name, ..)| *name == function)
            .unwrap();
        match called {
            "called" => drop(call(1)),
            _ => cachier::expect([handle]),
        }
        return say(ready());
    }
    let no_unicode = OsStr::from_bytes(b"\xff");
    let home = tempfile::tempdir().unwrap();
    let none = ("UNUSED", OsStr::new(""));
    for (function, (variable, value), failing) in [
        ("by_default", none, "200 "),
        (
            "by_default",
            ("CACHIER_NAMESPACE", no_unicode),
            "503 environment CACHIER_NAMESPACE",
        ),
        (
            "by_default",
            ("CACHIER_BACKEND", no_unicode),
            "503 environment CACHIER_BACKEND",
        ),
        (
            "by_default",
            ("CACHIER_BACKEND", OsStr::new("nobody")),
            "503 nobody ",
        ),
        (
            "by_default",
            ("CACHIER_CACHE_DIR", OsStr::new("~nobody/x")),
            "503 environment CACHIER_CACHE_DIR",
        ),
        (
            "in_files",
            ("CACHIER_CACHE_MODE", OsStr::new("0777")),
            "503 environment CACHIER_CACHE_MODE",
        ),
        (
            "in_files",
            ("CACHIER_REDIS_URL", OsStr::new("localhost")),
            "200 ",
        ),
        (
            "on_redis",
            ("CACHIER_REDIS_URL", OsStr::new("localhost")),
            "503 environment CACHIER_REDIS_URL",
        ),
        ("unregistered", none, "503 nobody "),
    ] {
        for called in ["called", "expected"] {
            let test = "readiness::what_no_call_can_use_is_not_ready";
            let process = Process::start(test, &format!("{called} {function}"), |command| {
                command
                    .env("HOME", home.path())
                    .env_remove("XDG_CACHE_HOME")
                    .env(variable, value);
            });
            assert_eq!(
                process.last_line(),
                failing,
                "{called} {function} {variable}"
            );
        }
    }
}

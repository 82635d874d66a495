//! Figures that several programs publish in a store.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use cachier::{FileBackend, flush, publish_metrics, register_backend};
use cachier_servers::process::{Process, hear, part, say};
use serde_json::Value;

use crate::program::call;
use crate::terminal::{ENTER, ESCAPE, Terminal};

const INTERVAL: Duration = Duration::from_millis(100);
const ADDRESS: &str = "SHOP_STORE";

/// In a program that publishes its figures, until its test ends.
#[test]
fn a_program_publishes_its_figures() {
    if part().is_none() {
        return;
    }
    let address = std::env::var(ADDRESS).unwrap();
    match address.strip_prefix("file:") {
        Some(folder) => register_backend("shared", FileBackend::new(folder)).unwrap(),
        #[cfg(feature = "redis")]
        None => {
            let redis = cachier::RedisBackend::from_url(&address).unwrap();
            register_backend("shared", redis).unwrap();
        }
        #[cfg(not(feature = "redis"))]
        None => panic!("{address}"),
    }
    call();
    publish_metrics("shared", INTERVAL).unwrap();
    flush();
    say("published");
    let _ = hear();
}

fn publishing(address: &str, namespace: &str) -> Process {
    let test = "stores::a_program_publishes_its_figures";
    let process = Process::start(test, "publish", |command| {
        command
            .env(ADDRESS, address)
            .env("CACHIER_NAMESPACE", namespace);
    });
    assert_eq!(process.line(), "published");
    process
}

/// Instances come, are shown together, and go.
fn a_cluster_is_watched(address: &str) {
    let namespace = format!("top-{}", std::process::id());
    let [one, other] = [(); 2].map(|()| publishing(address, &namespace));
    let arguments = [address, "--namespace", &namespace];
    let mut terminal = Terminal::start(&arguments, 20, 100, &[]);
    for expected in [
        "since the start",
        "2 live; figures",
        "CALLS ",
        "shop::price",
        "2k",
        "90.0 %",
    ] {
        terminal.until_shown(expected);
    }
    terminal.press(ENTER);
    terminal.until_shown("1.8k calls outcome=hit");
    terminal.until_shown("█");
    terminal.press("w");
    terminal.press(ESCAPE);
    terminal.until_shown("since the start");
    one.kill();
    terminal.until_shown("1 live, 1 silent");
    // What it has counted stays.
    terminal.until_shown("2k");
    terminal.press("q");
    assert!(terminal.until_ended().success());
    drop(other);
}

#[test]
fn instances_in_files_are_shown_together() {
    let folder = tempfile::tempdir().unwrap();
    a_cluster_is_watched(&format!("file:{}", folder.path().display()));
}

#[cfg(feature = "redis")]
#[test]
fn instances_in_redis_are_shown_together() {
    if let Some(redis) = cachier_servers::redis::start() {
        a_cluster_is_watched(redis.url());
    }
}

#[cfg(feature = "redis")]
#[test]
fn a_store_that_dies_is_told() {
    let port = cachier_servers::free_port();
    let Some(mut redis) = cachier_servers::redis::start_private(port, &[]) else {
        return;
    };
    let _one = publishing(redis.url(), "default");
    let mut terminal = Terminal::start(&[redis.url()], 20, 100, &[]);
    terminal.until_shown("1 live");
    redis.server().unwrap().kill();
    terminal.until_shown("s old)");
    // What was known stays.
    terminal.until_shown("shop::price");
    terminal.press("q");
    assert!(terminal.until_ended().success());
}

fn once(arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cachier"));
    let output = command.arg("top").args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[test]
fn stores_are_read_by_scripts() {
    let folder = tempfile::tempdir().unwrap();
    let address = format!("file:{}", folder.path().display());
    let _one = publishing(&address, "default");
    let (code, table, complained) = once(&["--once", &address]);
    assert_eq!(code, Some(0), "{complained}");
    assert!(
        table.contains("shop::price") && table.contains("instances: 1 live"),
        "{table}"
    );
    let (_, json, _) = once(&["--json", &address]);
    let json: Value = serde_json::from_str(&json).unwrap();
    let figures = &json["instances"][0]["figures"];
    assert_eq!(figures["instances"][0]["is_live"], true);
    assert_eq!(figures["functions"].as_array().unwrap().len(), 3);
    let (_, other, _) = once(&["--once", "--namespace", "other", &address]);
    assert!(!other.contains("shop::price"), "{other}");
}

#[test]
fn stores_that_cannot_be_are_told() {
    let nowhere = "file:/nonexistent/cache";
    let (code, _, complained) = once(&["--once", nowhere]);
    assert_eq!(code, Some(2));
    assert!(complained.contains("it does not exist") && !Path::new("/nonexistent").exists());
    let (code, _, complained) = once(&["--once", "file:/", "127.0.0.1:1"]);
    assert_eq!(code, Some(2));
    assert!(complained.contains("one kind at a time"), "{complained}");
    #[cfg(not(feature = "mongo"))]
    {
        let (code, _, complained) = once(&["--once", "mongodb://127.0.0.1:1"]);
        assert_eq!(code, Some(2));
        assert!(complained.contains("--features cli,mongo"), "{complained}");
    }
}

//! Space that comes back: of SQLite files, which belong to no process.

use std::path::Path;

use cachier::cachier;
use cachier_tests::process::{Process, part, say};

#[cachier(backend = "sql")]
fn page(number: u64) -> Vec<u8> {
    vec![number as u8; 100_000]
}

/// Plays a part in a process of its own, which ends at once; what the file and its log take then.
fn after(played: &str, folder: &Path) -> u64 {
    let test = "space::a_cleared_file_is_small_at_exit";
    let process = Process::start(test, played, |command| {
        command.env("CACHIER_CACHE_DIR", folder);
        command.env_remove("CACHIER_SQL_URL");
    });
    assert_eq!(process.last_line(), "done");
    let files = std::fs::read_dir(folder).unwrap();
    let sizes = files.map(|file| file.unwrap().metadata().unwrap().len());
    sizes.sum()
}

#[test]
fn a_cleared_file_is_small_at_exit() {
    if let Some(part) = part() {
        match &*part {
            "fill" => (0..60).for_each(|number| _ = page(number)),
            "invalidate" => (0..60).for_each(|number| _ = page::invalidate(number).unwrap()),
            _ => _ = page::clear_cache().unwrap(),
        }
        if part != "end" {
            cachier::flush();
        }
        say("done");
        std::process::exit(0);
    }
    for cleared_by in ["clear", "invalidate", "end"] {
        let folder = tempfile::tempdir().unwrap();
        let full = after("fill", folder.path());
        assert!(full > 5 << 20, "{full} bytes");
        let mut size = after(cleared_by, folder.path());
        if cleared_by == "end" {
            // It had no time to give anything back, which the next one makes up for.
            size = after("clear", folder.path());
        }
        assert!(size < full / 10, "{size} of {full} bytes: {cleared_by}");
    }
}

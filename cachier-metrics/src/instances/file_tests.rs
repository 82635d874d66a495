//! Files of figures, as tools read them.

#![allow(clippy::unwrap_used)]

use super::MetricsFile;
use super::history::{EndedHistory, History};
use super::history_tests::{NOW, SECOND, ended, step};

#[test]
fn files_and_folders_are_read_for_tools() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let one = ended(1, vec![step(NOW, NOW + SECOND, 3)]);
    let mut all = EndedHistory::default();
    all.fold(ended(2, vec![step(NOW, NOW + SECOND, 4)]));
    std::fs::write(path("1.metrics"), History::Instance(one.clone()).write()).unwrap();
    std::fs::write(path("1.trail.metrics"), History::Trail(one.clone()).write()).unwrap();
    // It was folded, and its file not yet removed.
    let folded = ended(3, vec![step(NOW, NOW + SECOND, 8)]);
    all.fold(folded.clone());
    std::fs::write(path("3.metrics"), History::Instance(folded).write()).unwrap();
    std::fs::write(path("ended.metrics"), History::Ended(all).write()).unwrap();
    std::fs::write(path("2.metrics"), "no figures").unwrap();
    std::fs::write(path("2.lock"), "").unwrap();
    let found = MetricsFile::open(folder.path()).unwrap();
    assert_eq!(found.functions.total().hits, 15);
    assert_eq!(
        (
            found.ended_instances,
            found.unreadable,
            found.instances.len()
        ),
        (2, 1, 1)
    );
    let file = MetricsFile::open(&path("1.metrics")).unwrap();
    assert_eq!(
        (file.functions.total().hits, file.instances[0].is_live),
        (3, false)
    );
    let refused = |name: &str| MetricsFile::open(&path(name)).unwrap_err().to_string();
    let mut newer = History::Ended(EndedHistory::default()).write();
    newer[4] += 1;
    for (name, bytes, expected) in [
        ("2.metrics", &b"no figures"[..], "no file of figures"),
        ("4.metrics", &newer, "newer version"),
        ("5.metrics", &newer[..3], "damaged"),
    ] {
        std::fs::write(path(name), bytes).unwrap();
        assert!(refused(name).contains(expected), "{}", refused(name));
    }
    assert!(MetricsFile::open(&path("missing.metrics")).is_err());
}

#[cfg(unix)]
#[test]
fn only_regular_files_of_bounded_length_are_read() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let figures = History::Instance(ended(1, vec![step(NOW, NOW + SECOND, 3)])).write();
    std::fs::write(path("figures"), &figures).unwrap();
    symlink(path("figures"), path("link.metrics")).unwrap();
    let linked = MetricsFile::open(&path("link.metrics")).unwrap();
    assert_eq!(linked.functions.total().hits, 3);

    // One that is as long as a disk, and begins as figures; one of zeros; no files.
    for (name, begin) in [("long.metrics", figures.as_slice()), ("zeros.metrics", &[])] {
        std::fs::write(path(name), begin).unwrap();
        let file = std::fs::OpenOptions::new().write(true).open(path(name));
        file.unwrap().set_len(1 << 40).unwrap();
    }
    let made = std::process::Command::new("mkfifo")
        .arg(path("pipe.metrics"))
        .status();
    assert!(made.unwrap().success());
    std::fs::create_dir(path("folder.metrics")).unwrap();
    // As where an instance is folded while the folder is read.
    symlink(path("gone"), path("gone.metrics")).unwrap();
    assert!(MetricsFile::open(&path("gone.metrics")).is_err());
    let names = ["long.metrics", "zeros.metrics", "pipe.metrics"];
    for name in names {
        let error = MetricsFile::open(&path(name)).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidData, "{name}");
    }
    let found = MetricsFile::open(folder.path()).unwrap();
    assert_eq!((found.functions.total().hits, found.unreadable), (3, 4));
}

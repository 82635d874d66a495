//! Usage, capacity, and cleanup.

use std::fs;
use std::thread;

use cachier_backends::{BlockingBackend, StoreRequest, Usage};
use tempfile::tempdir;

use crate::support::files::{self, Files, moment};

#[test]
fn usage_stays_exact_without_scanning() {
    let files = Files::new();
    let usage = || files.backend.usage(&files.scope).unwrap();
    files.store(&files.key(0), b"value");
    // From here on the totals are known, and only updated.
    assert_eq!(usage().entries, Some(1));
    thread::scope(|scope| {
        for thread in 0..3 {
            let files = &files;
            scope.spawn(move || {
                for number in 0..100 {
                    files.store(&files.crowded_key(thread * 1000 + number), &[0; 100]);
                    files.store(&files.crowded_key(number % 10), &[0; 200]);
                    files.backend.remove(&files.crowded_key(number)).unwrap();
                }
            });
        }
    });
    let held = files.all_but_shard_tables();
    let lengths = held.iter().map(|path| fs::metadata(path).unwrap().len());
    let (entries, bytes) = (held.len() as u64, lengths.sum());
    assert!(entries >= 200);
    assert_eq!(
        (usage().entries, usage().bytes),
        (Some(entries), Some(bytes))
    );
    // The recorded totals include a file removed behind our back, until a cleanup.
    fs::remove_file(&files.all_but_shard_tables()[0]).unwrap();
    assert_eq!(usage().entries, Some(entries));
    files.backend.cleanup(&files.scope, moment(0)).unwrap();
    assert_eq!(usage().entries, Some(entries - 1));
}

#[test]
fn a_broken_shard_table_is_counted_anew() {
    let files = Files::new();
    files.store(&files.key(1), b"one");
    files.store(&files.key(2), b"two");
    let table = files.all()[0].clone();
    let bytes = 2 * files::entry(b"one").len() as u64;
    let expected = Usage::new(Some(2), Some(bytes));
    for broken in [&b""[..], b"short", &[0xff; 32], &[0; 5000]] {
        fs::write(&table, broken).unwrap();
        assert_eq!(files.backend.usage(&files.scope).unwrap(), expected);
    }
    fs::remove_file(&table).unwrap();
    assert_eq!(files.backend.usage(&files.scope).unwrap(), expected);
}

#[test]
fn the_capacity_holds_over_several_writers_and_versions() {
    let dir = tempdir().unwrap();
    let length = files::entry(&[0; 1000]).len() as u64;
    let capacity = 50 * length;
    thread::scope(|scope| {
        for writer in 0..4 {
            let files = Files::at(dir.path());
            scope.spawn(move || {
                for number in 0..100 {
                    let entry = files::entry(&[0; 1000]);
                    let mut request = StoreRequest::new(&entry, moment(number));
                    request.capacity_bytes = Some(capacity);
                    let key = files.long_key(writer * 1000 + number);
                    files.backend.store(&key, request).unwrap();
                }
            });
        }
    });
    let files = Files::at(dir.path());
    let kept = files.all_but_shard_tables();
    let bytes: u64 = kept
        .iter()
        .map(|path| fs::metadata(path).unwrap().len())
        .sum();
    assert!(bytes <= capacity, "{} entries", kept.len());
    assert!(kept.len() >= 40, "{} entries", kept.len());
    assert_eq!(
        files.backend.usage(&files.scope).unwrap().bytes,
        Some(bytes)
    );
}

#[test]
fn an_entry_being_recomputed_is_not_evicted() {
    let files = Files::new();
    let stored = files::entry(&[0; 1000]);
    let store = |number: u8| {
        let mut request = StoreRequest::new(&stored, moment(number.into()));
        request.capacity_bytes = Some(10 * stored.len() as u64);
        files.backend.store(&files.key(number), request).unwrap()
    };
    store(0);
    let lease = files.granted(&files.key(0));
    for number in 1..50 {
        store(number);
    }
    assert_eq!(files.load(&files.key(0)), Some(stored.clone()));
    files.stored_under(lease, b"new");
}

#[test]
fn cleanup_removes_only_abandoned_files() {
    let files = Files::new();
    let (kept, left, held) = (files.key(1), files.key(2), files.key(3));
    files.store(&kept, b"value");
    drop(files.granted(&left));
    let lease = files.granted(&held);
    let shard = |key| files.path(key).parent().unwrap().to_owned();
    let abandoned = [
        shard(&kept).join(".1000-0123456789abcdef-0.tmp"),
        files.path(&left).with_extension("lease"),
    ];
    let others = [
        shard(&kept).join(".99999999999-0123456789abcdef-0.tmp"),
        shard(&kept).join("README"),
        shard(&kept).join(".1000.tmp"),
        shard(&kept).join(format!("{}.lease", "x".repeat(64))),
    ];
    for path in abandoned.iter().chain(&others) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, b"").unwrap();
    }
    assert_eq!(
        files.backend.cleanup(&files.scope, moment(0)).unwrap(),
        Some(0)
    );
    for path in &abandoned {
        assert!(!path.exists(), "{}", path.display());
    }
    for path in &others {
        assert!(path.exists(), "{}", path.display());
    }
    assert_eq!(files.load(&kept), Some(files::entry(b"value")));
    files.stored_under(lease, b"value");
}

#[test]
fn clear_leaves_no_folders_of_old_versions() {
    let files = Files::new();
    for number in 0..20 {
        files.store(&files.key(number), b"value");
    }
    assert_eq!(files.backend.clear(&files.scope).unwrap(), Some(20));
    let scope = files.backend.scope_dir(&files.scope).unwrap();
    assert_eq!(
        fs::read_dir(scope).unwrap().count(),
        1,
        "the shard table alone"
    );
    files.store(&files.key(1), b"value");
    assert!(files.load(&files.key(1)).is_some());
}

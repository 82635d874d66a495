//! What is particular to the file backend.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;

use cachier_backends::file::FileBackend;
use cachier_backends::{
    BlockingBackend, ErrorKind, LeaseReply, Operation, Scope, StoreReply, StoreRequest, Usage,
    entry,
};
use support::files::{self, Files, PERIOD, moment};
use tempfile::tempdir;

mod support;

#[test]
fn creating_it_touches_nothing() {
    let dir = tempdir().unwrap();
    let files = Files::at(&dir.path().join("cache"));
    assert_eq!(files.load(&files.key(1)), None);
    assert!(!files.backend.remove(&files.key(1)).unwrap());
    assert_eq!(files.backend.clear(&files.scope).unwrap(), Some(0));
    let usage = files.backend.usage(&files.scope).unwrap();
    assert_eq!((usage.entries, usage.bytes), (Some(0), Some(0)));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn entries_are_where_the_documentation_says() {
    let dir = tempdir().unwrap();
    let files = Files::at(dir.path());
    let key = files.key(1);
    files.store(&key, b"value");
    assert_eq!(fs::read(files.path(&key)).unwrap(), files::entry(b"value"));
    let scope = dir.path().join("default").join("weather%3A%3Aforecast");
    assert_eq!(files.all()[0], scope.join(".ledger"));
    assert_eq!(files.all()[1..], [files.path(&key)]);
}

#[test]
fn an_entry_survives_a_restart() {
    let dir = tempdir().unwrap();
    let before = Files::at(dir.path());
    before.store(&before.key(1), b"value");
    drop(before);
    let after = Files::at(dir.path());
    assert_eq!(after.load(&after.key(1)), Some(files::entry(b"value")));
}

#[cfg(unix)]
#[test]
fn folders_and_files_are_for_this_user_alone() {
    use std::os::unix::fs::PermissionsExt;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let dir = tempdir().unwrap();
    let files = Files::at(&dir.path().join("a/b"));
    let key = files.key(1);
    files.store(&key, b"value");
    let _lease = files.granted(&key);
    let mut path = files.path(&key);
    for file in files.all() {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
    while path.pop() && path != dir.path() {
        assert_eq!(mode(&path), 0o700, "{}", path.display());
    }
}

#[test]
fn nothing_is_left_of_leases_that_ended() {
    let dir = tempdir().unwrap();
    let files = Files::at(dir.path());
    let key = files.key(1);
    files.store_under(files.granted(&key), b"one");
    files.backend.release(files.granted(&key)).unwrap();
    drop(files.granted(&key));
    let lease = files.granted(&key);
    files.store(&key, b"two");
    assert_eq!(files.store_under(lease, b"old"), StoreReply::Superseded);
    let unseen = files.backend.lease(&key, None, PERIOD).unwrap();
    assert!(matches!(unseen, LeaseReply::Changed));
    let lease = files.granted(&key);
    assert!(matches!(files.lease(&key), LeaseReply::Held));
    files.backend.clear_leases(&files.scope).unwrap();
    drop(lease);
    assert_eq!(files.all_but_ledgers(), [files.path(&key)]);
}

#[test]
fn an_ended_lease_does_not_end_the_next_one() {
    let dir = tempdir().unwrap();
    let files = Files::at(dir.path());
    let key = files.key(1);
    let first = files.granted(&key);
    files.backend.remove(&key).unwrap();
    let second = files.granted(&key);
    files.backend.release(first).unwrap();
    assert!(matches!(files.lease(&key), LeaseReply::Held));
    let stored = files.store_under(second, b"value");
    assert_eq!(stored, StoreReply::Stored { evicted: 0 });
}

#[test]
fn two_never_own_one_lease() {
    let dir = tempdir().unwrap();
    let files = Files::at(dir.path());
    let key = files.key(1);
    let owned = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..1000 {
                    let reply = files.backend.lease(&key, None, PERIOD).unwrap();
                    if let LeaseReply::Granted(lease) = reply {
                        assert!(!owned.swap(true, Ordering::SeqCst), "two own it");
                        thread::yield_now();
                        owned.store(false, Ordering::SeqCst);
                        files.backend.release(lease).unwrap();
                    }
                }
            });
        }
    });
    assert_eq!(files.all_but_ledgers(), Vec::<PathBuf>::new());
}

#[test]
fn no_lease_is_granted_on_an_entry_that_is_not_there_any_more() {
    // Everyone computes the next number from the one that is stored. Who is granted the lease can
    // store, for nobody stores without one: so no number is computed twice.
    let dir = tempdir().unwrap();
    let files = Files::at(dir.path());
    let key = files.key(1);
    files.store(&key, &0u32.to_le_bytes());
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                loop {
                    let loaded = files.backend.load(&key).unwrap().unwrap();
                    let number = number_in(&loaded.bytes);
                    if number >= 600 {
                        break;
                    }
                    let seen = Some(&loaded.version);
                    let reply = files.backend.lease(&key, seen, PERIOD).unwrap();
                    if let LeaseReply::Granted(lease) = reply {
                        let stored = files.store_under(lease, &(number + 1).to_le_bytes());
                        assert_eq!(stored, StoreReply::Stored { evicted: 0 }, "at {number}");
                    }
                }
            });
        }
    });
}

fn number_in(stored: &[u8]) -> u32 {
    let value = entry::decode(stored).unwrap().unwrap().value;
    u32::from_le_bytes(value.try_into().unwrap())
}

#[test]
fn a_clear_beats_every_computation_that_was_running() {
    // Each thread computes from an input that grows, and clears the cache after it has changed it:
    // from then on nothing that was computed from the old input may be found.
    let dir = tempdir().unwrap();
    let files = Files::at(dir.path());
    let key = files.key(1);
    let input = AtomicU32::new(0);
    thread::scope(|scope| {
        for invalidate in [true, false] {
            let (files, input, key) = (&files, &input, &key);
            scope.spawn(move || {
                for _ in 0..200 {
                    let lease = files.lease(key);
                    let computed = input.load(Ordering::SeqCst);
                    if let LeaseReply::Granted(lease) = lease {
                        files.store_under(lease, &computed.to_le_bytes());
                    }
                }
            });
            scope.spawn(move || {
                for _ in 0..200 {
                    let at_least = input.fetch_add(1, Ordering::SeqCst) + 1;
                    if invalidate {
                        files.backend.remove(key).unwrap();
                    } else {
                        files.backend.clear(&files.scope).unwrap();
                    }
                    if let Some(bytes) = files.load(key) {
                        let found = number_in(&bytes);
                        assert!(found >= at_least, "{found} after {at_least}");
                    }
                }
            });
        }
    });
}

#[test]
fn readers_see_whole_entries_while_writers_replace_them() {
    let dir = tempdir().unwrap();
    let files = Files::at(dir.path());
    let key = files.key(1);
    files.store(&key, &[0; 10_000]);
    thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for n in 1..200 {
                files.store(&key, &vec![n; 10_000]);
            }
        });
        while !writer.is_finished() {
            let bytes = files.load(&key).unwrap();
            let value = entry::decode(&bytes).unwrap().unwrap().value;
            assert!(value.len() == 10_000 && value.iter().all(|byte| *byte == value[0]));
        }
    });
}

#[test]
fn usage_needs_no_scan_and_stays_exact_over_many_threads() {
    let dir = tempdir().unwrap();
    let files = Files::at(dir.path());
    let usage = || files.backend.usage(&files.scope).unwrap();
    files.store(&files.key(0), b"value");
    // From here on it is known, and only what changes is noted.
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
    let held = files.all_but_ledgers();
    let lengths = held.iter().map(|path| fs::metadata(path).unwrap().len());
    let (entries, bytes) = (held.len() as u64, lengths.sum());
    assert!(entries >= 200);
    assert_eq!(
        (usage().entries, usage().bytes),
        (Some(entries), Some(bytes))
    );
    // It is told, not counted: a file that goes behind our back is still in it, until a cleanup.
    fs::remove_file(&files.all_but_ledgers()[0]).unwrap();
    assert_eq!(usage().entries, Some(entries));
    files.backend.cleanup(&files.scope, moment(0)).unwrap();
    assert_eq!(usage().entries, Some(entries - 1));
}

#[test]
fn a_broken_ledger_is_counted_anew() {
    let dir = tempdir().unwrap();
    let files = Files::at(dir.path());
    files.store(&files.key(1), b"one");
    files.store(&files.key(2), b"two");
    let ledger = files.all()[0].clone();
    let expected = Usage {
        entries: Some(2),
        bytes: Some(2 * files::entry(b"one").len() as u64),
    };
    for broken in [&b""[..], b"short", &[0xff; 32], &[0; 5000]] {
        fs::write(&ledger, broken).unwrap();
        assert_eq!(files.backend.usage(&files.scope).unwrap(), expected);
    }
    fs::remove_file(&ledger).unwrap();
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
    let kept = files.all_but_ledgers();
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
fn an_entry_that_is_being_computed_again_is_not_evicted() {
    let dir = tempdir().unwrap();
    let files = Files::at(dir.path());
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
    let stored_again = files.store_under(lease, b"new");
    assert_eq!(stored_again, StoreReply::Stored { evicted: 0 });
}

#[test]
fn cleanup_sweeps_what_the_dead_left_and_nothing_else() {
    let dir = tempdir().unwrap();
    let files = Files::at(dir.path());
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
    let stored = files.store_under(lease, b"value");
    assert_eq!(stored, StoreReply::Stored { evicted: 0 });
}

#[test]
fn clear_leaves_no_folders_of_old_versions() {
    let dir = tempdir().unwrap();
    let files = Files::at(dir.path());
    for number in 0..20 {
        files.store(&files.key(number), b"value");
    }
    assert_eq!(files.backend.clear(&files.scope).unwrap(), Some(20));
    let scope = files.backend.scope_dir(&files.scope).unwrap();
    assert_eq!(fs::read_dir(scope).unwrap().count(), 1, "the ledger alone");
    files.store(&files.key(1), b"value");
    assert!(files.load(&files.key(1)).is_some());
}

#[test]
fn torn_and_foreign_files_are_loaded_and_replaced() {
    let dir = tempdir().unwrap();
    let files = Files::at(dir.path());
    let key = files.key(1);
    files.store(&key, b"value");
    let whole = fs::read(files.path(&key)).unwrap();
    for hostile in [&b""[..], b"x", &whole[..whole.len() - 1], &[0xff; 100_000]] {
        fs::write(files.path(&key), hostile).unwrap();
        let bytes = files.load(&key).unwrap();
        assert_eq!(bytes, hostile);
        assert_eq!(
            entry::decode(&bytes).unwrap_err().kind(),
            ErrorKind::Corrupt
        );
        files.store_under(files.granted(&key), b"value");
        assert_eq!(files.load(&key).as_ref(), Some(&whole));
    }
}

#[cfg(unix)]
#[test]
fn what_is_no_file_is_no_entry_and_is_replaced_by_one() {
    let dir = tempdir().unwrap();
    let files = Files::at(dir.path());
    let key = files.key(1);
    let path = files.path(&key);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let is_replaced = |what: &str| {
        let found = files.backend.load(&key).unwrap().unwrap();
        let error = entry::decode(&found.bytes).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{what}");
        let lease = files.backend.lease(&key, Some(&found.version), PERIOD);
        let LeaseReply::Granted(lease) = lease.unwrap() else {
            panic!("no lease on {what}");
        };
        let entry = files::entry(b"value");
        let request = StoreRequest::new(&entry, moment(0)).under(lease);
        let stored = files.backend.store(&key, request).unwrap();
        assert_eq!(stored, StoreReply::Stored { evicted: 0 }, "{what}");
        assert_eq!(files.load(&key), Some(entry), "{what}");
        fs::remove_file(&path).unwrap();
    };

    fs::create_dir(&path).unwrap();
    fs::write(path.join("inside"), "something").unwrap();
    is_replaced("a folder");

    rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RUSR).unwrap();
    is_replaced("a pipe");

    std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
    is_replaced("a link");

    fs::File::create(&path).unwrap().set_len(1 << 40).unwrap();
    is_replaced("a file of a terabyte");
}

#[test]
fn a_folder_that_cannot_be_made_is_an_error_of_each_operation() {
    let dir = tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, b"").unwrap();
    let files = Files::at(&file.join("cache"));
    let key = files.key(1);
    let stored = files::entry(b"value");
    let request = StoreRequest::new(&stored, moment(0));
    let store = files.backend.store(&key, request).unwrap_err();
    assert_eq!(
        (store.operation(), store.kind()),
        (Operation::Store, ErrorKind::Io)
    );
    let lease = files.backend.lease(&key, None, PERIOD).unwrap_err();
    assert_eq!(lease.operation(), Operation::Lease);
    let load = files.backend.load(&key).unwrap_err();
    assert_eq!(load.operation(), Operation::Load);
    assert!(files.backend.check().is_err());
    assert!(files.backend.usage(&files.scope).is_err());
}

#[cfg(unix)]
#[test]
fn a_read_only_folder_is_denied() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempdir().unwrap();
    let files = Files::at(dir.path());
    files.store(&files.key(1), b"value");
    let read_only = fs::Permissions::from_mode(0o500);
    let shard = files.path(&files.key(1)).parent().unwrap().to_owned();
    let scope = files.backend.scope_dir(&files.scope).unwrap();
    for folder in [&shard, &scope.join("1"), &scope] {
        fs::set_permissions(folder, read_only.clone()).unwrap();
    }
    let stored = files::entry(b"value");
    let result = files
        .backend
        .store(&files.key(1), StoreRequest::new(&stored, moment(0)));
    for folder in [&scope, &scope.join("1"), &shard] {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).unwrap();
    }
    match result {
        Err(error) => assert_eq!(error.kind(), ErrorKind::Denied),
        Ok(_) => eprintln!("skipped: this user may write everywhere"),
    }
    assert!(files.load(&files.key(1)).is_some());
}

#[test]
fn a_lock_that_is_never_released_is_a_timeout() {
    let dir = tempdir().unwrap();
    let files = Files::at(dir.path());
    files.store(&files.key(1), b"value");
    let ledger = fs::File::open(&files.all()[0]).unwrap();
    ledger.lock().unwrap();
    let error = files.backend.remove(&files.key(1)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.is_transient());
    // A hit needs no lock.
    assert!(files.load(&files.key(1)).is_some());
    drop(ledger);
    assert!(files.backend.remove(&files.key(1)).unwrap());
}

#[test]
fn functions_that_differ_in_case_alone_have_folders_of_their_own_everywhere() {
    let backend = FileBackend::new("/cache");
    let folder = |name: &str| {
        let folder = backend.scope_dir(&Scope::new("n", name)).unwrap();
        folder.to_str().unwrap().to_lowercase()
    };
    assert_ne!(folder("Forecast"), folder("forecast"));
    assert_ne!(folder("é"), folder("É"));
    assert!(folder(&"x".repeat(10_000)).len() < 200);
    for special in ["", ".", "..", ".ledger", "con", "nul.txt", "com1", "x."] {
        assert!(folder(special).contains('~'), "{}", folder(special));
    }
}

#[test]
fn the_store_is_named_by_its_folder() {
    let backend = FileBackend::new("/cache");
    assert_eq!(
        (backend.kind(), backend.store_name()),
        ("file", "/cache".to_owned())
    );
}

//! Torn, foreign and hostile files; unavailable folders and locks.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use cachier_backends::{
    BlockingBackend, ErrorKind, Operation, StoreReply, StoreRequest, blocking, entry,
};
use tempfile::tempdir;

use crate::support::files::{self, Files, PERIOD, moment};

#[test]
fn readers_see_whole_entries_while_writers_replace_them() {
    let files = Files::new();
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
            let value = files::value_of(&bytes);
            assert!(value.len() == 10_000 && value.iter().all(|byte| *byte == value[0]));
        }
    });
}

#[test]
fn torn_and_foreign_files_are_loaded_and_replaced() {
    let files = Files::new();
    let key = files.key(1);
    files.store(&key, b"value");
    let whole = fs::read(files.path(&key)).unwrap();
    for hostile in [&b""[..], b"x", &whole[..whole.len() - 1], &[0xff; 100_000]] {
        fs::write(files.path(&key), hostile).unwrap();
        let bytes = files.load(&key).unwrap();
        assert_eq!(bytes, hostile);
        assert_eq!(
            entry::decode(&files::key_of_entries(), &bytes)
                .unwrap_err()
                .kind(),
            ErrorKind::Corrupt
        );
        files.store_under(files.granted(&key), b"value");
        assert_eq!(files.load(&key).as_ref(), Some(&whole));
    }
}

#[test]
fn folders_in_place_of_files_are_removed() {
    let files = Files::new();
    let path = |number: u64| files.path(&files.crowded_key(number));
    let put_folders = || {
        for number in 0..4 {
            files.store(&files.crowded_key(number), b"value");
        }
        let lease = path(2).with_extension("lease");
        for folder in [path(8), path(9), lease.clone()] {
            fs::create_dir(&folder).unwrap();
            fs::write(folder.join("inside"), "something").unwrap();
        }
        lease
    };
    let is_there = |number| path(number).exists();
    put_folders();
    assert_eq!(files.backend.clear(&files.scope).unwrap(), Some(6));
    assert!(![0, 1, 2, 3, 8, 9].into_iter().any(is_there));
    let lease = put_folders();
    files.backend.remove(&files.crowded_key(8)).unwrap();
    assert!(!is_there(8) && is_there(9));
    let later = std::time::SystemTime::now() + PERIOD;
    assert_eq!(files.backend.cleanup(&files.scope, later).unwrap(), Some(5));
    assert!(!lease.exists() && ![0, 1, 2, 3, 9].into_iter().any(is_there));
}

#[test]
fn failed_eviction_does_not_fail_the_store() {
    let files = Files::new();
    let key = files.crowded_key(1);
    // Another version's shard, which cannot be counted.
    let other = files.backend.scope_dir(&files.scope).unwrap().join("2");
    fs::create_dir_all(&other).unwrap();
    fs::write(other.join("00"), b"").unwrap();
    let entry = files::entry(b"value");
    let lease = files.granted(&key);
    let mut request = StoreRequest::new(&entry, moment(0)).under(lease);
    request.capacity_bytes = Some(1_000_000);
    let reply = files.backend.store(&key, request).unwrap();
    assert_eq!(reply, StoreReply::Stored { evicted: 0 });
    assert_eq!(files.load(&key), Some(entry));
}

#[test]
fn operations_fail_if_the_folder_cannot_exist() {
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
    let files = Files::new();
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

/// Holds the shard table's lock, like a stopped process.
fn held_shard_table(files: &Files) -> fs::File {
    let table = fs::File::options()
        .write(true)
        .open(&files.all()[0])
        .unwrap();
    table.lock().unwrap();
    table
}

#[test]
fn a_stuck_lock_is_taken_away() {
    let files = Files::new();
    files.store(&files.key(1), b"value");
    let _held = held_shard_table(&files);
    // A hit needs no lock.
    assert!(files.load(&files.key(1)).is_some());
    assert!(files.backend.remove(&files.key(1)).unwrap());
    assert_eq!(
        files.store(&files.key(2), b"value"),
        StoreReply::Stored { evicted: 0 }
    );
    assert_eq!(files.backend.usage(&files.scope).unwrap().entries, Some(1));
}

#[test]
fn a_lock_timeout_is_not_the_stores_fault() {
    let files = Files::new();
    files.store(&files.key(1), b"value");
    // Its holder was active just now. In at least one attempt, as the machine may be busy.
    let error = (0..5).find_map(|_| {
        let held = held_shard_table(&files);
        held.set_modified(std::time::SystemTime::now()).unwrap();
        let remove = || files.backend.remove(&files.key(1));
        blocking::inline(Duration::from_millis(10), remove).err()
    });
    let error = error.unwrap();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.is_transient() && error.is_of_the_caller());
}

#[test]
fn a_removal_waits_within_its_allowance() {
    let files = Files::new();
    files.store(&files.key(1), b"value");
    let held = held_shard_table(&files);
    thread::scope(|scope| {
        scope.spawn(move || {
            let began = Instant::now();
            while began.elapsed() < Duration::from_millis(1500) {
                held.set_modified(std::time::SystemTime::now()).unwrap();
                thread::sleep(Duration::from_millis(10));
            }
        });
        let remove = || files.backend.remove(&files.key(1));
        assert!(blocking::inline(Duration::from_secs(60), remove).unwrap());
    });
}

#[test]
fn a_crowd_of_threads_has_its_turns() {
    const THREADS: u64 = 400;
    let files = Files::new();
    let all_are_there = std::sync::Barrier::new(THREADS as usize);
    thread::scope(|scope| {
        for number in 0..THREADS {
            let (files, all_are_there) = (&files, &all_are_there);
            scope.spawn(move || {
                all_are_there.wait();
                let entry = files::entry(b"value");
                let request = StoreRequest::new(&entry, moment(0));
                let key = files.long_key(number % 8);
                let store = || files.backend.store(&key, request);
                let stored = blocking::inline(Duration::from_secs(20), store).unwrap();
                assert_eq!(stored, StoreReply::Stored { evicted: 0 });
            });
        }
    });
    assert_eq!(files.backend.usage(&files.scope).unwrap().entries, Some(8));
}

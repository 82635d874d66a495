//! Obstacles in every place where the backend opens something, and folders that others may write to.
//!
//! Nothing is followed, written to or waited for; every operation ends.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, SystemTime};

use cachier_backends::file::FileBackend;
use cachier_backends::{
    BlockingBackend, Error, ErrorKind, LeaseReply, StoreReply, StoreRequest, entry,
};
use rustix::fs::{CWD, FileType, Mode, mkfifoat, mknodat};
use tempfile::tempdir;

use crate::support::files::{self, Files, PERIOD, moment};

/// The longest that an operation may take.
const MAX_WAIT: Duration = Duration::from_secs(20);

/// Fails if something hangs.
fn ends<R: Send + 'static>(what: &str, run: impl FnOnce() -> R + Send + 'static) -> R {
    let (done, result) = mpsc::channel();
    thread::spawn(move || done.send(run()));
    let result = result.recv_timeout(MAX_WAIT);
    result.unwrap_or_else(|_| panic!("no end, or a panic, with {what}"))
}

/// The content of somebody else's file.
const FOREIGN: &[u8] = b"Dear diary, today I learned about caches.";

/// Something that may be at a path.
struct Thing {
    name: &'static str,
    put: fn(path: &Path, elsewhere: &Path),
}

/// Everything but a regular file with one name. `elsewhere` is a folder for its target.
const OBSTACLES: &[Thing] = &[
    Thing {
        name: "a link to a file",
        put: |path, elsewhere| symlink(foreign(elsewhere), path).unwrap(),
    },
    Thing {
        name: "a link to nothing",
        put: |path, elsewhere| symlink(elsewhere.join("nothing"), path).unwrap(),
    },
    Thing {
        name: "a link to itself",
        put: |path, _| symlink(path, path).unwrap(),
    },
    Thing {
        name: "another name of a file",
        put: |path, elsewhere| fs::hard_link(foreign(elsewhere), path).unwrap(),
    },
    Thing {
        name: "a link to an endless device",
        put: |path, _| symlink("/dev/zero", path).unwrap(),
    },
    Thing {
        name: "a folder",
        put: |path, _| {
            fs::create_dir(path).unwrap();
            fs::write(path.join("inside"), "something").unwrap();
        },
    },
    Thing {
        name: "a pipe",
        put: |path, _| mkfifoat(CWD, path, Mode::RWXU).unwrap(),
    },
    Thing {
        name: "a socket",
        put: |path, _| {
            // A socket's path must be short.
            let short = Path::new("/tmp").join(format!("cachier-{}", name_of(path)));
            drop(UnixListener::bind(&short).unwrap());
            fs::rename(&short, path).unwrap();
        },
    },
    Thing {
        name: "a device",
        put: |path, _| {
            // `/dev/zero`, where this user may create devices; otherwise a link to it.
            let device = rustix::fs::makedev(1, 5);
            mknodat(CWD, path, FileType::CharacterDevice, Mode::RWXU, device)
                .unwrap_or_else(|_| symlink("/dev/zero", path).unwrap());
        },
    },
];

/// A name that no concurrent test uses.
fn name_of(path: &Path) -> String {
    blake3::hash(path.as_os_str().as_encoded_bytes()).to_hex()[..16].to_owned()
}

fn foreign(elsewhere: &Path) -> PathBuf {
    let file = elsewhere.join("diary");
    fs::write(&file, FOREIGN).unwrap();
    file
}

/// Tries something with each obstacle, in a cache with an entry, and checks that its target is unchanged.
fn with_each(place: fn(&Files) -> PathBuf, attempt: fn(&Files) -> Result<(), Error>) {
    for thing in OBSTACLES {
        let (dir, elsewhere) = (tempdir().unwrap(), tempdir().unwrap());
        let files = Files::at(dir.path());
        files.store(&files.key(1), b"value");
        let path = place(&files);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let _ = fs::remove_file(&path);
        (thing.put)(&path, elsewhere.path());
        let attempted = ends(thing.name, move || attempt(&files));
        if let Err(error) = &attempted {
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{}: {error}", thing.name);
            let said = error.to_string();
            assert!(said.starts_with(path.to_str().unwrap()), "{said}");
            assert!(said.contains("remove what stands there"), "{said}");
        }
        let led_to: Vec<_> = fs::read_dir(elsewhere.path()).unwrap().collect();
        for item in led_to {
            let item = item.unwrap();
            assert_eq!(item.file_name(), "diary", "{} was followed", thing.name);
            assert_eq!(fs::read(item.path()).unwrap(), FOREIGN, "{}", thing.name);
        }
    }
}

fn shard_table(files: &Files) -> PathBuf {
    files
        .backend
        .scope_dir(&files.scope)
        .unwrap()
        .join(".ledger")
}

fn lease(files: &Files) -> PathBuf {
    files.path(&files.key(1)).with_extension("lease")
}

fn entry_of_one(files: &Files) -> PathBuf {
    files.path(&files.key(1))
}

fn store(files: &Files, capacity: Option<u64>) -> Result<StoreReply, Error> {
    let stored = files::entry(b"new");
    let mut request = StoreRequest::new(&stored, moment(0));
    request.capacity_bytes = capacity;
    files.backend.store(&files.key(1), request)
}

/// The attempt must fail.
fn must_fail<R>(result: Result<R, Error>) -> Result<(), Error> {
    assert!(result.is_err(), "it cannot work without the shard table");
    result.map(drop)
}

#[test]
fn stores_fail_without_a_proper_shard_table() {
    with_each(shard_table, |files| must_fail(store(files, None)));
    with_each(shard_table, |files| {
        must_fail(store(files, Some(1_000_000)))
    });
}

#[test]
fn removals_fail_without_a_proper_shard_table() {
    with_each(shard_table, |files| {
        must_fail(files.backend.remove(&files.key(1)))
    });
    with_each(shard_table, |files| {
        must_fail(files.backend.clear(&files.scope))
    });
    with_each(shard_table, |files| {
        must_fail(files.backend.clear_leases(&files.scope))
    });
    with_each(shard_table, |files| {
        must_fail(files.backend.cleanup(&files.scope, SystemTime::now()))
    });
}

#[test]
fn entries_are_served_whatever_the_shard_table_is() {
    with_each(shard_table, |files| {
        assert_eq!(files.load(&files.key(1)), Some(files::entry(b"value")));
        must_fail(files.backend.usage(&files.scope))
    });
}

#[test]
fn anything_at_a_leases_path_is_replaced() {
    with_each(lease, |files| {
        let lease = files.granted(&files.key(1));
        assert!(matches!(files.lease(&files.key(1)), LeaseReply::Held(_)));
        files.stored_under(lease, b"new");
        assert!(!self::lease(files).exists());
        Ok(())
    });
}

#[test]
fn anything_at_a_leases_path_is_removed() {
    with_each(lease, |files| {
        assert!(files.backend.remove(&files.key(1))?);
        assert!(self::lease(files).symlink_metadata().is_err());
        Ok(())
    });
    with_each(lease, |files| {
        assert_eq!(
            files.backend.cleanup(&files.scope, SystemTime::now())?,
            Some(1)
        );
        assert!(self::lease(files).symlink_metadata().is_err());
        Ok(())
    });
}

#[test]
fn anything_at_an_entrys_path_is_replaced() {
    with_each(entry_of_one, |files| {
        let found = files.backend.load(&files.key(1))?.unwrap();
        let error = entry::decode(&files.key(1), &found.bytes).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        let lease = files
            .backend
            .lease(&files.key(1), Some(&found.version), PERIOD)?;
        let LeaseReply::Granted(lease) = lease else {
            panic!("{lease:?}");
        };
        files.stored_under(lease, b"new");
        assert_eq!(files.load(&files.key(1)), Some(files::entry(b"new")));
        Ok(())
    });
}

#[test]
fn whatever_stands_for_an_entry_can_be_removed() {
    with_each(entry_of_one, |files| {
        assert!(files.backend.remove(&files.key(1))?);
        assert!(entry_of_one(files).symlink_metadata().is_err());
        Ok(())
    });
}

#[test]
fn a_hard_linked_entry_is_not_read() {
    let dir = tempdir().unwrap();
    let files = Files::at(dir.path());
    files.store(&files.key(1), b"value");
    fs::hard_link(entry_of_one(&files), dir.path().join("other")).unwrap();
    let found = files.load(&files.key(1)).unwrap();
    assert!(entry::decode(&files.key(1), &found).is_err());
}

#[test]
fn a_large_sparse_file_is_not_read() {
    let files = Files::new();
    let large = 511 << 20;
    let loaded = |what: &str| {
        let bytes = files.load(&files.key(1)).unwrap();
        assert!(bytes.len() < 1 << 20, "{what}: {} were read", bytes.len());
        assert!(entry::decode(&files.key(1), &bytes).is_err(), "{what}");
    };
    let path = entry_of_one(&files);
    let enlarge = |length| {
        let file = fs::File::options().write(true).open(&path);
        file.unwrap().set_len(length).unwrap();
    };
    files.store(&files.key(1), b"value");
    for length in [large, 1 << 40] {
        fs::write(&path, b"").unwrap();
        enlarge(length);
        loaded("zeros");
        files.stored_under(files.granted(&files.key(1)), b"value");
        assert_eq!(files.load(&files.key(1)), Some(files::entry(b"value")));
    }
    enlarge(large);
    loaded("what begins as an entry");
}

#[test]
fn a_large_entry_is_read() {
    let files = Files::new();
    let value = vec![0; 3 << 20];
    files.store(&files.key(1), &value);
    assert_eq!(files.load(&files.key(1)), Some(files::entry(&value)));
    let version = files.version(&files.key(1));
    let lease = files
        .backend
        .lease(&files.key(1), version.as_ref(), PERIOD)
        .unwrap();
    assert!(matches!(lease, LeaseReply::Granted(_)));
}

#[test]
fn changes_refuse_links_instead_of_folders() {
    for depth in 0..4 {
        let (dir, elsewhere) = (tempdir().unwrap(), tempdir().unwrap());
        let files = Files::at(dir.path());
        let path = files.path(&files.key(1));
        let mut folders: Vec<&Path> = path.ancestors().skip(1).collect();
        folders.truncate(folders.len() - dir.path().ancestors().count());
        folders.reverse();
        let link = folders[depth];
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        symlink(elsewhere.path(), link).unwrap();
        let refused = |what: &str, error: Error| {
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{what} at {depth}");
            let said = error.to_string();
            assert!(said.starts_with(&format!("{}: ", link.display())), "{said}");
        };
        let (backend, key, scope) = (&files.backend, files.key(1), &files.scope);
        refused("store", store(&files, None).unwrap_err());
        refused("lease", backend.lease(&key, None, PERIOD).unwrap_err());
        refused("remove", backend.remove(&key).unwrap_err());
        refused("clear", backend.clear(scope).unwrap_err());
        refused("clean-up", backend.cleanup(scope, moment(0)).unwrap_err());
        refused("leases", backend.clear_leases(scope).unwrap_err());
        assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
    }
}

#[test]
fn the_cache_folder_itself_may_be_a_link() {
    let dir = tempdir().unwrap();
    fs::create_dir(dir.path().join("there")).unwrap();
    symlink("there", dir.path().join("link")).unwrap();
    let files = Files::at(&dir.path().join("link"));
    files.store(&files.key(1), b"value");
    assert_eq!(files.load(&files.key(1)), Some(files::entry(b"value")));
    assert_eq!(files.backend.clear(&files.scope).unwrap(), Some(1));
    files.backend.check().unwrap();
}

/// Every operation on a folder that must not be used; none may touch it.
#[track_caller]
fn all_are_denied(folder: &Path) {
    let files = Files::at(folder);
    let (backend, key, scope) = (&files.backend, files.key(1), &files.scope);
    let errors = [
        backend.load(&key).map(drop),
        store(&files, None).map(drop),
        backend.lease(&key, None, PERIOD).map(drop),
        backend.remove(&key).map(drop),
        backend.clear(scope).map(drop),
        backend.clear_leases(scope),
        backend.cleanup(scope, moment(0)).map(drop),
        backend.usage(scope).map(drop),
        backend.check(),
    ];
    for error in errors.map(Result::unwrap_err) {
        assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
        assert!(error.to_string().starts_with(folder.to_str().unwrap()));
    }
    assert_eq!(fs::read_dir(folder).unwrap().count(), 0);
}

#[test]
fn a_folder_writable_for_others_is_denied() {
    let dir = tempdir().unwrap();
    for mode in [0o777, 0o1777, 0o770, 0o702] {
        let set = |mode| fs::set_permissions(dir.path(), fs::Permissions::from_mode(mode)).unwrap();
        set(mode);
        all_are_denied(dir.path());
        let backend = FileBackend::new(dir.path());
        assert!(
            backend
                .check()
                .unwrap_err()
                .to_string()
                .contains("chmod go-w")
        );
        set(0o755);
        backend.check().unwrap();
    }
}

#[test]
fn a_folder_of_another_user_is_denied() {
    let dir = tempdir().unwrap();
    let other = dir.path().metadata().unwrap().uid() + 1;
    if std::os::unix::fs::chown(dir.path(), Some(other), None).is_err() {
        return eprintln!("skipped: this user cannot give a folder away");
    }
    all_are_denied(dir.path());
}

#[test]
fn a_folder_created_inside_is_used() {
    let dir = tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let files = Files::at(&dir.path().join("mine"));
    files.backend.check().unwrap();
    files.store(&files.key(1), b"value");
    assert!(files.load(&files.key(1)).is_some());
}

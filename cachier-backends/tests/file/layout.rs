//! The layout of the folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cachier_backends::file::FileBackend;
use cachier_backends::{Blocking, BlockingBackend, Operation, Scope};
use futures_lite::future::block_on;
use tempfile::tempdir;

use crate::first_format;
use crate::support::files::{self, Files};

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
    let scope = dir
        .path()
        .join("cachier@2/default")
        .join("weather%3A%3Aforecast");
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
fn case_distinguishes_folders_on_every_file_system() {
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

#[test]
fn a_leading_tilde_is_the_home_folder() {
    let home = std::env::home_dir().unwrap();
    let backend = FileBackend::new("~/no such");
    assert_eq!(backend.dir(), Some(&*home.join("no such")));
    let refused = FileBackend::new("~nobody/x");
    assert_eq!(refused.dir(), None);
    let error = refused.clear(&Arc::new(Scope::new("n", "f"))).unwrap_err();
    assert!(error.to_string().contains("another user's home"), "{error}");
    assert_eq!(error.operation(), Operation::Clear);
    assert!(!Path::new("~nobody").exists());
}

#[test]
fn files_of_the_first_format_are_left_alone() {
    let dir = tempdir().unwrap();
    let function = dir.path().join("shared/weather%3A%3Aforecast");
    let shard = function.join("1/2a");
    fs::create_dir_all(&shard).unwrap();
    fs::write(function.join(".ledger"), b"the books of the first format").unwrap();
    fs::write(shard.join(first_format::HASH), first_format::entry()).unwrap();
    fs::write(shard.join(format!("{}.lease", first_format::HASH)), b"").unwrap();
    fs::write(shard.join(".1700000000-1-1.tmp"), b"half").unwrap();
    let all = async || {
        let mut files = files::all_below(&dir.path().join("shared"));
        files.sort();
        let with_bytes = |path: PathBuf| (fs::read(&path).unwrap(), path);
        files.into_iter().map(with_bytes).collect::<Vec<_>>()
    };
    let backend = Blocking::new(FileBackend::new(dir.path()));
    block_on(async {
        assert_eq!(all().await.len(), 4);
        first_format::is_left_alone(&backend, all).await;
    });
}

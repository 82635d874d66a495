//! The SQL backend on SQLite.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::time::{Duration, Instant};

use cachier_backends::sql::SqlBackend;
use cachier_backends::{Backend, ErrorKind, StoreRequest, blocking};
use futures_lite::future::block_on;
use sqlx::SqlitePool as Pool;
use tempfile::TempDir;

mod first_format;
#[path = "sql_support/on_each_database.rs"]
mod on_each_database;
mod program_client;
mod server_support;
mod sql_support;
use on_each_database::execute;
use sql_support::{Database, a_reader, created, key, put, scope};

fn url(folder: &Path) -> String {
    format!("sqlite:{}", folder.join("cache.db").display())
}

fn backend(folder: &Path) -> SqlBackend {
    SqlBackend::from_url(&url(folder)).unwrap()
}

/// A file for one test.
fn database() -> Option<Database> {
    let folder = tempfile::tempdir().unwrap();
    Some(Database {
        url: format!("{}?mode=rwc", url(folder.path())),
        folder: Some(folder),
    })
}

fn of_pool(pool: Pool) -> SqlBackend {
    SqlBackend::with_sqlite_pool(pool)
}

/// Inserts many entries of one byte.
fn rows(table: &str, many: u64) -> String {
    format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {many}) \
         INSERT INTO {table} (scope, id, entry, revision, created, size) \
         SELECT '{}', randomblob(32), x'00', randomblob(16), 1, 1 FROM n",
        scope()
    )
}

/// Contents of columns that no backend writes.
const GARBAGE: &str = "entry = x'ff00fe', revision = x'01'";

fn blob(hex: &str) -> String {
    format!("x'{hex}'")
}

/// Creates the first version of the table.
const OLD_SCHEMA: &str = "CREATE TABLE older (scope TEXT NOT NULL, code TEXT NOT NULL, hash BLOB NOT NULL, revision BLOB, \
    created INTEGER, expires INTEGER, size INTEGER, owner BLOB, owned_until INTEGER, entry BLOB, \
    PRIMARY KEY (scope, code, hash)); \
    CREATE INDEX older_by_age ON older (scope, created, size); \
    CREATE TABLE older_schema (id INTEGER PRIMARY KEY, version INTEGER NOT NULL); \
    INSERT INTO older_schema (id, version) VALUES (1, 1)";

#[test]
fn a_read_only_user_may_load() {
    let folder = tempfile::tempdir().unwrap();
    let reader = SqlBackend::from_url(&format!("{}?mode=ro", url(folder.path()))).unwrap();
    block_on(a_reader(&backend(folder.path()), async || {}, &reader));
}

#[test]
fn a_new_file_may_be_opened_concurrently() {
    for _ in 0..100 {
        let folder = tempfile::tempdir().unwrap();
        let barrier = std::sync::Barrier::new(8);
        std::thread::scope(|scope| {
            for number in 0..8 {
                let (folder, barrier) = (&folder, &barrier);
                scope.spawn(move || {
                    let backend = backend(folder.path());
                    barrier.wait();
                    let request = StoreRequest::new(b"one", created());
                    block_on(backend.store(&key(number), request)).unwrap();
                });
            }
        });
    }
}

#[cfg(unix)]
#[test]
fn files_are_created_for_the_user_alone() {
    use std::fs::{Permissions, metadata, read_dir, set_permissions};
    use std::os::unix::fs::PermissionsExt;
    let mode = |path: &Path| metadata(path).unwrap().permissions().mode() & 0o777;
    let folder = tempfile::tempdir().unwrap();
    let stores = || {
        let (backend, key) = (backend(folder.path()), key(1));
        let request = StoreRequest::new(b"one", created());
        block_on(backend.store(&key, request)).unwrap();
        let files = read_dir(folder.path()).unwrap();
        let files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
        (files, backend)
    };
    let (files, _backend) = stores();
    // Beside the database: its write-ahead log and the log's index.
    assert_eq!(files.len(), 3, "{files:?}");
    assert!(files.iter().all(|file| mode(file) == 0o600), "{files:?}");
    for file in &files {
        set_permissions(file, Permissions::from_mode(0o640)).unwrap();
    }
    let (files, _backend) = stores();
    assert!(files.iter().all(|file| mode(file) == 0o640), "{files:?}");
}

#[cfg(unix)]
#[test]
fn a_file_that_was_removed_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    let file = cache.join("sql.db");
    let remove_folder = || std::fs::remove_dir_all(&cache).unwrap();
    let remove_file = || std::fs::remove_file(&file).unwrap();
    let backend = SqlBackend::sqlite_in(&cache).unwrap();
    let at_its_path = || SqlBackend::sqlite_in(&cache).unwrap();
    let is_stored = async |number| {
        let request = StoreRequest::new(b"one", created());
        // Until this is noticed, the orphaned log may interfere.
        let stored = backend.store(&key(number), request).await;
        let loaded = at_its_path().load(&key(number)).await;
        stored.is_ok() && loaded.is_ok_and(|loaded| loaded.is_some())
    };
    sql_support::runtime().block_on(async {
        for remove in [&remove_folder as &dyn Fn(), &remove_file] {
            assert!(is_stored(1).await);
            remove();
            let started = Instant::now();
            while !is_stored(2).await {
                assert!(
                    started.elapsed() < Duration::from_secs(20),
                    "nobody sees it"
                );
            }
            assert_eq!(backend.load(&key(1)).await.unwrap(), None);
        }
    });
    let on_a_thread = || block_on(is_stored(3));
    assert!(blocking::inline(Duration::from_secs(60), on_a_thread));
}

#[test]
fn what_is_no_database_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("cache.db"), [7; 4096]).unwrap();
    let error = block_on(backend(folder.path()).load(&key(1))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error:?}");

    let nowhere = SqlBackend::from_url("sqlite:/nowhere/at/all.db").unwrap();
    let error = block_on(nowhere.load(&key(1))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect, "{error:?}");
}

#[test]
fn addresses_that_cannot_be_say_what_to_write() {
    for url in [
        "sqlite::memory:",
        "sqlite:x?mode=memory",
        "oracle:x",
        "",
        "postgres://a:s3cret@[x",
    ] {
        let error = SqlBackend::from_url(url).unwrap_err();
        let text = format!("{error:#} {error:?}");
        assert!(!text.contains("s3cret"), "{text}");
        assert!(text.contains("; "), "no hint: {text}");
    }
    let folder = tempfile::tempdir().unwrap();
    assert!(backend(folder.path()).table("x; DROP TABLE y").is_err());
}

#[cfg(unix)]
#[test]
fn a_foreign_file_is_left_alone() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().unwrap();
    let (cache, diary) = (folder.path().join("cache"), folder.path().join("diary"));
    let database = cache.join("sql.db");
    std::fs::create_dir(&cache).unwrap();
    std::fs::write(&diary, "Dear diary").unwrap();
    let refused = |what: &str| {
        let Err(error) = SqlBackend::sqlite_in(&cache) else {
            panic!("{what} is used");
        };
        assert!(error.to_string().starts_with(database.to_str().unwrap()));
        assert_eq!(std::fs::read_to_string(&diary).unwrap(), "Dear diary");
        std::fs::remove_file(&database)
            .or_else(|_| std::fs::remove_dir(&database))
            .unwrap();
    };
    symlink(&diary, &database).unwrap();
    refused("a link");
    symlink(folder.path().join("nothing"), &database).unwrap();
    refused("a link to nothing");
    std::fs::hard_link(&diary, &database).unwrap();
    refused("another name of a file");
    std::fs::create_dir(&database).unwrap();
    refused("a folder");
    rustix::fs::mkfifoat(rustix::fs::CWD, &database, rustix::fs::Mode::RWXU).unwrap();
    refused("a pipe");
    assert!(!folder.path().join("nothing").exists());
    block_on(SqlBackend::sqlite_in(&cache).unwrap().check()).unwrap();
}

#[cfg(unix)]
#[test]
fn a_folder_writable_for_others_is_denied() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let set = |mode| {
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(folder.path(), mode).unwrap();
    };
    set(0o777);
    let error = SqlBackend::sqlite_in(folder.path()).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Denied);
    set(0o755);
    SqlBackend::sqlite_in(folder.path()).unwrap();
}

#[test]
fn a_leading_tilde_is_the_home_folder() {
    let home = std::env::home_dir().unwrap();
    let name_of = |backend: Result<SqlBackend, _>| backend.map(|backend| backend.store_name());
    let in_home = |path: &str| format!("sqlite:{}#cachier_entries", home.join(path).display());
    let name = name_of(SqlBackend::from_url("sqlite:~/no/such.db"));
    assert_eq!(name.unwrap(), in_home("no/such.db"));
    let name = name_of(SqlBackend::from_url("sqlite://~/no/such.db?mode=ro"));
    assert_eq!(name.unwrap(), in_home("no/such.db"));
    for refused in [
        name_of(SqlBackend::from_url("sqlite:~nobody/x.db")),
        name_of(SqlBackend::sqlite_in("~nobody/x")),
    ] {
        let error = refused.unwrap_err();
        assert!(error.to_string().contains("another user's home"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_gives_space_back_after_a_clear() {
    let (folder, backend, full) = filled().await;
    backend.clear(&scope()).await.unwrap();
    until_smaller(folder.path(), full / 10).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_gives_space_back_after_a_cleanup() {
    let (folder, backend, full) = filled().await;
    let later = created() + Duration::from_secs(3600);
    backend.cleanup(&scope(), later).await.unwrap();
    until_smaller(folder.path(), full / 10).await;
}

#[test]
fn a_synchronous_clear_gives_space_back_too() {
    let (folder, full) = blocking::inline(Duration::from_secs(60), || {
        let (folder, backend, full) = block_on(filled());
        block_on(backend.clear(&scope())).unwrap();
        (folder, full)
    });
    sql_support::runtime().block_on(until_smaller(folder.path(), full / 10));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_gives_space_back_after_removals() {
    let (folder, backend, full) = filled().await;
    for n in 0..30 {
        assert!(backend.remove(&key(n)).await.unwrap());
    }
    until_smaller(folder.path(), full * 6 / 10).await;
    // Removing the entry under a lease is a removal too.
    for n in 30..60 {
        let key = key(n);
        let lease = backend.take_over(&key, Duration::from_secs(60)).await;
        backend.vacate(lease.unwrap()).await.unwrap();
    }
    until_smaller(folder.path(), full / 10).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_half_failed_clear_gives_space_back() {
    let (folder, backend, full) = filled().await;
    let fails = "CREATE TRIGGER fails BEFORE DELETE ON cachier_entries WHEN OLD.rowid = 31 \
        BEGIN SELECT RAISE(FAIL, 'on purpose'); END";
    execute(&url(folder.path()), fails.to_owned()).await;
    backend.clear(&scope()).await.unwrap_err();
    until_smaller(folder.path(), full * 6 / 10).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_clear_gives_leftover_space_back() {
    let (folder, former, full) = filled().await;
    drop(former);
    // As of a process that ended before it had given any back.
    let statement = "DELETE FROM cachier_entries".to_owned();
    execute(&url(folder.path()), statement).await;
    assert!(size_on_disk(folder.path()) > full / 2);
    let backend = backend(folder.path());
    assert_eq!(backend.clear(&scope()).await.unwrap(), Some(0));
    until_smaller(folder.path(), full / 10).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn smaller_replacements_give_space_back() {
    let (folder, backend, full) = filled().await;
    let small = || StoreRequest::new(&[7; 10], created());
    for n in 0..30 {
        backend.store(&key(n), small()).await.unwrap();
    }
    until_smaller(folder.path(), full * 6 / 10).await;
    for n in 30..60 {
        let key = key(n);
        let lease = backend.take_over(&key, Duration::from_secs(60)).await;
        let request = small().under(lease.unwrap());
        backend.store(&key, request).await.unwrap();
    }
    until_smaller(folder.path(), full / 10).await;
}

/// Removes an entry and stores it again, on and on, until the future ends; what that returns.
async fn while_entries_come_and_go<T>(backend: &SqlBackend, ends: impl Future<Output = T>) -> T {
    let come_and_go = async {
        loop {
            put(backend, &key(200), &[7; 1_000]).await;
            backend.remove(&key(200)).await.unwrap();
        }
    };
    tokio::select! {
        done = ends => done,
        () = come_and_go => unreachable!("it never ends"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_for_space_ignores_later_removals() {
    let (folder, backend, full) = filled().await;
    for _ in 0..3 {
        backend.clear(&scope()).await.unwrap();
        let idle = tokio::time::timeout(Duration::from_secs(20), backend.idle());
        let waited = while_entries_come_and_go(&backend, idle).await;
        waited.expect("it ends").unwrap();
        assert!(size_on_disk(folder.path()) < full / 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn steady_removals_leave_slack() {
    const MEGABYTE: u64 = 1 << 20;
    let folder = tempfile::tempdir().unwrap();
    let backend = backend(folder.path());
    // At once, unless this machine stood still for a second.
    let mut kept = 0;
    for _ in 0..5 {
        let full = fill(&backend, folder.path()).await;
        for n in 0..40 {
            backend.remove(&key(n)).await.unwrap();
        }
        let smaller = until_smaller(folder.path(), full - MEGABYTE);
        while_entries_come_and_go(&backend, smaller).await;
        kept = vacant(folder.path()).await;
        if kept > MEGABYTE * 3 / 4 {
            break;
        }
    }
    assert!(kept > MEGABYTE * 3 / 4, "{kept} bytes are left vacant");
    backend.idle().await.unwrap();
    assert!(
        vacant(folder.path()).await < MEGABYTE / 64,
        "once somebody waits"
    );
}

/// The bytes of vacant pages.
async fn vacant(folder: &Path) -> u64 {
    let pool = Pool::connect(&url(folder)).await.unwrap();
    let free = sqlx::query_scalar::<_, i64>("PRAGMA freelist_count");
    let free = free.fetch_one(&pool).await.unwrap();
    let size = sqlx::query_scalar::<_, i64>("PRAGMA page_size");
    let size = size.fetch_one(&pool).await.unwrap();
    pool.close().await;
    u64::try_from(free * size).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn giving_space_back_recreates_no_removed_folder() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("inner");
    for _ in 0..10 {
        let backend = SqlBackend::sqlite_in(&inner).unwrap();
        put(&backend, &key(1), &[7; 100_000]).await;
        backend.clear(&scope()).await.unwrap();
        // Until nobody makes a file in it meanwhile.
        while inner.exists() {
            let _ = std::fs::remove_dir_all(&inner);
        }
        backend.idle().await.unwrap();
        assert!(!inner.exists());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_stays_small_while_entries_are_stored() {
    let folder = tempfile::tempdir().unwrap();
    let backend = backend(folder.path());
    for n in 0..60 {
        put(&backend, &key(n), &[7; 30_000]).await;
        let log = folder.path().join("cache.db-wal").metadata().unwrap().len();
        assert!(log < 1 << 20, "{log} bytes");
    }
}

/// A backend with six megabytes, in a folder of its own, and their size there.
async fn filled() -> (TempDir, SqlBackend, u64) {
    let folder = tempfile::tempdir().unwrap();
    let backend = backend(folder.path());
    let full = fill(&backend, folder.path()).await;
    (folder, backend, full)
}

/// How large the file is then.
async fn fill(backend: &SqlBackend, folder: &Path) -> u64 {
    for n in 0..60 {
        put(backend, &key(n), &[7; 100_000]).await;
    }
    let full = size_on_disk(folder);
    assert!(full > 5 << 20, "{full} bytes");
    full
}

/// The file and its log.
fn size_on_disk(folder: &Path) -> u64 {
    let files = std::fs::read_dir(folder).unwrap();
    let sizes = files.map(|file| file.unwrap().metadata().unwrap().len());
    sizes.sum()
}

async fn until_smaller(folder: &Path, limit: u64) {
    let begin = Instant::now();
    while size_on_disk(folder) > limit {
        let size = size_on_disk(folder);
        assert!(begin.elapsed() < Duration::from_secs(30), "{size} bytes");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

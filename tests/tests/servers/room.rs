//! SQLite on a full disk: calls compute, failures are counted, nothing is lost, and service resumes.

use std::fs::{self, File};
use std::io::{ErrorKind as Io, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use cachier::{Call, CallOptions, ErrorKind, Outcome, cachier, global_params, set_global_params};
use cachier_metrics::ErrorLabel;
use cachier_tests::callers::runtime;
use cachier_tests::process::{part, skip};
use cachier_tests::wait::until;
use sqlx::{Connection, SqliteConnection};

use crate::store::Subject;

crate::on_stores!([sqlite: Sqlite] { a_full_disk_costs_only_results });

/// The length of values: a few pages.
const LENGTH: usize = 20_000;

/// Calls while the disk is full. The database's files have room for the first of them.
const CALLS: u64 = 40;

const TIMEOUT: Duration = Duration::from_secs(10);

#[cachier(backend = registered("store"), enable_metrics)]
fn repeat(number: u64) -> String {
    number.to_string().repeat(LENGTH)
}

fn call(number: u64) -> Call<String> {
    let started = Instant::now();
    let call = repeat::call_detailed(CallOptions::new(), number);
    assert_eq!(call.value, number.to_string().repeat(LENGTH));
    assert!(started.elapsed() < TIMEOUT, "{:?}", started.elapsed());
    call
}

fn a_full_disk_costs_only_results(subject: &Subject) {
    if part().is_none() {
        let folder = cachier_servers::folder();
        let file = folder.path().join("cache.db");
        let own = subject.elsewhere(format!("sqlite:{}", file.display()));
        return match own.start_on_a_disk(folder.path(), "size=1m") {
            Some(process) => process.finish(),
            None => skip("this user may not mount a file system"),
        };
    }
    let params = global_params().operation_timeout(TIMEOUT / 2);
    // Without a breaker, every call uses the store.
    set_global_params(params.breaker_threshold(u32::MAX));
    let file = Path::new(subject.address.trim_start_matches("sqlite:"));
    assert_eq!(call(0).outcome, Outcome::Miss);
    let filler = fill(file);
    let failed = (1..=CALLS).filter(|number| fails(*number)).count() as u64;
    assert!(failed > CALLS / 2, "{failed} calls failed");
    assert_eq!(call(0).outcome, Outcome::Hit, "what is stored is served");

    let errors = repeat::metrics().snapshot().backend_errors;
    let of_kind = |kind| errors.values().map(|kinds| kinds[kind]).sum::<u64>();
    assert!(of_kind(ErrorLabel::Full) >= failed, "{errors:?}");
    let all = errors.values().flat_map(|kinds| kinds.values());
    assert_eq!(all.sum::<u64>(), of_kind(ErrorLabel::Full));

    fs::remove_file(filler).unwrap();
    until("results are stored again", || {
        let call = call(CALLS + 1);
        call.outcome == Outcome::Hit && call.backend_error.is_none()
    });
    assert_eq!(call(0).outcome, Outcome::Hit, "nothing was lost");
    is_intact(&subject.address);
}

/// Whether a call's result is not stored for lack of room. It is right all the same.
fn fails(number: u64) -> bool {
    let call = call(number);
    let Some(error) = &call.backend_error else {
        return false;
    };
    assert_eq!(error.kind(), ErrorKind::Full, "{error:#}");
    assert!(
        matches!(call.outcome, Outcome::Miss | Outcome::Unavailable),
        "{call}"
    );
    true
}

/// Fills the disk of a file, with another file.
fn fill(file: &Path) -> PathBuf {
    let filler = file.with_file_name("filler");
    let mut written = File::create(&filler).unwrap();
    let full = loop {
        if let Err(error) = written.write_all(&[0; 4096]) {
            break error;
        }
    };
    assert_eq!(full.kind(), Io::StorageFull);
    filler
}

fn is_intact(address: &str) {
    let said: String = runtime().block_on(async {
        let mut connection = SqliteConnection::connect(address).await.unwrap();
        let asked = sqlx::query_scalar("PRAGMA integrity_check");
        asked.fetch_one(&mut connection).await.unwrap()
    });
    assert_eq!(said, "ok");
}

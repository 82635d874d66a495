//! A cache folder that others may write to, and what may stand in its way, as seen by calls, companions and `check`.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use cachier::{Call, CallOptions, ErrorKind, Outcome};
use cachier_tests::sandbox::{files, in_folder, in_folder_async};
use cachier_tests::{double, triple};

double!(backend = "file", enable_metrics);

triple!(backend = "file", enable_metrics);

fn call(number: u64) -> Call<u64> {
    double::call_detailed(CallOptions::new(), number)
}

#[test]
fn check_reports_a_folder_writable_for_others() {
    in_folder(|folder| {
        let set = |mode| fs::set_permissions(folder, fs::Permissions::from_mode(mode)).unwrap();
        set(0o777);
        let denied = call(21);
        assert_eq!((denied.value, denied.outcome), (42, Outcome::Unavailable));
        let error = denied.backend_error.unwrap();
        assert_eq!(error.kind(), ErrorKind::Denied);
        assert_eq!(
            double::invalidate(21).unwrap_err().kind(),
            ErrorKind::Denied
        );
        let health = &cachier::check()[0];
        assert!(!health.is_healthy());
        assert!(health.to_string().contains("chmod go-w"), "{health}");
        assert_eq!(fs::read_dir(folder).unwrap().count(), 0);
        set(0o700);
        assert!(cachier::check()[0].is_healthy());
        assert_eq!(call(21).outcome, Outcome::Miss);
        assert_eq!(call(21).outcome, Outcome::Hit);
    });
}

/// The only file with this name or suffix.
fn file(folder: &Path, name: &str) -> std::path::PathBuf {
    let found = files(folder).into_iter().find(|path| path.ends_with(name));
    found.unwrap()
}

#[test]
fn a_link_for_the_shard_table_blocks_nothing() {
    in_folder(|folder| {
        double(21);
        let table = file(folder, ".ledger");
        fs::remove_file(&table).unwrap();
        symlink(folder.join("target"), &table).unwrap();
        assert_eq!(call(21).outcome, Outcome::Hit);
        for number in 0..20 {
            let missed = call(number + 100);
            assert_eq!(
                missed.outcome,
                Outcome::Miss,
                "the store works but for this"
            );
            let error = missed.backend_error.unwrap();
            assert!(error.to_string().starts_with(table.to_str().unwrap()));
        }
        assert!(double::clear_cache().is_err());
        assert!(!folder.join("target").exists());
        fs::remove_file(&table).unwrap();
        assert_eq!(double::clear_cache().unwrap(), Some(1));
    });
}

#[test]
fn links_or_folders_for_leases_cost_nothing() {
    in_folder(|folder| {
        for (round, is_link) in [true, false].into_iter().enumerate() {
            double(21);
            let entry = cachier_tests::sandbox::entries(folder).remove(0);
            let lease = entry.with_extension("lease");
            double::invalidate(21).unwrap();
            if is_link {
                symlink(folder.join("target"), &lease).unwrap();
            } else {
                fs::create_dir(&lease).unwrap();
            }
            let call = call(21);
            assert_eq!((call.value, call.outcome), (42, Outcome::Miss), "{round}");
            assert!(call.backend_error.is_none(), "{:?}", call.backend_error);
            assert_eq!(self::call(21).outcome, Outcome::Hit);
            assert!(!folder.join("target").exists() && lease.symlink_metadata().is_err());
        }
    });
}

#[tokio::test]
async fn a_link_for_a_lease_leaks_no_task() {
    in_folder_async(async |folder| {
        triple(1).await;
        let entry = cachier_tests::sandbox::entries(folder).remove(0);
        triple::invalidate(1).await.unwrap();
        symlink(folder.join("target"), entry.with_extension("lease")).unwrap();
        let call = triple::call_detailed(CallOptions::new(), 1).await;
        assert_eq!((call.value, call.outcome), (3, Outcome::Miss));
        assert!(call.backend_error.is_none());
        assert!(!folder.join("target").exists());
    })
    .await;
}

//! Names of default folders, and removal of unused ones.
#![allow(clippy::unwrap_used)]

use std::fs::{self, File};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::last_use::{LAST_USE_FILE, TOUCH_INTERVAL, touch};
use super::name::{HASH_DIGITS, MAX_NAME_BYTES, folder_name, is_of_package};
use super::{DefaultFolder, unused};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The folders of some packages, and a day to clean up.
struct Packages(tempfile::TempDir);

impl Packages {
    /// Cleaned two days ago.
    fn new() -> Self {
        let packages = Self(tempfile::tempdir().unwrap());
        touch(&packages.path(".cleaned"), today() - 2 * DAY).unwrap();
        packages
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn folder(&self, package: &str) -> DefaultFolder {
        DefaultFolder::among(self.0.path(), package, Some(1))
    }

    /// A folder with an entry, last used this long ago.
    fn used(&self, package: &str, ago: Duration) -> PathBuf {
        let folder = self.folder(package);
        let entries = folder.path().join("default/function/none");
        fs::create_dir_all(&entries).unwrap();
        fs::write(entries.join("entry"), "entry").unwrap();
        folder.into_parts().1.unwrap().note(today() - ago);
        self.folder(package).into_parts().0
    }

    fn clean(&self, now: SystemTime) {
        self.folder("mine").remove_unused(now).unwrap();
    }
}

fn today() -> SystemTime {
    UNIX_EPOCH + 20_000 * DAY
}

#[test]
fn each_package_and_place_has_a_folder() {
    let names = [
        folder_name("app", None),
        folder_name("app", Some(1)),
        folder_name("app", Some(2)),
        folder_name("App", Some(1)),
        folder_name("äpp", Some(1)),
        folder_name("../app", Some(1)),
        folder_name(&"a".repeat(300), Some(1)),
        folder_name(&"a".repeat(301), Some(1)),
        folder_name("", None),
    ];
    for (index, name) in names.iter().enumerate() {
        assert!(is_of_package(name), "{name}");
        assert!(name.len() <= MAX_NAME_BYTES + 1 + HASH_DIGITS, "{name}");
        assert!(!names[..index].contains(name), "{name}");
    }
    assert!(names[1].starts_with("app-"));
    for other in ["app", "app-", "app-0123456789ABCDEF", "app-123", ".cleaned"] {
        assert!(!is_of_package(other), "{other}");
    }
}

/// A change of these makes every program start with an empty cache.
#[test]
fn folder_names_never_change() {
    assert_eq!(folder_name("app", None), "app-84072ad96bc03d1a");
}

#[test]
fn only_unused_folders_are_removed_after_thirty_days() {
    let packages = Packages::new();
    let old = packages.used("old", 30 * DAY);
    let young = packages.used("young", 29 * DAY);
    let mine = packages.used("mine", 300 * DAY);
    let from_the_future = packages.used("future", Duration::ZERO);
    touch(&from_the_future.join(LAST_USE_FILE), today() + 300 * DAY).unwrap();
    packages.clean(today());
    assert!(!old.exists());
    assert!(young.join("default/function/none/entry").exists());
    assert!(mine.exists() && from_the_future.exists());
    assert_eq!(fs::read_dir(packages.0.path()).unwrap().count(), 4);
}

#[test]
fn it_is_looked_once_a_day_at_most() {
    let packages = Packages::new();
    packages.clean(today());
    let old = packages.used("old", 40 * DAY);
    packages.clean(today());
    packages.clean(today() + DAY - Duration::from_secs(1));
    assert!(old.exists());
    packages.clean(today() + DAY);
    assert!(!old.exists());
}

#[test]
fn the_first_cleaning_only_starts_the_clock() {
    let packages = Packages::new();
    fs::remove_file(packages.path(".cleaned")).unwrap();
    let old = packages.used("old", 40 * DAY);
    packages.clean(today());
    assert!(old.exists());
    packages.clean(today() + DAY);
    assert!(!old.exists());
}

#[test]
fn nothing_is_looked_at_while_another_process_looks() {
    let packages = Packages::new();
    let old = packages.used("old", 40 * DAY);
    let other = File::open(packages.path(".cleaned")).unwrap();
    other.try_lock().unwrap();
    packages.clean(today());
    assert!(old.exists());
    drop(other);
    packages.clean(today());
    assert!(!old.exists());
}

#[test]
fn a_use_is_noted_every_few_hours() {
    let packages = Packages::new();
    let folder = packages.folder("app");
    let used = folder.path().join(LAST_USE_FILE);
    let last_use = folder.into_parts().1.unwrap();
    // Nothing is stored there yet.
    last_use.note(today());
    assert!(!used.exists());
    fs::create_dir_all(used.parent().unwrap()).unwrap();
    let noted = |now| {
        last_use.note(now);
        fs::metadata(&used).unwrap().modified().unwrap()
    };
    assert_eq!(noted(today()), today());
    assert_eq!(noted(today() + TOUCH_INTERVAL / 2), today());
    assert_eq!(noted(today() + TOUCH_INTERVAL), today() + TOUCH_INTERVAL);
}

#[test]
fn an_unrecorded_folder_counts_as_used_now() {
    let packages = Packages::new();
    let folder = packages.used("app", 40 * DAY);
    fs::remove_file(folder.join(LAST_USE_FILE)).unwrap();
    packages.clean(today());
    assert!(folder.exists());
    packages.clean(today() + 30 * DAY);
    assert!(!folder.exists());
}

#[test]
fn an_interrupted_removal_is_completed() {
    let packages = Packages::new();
    let (name, left) = (folder_name("app", Some(1)), "default/half");
    let half = packages.path(&format!("{name}.unused"));
    fs::create_dir_all(half.join(left)).unwrap();
    packages.clean(today());
    assert!(!half.exists());
}

#[cfg(unix)]
#[test]
fn foreign_files_stay_and_links_are_not_followed() {
    use std::os::unix::fs::symlink;
    let packages = Packages::new();
    let elsewhere = tempfile::tempdir().unwrap();
    let kept = elsewhere.path().join("kept");
    fs::write(&kept, "kept").unwrap();
    touch(&elsewhere.path().join(LAST_USE_FILE), today() - 40 * DAY).unwrap();

    let linked = packages.path(&folder_name("linked", None));
    symlink(elsewhere.path(), &linked).unwrap();
    let old = packages.used("old", 40 * DAY);
    symlink(elsewhere.path(), old.join("default/link")).unwrap();
    let foreign = packages.path("foreign");
    fs::create_dir(&foreign).unwrap();
    touch(&foreign.join(LAST_USE_FILE), today() - 40 * DAY).unwrap();
    let file = packages.path(&folder_name("file", None));
    fs::write(&file, "a file").unwrap();

    packages.clean(today());
    assert!(!old.exists());
    assert!(kept.exists() && linked.exists() && foreign.exists() && file.exists());
}

#[test]
fn removal_at_once_is_bounded() {
    let packages = Packages::new();
    let old = packages.used("old", 40 * DAY);
    let mut left = 3;
    unused::remove_folder(&old, &mut left).unwrap();
    assert!(old.exists());
    unused::remove_folder(&old, &mut 100).unwrap();
    assert!(!old.exists());
}

#[test]
#[cfg(unix)]
fn a_note_of_use_follows_no_link() {
    let packages = Packages::new();
    let (folder, last_use) = packages.folder("app").into_parts();
    fs::create_dir_all(&folder).unwrap();
    let (note, last_use) = (folder.join(LAST_USE_FILE), last_use.unwrap());
    let elsewhere = packages.path("elsewhere");
    std::os::unix::fs::symlink(&elsewhere, &note).unwrap();
    last_use.note(today());
    assert!(!elsewhere.exists());
    fs::remove_file(&note).unwrap();
    fs::write(&elsewhere, "").unwrap();
    let modified = || fs::metadata(&elsewhere).unwrap().modified().unwrap();
    let before = modified();
    fs::hard_link(&elsewhere, &note).unwrap();
    last_use.note(today());
    assert_eq!(modified(), before);
}

#[test]
#[cfg(unix)]
fn the_note_of_cleaning_is_no_link() {
    use std::os::unix::fs::symlink;

    use rustix::fs::{CWD, Mode, mkfifoat};

    let packages = Packages::new();
    let (note, elsewhere) = (packages.path(".cleaned"), packages.path("elsewhere"));
    fs::rename(&note, &elsewhere).unwrap();
    let noted = || fs::metadata(&elsewhere).unwrap().modified().unwrap();
    let before = noted();
    symlink(&elsewhere, &note).unwrap();
    assert!(packages.folder("mine").remove_unused(today()).is_err());
    assert_eq!(noted(), before);
    fs::remove_file(&note).unwrap();
    fs::hard_link(&elsewhere, &note).unwrap();
    assert!(packages.folder("mine").remove_unused(today()).is_err());
    assert_eq!(noted(), before);
    fs::remove_file(&note).unwrap();
    mkfifoat(CWD, &note, Mode::RWXU).unwrap();
    // A pipe without a reader would be waited for.
    assert!(packages.folder("mine").remove_unused(today()).is_err());
}

#[test]
#[cfg(all(unix, feature = "file"))]
fn no_use_is_recorded_in_an_untrusted_folder() {
    use std::os::unix::fs::PermissionsExt;

    use crate::{BlockingBackend, Key, KeyHash, Scope, Version, file::FileBackend};

    let packages = Packages::new();
    let folder = packages.folder("app");
    let path = folder.path().to_owned();
    fs::create_dir_all(&path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).unwrap();
    let scope = Arc::new(Scope::new("default", "function"));
    let key = Key::new(scope, Version::Unversioned, KeyHash::from_bytes([7; 32]));
    let loaded = FileBackend::in_default(Some(folder)).load(&key);
    assert_eq!(loaded.unwrap_err().kind(), crate::ErrorKind::Denied);
    assert!(!path.join(LAST_USE_FILE).exists());
}

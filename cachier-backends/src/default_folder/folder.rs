//! A default folder and its use.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use super::last_use::LastUse;
use super::name::folder_name;
use super::{unused, user};

/// A default folder.
///
/// ```
/// use cachier_backends::default_folder::DefaultFolder;
///
/// // `None` for a user without a home.
/// if let Some(folder) = DefaultFolder::of_package("app", Some(7)) {
///     println!("{}", folder.path().display()); // /home/me/.cache/cachier/packages/app-1f0c…
/// }
/// ```
#[derive(Clone, Debug)]
pub struct DefaultFolder {
    path: PathBuf,
    /// `None` for a folder that is kept however rarely it is used.
    last_use: Option<Arc<LastUse>>,
}

/// The folder of all packages.
const PACKAGES_FOLDER: &str = "packages";

impl DefaultFolder {
    /// The folder shared by all programs of the user; `None` for a user without a home folder.
    #[must_use]
    pub fn shared() -> Option<Self> {
        let path = user::folder()?.join("shared");
        Some(Self {
            path,
            last_use: None,
        })
    }

    /// The folder of a package; `built_in` distinguishes the places where packages of this name are built. `None` for a
    /// user without a home folder.
    #[must_use]
    pub fn of_package(name: &str, built_in: Option<u64>) -> Option<Self> {
        let packages = user::folder()?.join(PACKAGES_FOLDER);
        Some(Self::among(&packages, name, built_in))
    }

    pub(super) fn among(packages: &Path, name: &str, built_in: Option<u64>) -> Self {
        let path = packages.join(folder_name(name, built_in));
        let last_use = Some(Arc::new(LastUse::of(&path)));
        Self { path, last_use }
    }

    /// The path of the folder, which may not exist yet.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes other packages' folders that have not been used for 30 days; at most once a day.
    ///
    /// Folders that cannot be removed now, because they hold too much or others interfere, are removed next time. Processes that
    /// remove concurrently, or use a folder being removed, are not harmed: they compute again.
    ///
    /// # Errors
    /// The first error of the file system.
    pub fn remove_unused(&self, now: SystemTime) -> io::Result<()> {
        match (&self.last_use, self.path.parent()) {
            (Some(_), Some(packages)) => unused::remove(packages, &self.path, now),
            _ => Ok(()),
        }
    }

    pub(crate) fn into_parts(self) -> (PathBuf, Option<Arc<LastUse>>) {
        (self.path, self.last_use)
    }
}

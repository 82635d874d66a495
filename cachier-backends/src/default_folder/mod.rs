//! Where things are kept when nobody names a folder, below the cache folder of the user:
//!
//! ```text
//! cachier/shared                             what is shared by all programs of the user
//! cachier/packages/{package}-{16 hex}        what belongs to one package, as it is built in one place
//! cachier/packages/{package}-{16 hex}/.used  when that was last used
//! cachier/packages/.cleaned                  when it was last looked which of them are of use
//! ```

mod last_use;
mod name;
mod unused;
mod user;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

pub(crate) use self::last_use::LastUse;
use self::name::folder_name;

/// A folder that nobody has named.
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
    /// `None` where it stays however seldom it is used.
    last_use: Option<Arc<LastUse>>,
}

/// The folder of all packages, in that of cachier.
const PACKAGES_FOLDER: &str = "packages";

impl DefaultFolder {
    /// The one that all programs of the user share; `None` for a user without a home.
    #[must_use]
    pub fn shared() -> Option<Self> {
        let path = user::folder()?.join("shared");
        Some(Self {
            path,
            last_use: None,
        })
    }

    /// The one of a package; `built_in` tells the places apart in which packages of this name are built. `None` for a user
    /// without a home.
    #[must_use]
    pub fn of_package(name: &str, built_in: Option<u64>) -> Option<Self> {
        let packages = user::folder()?.join(PACKAGES_FOLDER);
        Some(Self::among(&packages, name, built_in))
    }

    fn among(packages: &Path, name: &str, built_in: Option<u64>) -> Self {
        let path = packages.join(folder_name(name, built_in));
        let last_use = Some(Arc::new(LastUse::of(&path)));
        Self { path, last_use }
    }

    /// The folder itself, which may not be there yet.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes the folders of other packages that nobody has used for 30 days, unless that was done within the last day.
    ///
    /// What it cannot remove, because it is too much at once or others are in the way, the next time does. Two processes
    /// that do it at once, or use what is being removed, are none the worse for it: what is gone is computed once more.
    ///
    /// # Errors
    /// What the file system failed with.
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

#[cfg(test)]
mod tests;

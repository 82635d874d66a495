//! Where things are kept when nobody names a folder, below the cache folder of the user:
//!
//! ```text
//! cachier/shared                             what is shared by all programs of the user
//! cachier/packages/{package}-{16 hex}        what belongs to one package, as it is built in one place
//! cachier/packages/{package}-{16 hex}/.used  when that was last used
//! cachier/packages/.cleaned                  when it was last looked which of them are of use
//! ```

mod unused;
mod user;

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

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
const PACKAGES: &str = "packages";

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
        let packages = user::folder()?.join(PACKAGES);
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

/// Notes when a folder is used, so that nobody removes it.
#[derive(Debug)]
pub(crate) struct LastUse {
    file: PathBuf,
    /// When it was last noted, in seconds since 1970; 0 if it was not yet.
    noted: AtomicU64,
}

/// The file whose time of modification is the last use of its folder.
const USED: &str = ".used";

/// How often a process notes its use of a folder.
const NOTED_EVERY: Duration = Duration::from_secs(6 * 60 * 60);

impl LastUse {
    fn of(folder: &Path) -> Self {
        Self {
            file: folder.join(USED),
            noted: AtomicU64::new(0),
        }
    }

    /// The folder is used now. A folder that is not there yet, or cannot be written to, is noted by a later use.
    pub(crate) fn note(&self, now: SystemTime) {
        let since_epoch = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let noted = self.noted.load(Ordering::Relaxed);
        let is_due = since_epoch.saturating_sub(noted) >= NOTED_EVERY.as_secs();
        if is_due && touch(&self.file, now).is_ok() {
            self.noted.store(since_epoch, Ordering::Relaxed);
        }
    }
}

/// Gives a file this time of modification, and makes it where it is missing. A link is not followed, a pipe not waited for.
fn touch(file: &Path, now: SystemTime) -> io::Result<()> {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        use std::os::unix::fs::OpenOptionsExt;
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
        options.mode(0o600).custom_flags(flags.bits().cast_signed());
    }
    let file = options
        .write(true)
        .create(true)
        .truncate(false)
        .open(file)?;
    file.set_modified(now)
}

/// The longest readable part of a folder's name, in bytes.
const LONGEST: usize = 64;

/// The digits in a folder's name.
const DIGITS: usize = 16;

/// `app-0123456789abcdef`: safe on every file system, and another one for each package and place.
fn folder_name(package: &str, built_in: Option<u64>) -> String {
    let is_plain = |letter: &char| matches!(letter, 'a'..='z' | '0'..='9' | '-' | '_');
    let plain = |letter: char| Some(letter.to_ascii_lowercase()).filter(is_plain);
    let readable = package.chars().map(|letter| plain(letter).unwrap_or('_'));
    let mut name: String = readable.take(LONGEST).collect();
    let mut hasher = blake3::Hasher::new();
    hasher.update(package.as_bytes());
    if let Some(built_in) = built_in {
        // No name of a package holds a zero.
        hasher.update(&[0]).update(&built_in.to_le_bytes());
    }
    let hash = hasher.finalize().to_hex();
    // Writing to text does not fail.
    let _ = write!(name, "-{}", &hash[..DIGITS]);
    name
}

/// Whether a folder has the name of one for a package.
fn is_of_package(name: &str) -> bool {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let is_plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
    let parts = name.rsplit_once('-');
    parts.is_some_and(|(package, hash)| {
        hash.len() == DIGITS && hash.bytes().all(is_digit) && package.bytes().all(is_plain)
    })
}

#[cfg(test)]
mod tests;

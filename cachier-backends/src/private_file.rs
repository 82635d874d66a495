//! Files in folders that others might write to. Every file there is opened here.
//!
//! The file at a path may be hostile, or a mistake: a link to somebody's file, a pipe without a writer, a device. So no
//! link is followed, nothing blocks, and only a regular file with a single name is used. What is public is for `cachier`.

use std::fmt;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use crate::private_folder::Access;

/// How often to retry what another process was quicker at.
const MAX_ATTEMPTS: u32 = 16;

/// Opens a file for reading; `None` if it does not exist.
///
/// # Errors
/// When it cannot be opened; [`NotAFile`] if that is what stands there.
pub fn open_to_read(path: &Path) -> io::Result<Option<(File, Metadata)>> {
    existing(open_regular(OpenOptions::new().read(true), path))
}

/// Creates a new file, for whom its folder is.
///
/// # Errors
/// When there is one, or it cannot be created.
pub fn create_new(path: &Path) -> io::Result<File> {
    let access = path.parent().map_or(Access::User, Access::within);
    access.create_file(OpenOptions::new().read(true).write(true), path)
}

/// Opens an existing file, for its lock.
///
/// # Errors
/// When it cannot be opened; [`NotAFile`] if that is what stands there.
pub fn open(path: &Path) -> io::Result<File> {
    let opened = open_regular(OpenOptions::new().read(true).write(true), path);
    opened.map(|(file, _)| file)
}

/// Opens a file for its lock and its small content, creating it if missing.
///
/// # Errors
/// When it cannot be opened or created; [`NotAFile`] if that is what stands there.
pub fn open_or_create(path: &Path) -> io::Result<File> {
    /// How long another user may take to share a file with the group that he has just made.
    const SHARING_RETRY_DELAY: Duration = Duration::from_millis(1);
    for _ in 0..MAX_ATTEMPTS {
        match open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied && is_shared(path) => {
                thread::sleep(SHARING_RETRY_DELAY);
                continue;
            }
            opened => return opened,
        }
        match create_new(path) {
            // By another process, just now.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            created => return created,
        }
    }
    open(path)
}

/// Whether a file stands in a folder that a group shares.
fn is_shared(path: &Path) -> bool {
    path.parent().map(Access::within) == Some(Access::Group)
}

/// Opens a regular file with a single name. Anything else is [`NotAFile`].
fn open_regular(options: &mut OpenOptions, path: &Path) -> io::Result<(File, Metadata)> {
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        use std::os::unix::fs::OpenOptionsExt;
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
        options.custom_flags(flags.bits().cast_signed());
    }
    let file = match options.open(path) {
        Err(error) if names_no_file(&error) => return Err(NotAFile::at(path)),
        opened => opened?,
    };
    let metadata = file.metadata()?;
    if metadata.is_file() && !has_other_names(&metadata) {
        Ok((file, metadata))
    } else {
        Err(NotAFile::at(path))
    }
}

/// Whether the error means a link, a folder, a socket, or a missing device.
#[cfg(unix)]
fn names_no_file(error: &io::Error) -> bool {
    use rustix::io::Errno;
    // Systems report a link by one of the first two, a socket by one of the last three.
    let errnos = [
        Errno::LOOP,
        Errno::MLINK,
        Errno::ISDIR,
        Errno::NXIO,
        Errno::NODEV,
        Errno::OPNOTSUPP,
    ];
    errnos
        .iter()
        .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

#[cfg(not(unix))]
fn names_no_file(_: &io::Error) -> bool {
    false
}

/// Whether a file has other hard links. One removed after it was opened has none.
#[cfg(unix)]
fn has_other_names(metadata: &Metadata) -> bool {
    std::os::unix::fs::MetadataExt::nlink(metadata) > 1
}

#[cfg(not(unix))]
fn has_other_names(_: &Metadata) -> bool {
    false
}

/// Something unusable: not a regular file, a file with several names, or a link instead of a folder.
#[derive(Debug)]
pub struct NotAFile {
    path: PathBuf,
}

impl NotAFile {
    pub(crate) fn at(path: &Path) -> io::Error {
        let path = path.to_owned();
        io::Error::new(io::ErrorKind::InvalidData, Self { path })
    }

    /// The `NotAFile` inside an error.
    pub fn of(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }

    /// Where it stands.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl fmt::Display for NotAFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a link or something else that is not cachier's stands there")
    }
}

impl std::error::Error for NotAFile {}

/// Turns the error `NotFound` into `None`.
///
/// # Errors
/// All others.
pub fn existing<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Removes whatever is at a path, even a folder; `None` if there is nothing.
///
/// # Errors
/// When it cannot be removed.
pub fn remove_path(path: &Path) -> io::Result<Option<()>> {
    match existing(fs::symlink_metadata(path))? {
        None => Ok(None),
        Some(found) if found.is_dir() => existing(fs::remove_dir_all(path)),
        Some(_) => existing(fs::remove_file(path)),
    }
}

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::fs;

    use super::*;

    #[test]
    fn links_to_files_of_others_are_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (diary, link) = (folder.path().join("diary"), folder.path().join("link"));
        fs::write(&diary, "Dear diary").unwrap();
        std::os::unix::fs::symlink(&diary, &link).unwrap();
        assert!(open(&diary).is_ok());
        assert!(open(&link).is_err());
        assert!(open_or_create(&link).is_err());
        let missing = folder.path().join("missing");
        fs::remove_file(&link).unwrap();
        std::os::unix::fs::symlink(&missing, &link).unwrap();
        assert!(open_or_create(&link).is_err());
        assert!(!missing.exists());
    }
}

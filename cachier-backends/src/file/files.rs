//! Files and folders for this user alone, and the one place where any of them is opened.
//!
//! What stands at a path may be hostile, or a mistake: a link to a file of somebody else, a pipe that has no writer, a device.
//! Nothing is followed, nothing is waited for, and only a regular file that has no other name is used.

use std::fmt;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use crate::private_folder;

/// How often something is tried again that another process's cleaning up has undone.
const MAX_ATTEMPTS: u32 = 16;

/// Opens an entry for reading; `None` if there is none.
pub(super) fn open_entry(path: &Path) -> io::Result<Option<(File, Metadata)>> {
    existing(open_regular(OpenOptions::new().read(true), path))
}

/// Creates a file that is not there yet.
pub(super) fn create_new(path: &Path) -> io::Result<File> {
    user_only(OpenOptions::new().write(true).create_new(true)).open(path)
}

/// Opens a file that is there for its lock.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let opened = open_regular(OpenOptions::new().read(true).write(true), path);
    opened.map(|(file, _)| file)
}

/// Opens a file for its lock and for what little it holds, creating it where it is missing.
pub(super) fn open_or_create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    open_regular(user_only(&mut options), path).map(|(file, _)| file)
}

/// Opens a regular file with one name. Anything else that stands there is [`NotAFile`].
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

/// Whether the system says that what it was to open is a link, a folder, a socket, or a device that is not there.
#[cfg(unix)]
fn names_no_file(error: &io::Error) -> bool {
    use rustix::io::Errno;
    // For a link, systems say the first or the second; for a socket, one of the last three.
    let said = [
        Errno::LOOP,
        Errno::MLINK,
        Errno::ISDIR,
        Errno::NXIO,
        Errno::NODEV,
        Errno::OPNOTSUPP,
    ];
    said.iter()
        .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

#[cfg(not(unix))]
fn names_no_file(_: &io::Error) -> bool {
    false
}

/// Whether a file is also one elsewhere. One that has been removed since it was opened has no name at all.
#[cfg(unix)]
fn has_other_names(metadata: &Metadata) -> bool {
    std::os::unix::fs::MetadataExt::nlink(metadata) > 1
}

#[cfg(not(unix))]
fn has_other_names(_: &Metadata) -> bool {
    false
}

/// Something at a path that is not used: not a regular file, a file with several names, a link where a folder belongs.
#[derive(Debug)]
pub(super) struct NotAFile {
    path: PathBuf,
}

impl NotAFile {
    fn at(path: &Path) -> io::Error {
        let path = path.to_owned();
        io::Error::new(io::ErrorKind::InvalidData, Self { path })
    }

    /// The obstacle that an error speaks of.
    pub(super) fn of(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl fmt::Display for NotAFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a link or something else that is not cachier's stands there")
    }
}

impl std::error::Error for NotAFile {}

/// Sees to it that none of the folders from `dir`, which may be a link itself, down to `folder` is one: entries that are
/// reached by a link would be passed over by all that goes through the folders.
pub(super) fn no_links_between(dir: &Path, folder: &Path) -> io::Result<()> {
    let mut path = dir.to_owned();
    for name in folder.strip_prefix(dir).into_iter().flatten() {
        path.push(name);
        match existing(path.symlink_metadata())? {
            Some(found) if found.is_symlink() => return Err(NotAFile::at(&path)),
            Some(_) => {}
            None => break,
        }
    }
    Ok(())
}

/// Whether an item of a folder is a folder. A link there is [`NotAFile`].
pub(super) fn is_folder(item: &fs::DirEntry) -> io::Result<bool> {
    let found = item.file_type()?;
    if found.is_symlink() {
        return Err(NotAFile::at(&item.path()));
    }
    Ok(found.is_dir())
}

/// Does something that needs a folder, creating the folder first where it is missing.
pub(super) fn in_folder<T>(
    folder: &Path,
    mut attempt: impl FnMut() -> io::Result<T>,
) -> io::Result<T> {
    for _ in 0..MAX_ATTEMPTS {
        match attempt() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            result => return result,
        }
        match private_folder::create(folder) {
            // It, or one above it, went just when it was to be created, or just after it was found to be there.
            Err(error) if is_race(&error) => {}
            result => result?,
        }
    }
    attempt()
}

fn is_race(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::AlreadyExists
    )
}

/// Nothing instead of the error that something is not there.
pub(super) fn existing<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Removes what stands at a path, also a folder, which is no file of this backend and in the way; `None` if there is nothing.
pub(super) fn remove_path(path: &Path) -> io::Result<Option<()>> {
    match existing(fs::symlink_metadata(path))? {
        None => Ok(None),
        Some(found) if found.is_dir() => existing(fs::remove_dir_all(path)),
        Some(_) => existing(fs::remove_file(path)),
    }
}

fn user_only(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

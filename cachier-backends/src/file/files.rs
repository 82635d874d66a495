//! Files and folders, for whom the cache folder is.

use std::fs;
use std::io;
use std::path::Path;

use super::layout;
pub(super) use crate::private_file::{
    NotAFile, create_new, existing, open, open_or_create, open_to_read, remove_path,
};
use crate::private_folder::{self, Access};

/// How often to retry after another process has removed a folder.
const MAX_ATTEMPTS: u32 = 16;

/// Fails if any folder below `dir` down to `folder` is a link: traversals would miss entries behind it. `dir` itself
/// may be one.
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

/// Whether a directory entry is a folder. A link is [`NotAFile`].
pub(super) fn is_folder(item: &fs::DirEntry) -> io::Result<bool> {
    let found = item.file_type()?;
    if found.is_symlink() {
        return Err(NotAFile::at(&item.path()));
    }
    Ok(found.is_dir())
}

/// Runs `attempt`, which needs a folder; creates the folder if missing.
pub(super) fn in_folder<T>(
    folder: &Path,
    mut attempt: impl FnMut() -> io::Result<T>,
) -> io::Result<T> {
    for _ in 0..MAX_ATTEMPTS {
        match attempt() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            result => return result,
        }
        match private_folder::create(folder, &access_to) {
            // A folder was removed while it was being created, or right after.
            Err(error) if is_race(&error) => {}
            result => result?,
        }
    }
    attempt()
}

/// The access that a folder gets which is to be made: that of its parent inside of the cache folder, while the cache folder
/// and what it stands in are made for this user alone.
fn access_to(folder: &Path) -> Access {
    match (layout::is_in_cache(folder), folder.parent()) {
        (true, Some(parent)) => Access::within(parent),
        _ => Access::User,
    }
}

fn is_race(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::AlreadyExists
    )
}

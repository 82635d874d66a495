//! Folders for this user alone: creation, and checks of who else may write.

use std::fs::DirBuilder;
#[cfg(unix)]
use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Error, ErrorKind, Operation};

/// A folder that others cannot write to, if it exists.
///
/// Whoever can write to it controls what this program reads from its cache, and what its writes hit.
#[derive(Clone, Debug)]
pub(crate) struct PrivateFolder {
    path: PathBuf,
    /// Whether it has passed the check, which is repeated until then.
    is_trusted: Arc<AtomicBool>,
}

impl PrivateFolder {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self {
            path,
            is_trusted: Arc::default(),
        }
    }

    #[cfg(feature = "file")]
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The folder, if nobody else may write to it.
    pub(crate) fn trusted(&self, operation: Operation) -> Result<&Path, Error> {
        if !self.is_trusted.load(Ordering::Relaxed) {
            self.inspect(operation)?;
        }
        Ok(&self.path)
    }

    #[cold]
    fn inspect(&self, operation: Operation) -> Result<(), Error> {
        let at = |error: Error| error.at(self.path.display().to_string());
        // Of a link, the target is checked.
        match self.path.metadata() {
            // It will be created for this user alone.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(at(Error::io(operation, "cannot look at the folder", error))),
            Ok(found) => match distrust(&found) {
                None => self.is_trusted.store(true, Ordering::Relaxed),
                Some(distrust) => {
                    let error = Error::new(ErrorKind::Denied, operation, distrust.message());
                    return Err(at(error.with_hint(distrust.hint())));
                }
            },
        }
        Ok(())
    }
}

/// Creates a folder and its parents, for this user alone where supported.
pub(crate) fn create(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Why a folder is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(unix), expect(dead_code, reason = "only Unix says whose it is"))]
enum Distrust {
    OtherOwner,
    OthersWrite,
}

impl Distrust {
    fn message(self) -> &'static str {
        match self {
            Self::OtherOwner => "the folder belongs to another user, and is not used",
            Self::OthersWrite => "other users may write to the folder, and it is not used",
        }
    }

    fn hint(self) -> &'static str {
        match self {
            Self::OtherOwner => "name one of this user's, or one inside that is yet to be made",
            Self::OthersWrite => {
                "`chmod go-w` it, or name one inside that is yet to be made: it is then made for this user alone"
            }
        }
    }
}

#[cfg(unix)]
fn distrust(found: &Metadata) -> Option<Distrust> {
    use std::os::unix::fs::MetadataExt;
    let user = rustix::process::geteuid().as_raw();
    distrust_of_owner(found.uid(), found.mode(), user)
}

#[cfg(not(unix))]
fn distrust(_: &std::fs::Metadata) -> Option<Distrust> {
    None
}

/// Checks owner and mode of a folder for this user. An option to share a folder in a team would go here.
///
/// A folder of root is as good as an own one, as root can write anywhere; for root itself another user's is not. In a
/// container with mapped users, owners are given as the container sees them; an unmapped one is nobody.
#[cfg(unix)]
fn distrust_of_owner(owner: u32, mode: u32, user: u32) -> Option<Distrust> {
    const ROOT: u32 = 0;
    const WRITABLE_FOR_OTHERS: u32 = 0o022;
    if owner != user && owner != ROOT {
        Some(Distrust::OtherOwner)
    } else if mode & WRITABLE_FOR_OTHERS != 0 {
        Some(Distrust::OthersWrite)
    } else {
        None
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_folder_writable_for_others_is_not_trusted() {
        const ROOT: u32 = 0;
        const ME: u32 = 1000;
        const NOBODY: u32 = 65_534;
        for (owner, mode, user, expected) in [
            (ME, 0o700, ME, None),
            (ME, 0o755, ME, None),
            (ME, 0o775, ME, Some(Distrust::OthersWrite)),
            (ME, 0o777, ME, Some(Distrust::OthersWrite)),
            (ME, 0o702, ME, Some(Distrust::OthersWrite)),
            (ROOT, 0o755, ME, None),
            (ROOT, 0o1777, ME, Some(Distrust::OthersWrite)),
            (ME, 0o700, ROOT, Some(Distrust::OtherOwner)),
            (1001, 0o700, ME, Some(Distrust::OtherOwner)),
            (NOBODY, 0o755, ME, Some(Distrust::OtherOwner)),
            (ROOT, 0o700, ROOT, None),
        ] {
            let found = distrust_of_owner(owner, mode, user);
            assert_eq!(found, expected, "{owner} {mode:o} {user}");
        }
    }
}

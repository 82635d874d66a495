//! Folders for this user alone, or for a group: creation, and checks of who else may write. What is public is for `cachier`.

use std::fs::{File, OpenOptions};
#[cfg(unix)]
use std::fs::{Metadata, Permissions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Error, ErrorKind, Operation};

/// The users who may read and write a folder's files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// This user.
    User,
    /// The group of the folder, too.
    Group,
}

impl Access {
    /// The access that what is made in a folder gets: its group's if that may write, and others may not.
    #[cfg(unix)]
    pub(crate) fn within(folder: &Path) -> Self {
        use std::os::unix::fs::MetadataExt;
        match folder.metadata() {
            Ok(found) if found.mode() & WRITABLE == WRITABLE_FOR_GROUP => Self::Group,
            _ => Self::User,
        }
    }

    #[cfg(not(unix))]
    pub(crate) fn within(_: &Path) -> Self {
        Self::User
    }

    /// Creates a file, which is opened as `options` say.
    #[cfg(unix)]
    pub(crate) fn create_file(self, options: &mut OpenOptions, path: &Path) -> io::Result<File> {
        use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
        let mode = match self {
            Self::User => 0o600,
            Self::Group => 0o660,
        };
        let file = options.mode(mode).create_new(true).open(path)?;
        if self == Self::Group {
            // The umask may have taken the group's part.
            file.set_permissions(Permissions::from_mode(mode))?;
        }
        Ok(file)
    }

    #[cfg(not(unix))]
    pub(crate) fn create_file(self, options: &mut OpenOptions, path: &Path) -> io::Result<File> {
        options.create_new(true).open(path)
    }

    /// Creates a folder, whose parent exists.
    #[cfg(unix)]
    fn create_folder(self, folder: &Path) -> io::Result<()> {
        use std::fs::{DirBuilder, set_permissions};
        use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
        // Files made inside belong to the folder's group, whatever that of their maker is.
        const SET_GROUP: u32 = 0o2000;
        match self {
            Self::User => DirBuilder::new().mode(0o700).create(folder),
            Self::Group => {
                let mode = SET_GROUP | 0o770;
                DirBuilder::new().mode(mode).create(folder)?;
                set_permissions(folder, Permissions::from_mode(mode))
            }
        }
    }

    #[cfg(not(unix))]
    fn create_folder(self, folder: &Path) -> io::Result<()> {
        std::fs::create_dir(folder)
    }
}

/// The permissions to write of all but the owner.
#[cfg(unix)]
const WRITABLE: u32 = 0o022;
#[cfg(unix)]
const WRITABLE_FOR_GROUP: u32 = 0o020;

/// Creates a folder and its parents, as far as they are missing, each with the `access` that it is to get.
pub(crate) fn create(folder: &Path, access: &dyn Fn(&Path) -> Access) -> io::Result<()> {
    let Some(parent) = folder.parent() else {
        return Ok(());
    };
    let create_here = || match access(folder).create_folder(folder) {
        Err(_) if folder.is_dir() => Ok(()),
        created => created,
    };
    match create_here() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            create(parent, access)?;
            create_here()
        }
        created => created,
    }
}

/// A folder that only those may write to who are to, if it exists.
///
/// A user who can write to it controls what this program reads from its cache, and what its writes hit.
#[derive(Clone, Debug)]
pub struct PrivateFolder {
    path: PathBuf,
    access: Access,
    /// Whether it has passed the check, which is repeated until then.
    is_trusted: Arc<AtomicBool>,
}

impl PrivateFolder {
    /// A folder for this user alone.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self {
            path,
            access: Access::User,
            is_trusted: Arc::default(),
        }
    }

    /// The same folder, for the users of its group, too. Where there are no groups, this does nothing.
    #[must_use]
    pub fn shared_with_group(mut self) -> Self {
        if cfg!(unix) {
            self.access = Access::Group;
        }
        self
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Creates it if it is missing.
    ///
    /// # Errors
    /// When it cannot be created.
    pub fn create(&self) -> io::Result<()> {
        create(&self.path, &|_| self.access)
    }

    /// The folder, if nobody else may write to it.
    ///
    /// # Errors
    /// When others may, or it belongs to one of them.
    pub fn trusted(&self, operation: Operation) -> Result<&Path, Error> {
        if !self.is_trusted.load(Ordering::Relaxed) {
            self.inspect(operation)?;
        }
        Ok(&self.path)
    }

    #[cold]
    fn inspect(&self, operation: Operation) -> Result<(), Error> {
        let at = |error: Error| error.at(self.path.display().to_string());
        // The target of a link is checked.
        let untrusted = match (self.path.metadata(), self.access) {
            (Ok(found), access) => untrusted(&found, access),
            (Err(error), access) if error.kind() == io::ErrorKind::NotFound => {
                return match access {
                    // It will be created for this user alone.
                    Access::User => Ok(()),
                    Access::Group => create(&self.path, &|_| Access::Group)
                        .map_err(|error| at(Error::io(operation, "cannot make the folder", error))),
                };
            }
            (Err(error), _) => {
                return Err(at(Error::io(operation, "cannot look at the folder", error)));
            }
        };
        if let Some(untrusted) = untrusted {
            let error = Error::new(ErrorKind::Denied, operation, untrusted.message());
            return Err(at(error.with_hint(untrusted.hint())));
        }
        // One of a group that somebody removes is to be made anew for the group, so it is looked at each time.
        self.is_trusted
            .store(self.access == Access::User, Ordering::Relaxed);
        Ok(())
    }
}

/// Why a folder is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(unix), expect(dead_code, reason = "only Unix says whose it is"))]
enum Untrusted {
    OtherOwner,
    OthersWrite,
    /// It is to be shared with its group, which is not one of this user's, or may not write.
    OtherGroup,
}

impl Untrusted {
    fn message(self) -> &'static str {
        match self {
            Self::OtherOwner => "the folder belongs to another user, and is not used",
            Self::OthersWrite => "other users may write to the folder, and it is not used",
            Self::OtherGroup => {
                "the folder belongs to another user and is not shared with a group of this one, and is not used"
            }
        }
    }

    fn hint(self) -> &'static str {
        match self {
            Self::OtherOwner => {
                "name one of this user's, or one inside that is yet to be made; CACHIER_CACHE_MODE=0770 shares one with its group"
            }
            Self::OthersWrite => {
                "`chmod go-w` it, or name one inside that is yet to be made: it is then made for this user alone; \
                 CACHIER_CACHE_MODE=0770 shares one with its group, and `chmod o-w` then suffices"
            }
            Self::OtherGroup => {
                "`chgrp` it to a group that all its users are in, and `chmod 2770` it, or name one that is yet to be made"
            }
        }
    }
}

#[cfg(unix)]
fn untrusted(found: &Metadata, access: Access) -> Option<Untrusted> {
    use std::os::unix::fs::MetadataExt;
    let found = Ownership {
        user: found.uid(),
        group: found.gid(),
        mode: found.mode(),
    };
    match access {
        Access::User => untrusted_by_user(found, this_user()),
        Access::Group => untrusted_by_group(found, this_user(), is_of_this_user),
    }
}

#[cfg(not(unix))]
fn untrusted(_: &std::fs::Metadata, _: Access) -> Option<Untrusted> {
    None
}

#[cfg(unix)]
fn this_user() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Whether this user is in a group.
#[cfg(unix)]
fn is_of_this_user(group: u32) -> bool {
    let others = rustix::process::getgroups().unwrap_or_default();
    let mut groups = others.into_iter().chain([rustix::process::getegid()]);
    groups.any(|own| own.as_raw() == group)
}

/// The owner, group and mode of a folder.
#[cfg(unix)]
#[derive(Clone, Copy)]
struct Ownership {
    user: u32,
    group: u32,
    mode: u32,
}

/// Checks owner and mode of a folder for this user.
///
/// A folder of root is as good as an own one, as root can write anywhere; for root itself another user's is not. In a
/// container with mapped users, owners are given as the container sees them; an unmapped one is nobody.
#[cfg(unix)]
fn untrusted_by_user(found: Ownership, user: u32) -> Option<Untrusted> {
    if found.user != user && found.user != ROOT {
        Some(Untrusted::OtherOwner)
    } else if found.mode & WRITABLE != 0 {
        Some(Untrusted::OthersWrite)
    } else {
        None
    }
}

/// Checks owner, group and mode of a folder for the users of its group.
///
/// One that another user owns must be for a group of this user's: else he alone, or a group of his, would choose what is
/// read here.
#[cfg(unix)]
fn untrusted_by_group(
    found: Ownership,
    user: u32,
    is_own_group: impl FnOnce(u32) -> bool,
) -> Option<Untrusted> {
    const WRITABLE_FOR_ALL: u32 = 0o002;
    if found.mode & WRITABLE_FOR_ALL != 0 {
        return Some(Untrusted::OthersWrite);
    }
    let is_own = found.user == user || found.user == ROOT;
    let is_shared = || found.mode & WRITABLE_FOR_GROUP != 0 && is_own_group(found.group);
    (!is_own && !is_shared()).then_some(Untrusted::OtherGroup)
}

#[cfg(unix)]
const ROOT: u32 = 0;

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    const ME: u32 = 1000;
    const OTHER: u32 = 1001;
    const NOBODY: u32 = 65_534;
    const TEAM: u32 = 2000;

    fn of(user: u32, group: u32, mode: u32) -> Ownership {
        Ownership { user, group, mode }
    }

    #[test]
    fn a_folder_writable_for_others_is_not_trusted() {
        for (owner, mode, user, expected) in [
            (ME, 0o700, ME, None),
            (ME, 0o755, ME, None),
            (ME, 0o775, ME, Some(Untrusted::OthersWrite)),
            (ME, 0o777, ME, Some(Untrusted::OthersWrite)),
            (ME, 0o702, ME, Some(Untrusted::OthersWrite)),
            (ROOT, 0o755, ME, None),
            (ROOT, 0o1777, ME, Some(Untrusted::OthersWrite)),
            (ME, 0o700, ROOT, Some(Untrusted::OtherOwner)),
            (OTHER, 0o700, ME, Some(Untrusted::OtherOwner)),
            (NOBODY, 0o755, ME, Some(Untrusted::OtherOwner)),
            (ROOT, 0o700, ROOT, None),
        ] {
            let found = untrusted_by_user(of(owner, TEAM, mode), user);
            assert_eq!(found, expected, "{owner} {mode:o} {user}");
        }
    }

    #[test]
    fn a_shared_folder_is_trusted_within_its_group() {
        let other_group = Some(Untrusted::OtherGroup);
        for (owner, group, mode, user, expected) in [
            (ME, TEAM, 0o2770, ME, None),
            (OTHER, TEAM, 0o2770, ME, None),
            (OTHER, TEAM, 0o775, ME, None),
            (ROOT, TEAM, 0o2770, ME, None),
            // Not shared, yet or at all.
            (ME, OTHER, 0o700, ME, None),
            (OTHER, TEAM, 0o755, ME, other_group),
            // Folders of a group that this user is not in.
            (OTHER, OTHER, 0o770, ME, other_group),
            (NOBODY, NOBODY, 0o770, ME, other_group),
            (OTHER, OTHER, 0o770, ROOT, other_group),
            // For everybody.
            (ME, TEAM, 0o777, ME, Some(Untrusted::OthersWrite)),
            (ROOT, TEAM, 0o1777, ME, Some(Untrusted::OthersWrite)),
            (OTHER, TEAM, 0o2772, ME, Some(Untrusted::OthersWrite)),
        ] {
            let found = of(owner, group, mode);
            let found = untrusted_by_group(found, user, |group| group == TEAM);
            assert_eq!(found, expected, "{owner} {group} {mode:o} {user}");
        }
    }
}

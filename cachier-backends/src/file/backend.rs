//! The backend: which files an operation works on.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::error::failed;
use super::layout::{self, KeyPaths};
use super::lease::{FileLease, LeaseFile, LeaseOutcome};
use super::{counts, entry_file, files, removal, store};
use crate::backend::{
    Capabilities, Capability, EntryVersion, Lease, LeaseReply, Loaded, Renewal, StoreReply,
    StoreRequest, Usage, Vacated,
};
use crate::blocking::BlockingBackend;
use crate::default_folder::{DefaultFolder, LastUse};
use crate::error::{Error, ErrorKind, Operation};
use crate::home;
use crate::key::{Key, Scope};
use crate::private_folder::PrivateFolder;

/// Keeps each entry in a file.
///
/// Nothing is touched before the first operation; an unusable folder is an error of the operations.
///
/// ```
/// use cachier_backends::{Blocking, file::FileBackend};
///
/// let of_this_user = Blocking::new(FileBackend::default());
/// let elsewhere = Blocking::new(FileBackend::new("/var/cache/app"));
/// ```
#[derive(Clone, Debug)]
#[doc(alias = "pickle")]
pub struct FileBackend {
    /// The error of one that cannot be, as of a user without a home folder.
    dir: Result<PrivateFolder, Error>,
    /// Records uses of the folder, which is removed after long disuse.
    last_use: Option<Arc<LastUse>>,
}

impl FileBackend {
    /// Entries in `dir`, created on demand. A leading `~/` is the home folder of the user; for one who has none, operations
    /// fail.
    ///
    /// ```
    /// use cachier_backends::file::FileBackend;
    ///
    /// let backend = FileBackend::new("/var/cache/app");
    /// assert_eq!(backend.dir(), Some("/var/cache/app".as_ref()));
    /// ```
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: home::expand(&dir.into()).map(PrivateFolder::new),
            last_use: None,
        }
    }

    /// Lets all users of the folder's group read and write the entries: a cache for a team. They trust each other, as
    /// each chooses what the others read.
    ///
    /// A missing folder is created with mode 2770, for the group of the folder that it is made in, or of this user. One
    /// that exists is used by whoever owns it and by its group, if that may write to it and nobody else may: `chgrp`
    /// and `chmod 2770` make it so. Entries that are there already keep their modes. Where there are no groups, as on
    /// Windows, this changes nothing.
    ///
    /// ```
    /// use cachier_backends::file::FileBackend;
    ///
    /// let of_the_team = FileBackend::new("/srv/team/cache").shared_with_group();
    /// ```
    #[must_use]
    pub fn shared_with_group(self) -> Self {
        Self {
            dir: self.dir.map(PrivateFolder::shared_with_group),
            ..self
        }
    }

    /// Entries in a default folder; `None` (a user without a home folder) makes operations fail.
    #[must_use]
    pub fn in_default(folder: Option<DefaultFolder>) -> Self {
        let (dir, last_use) = folder.map(DefaultFolder::into_parts).unzip();
        Self {
            dir: dir.map(PrivateFolder::new).ok_or_else(|| {
                let message = "there is no home folder to keep the cache in";
                let error = Error::new(ErrorKind::Io, Operation::Load, message);
                error.with_hint("set CACHIER_CACHE_DIR or `cache_dir`")
            }),
            last_use: last_use.flatten(),
        }
    }

    /// The folder of all entries; `None` for a user without a home folder.
    #[must_use]
    pub fn dir(&self) -> Option<&Path> {
        self.dir.as_ref().ok().map(PrivateFolder::path)
    }

    /// The folder of a function's entries; `None` for a user without a home folder.
    #[must_use]
    pub fn scope_dir(&self, scope: &Scope) -> Option<PathBuf> {
        self.dir().map(|dir| layout::scope_folder(dir, scope))
    }

    /// The paths of a key that is to be changed.
    fn paths(&self, operation: Operation, key: &Key) -> Result<KeyPaths, Error> {
        let dir = self.used_dir(operation)?;
        let paths = KeyPaths::new(dir, key);
        files::no_links_between(dir, &paths.folder)
            .map_err(|e| failed(operation, "cannot use the folder", &paths.folder, e))?;
        Ok(paths)
    }

    /// The folder of a function that is to be changed or counted.
    fn folder(&self, operation: Operation, scope: &Scope) -> Result<PathBuf, Error> {
        let dir = self.used_dir(operation)?;
        let folder = layout::scope_folder(dir, scope);
        files::no_links_between(dir, &folder)
            .map_err(|e| failed(operation, "cannot use the folder", &folder, e))?;
        Ok(folder)
    }

    fn used_dir(&self, operation: Operation) -> Result<&Path, Error> {
        let dir = self.dir.as_ref();
        let dir = dir.map_err(|error| error.clone().in_operation(operation))?;
        let dir = dir.trusted(operation)?;
        // Only now: nothing is changed in a folder that others may write to.
        if let Some(last_use) = &self.last_use {
            last_use.note(SystemTime::now());
        }
        Ok(dir)
    }
}

/// Entries in the folder `cachier/shared` of the user's cache folder, shared by all programs that use this: in
/// `$XDG_CACHE_HOME` or `~/.cache`, `~/Library/Caches` on macOS, `%LOCALAPPDATA%` on Windows.
impl Default for FileBackend {
    fn default() -> Self {
        Self::in_default(DefaultFolder::shared())
    }
}

impl BlockingBackend for FileBackend {
    fn kind(&self) -> &str {
        "file"
    }

    fn store_name(&self) -> String {
        let dir = self.dir().map(|dir| dir.display().to_string());
        dir.unwrap_or_else(|| "no folder".to_owned())
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::NONE
            .with(Capability::Leases)
            .with(Capability::Capacity)
            .with(Capability::Cleanup)
            .with(Capability::Usage)
    }

    fn load(&self, key: &Key) -> Result<Option<Loaded>, Error> {
        let path = layout::entry_path(self.used_dir(Operation::Load)?, key);
        entry_file::load(&path)
            .map_err(|e| failed(Operation::Load, "cannot read the entry", &path, e))
    }

    fn store(&self, key: &Key, request: StoreRequest<'_>) -> Result<StoreReply, Error> {
        let paths = self.paths(Operation::Store, key)?;
        store::store(&paths, &request)
            .map_err(|e| failed(Operation::Store, "cannot store the entry", &paths.entry, e))
    }

    fn remove(&self, key: &Key) -> Result<bool, Error> {
        let paths = self.paths(Operation::Remove, key)?;
        removal::remove(&paths).map_err(|e| {
            failed(
                Operation::Remove,
                "cannot remove the entry",
                &paths.entry,
                e,
            )
        })
    }

    fn clear(&self, scope: &Arc<Scope>) -> Result<Option<u64>, Error> {
        let folder = self.folder(Operation::Clear, scope)?;
        removal::clear(&folder, SystemTime::now())
            .map(Some)
            .map_err(|e| failed(Operation::Clear, "cannot clear the folder", &folder, e))
    }

    fn lease(
        &self,
        key: &Key,
        seen: Option<&EntryVersion>,
        _period: Duration,
    ) -> Result<LeaseReply, Error> {
        let paths = self.paths(Operation::Lease, key)?;
        let request = FileLease::request(&paths, seen)
            .map_err(|e| failed(Operation::Lease, "cannot take the lease", &paths.lease, e))?;
        Ok(match request {
            LeaseOutcome::Granted(lease) => {
                LeaseReply::Granted(Lease::new(key.clone(), seen.cloned(), lease))
            }
            LeaseOutcome::Held(file) => {
                let held = |file| Lease::new(key.clone(), seen.cloned(), file);
                LeaseReply::Held(file.map(held))
            }
            LeaseOutcome::Changed => LeaseReply::Changed,
        })
    }

    fn take_over(&self, key: &Key, _period: Duration) -> Result<Lease, Error> {
        let paths = self.paths(Operation::Lease, key)?;
        let (lease, seen) = FileLease::take_over(&paths)
            .map_err(|e| failed(Operation::Lease, "cannot take the lease", &paths.lease, e))?;
        Ok(Lease::new(key.clone(), seen, lease))
    }

    fn vacate(&self, lease: Lease) -> Result<Vacated, Error> {
        let paths = self.paths(Operation::Remove, lease.key())?;
        let removed = store::vacate(&paths, &lease).map_err(|e| {
            let message = "cannot remove the entry";
            failed(Operation::Remove, message, &paths.entry, e)
        })?;
        Ok(match removed {
            Some(removed) => Vacated::Done {
                lease: lease.seeing(None),
                removed,
            },
            None => Vacated::Superseded,
        })
    }

    fn renew(&self, lease: &Lease) -> Result<Renewal, Error> {
        let Some(file) = LeaseFile::of(lease) else {
            return Ok(Renewal::Lost);
        };
        let is_valid = file.is_valid().map_err(|e| {
            let message = "cannot look at the lease";
            failed(Operation::Lease, message, file.path(), e)
        })?;
        Ok(match is_valid {
            true => Renewal::Renewed,
            false => Renewal::Lost,
        })
    }

    fn release(&self, lease: Lease) -> Result<(), Error> {
        let Some(lease) = lease.state::<FileLease>() else {
            return Ok(());
        };
        lease.end().map_err(|e| {
            let message = "cannot release the lease";
            failed(Operation::Lease, message, lease.file().path(), e)
        })
    }

    fn clear_leases(&self, scope: &Arc<Scope>) -> Result<(), Error> {
        let folder = self.folder(Operation::Clear, scope)?;
        removal::clear_leases(&folder)
            .map_err(|e| failed(Operation::Clear, "cannot end the leases", &folder, e))
    }

    fn cleanup(
        &self,
        scope: &Arc<Scope>,
        created_before: SystemTime,
    ) -> Result<Option<u64>, Error> {
        let folder = self.folder(Operation::Remove, scope)?;
        removal::cleanup(&folder, created_before, SystemTime::now())
            .map(Some)
            .map_err(|e| failed(Operation::Remove, "cannot clean up the folder", &folder, e))
    }

    fn usage(&self, scope: &Arc<Scope>) -> Result<Usage, Error> {
        let folder = self.folder(Operation::Load, scope)?;
        let totals = counts::totals(&folder, SystemTime::now())
            .map_err(|e| failed(Operation::Load, "cannot tell what it holds", &folder, e))?;
        Ok(Usage {
            entries: totals.map(|totals| totals.entries),
            bytes: totals.map(|totals| totals.bytes),
        })
    }

    fn check(&self) -> Result<(), Error> {
        let dir = self.used_dir(Operation::Load)?;
        entry_file::check(dir)
            .map_err(|e| failed(Operation::Load, "cannot write to the folder", dir, e))
    }
}

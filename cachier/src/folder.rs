//! Folders of stores that keep files: named ones are shared, unnamed ones belong to a package.

#[cfg(feature = "file")]
use std::path::Path;
use std::path::PathBuf;

#[cfg(feature = "_folders")]
use cachier_backends::default_folder::DefaultFolder;
#[cfg(feature = "file")]
use cachier_backends::file::FileBackend;
#[cfg(feature = "sqlite")]
use cachier_backends::sql::SqlBackend;
use cachier_backends::{Error, home};

use crate::environment::{self, CacheMode};
use crate::identity::Package;
use crate::options::Policy;

/// Where a function's files go.
#[cfg_attr(
    not(feature = "_folders"),
    allow(dead_code, reason = "nothing is kept in files")
)]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Folder {
    /// A named folder.
    Named(PathBuf, CacheMode),
    /// The default one of all who have named a namespace, and of no package in particular.
    Shared,
    /// The default folder of a package.
    OfPackage(Package),
}

impl Folder {
    /// The folder of the file backend, for a function of a package, or for nobody in particular.
    pub(crate) fn for_files(policy: &Policy, package: Option<Package>) -> Result<Self, Error> {
        let named = match &policy.cache_dir {
            Some(folder) => Some(home::expand(folder)?),
            None => environment::CACHE_DIR.get()?.cloned(),
        };
        Self::chosen(named, policy, package)
    }

    /// The folder of the SQLite file, if no database is named.
    pub(crate) fn for_sqlite(policy: &Policy, package: Option<Package>) -> Result<Self, Error> {
        let named = environment::CACHE_DIR.get()?.cloned();
        Self::chosen(named, policy, package)
    }

    fn chosen(
        named: Option<PathBuf>,
        policy: &Policy,
        package: Option<Package>,
    ) -> Result<Self, Error> {
        let mode = environment::CACHE_MODE.get()?.copied();
        Ok(match (named, &policy.namespace, package) {
            (Some(folder), ..) => Self::Named(folder, mode.unwrap_or_default()),
            (None, None, Some(package)) => Self::OfPackage(package),
            (None, ..) => Self::Shared,
        })
    }

    /// Where the file backend keeps the values of a function; empty where that is nowhere.
    pub(crate) fn cache_dir(policy: &Policy, package: Package) -> PathBuf {
        #[cfg(feature = "file")]
        if let Ok(folder) = Self::for_files(policy, Some(package)) {
            let backend = folder.file_backend();
            return backend.dir().map(Path::to_owned).unwrap_or_default();
        }
        let _ = (policy, package);
        PathBuf::new()
    }

    #[cfg(feature = "file")]
    pub(crate) fn file_backend(&self) -> FileBackend {
        match self {
            Self::Named(folder, CacheMode::User) => FileBackend::new(folder),
            Self::Named(folder, CacheMode::Group) => FileBackend::new(folder).shared_with_group(),
            _ => FileBackend::in_default(self.default_folder()),
        }
    }

    #[cfg(feature = "sqlite")]
    pub(crate) fn sqlite_backend(&self) -> Result<SqlBackend, Error> {
        match self {
            Self::Named(folder, CacheMode::User) => SqlBackend::sqlite_in(folder),
            Self::Named(folder, CacheMode::Group) => SqlBackend::sqlite_shared_in(folder),
            _ => SqlBackend::sqlite_in_default(self.default_folder()),
        }
    }

    /// The folder, if it is one of those that may become unused.
    #[cfg(feature = "_folders")]
    pub(crate) fn of_package(&self) -> Option<DefaultFolder> {
        match self {
            Self::OfPackage(_) => self.default_folder(),
            _ => None,
        }
    }

    /// The folder, if it is unnamed and the user has a home.
    #[cfg(feature = "_folders")]
    fn default_folder(&self) -> Option<DefaultFolder> {
        match self {
            Self::Named(..) => None,
            Self::Shared => DefaultFolder::shared(),
            Self::OfPackage(package) => DefaultFolder::of_package(package.name, package.folder),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::{GlobalParams, Options, Params};

    #[test]
    fn named_folders_are_shared_others_per_package() {
        let policy = |params: GlobalParams| Policy::resolve(&Options::new(), &Params::new(params));
        let (one, other) = (Package::built_in("app", 1), Package::built_in("app", 2));
        let of = |params: GlobalParams, package| {
            let (policy, package) = (policy(params), Some(package));
            let chosen = |named| Folder::chosen(named, &policy, package).ok();
            (chosen(policy.cache_dir.clone()), chosen(None))
        };
        let nothing_named = of(GlobalParams::new(), one);
        let of_package = Some(Folder::OfPackage(one));
        assert_eq!(nothing_named, (of_package.clone(), of_package));
        assert_ne!(of(GlobalParams::new(), other), nothing_named);

        let namespace = || GlobalParams::new().namespace("staging");
        let shared = Some(Folder::Shared);
        assert_eq!(of(namespace(), one), (shared.clone(), shared.clone()));
        let folder = || namespace().cache_dir("/caches");
        let named = Some(Folder::Named("/caches".into(), CacheMode::User));
        assert_eq!(of(folder(), one), (named, shared));
        assert_eq!(of(folder(), other), of(folder(), one));
    }
}

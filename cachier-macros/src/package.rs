//! The package of a function, and the folder it is built in, from the compiler's environment.

use std::env;
use std::path::{Path, PathBuf};

use crate::fingerprint::fingerprint_of_bytes;

/// The package being built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Package {
    /// `None` without cargo.
    pub(crate) name: Option<String>,
    /// A hash of the folder, which distinguishes copies of a project; the path itself is not stored. `None` for
    /// dependencies fetched by cargo: they are the same everywhere.
    pub(crate) folder: Option<u64>,
}

impl Package {
    /// The package being built. Without cargo, the compiler's working directory counts.
    ///
    /// Read every time: programs that expand macros for several packages, such as editors, change the variables.
    pub(crate) fn being_built() -> Self {
        let folder = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
        let cargo_home = env::var_os("CARGO_HOME").map(PathBuf::from);
        let usual_home = || env::home_dir().map(|home| home.join(".cargo"));
        Self::new(
            env::var("CARGO_PKG_NAME").ok(),
            folder.or_else(|| env::current_dir().ok()).map(real),
            cargo_home.or_else(usual_home).map(real),
        )
    }

    /// The package of this name, with its manifest in `folder`.
    fn new(name: Option<String>, folder: Option<PathBuf>, cargo_home: Option<PathBuf>) -> Self {
        let is_fetched = |folder: &PathBuf| {
            let home = cargo_home.as_deref();
            home.is_some_and(|home| is_fetched(folder, home))
        };
        let kept = folder.filter(|folder| !is_fetched(folder));
        Self {
            name: name.filter(|name| !name.is_empty()),
            folder: kept.map(|path| fingerprint_of_bytes(path.as_os_str().as_encoded_bytes())),
        }
    }
}

/// Whether cargo fetched the folder, from a registry or with git.
fn is_fetched(folder: &Path, cargo_home: &Path) -> bool {
    ["registry/src", "git/checkouts"]
        .iter()
        .any(|fetched| folder.starts_with(cargo_home.join(fetched)))
}

/// The canonical path.
fn real(path: PathBuf) -> PathBuf {
    path.canonicalize().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(path: &str) -> Option<u64> {
        let home = Some(PathBuf::from("/home/me/.cargo"));
        Package::new(Some("app".to_owned()), Some(path.into()), home).folder
    }

    #[test]
    fn copies_of_a_project_have_different_hashes() {
        let one = folder("/home/me/one/app");
        assert!(one.is_some());
        assert_eq!(folder("/home/me/one/app"), one);
        assert_ne!(folder("/home/me/two/app"), one);
    }

    #[test]
    fn only_the_name_of_fetched_packages_counts() {
        let registry = "/home/me/.cargo/registry/src/index.example-1949cf8c6b5b557f/app-1.0.0";
        let git = "/home/me/.cargo/git/checkouts/repository-0123456789abcdef/89abcde/app";
        assert_eq!([folder(registry), folder(git)], [None, None]);
        for near in [
            "/home/me/.cargo/registry/srcs/app",
            "/home/me/.cargo/app",
            "/home/you/.cargo/registry/src/app",
        ] {
            assert!(folder(near).is_some(), "{near}");
        }
        // Without cargo's home, nothing is known to be fetched.
        let package = Package::new(Some("app".to_owned()), Some(registry.into()), None);
        assert!(package.folder.is_some());
    }

    #[test]
    fn without_cargo_there_is_no_name() {
        let folder = || Some(PathBuf::from("/src"));
        assert_eq!(Package::new(None, folder(), None).name, None);
        assert_eq!(Package::new(Some(String::new()), folder(), None).name, None);
    }

    /// Default folders depend on it: a change makes every program start with an empty cache.
    #[test]
    #[cfg(unix)]
    fn the_hash_never_changes() {
        assert_eq!(folder("/home/me/app"), Some(3_850_267_574_976_265_124));
    }
}

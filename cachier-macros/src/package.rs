//! The package that a function stands in, and the folder that it is built in, as the environment of the compiler tells.

use std::env;
use std::path::{Path, PathBuf};

use crate::fingerprint::fingerprint_of_bytes;

/// Whose functions are being built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Package {
    /// `None` where no cargo tells it.
    pub(crate) name: Option<String>,
    /// The hash of the folder, which tells copies of one project apart; the path itself goes nowhere. `None` for what cargo
    /// has fetched: it is the same wherever it is kept.
    pub(crate) folder: Option<u64>,
}

impl Package {
    /// The package that is built now. Where no cargo says so, it is built in the folder that the compiler runs in.
    ///
    /// Asked anew each time: a program that expands macros for many packages, as editors do, changes the variables.
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

    /// The package of this name, whose manifest is in `folder`.
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

/// Whether a folder is one that cargo has fetched, from a registry or by git.
fn is_fetched(folder: &Path, cargo_home: &Path) -> bool {
    ["registry/src", "git/checkouts"]
        .iter()
        .any(|fetched| folder.starts_with(cargo_home.join(fetched)))
}

/// The path without links, so that one folder has one path.
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
    fn copies_of_one_project_have_hashes_of_their_own() {
        let one = folder("/home/me/one/app");
        assert!(one.is_some());
        assert_eq!(folder("/home/me/one/app"), one);
        assert_ne!(folder("/home/me/two/app"), one);
    }

    #[test]
    fn of_what_cargo_fetched_the_name_alone_counts() {
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
        // Without a home of cargo's nothing is known to be fetched.
        let package = Package::new(Some("app".to_owned()), Some(registry.into()), None);
        assert!(package.folder.is_some());
    }

    #[test]
    fn without_cargo_there_is_no_name() {
        let folder = || Some(PathBuf::from("/src"));
        assert_eq!(Package::new(None, folder(), None).name, None);
        assert_eq!(Package::new(Some(String::new()), folder(), None).name, None);
    }

    /// Default folders depend on it: a change here makes every program begin with an empty one.
    #[test]
    #[cfg(unix)]
    fn the_hash_never_moves() {
        assert_eq!(folder("/home/me/app"), Some(3_850_267_574_976_265_124));
    }
}

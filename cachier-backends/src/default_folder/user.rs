//! The user's cache folder.

use std::env;
use std::path::PathBuf;

/// cachier's folder; `None` if the user has no home folder.
pub(super) fn folder() -> Option<PathBuf> {
    let variable = |name| env::var_os(name).map(PathBuf::from);
    let caches = if cfg!(windows) {
        choose(variable("LOCALAPPDATA"), env::home_dir(), "AppData/Local")
    } else if cfg!(target_vendor = "apple") {
        choose(None, env::home_dir(), "Library/Caches")
    } else {
        choose(variable("XDG_CACHE_HOME"), env::home_dir(), ".cache")
    };
    caches.map(|caches| caches.join("cachier"))
}

/// The cache folder: from an environment variable, or else in the home folder.
///
/// Relative paths are ignored, as the XDG base directory specification requires.
fn choose(variable: Option<PathBuf>, home: Option<PathBuf>, in_home: &str) -> Option<PathBuf> {
    variable.filter(|path| path.is_absolute()).or_else(|| {
        home.filter(|path| path.is_absolute())
            .map(|home| home.join(in_home))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn no() -> Option<PathBuf> {
        None
    }

    fn yes(path: &str) -> Option<PathBuf> {
        Some(PathBuf::from(path))
    }

    #[test]
    fn the_variable_comes_before_the_home_folder() {
        assert_eq!(choose(yes("/x"), yes("/home/me"), ".cache"), yes("/x"));
        assert_eq!(
            choose(no(), yes("/home/me"), ".cache"),
            yes("/home/me/.cache")
        );
    }

    #[test]
    fn relative_and_empty_paths_say_nothing() {
        assert_eq!(choose(yes("x"), yes("/h"), ".cache"), yes("/h/.cache"));
        assert_eq!(choose(yes(""), yes(""), ".cache"), None);
    }

    #[test]
    fn without_a_home_there_is_no_folder() {
        assert_eq!(choose(no(), no(), ".cache"), None);
    }
}

//! Where the caches of a user are.

use std::env;
use std::path::PathBuf;

/// The folder of cachier; `None`: the user has no home.
pub(super) fn folder() -> Option<PathBuf> {
    let variable = |name| env::var_os(name).map(PathBuf::from);
    let caches = if cfg!(windows) {
        chosen(variable("LOCALAPPDATA"), env::home_dir(), "AppData/Local")
    } else if cfg!(target_vendor = "apple") {
        chosen(None, env::home_dir(), "Library/Caches")
    } else {
        chosen(variable("XDG_CACHE_HOME"), env::home_dir(), ".cache")
    };
    caches.map(|caches| caches.join("cachier"))
}

/// The folder for caches: as a variable says, else below the home folder.
///
/// Relative paths say nothing, which the XDG base directory specification asks for.
fn chosen(told: Option<PathBuf>, home: Option<PathBuf>, in_home: &str) -> Option<PathBuf> {
    told.filter(|path| path.is_absolute()).or_else(|| {
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
        assert_eq!(chosen(yes("/x"), yes("/home/me"), ".cache"), yes("/x"));
        assert_eq!(
            chosen(no(), yes("/home/me"), ".cache"),
            yes("/home/me/.cache")
        );
    }

    #[test]
    fn relative_and_empty_paths_say_nothing() {
        assert_eq!(chosen(yes("x"), yes("/h"), ".cache"), yes("/h/.cache"));
        assert_eq!(chosen(yes(""), yes(""), ".cache"), None);
    }

    #[test]
    fn without_a_home_there_is_no_folder() {
        assert_eq!(chosen(no(), no(), ".cache"), None);
    }
}

//! Expands a leading `~` in paths.

use std::env;
use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

use crate::error::{Error, ErrorKind, Operation};

/// The path with the home folder in place of a leading `~`.
///
/// ```
/// use cachier_backends::home;
/// use std::path::Path;
///
/// let elsewhere = Path::new("/var/cache/app");
/// assert_eq!(home::expand(elsewhere).unwrap(), elsewhere);
/// assert!(home::expand("~someone/cache".as_ref()).is_err());
/// ```
///
/// # Errors
/// If the user has no home folder, or another user's is meant.
pub fn expand(path: &Path) -> Result<PathBuf, Error> {
    expand_with(path, || env::home_dir().filter(|home| home.is_absolute()))
}

fn expand_with(path: &Path, home: impl FnOnce() -> Option<PathBuf>) -> Result<PathBuf, Error> {
    let mut components = path.components();
    match components.next() {
        Some(Component::Normal(first)) if first == "~" => {
            let home = home().ok_or_else(|| refused(path, "this user has no home folder"))?;
            Ok(home.join(components.as_path()))
        }
        Some(Component::Normal(first)) if is_of_user(first) => Err(refused(
            path,
            "only `~/` is understood, not another user's home",
        )),
        _ => Ok(path.to_owned()),
    }
}

fn is_of_user(first: &OsStr) -> bool {
    first.as_encoded_bytes().starts_with(b"~")
}

fn refused(path: &Path, why: &str) -> Error {
    let message = format!("the folder cannot be used: {why}");
    Error::new(ErrorKind::NotRegistered, Operation::Load, message)
        .at(path.display().to_string())
        .with_hint("write the path out; a folder that is called so is `./~`")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn expanded(path: &str, home: Option<&str>) -> Option<PathBuf> {
        expand_with(path.as_ref(), || home.map(PathBuf::from)).ok()
    }

    #[test]
    fn a_leading_tilde_is_the_home_folder() {
        let of = |path| expanded(path, Some("/home/me"));
        assert_eq!(of("~/x/y"), Some("/home/me/x/y".into()));
        assert_eq!(of("~"), Some("/home/me".into()));
        assert_eq!(of("~/"), Some("/home/me".into()));
    }

    #[test]
    fn a_tilde_without_a_home_is_refused() {
        assert_eq!(expanded("~/x", None), None);
        assert_eq!(expanded("~", None), None);
        assert_eq!(expanded("~you/x", Some("/home/me")), None);
        let error = expand_with(Path::new("~/x"), || None).unwrap_err();
        assert_eq!(
            error.to_string(),
            "~/x: the folder cannot be used: this user has no home folder; \
             write the path out; a folder that is called so is `./~`"
        );
    }

    #[test]
    fn any_other_path_is_what_it_is() {
        for path in ["/x/~", "x/~/y", "./~/x", "./~you", "", "."] {
            assert_eq!(expanded(path, None), Some(path.into()), "{path}");
        }
    }
}

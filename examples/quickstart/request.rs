//! What the user asks for.

use std::ffi::OsString;
use std::path::PathBuf;

/// The command line.
pub(crate) struct Request {
    pub(crate) folder: PathBuf,
    /// Whether to show every file, not only the longest ones.
    pub(crate) all: bool,
    /// Whether to clear the cache first.
    pub(crate) fresh: bool,
}

impl Request {
    pub(crate) fn from_arguments(
        arguments: impl Iterator<Item = OsString>,
    ) -> Result<Self, String> {
        let mut request = Self {
            folder: PathBuf::from(THIS_REPOSITORY),
            all: false,
            fresh: false,
        };
        for argument in arguments {
            match argument.to_str() {
                Some("--all") => request.all = true,
                Some("--fresh") => request.fresh = true,
                Some(flag) if flag.starts_with('-') => {
                    return Err(format!("unknown option {flag}; {USAGE}"));
                }
                _ => request.folder = PathBuf::from(argument),
            }
        }
        Ok(request)
    }
}

const THIS_REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
const USAGE: &str = "usage: quickstart [--all] [--fresh] [FOLDER]";

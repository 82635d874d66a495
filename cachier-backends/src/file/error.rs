//! Errors of operations on files.

use std::io;
use std::path::Path;

use super::files::NotAFile;
use super::lock::LockTimedOut;
use crate::error::{Error, ErrorKind, Operation};

/// The error of an operation, from one of the operating system.
#[cold]
pub(super) fn failed(
    operation: Operation,
    message: &'static str,
    path: &Path,
    source: io::Error,
) -> Error {
    let not_a_file = NotAFile::of(&source).map(|not_a_file| not_a_file.path().to_owned());
    let path = not_a_file.as_deref().unwrap_or(path);
    if LockTimedOut::is(&source) {
        // The store works.
        let error = Error::io(operation, message, source).caused_by_caller();
        let hint = "too many write to the folder at the same time, here or in other processes";
        return error.at(path.display().to_string()).with_hint(hint);
    }
    let error = match source.kind() {
        io::ErrorKind::InvalidData => {
            Error::new(ErrorKind::Corrupt, operation, message).with_source(source)
        }
        _ => Error::io(operation, message, source),
    };
    let hint = match error.kind() {
        ErrorKind::Denied => "let this user write there, or set CACHIER_CACHE_DIR",
        ErrorKind::Full => "free some space, or set `capacity_bytes`",
        ErrorKind::Corrupt => {
            "remove what stands there: a link, or something else that is not cachier's"
        }
        _ => return error.at(path.display().to_string()),
    };
    error.at(path.display().to_string()).with_hint(hint)
}

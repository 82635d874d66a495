//! Mapping of driver errors.

use mongodb::error::{Error as Driver, ErrorKind as Kind, WriteFailure};

use crate::error::{Error, ErrorKind, Operation};

/// The error of an operation on a store.
#[cold]
pub(super) fn failed(operation: Operation, store: &str, error: &Driver) -> Error {
    let kind = kind_of(error);
    let message = match kind {
        ErrorKind::Connect => "the server cannot be reached",
        ErrorKind::Timeout => "the server did not answer in time",
        ErrorKind::Denied => "the server does not permit it",
        ErrorKind::Full => "the server has no room",
        _ => "the server failed",
    };
    let failed = Error::new(kind, operation, message).at(store);
    let failed = match kind {
        ErrorKind::Denied => failed.with_hint("the user needs the role `readWrite`"),
        ErrorKind::Connect => failed.with_hint("is it running, and is its address right?"),
        _ if is_index_conflict(error) => failed.with_hint(
            "an index of the same keys or name has other options: drop it, or leave it as it is, which costs no call",
        ),
        _ => failed,
    };
    // The driver's error may contain addresses and parts of documents.
    match code(error) {
        Some(code) => failed.with_source(Code(code)),
        None => failed,
    }
}

/// Whether another client inserted the same document concurrently.
pub(super) fn is_duplicate(error: &Driver) -> bool {
    code(error) == Some(11000)
}

pub(super) fn is_denied(error: &Driver) -> bool {
    kind_of(error) == ErrorKind::Denied
}

/// Whether an index with the same keys or name but other options exists: IndexOptionsConflict, IndexKeySpecsConflict.
pub(super) fn is_index_conflict(error: &Driver) -> bool {
    matches!(code(error), Some(85 | 86))
}

/// Whether the document is larger than the server accepts.
pub(super) fn is_too_large(error: &Driver) -> bool {
    matches!(code(error), Some(10334 | 17419 | 17420))
}

fn kind_of(error: &Driver) -> ErrorKind {
    match &*error.kind {
        Kind::Authentication { .. } => ErrorKind::Denied,
        Kind::Io(_)
        | Kind::ServerSelection { .. }
        | Kind::ConnectionPoolCleared { .. }
        | Kind::DnsResolve { .. } => ErrorKind::Connect,
        Kind::InvalidResponse { .. } => ErrorKind::Protocol,
        _ => code(error).map_or(ErrorKind::Io, kind_of_code),
    }
}

/// By the codes of <https://github.com/mongodb/mongo/blob/master/src/mongo/base/error_codes.yml>.
fn kind_of_code(code: i32) -> ErrorKind {
    match code {
        // Unauthorized, AuthenticationFailed, and Atlas's code for missing rights.
        13 | 18 | 8000 => ErrorKind::Denied,
        // HostUnreachable, NetworkTimeout, stepping down, shutting down.
        6 | 7 | 89 | 91 | 189 | 9001 | 10107 | 11600 | 11602 | 13435 | 13436 => ErrorKind::Connect,
        // ExceededTimeLimit, MaxTimeMSExpired.
        50 | 262 => ErrorKind::Timeout,
        // OutOfDiskSpace, and an exhausted quota.
        14031 | 12501 => ErrorKind::Full,
        _ => ErrorKind::Io,
    }
}

fn code(error: &Driver) -> Option<i32> {
    match &*error.kind {
        Kind::Command(command) => Some(command.code),
        Kind::Write(WriteFailure::WriteError(write)) => Some(write.code),
        Kind::Write(WriteFailure::WriteConcernError(concern)) => Some(concern.code),
        _ => None,
    }
}

/// The server's error code.
#[derive(Debug)]
struct Code(i32);

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "error code {} of MongoDB", self.0)
    }
}

impl std::error::Error for Code {}

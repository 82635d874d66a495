//! Mapping of driver errors.

use redis::{ErrorKind as Driver, RedisError, ServerErrorKind as Server};

use crate::error::{Error, ErrorKind, Operation};

/// A failure to connect.
pub(super) fn connecting(operation: Operation, error: RedisError) -> Error {
    match kind_of(&error) {
        ErrorKind::Denied => describe(ErrorKind::Denied, operation, error),
        _ => Error::new(
            ErrorKind::Connect,
            operation,
            "the server cannot be reached",
        )
        .with_source(error),
    }
}

/// A failed or refused request.
pub(super) fn querying(operation: Operation, error: RedisError) -> Error {
    describe(kind_of(&error), operation, error)
}

/// Whether the server refuses an entry of this size.
pub(super) fn is_too_large(error: &RedisError) -> bool {
    says(error, "invalid bulk length") || says(error, "string exceeds maximum allowed size")
}

/// Whether the stored value is of a type that no entry has.
pub(super) fn is_no_entry(error: &RedisError) -> bool {
    error.code() == Some("WRONGTYPE")
}

/// Whether the connection is unusable: broken, about to be closed by the server, or to a former master.
pub(super) fn is_fatal(error: &RedisError) -> bool {
    error.is_io_error()
        || error.is_unrecoverable_error()
        || says(error, "Protocol error")
        || matches!(
            error.kind(),
            Driver::Server(Server::ReadOnly | Server::MasterDown)
        )
}

fn kind_of(error: &RedisError) -> ErrorKind {
    match error.kind() {
        Driver::Io if error.is_timeout() => ErrorKind::Timeout,
        // When no cluster node accepts the login, the driver reports it only as text.
        Driver::Io if says(error, "AuthenticationFailed") => ErrorKind::Denied,
        Driver::Io | Driver::ClusterConnectionNotFound | Driver::MasterNameNotFoundBySentinel => {
            ErrorKind::Connect
        }
        Driver::AuthenticationFailed | Driver::Server(Server::NoPerm) => ErrorKind::Denied,
        Driver::Server(
            Server::BusyLoading
            | Server::TryAgain
            | Server::ClusterDown
            | Server::MasterDown
            | Server::ReadOnly
            | Server::Moved
            | Server::Ask,
        ) => ErrorKind::Connect,
        _ => kind_of_code(error),
    }
}

/// Errors without a kind in the driver, and those passed on by scripts.
fn kind_of_code(error: &RedisError) -> ErrorKind {
    match error.code().unwrap_or_default() {
        "NOAUTH" | "WRONGPASS" => ErrorKind::Denied,
        "OOM" | "MISCONF" => ErrorKind::Full,
        "WRONGTYPE" => ErrorKind::Corrupt,
        "BUSY" | "NOREPLICAS" => ErrorKind::Connect,
        // From commands in scripts, and from long requests without a password.
        _ if says(error, "ACL failure") || says(error, "The user executing the script") => {
            ErrorKind::Denied
        }
        _ if says(error, "unauthenticated") => ErrorKind::Denied,
        _ if says(error, "max number of clients") => ErrorKind::Connect,
        _ => ErrorKind::Protocol,
    }
}

fn says(error: &RedisError, text: &str) -> bool {
    error.detail().is_some_and(|detail| detail.contains(text))
}

fn describe(kind: ErrorKind, operation: Operation, error: RedisError) -> Error {
    let (message, hint) = match kind {
        ErrorKind::Timeout => ("the server did not answer in time", None),
        ErrorKind::Connect => ("the server cannot be used right now", None),
        ErrorKind::Denied => (
            "the server does not permit it",
            Some(
                "the user needs `~cachier:* &cachier:* +@read +@write +@scripting +@pubsub +@connection +time`, and \
                 `+cluster|slots` in a cluster",
            ),
        ),
        ErrorKind::Full => (
            "the server has no room",
            Some("raise its `maxmemory`, or let entries expire: set `stale_after` and `max_stale`"),
        ),
        ErrorKind::Corrupt => ("what is stored is not an entry", None),
        _ => ("the server refused the request", None),
    };
    let described = Error::new(kind, operation, message).with_source(error);
    match hint {
        Some(hint) => described.with_hint(hint),
        None => described,
    }
}

/// The error of a lost connection.
pub(super) fn lost() -> RedisError {
    std::io::Error::from(std::io::ErrorKind::BrokenPipe).into()
}

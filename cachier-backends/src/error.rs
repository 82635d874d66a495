//! The error type.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::sync::Arc;

/// An error of a backend, a key or an entry.
///
/// `Display` says what happened, where, and what to do about it; `{:#}` adds the causes. Neither ever shows a
/// credential, an argument or a stored value.
///
/// ```
/// use cachier_backends::{Error, ErrorKind, Operation};
///
/// let error = Error::new(ErrorKind::Full, Operation::Store, "no room for the entry")
///     .at("/var/cache/app")
///     .with_hint("free some space or set `capacity_bytes`");
/// assert_eq!(
///     error.to_string(),
///     "/var/cache/app: no room for the entry; free some space or set `capacity_bytes`",
/// );
/// assert!(!error.is_transient());
/// ```
#[derive(Clone)]
pub struct Error {
    inner: Arc<Inner>,
}

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    operation: Operation,
    message: Cow<'static, str>,
    place: Option<String>,
    hint: Option<Cow<'static, str>>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
    is_of_the_caller: bool,
}

/// The kinds of [`Error`], as the metrics count them.
///
/// ```
/// use cachier_backends::{Error, ErrorKind, Operation};
///
/// fn advice(error: &Error) -> &'static str {
///     match error.kind() {
///         ErrorKind::Connect | ErrorKind::Timeout => "is the store there?",
///         ErrorKind::Full => "make room",
///         _ => "read on",
///     }
/// }
///
/// let error = Error::new(ErrorKind::Full, Operation::Store, "no room for the entry");
/// assert_eq!(advice(&error), "make room");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The store is unreachable.
    Connect,
    /// The store did not answer in time.
    Timeout,
    /// Reading or writing failed.
    Io,
    /// The store gave an unexpected answer.
    Protocol,
    /// A value or an argument cannot be serialized, or stored bytes do not decode to the type.
    Codec,
    /// Stored bytes are not an intact entry of their key.
    Corrupt,
    /// The store is full.
    Full,
    /// The store does not permit the operation.
    Denied,
    /// The circuit breaker answered for a backend that failed repeatedly.
    BreakerOpen,
    /// Two functions have the same identity.
    Identity,
    /// No backend was registered under the name, or what is said of where it is cannot be used.
    NotRegistered,
    /// The stored form does not represent the value or the arguments: a value does not come back equal, or unequal
    /// arguments have the same key.
    Unfaithful,
}

/// The operation in which an [`Error`] occurred, as the metrics count it.
///
/// ```
/// use cachier_backends::Operation;
///
/// let names = Operation::ALL.map(Operation::as_str);
/// assert_eq!(names, ["load", "store", "remove", "clear", "lease"]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// Reading: an entry, the usage, the health of the store; also making the key of a call.
    Load,
    /// Storing an entry.
    Store,
    /// Removing single entries: invalidated ones, or old ones in a cleanup.
    Remove,
    /// Removing all entries, or all leases, of a function.
    Clear,
    /// Taking, renewing or releasing a lease, or waiting for one.
    Lease,
}

impl Error {
    /// An error of a `kind` in an `operation`.
    ///
    /// The `message` says what happened, and contains no secrets.
    pub fn new(
        kind: ErrorKind,
        operation: Operation,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        let inner = Inner {
            kind,
            operation,
            message: message.into(),
            place: None,
            hint: None,
            source: None,
            is_of_the_caller: false,
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// An error caused by `source`, with the matching kind.
    pub fn io(
        operation: Operation,
        message: impl Into<Cow<'static, str>>,
        source: io::Error,
    ) -> Self {
        Self::new(kind_of_io(source.kind()), operation, message).with_source(source)
    }

    /// The same error of another operation.
    #[cfg(feature = "file")]
    pub(crate) fn in_operation(mut self, operation: Operation) -> Self {
        Arc::make_mut(&mut self.inner).operation = operation;
        self
    }

    /// Adds where it happened: a path, or an address without credentials.
    #[must_use]
    pub fn at(mut self, place: impl Into<String>) -> Self {
        Arc::make_mut(&mut self.inner).place = Some(place.into());
        self
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<Cow<'static, str>>) -> Self {
        Arc::make_mut(&mut self.inner).hint = Some(hint.into());
        self
    }

    /// Adds the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        Arc::make_mut(&mut self.inner).source = Some(Arc::new(source));
        self
    }

    /// Marks an error that is due to the caller's situation: the store may serve others.
    #[must_use]
    pub fn caused_by_caller(mut self) -> Self {
        Arc::make_mut(&mut self.inner).is_of_the_caller = true;
        self
    }

    /// Whether the store may serve other callers: see [`caused_by_caller`](Self::caused_by_caller).
    #[must_use]
    pub fn is_of_the_caller(&self) -> bool {
        self.inner.is_of_the_caller
    }

    /// The kind of error.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.inner.kind
    }

    /// The operation in which it occurred.
    #[must_use]
    pub fn operation(&self) -> Operation {
        self.inner.operation
    }

    /// The failure alone, without its place, its cause, or what to do about it.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.inner.message
    }

    /// Whether a retry may succeed soon.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        use ErrorKind::{BreakerOpen, Connect, Timeout};
        matches!(self.kind(), Connect | Timeout | BreakerOpen)
    }
}

impl ErrorKind {
    /// The kind as a metric label: `breaker_open`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Timeout => "timeout",
            Self::Io => "io",
            Self::Protocol => "protocol",
            Self::Codec => "codec",
            Self::Corrupt => "corrupt",
            Self::Full => "full",
            Self::Denied => "denied",
            Self::BreakerOpen => "breaker_open",
            Self::Identity => "identity",
            Self::NotRegistered => "not_registered",
            Self::Unfaithful => "unfaithful",
        }
    }
}

impl Operation {
    /// All operations, in the order of declaration.
    pub const ALL: [Self; 5] = [
        Self::Load,
        Self::Store,
        Self::Remove,
        Self::Clear,
        Self::Lease,
    ];

    /// The operation as a metric label: `load`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Load => "load",
            Self::Store => "store",
            Self::Remove => "remove",
            Self::Clear => "clear",
            Self::Lease => "lease",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.inner.place {
            write!(f, "{place}: ")?;
        }
        f.write_str(&self.inner.message)?;
        if f.alternate() {
            let mut cause = self.source();
            while let Some(error) = cause {
                write!(f, ": {error}")?;
                cause = error.source();
            }
        }
        match &self.inner.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.inner.kind)
            .field("operation", &self.inner.operation)
            .field("message", &format_args!("{self}"))
            .field("source", &self.inner.source)
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        let source = self.inner.source.as_deref()?;
        Some(source)
    }
}

fn kind_of_io(kind: io::ErrorKind) -> ErrorKind {
    use io::ErrorKind as Io;
    match kind {
        Io::PermissionDenied | Io::ReadOnlyFilesystem => ErrorKind::Denied,
        Io::StorageFull | Io::QuotaExceeded | Io::FileTooLarge => ErrorKind::Full,
        Io::TimedOut => ErrorKind::Timeout,
        Io::ConnectionRefused
        | Io::ConnectionReset
        | Io::ConnectionAborted
        | Io::NotConnected
        | Io::BrokenPipe
        | Io::HostUnreachable
        | Io::NetworkUnreachable
        | Io::NetworkDown => ErrorKind::Connect,
        _ => ErrorKind::Io,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn io_errors_have_matching_kinds() {
        let kind = |kind: io::ErrorKind| Error::io(Operation::Store, "x", kind.into()).kind();
        assert_eq!(kind(io::ErrorKind::PermissionDenied), ErrorKind::Denied);
        assert_eq!(kind(io::ErrorKind::ReadOnlyFilesystem), ErrorKind::Denied);
        assert_eq!(kind(io::ErrorKind::StorageFull), ErrorKind::Full);
        assert_eq!(kind(io::ErrorKind::QuotaExceeded), ErrorKind::Full);
        assert_eq!(kind(io::ErrorKind::TimedOut), ErrorKind::Timeout);
        assert_eq!(kind(io::ErrorKind::ConnectionRefused), ErrorKind::Connect);
        assert_eq!(kind(io::ErrorKind::NotADirectory), ErrorKind::Io);
    }

    #[test]
    fn display_shows_everything_but_causes() {
        let cause = io::Error::other("the cause");
        let error = Error::io(Operation::Load, "it failed", cause)
            .at("/there")
            .with_hint("do this");
        assert_eq!(error.to_string(), "/there: it failed; do this");
        assert_eq!(
            format!("{error:#}"),
            "/there: it failed: the cause; do this"
        );
        assert_eq!(error.source().unwrap().to_string(), "the cause");
    }

    #[test]
    fn changes_do_not_affect_clones() {
        let error = Error::new(ErrorKind::Io, Operation::Clear, "it failed");
        let elsewhere = error.clone().at("/there");
        assert_eq!(error.to_string(), "it failed");
        assert_eq!(elsewhere.message(), "it failed");
        assert_eq!(elsewhere.to_string(), "/there: it failed");
        assert_eq!(elsewhere.operation(), Operation::Clear);
    }
}

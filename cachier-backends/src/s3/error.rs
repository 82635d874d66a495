//! Mapping of client errors.

use std::error::Error as StdError;
use std::fmt;

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ConnectorError, ProvideErrorMetadata, SdkError};

use crate::error::{Error, ErrorKind, Operation};

/// A failed request.
#[derive(Debug)]
pub(super) struct Failure {
    kind: ErrorKind,
    answer: Answer,
    cause: Cause,
}

/// Answers that are not failures by themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The object does not exist.
    Missing,
    /// The precondition failed.
    Unmet,
    /// A concurrent request is changing the object, which leaves open whether the precondition holds.
    Conflict,
    /// The object is larger than the server accepts.
    TooLarge,
    /// The bucket does not exist.
    NoBucket,
    /// The server does not support the request.
    Unknown,
    /// Anything else.
    Failed,
}

/// The client's error as text. The error itself holds whole responses, which may reveal too much.
#[derive(Debug)]
struct Cause(String);

impl Failure {
    pub(super) fn answer(&self) -> Answer {
        self.answer
    }

    /// The error of an operation.
    pub(super) fn into_error(self, operation: Operation) -> Error {
        let (message, hint) = match (self.kind, self.answer) {
            (_, Answer::NoBucket) => (
                "there is no such bucket",
                Some("create it, or name another"),
            ),
            (_, Answer::Conflict) => (
                "another request was changing the object at that moment",
                None,
            ),
            (ErrorKind::Connect, _) => ("the server cannot be used right now", None),
            (ErrorKind::Timeout, _) => ("the server did not answer in time", None),
            (ErrorKind::Full, _) => ("the server has no room", None),
            (ErrorKind::Denied, _) => (
                "the server does not permit it",
                Some(
                    "s3:GetObject, s3:PutObject, s3:DeleteObject and s3:ListBucket are needed, and valid credentials",
                ),
            ),
            _ => ("the request failed", None),
        };
        let error = Error::new(self.kind, operation, message).with_source(self.cause);
        match (hint, self.answer) {
            (Some(hint), _) => error.with_hint(hint),
            // The store works, however often requests conflict.
            (None, Answer::Conflict) => error.caused_by_caller(),
            (None, _) => error,
        }
    }
}

impl<E> From<SdkError<E, HttpResponse>> for Failure
where
    E: ProvideErrorMetadata + StdError + 'static,
{
    fn from(error: SdkError<E, HttpResponse>) -> Self {
        let (kind, answer) = match &error {
            SdkError::ServiceError(refused) => {
                let code = refused.err().code().unwrap_or_default();
                let status = refused.raw().status().as_u16();
                return Self {
                    kind: kind_of(status, code),
                    answer: answer_of(status, code),
                    cause: Cause(said(status, code, refused.err().message())),
                };
            }
            SdkError::TimeoutError(_) => (ErrorKind::Timeout, Answer::Failed),
            SdkError::DispatchFailure(failed) => {
                let failed = failed.as_connector_error();
                let kind = failed.map_or(ErrorKind::Connect, |failed| dispatched(failed, &error));
                (kind, Answer::Failed)
            }
            _ => (ErrorKind::Protocol, Answer::Failed),
        };
        Self {
            kind,
            answer,
            cause: Cause(chain(&error)),
        }
    }
}

/// The error of an interrupted response.
pub(super) fn broken_off(
    operation: Operation,
    error: impl StdError + Send + Sync + 'static,
) -> Error {
    let message = "the answer of the server broke off";
    Error::new(ErrorKind::Connect, operation, message).with_source(error)
}

/// The error of an incomplete response.
pub(super) fn incomplete(operation: Operation) -> Error {
    let message = "the server did not say which version of an object it has";
    Error::new(ErrorKind::Protocol, operation, message)
}

/// The error of objects that the server did not delete.
pub(super) fn not_deleted(operation: Operation, code: &str, message: &str) -> Error {
    let kind = match code {
        "AccessDenied" => ErrorKind::Denied,
        "InternalError" | "SlowDown" | "ServiceUnavailable" => ErrorKind::Connect,
        _ => ErrorKind::Protocol,
    };
    let cause = Cause(format!("{code}: {message}"));
    Error::new(kind, operation, "an object was not deleted").with_source(cause)
}

fn kind_of(status: u16, code: &str) -> ErrorKind {
    match (status, code) {
        (_, "QuotaExceeded" | "XMinioStorageFull" | "XMinioAdminBucketQuotaExceeded")
        | (507, _) => ErrorKind::Full,
        (401 | 403, _) => ErrorKind::Denied,
        (_, "RequestTimeout") | (408, _) => ErrorKind::Timeout,
        // Conflicts may be retried, like failures to connect.
        (409 | 429 | 500 | 502..=504, _) => ErrorKind::Connect,
        _ => ErrorKind::Protocol,
    }
}

fn answer_of(status: u16, code: &str) -> Answer {
    match (status, code) {
        (_, "NoSuchBucket") => Answer::NoBucket,
        (404, _) => Answer::Missing,
        (409, "ConditionalRequestConflict" | "OperationAborted") => Answer::Conflict,
        (412, _) => Answer::Unmet,
        (413, _) | (_, "EntityTooLarge") => Answer::TooLarge,
        (501, _) => Answer::Unknown,
        _ => Answer::Failed,
    }
}

/// The kind of a request that was not sent or not answered.
fn dispatched(failed: &ConnectorError, error: &(dyn StdError + 'static)) -> ErrorKind {
    if failed.is_io() {
        return ErrorKind::Connect;
    }
    if failed.is_timeout() {
        return match chain(error).contains("HTTP connect") {
            true => ErrorKind::Connect,
            false => ErrorKind::Timeout,
        };
    }
    match chain(error).contains("credential") {
        true => ErrorKind::Denied,
        false => ErrorKind::Connect,
    }
}

fn said(status: u16, code: &str, message: Option<&str>) -> String {
    match message {
        Some(message) => format!("{status} {code}: {message}"),
        None => format!("{status} {code}"),
    }
}

fn chain(error: &(dyn StdError + 'static)) -> String {
    let (mut text, mut cause) = (error.to_string(), error.source());
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl StdError for Cause {}

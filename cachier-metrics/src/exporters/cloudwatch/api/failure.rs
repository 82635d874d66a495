//! The failure of a request: why, and whether its figures may be sent again. Pure.

use std::error::Error;
use std::io::{self, ErrorKind};

use aws_sdk_cloudwatch::config::http::HttpResponse;
use aws_sdk_cloudwatch::error::{ConnectorError, ProvideErrorMetadata, SdkError};
use aws_sdk_cloudwatch::operation::put_metric_data::PutMetricDataError;

/// Why a request was not answered as it should be.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) reason: String,
    pub(super) retry: Retry,
}

/// Whether the figures of a request that failed may be sent again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Retry {
    /// It was not received, or not let in.
    Later,
    /// It was refused for what it says, and would be again.
    Never,
    /// It may have been received: sending it again might count it twice.
    Unsafe,
}

impl Failure {
    pub(super) fn of(error: &SdkError<PutMetricDataError>) -> Self {
        Self {
            reason: reason(error),
            retry: retry(error),
        }
    }
}

/// The kind of an error, without the texts of those that it comes from: headers, bodies and what a program for credentials
/// writes may repeat a token.
fn reason(error: &SdkError<PutMetricDataError>) -> String {
    let kind = match error {
        SdkError::ServiceError(answer) => {
            return reason_of_answer(answer.err().code(), answer.raw());
        }
        SdkError::ConstructionFailure(_) => UNABLE_MESSAGE,
        SdkError::DispatchFailure(failure)
            if failure.as_connector_error().is_some_and(is_unsent) =>
        {
            UNABLE_MESSAGE
        }
        SdkError::DispatchFailure(_) if is_unreached(error) => "it cannot be reached",
        SdkError::DispatchFailure(failure) if failure.is_timeout() => LATE_MESSAGE,
        SdkError::DispatchFailure(_) => "the connection breaks off",
        SdkError::TimeoutError(_) => LATE_MESSAGE,
        _ => "its answer cannot be read",
    };
    let mut causes = causes(error);
    let io = causes.find_map(|cause| cause.downcast_ref::<io::Error>());
    io.map_or_else(|| kind.to_owned(), |io| format!("{kind}: {}", io.kind()))
}

fn reason_of_answer(code: Option<&str>, answer: &HttpResponse) -> String {
    match code {
        Some(code) => format!("the service answers `{code}`"),
        None => format!("the service answers {}", answer.status()),
    }
}

const UNABLE_MESSAGE: &str =
    "the client makes no request, as without a region, credentials or an HTTP client";
const LATE_MESSAGE: &str = "it does not answer in time";

/// Error codes of requests that may be repeated later: throttled, or not authorized.
const REFUSALS: [&str; 16] = [
    "Throttling",
    "ThrottlingException",
    "RequestLimitExceeded",
    "TooManyRequestsException",
    "AccessDenied",
    "AccessDeniedException",
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "OptInRequired",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
];
/// The same as HTTP statuses, which a proxy may send: unauthenticated, forbidden, or throttled.
const REFUSED_STATUSES: [u16; 4] = [401, 403, 407, 429];

fn retry(error: &SdkError<PutMetricDataError>) -> Retry {
    let is_unreceived = match error {
        SdkError::ServiceError(answer) => {
            return retry_of_answer(answer.err().code(), answer.raw());
        }
        SdkError::ConstructionFailure(_) => true,
        SdkError::DispatchFailure(failure) => {
            failure.as_connector_error().is_some_and(is_unsent) || is_unreached(error)
        }
        _ => false,
    };
    match is_unreceived {
        true => Retry::Later,
        false => Retry::Unsafe,
    }
}

/// Whether a failure comes before any connection.
fn is_unsent(failure: &ConnectorError) -> bool {
    // An error of unknown kind comes from outside the connection: no client, or no credentials.
    failure.is_user() || failure.is_other() && failure.as_other().is_none()
}

fn retry_of_answer(code: Option<&str>, answer: &HttpResponse) -> Retry {
    let status = answer.status();
    let is_refusal = code.is_some_and(|code| REFUSALS.contains(&code));
    match is_refusal || REFUSED_STATUSES.contains(&status.as_u16()) {
        true => Retry::Later,
        false if status.is_client_error() => Retry::Never,
        false => Retry::Unsafe,
    }
}

/// Errors of a connection that was never made.
const UNREACHED: [ErrorKind; 3] = [
    ErrorKind::ConnectionRefused,
    ErrorKind::HostUnreachable,
    ErrorKind::NetworkUnreachable,
];

/// How the client names a connection that was never made: in time, by name, or by TLS.
const NO_CONNECTION: &str = "client error (Connect)";

/// Whether nothing of a request can have arrived.
fn is_unreached(error: &(dyn Error + 'static)) -> bool {
    causes(error).any(|cause| {
        let is_io = |error: &io::Error| UNREACHED.contains(&error.kind());
        cause.downcast_ref::<io::Error>().is_some_and(is_io)
            || cause.to_string().contains(NO_CONNECTION)
    })
}

/// The error, and what it comes from.
fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| (*error).source())
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    #![allow(clippy::unwrap_used)]

    use aws_sdk_cloudwatch::error::ErrorMetadata;

    use super::*;

    #[test]
    fn unmade_requests_are_sent_later_late_ones_never() {
        let dispatch = SdkError::dispatch_failure;
        let secret = || "s3cret".into();
        let no_connection = "client error (Connect): HTTP connect timeout of s3cret";
        let io = |kind| ConnectorError::io(io::Error::new(kind, "s3cret").into());
        let later = [
            (SdkError::construction_failure("s3cret"), UNABLE_MESSAGE),
            (
                dispatch(ConnectorError::other(secret(), None)),
                UNABLE_MESSAGE,
            ),
            (dispatch(ConnectorError::user(secret())), UNABLE_MESSAGE),
            (
                dispatch(ConnectorError::timeout(no_connection.into())),
                "it cannot be reached",
            ),
            (
                dispatch(io(ErrorKind::ConnectionRefused)),
                "it cannot be reached: connection refused",
            ),
        ];
        let unsafe_ones = [
            (SdkError::timeout_error("s3cret"), LATE_MESSAGE),
            (dispatch(ConnectorError::timeout(secret())), LATE_MESSAGE),
            (
                dispatch(io(ErrorKind::ConnectionReset)),
                "the connection breaks off: connection reset",
            ),
            (
                SdkError::response_error(
                    "s3cret",
                    HttpResponse::new(200.try_into().unwrap(), "".into()),
                ),
                "its answer cannot be read",
            ),
        ];
        let later = later.map(|(error, reason)| (error, reason, Retry::Later));
        let unsafe_ones = unsafe_ones.map(|(error, reason)| (error, reason, Retry::Unsafe));
        for (error, reason, retry) in later.into_iter().chain(unsafe_ones) {
            let failure = Failure::of(&error);
            assert_eq!((&*failure.reason, failure.retry), (reason, retry));
        }
    }

    #[test]
    fn answers_say_whether_to_send_again() {
        for (status, code, expected) in [
            (400_u16, Some("SignatureDoesNotMatch"), Retry::Later),
            (503, Some("Throttling"), Retry::Later),
            (400, Some("InvalidParameterValue"), Retry::Never),
            (413, None, Retry::Never),
            (407, None, Retry::Later),
            (429, None, Retry::Later),
            (500, Some("InternalServiceError"), Retry::Unsafe),
            (502, None, Retry::Unsafe),
            (200, None, Retry::Unsafe),
        ] {
            let error = code
                .into_iter()
                .fold(ErrorMetadata::builder(), |error, code| error.code(code));
            let error = PutMetricDataError::generic(error.build());
            let answer = HttpResponse::new(status.try_into().unwrap(), "".into());
            let failure = Failure::of(&SdkError::service_error(error, answer));
            assert_eq!(failure.retry, expected, "{status} {code:?}");
            let said = code.map_or(status.to_string(), |code| format!("`{code}`"));
            assert_eq!(failure.reason, format!("the service answers {said}"));
        }
    }
}

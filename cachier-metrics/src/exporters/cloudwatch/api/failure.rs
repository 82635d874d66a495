//! The failure of a request: why, and whether its figures may be sent again. Pure.

use std::error::Error;
use std::io::{self, ErrorKind};

use aws_sdk_cloudwatch::config::http::HttpResponse;
use aws_sdk_cloudwatch::error::{ProvideErrorMetadata, SdkError};
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

/// Without headers and bodies, which may repeat a token or a signed request: of an answer of the service its code.
fn reason(error: &SdkError<PutMetricDataError>) -> String {
    if let SdkError::ServiceError(answer) = error {
        let code = answer.err().code().unwrap_or("an unknown code");
        return format!("the service answers `{code}`");
    }
    let causes = causes(error).map(ToString::to_string);
    causes.collect::<Vec<_>>().join(": ")
}

/// Codes of requests that may be made again another time: throttled, or not let in.
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
/// The same as statuses, as of a proxy on the way: who asks is not known or not let in, or asks too often.
const REFUSED_STATUSES: [u16; 4] = [401, 403, 407, 429];

fn retry(error: &SdkError<PutMetricDataError>) -> Retry {
    let is_unreceived = match error {
        SdkError::ConstructionFailure(_) => true,
        SdkError::DispatchFailure(failure) => {
            // Failures outside the connection come before it: no client, or no credentials.
            let is_before = failure.is_other() && failure.as_other().is_none();
            is_before || failure.is_user() || is_unreached(error)
        }
        SdkError::ServiceError(answer) => {
            return retry_of_answer(answer.err().code(), answer.raw());
        }
        _ => false,
    };
    match is_unreceived {
        true => Retry::Later,
        false => Retry::Unsafe,
    }
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

/// Errors of a connection that there never was.
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

    use aws_sdk_cloudwatch::error::{ConnectorError, ErrorMetadata};

    use super::*;

    #[test]
    fn unmade_requests_are_sent_later_and_late_ones_not() {
        let unmade = SdkError::construction_failure("no region");
        assert_eq!(retry(&unmade), Retry::Later);
        assert_eq!(retry(&SdkError::timeout_error("no answer")), Retry::Unsafe);
        let failed = |message: &str| {
            SdkError::dispatch_failure(ConnectorError::timeout(message.to_owned().into()))
        };
        let unconnected = failed("client error (Connect): HTTP connect timeout occurred after 1s");
        assert_eq!(retry(&unconnected), Retry::Later);
        assert!(reason(&unconnected).contains("HTTP connect timeout"));
        let unanswered = failed("HTTP read timeout occurred after 1s");
        assert_eq!(retry(&unanswered), Retry::Unsafe);
        let refused = io::Error::from(ErrorKind::ConnectionRefused);
        let refused = SdkError::dispatch_failure(ConnectorError::io(refused.into()));
        assert_eq!(retry(&refused), Retry::Later);
    }

    #[test]
    fn answers_say_whether_to_send_again() {
        for (status, code, expected) in [
            (400, Some("SignatureDoesNotMatch"), Retry::Later),
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
            let code = code.unwrap_or("an unknown code");
            assert_eq!(failure.reason, format!("the service answers `{code}`"));
        }
    }
}

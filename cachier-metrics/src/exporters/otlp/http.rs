//! OTLP over HTTP: what goes into a request, and what an answer says. Pure.

use std::time::{Duration, SystemTime};

use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use hyper::http::response::Parts;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceResponse;
use prost::Message as _;

use super::retry::{Failure, Retry};

pub(super) const PROTOBUF: HeaderValue = HeaderValue::from_static("application/x-protobuf");

/// How many points were rejected of a request that was received.
pub(super) fn answer(parts: &Parts, body: &[u8], now: SystemTime) -> Result<u64, Failure> {
    let status = parts.status;
    if !status.is_success() {
        let retry = match status.as_u16() {
            429 | 502 | 503 | 504 => Retry::After(retry_after(&parts.headers, now)),
            _ => Retry::Never,
        };
        return Err(Failure::new(format!("it answers {status}"), retry));
    }
    // Some receivers answer in words that all went well.
    match parts.headers.get(CONTENT_TYPE) == Some(&PROTOBUF) {
        true => rejected(body),
        false => Ok(0),
    }
}

/// How many points were rejected, by an answer's message.
pub(super) fn rejected(message: &[u8]) -> Result<u64, Failure> {
    let response = ExportMetricsServiceResponse::decode(message)
        .map_err(|_| Failure::of_taken("its answer is none of OTLP"))?;
    let rejected = response
        .partial_success
        .map(|part| part.rejected_data_points);
    Ok(rejected.unwrap_or_default().try_into().unwrap_or_default())
}

/// Seconds, or a date.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let said = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = said.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(said).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    #![allow(clippy::unwrap_used)]

    use hyper::Response;
    use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsPartialSuccess;

    use super::*;

    fn answered(status: u16, header: (&str, &str), body: &[u8]) -> Result<u64, Failure> {
        let response = Response::builder()
            .status(status)
            .header(header.0, header.1);
        let (parts, ()) = response.body(()).unwrap().into_parts();
        let now = httpdate::parse_http_date("Fri, 15 May 2015 15:34:11 GMT").unwrap();
        answer(&parts, body, now)
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        let retry = |status, said| {
            answered(status, ("retry-after", said), b"")
                .unwrap_err()
                .retry
        };
        let seconds = |seconds| Retry::After(Some(Duration::from_secs(seconds)));
        for status in [429, 502, 503, 504] {
            assert_eq!(retry(status, "7"), seconds(7));
        }
        for status in [301, 400, 401, 404, 408, 413, 500, 501] {
            assert_eq!(retry(status, "7"), Retry::Never, "{status}");
        }
        assert_eq!(retry(503, "soon"), Retry::After(None));
        assert_eq!(retry(503, "Fri, 15 May 2015 15:34:21 GMT"), seconds(10));
        assert_eq!(retry(503, "Fri, 15 May 2015 15:34:01 GMT"), seconds(0));
    }

    #[test]
    fn rejected_points_are_counted() {
        let protobuf = ("content-type", "application/x-protobuf");
        let part = |rejected_data_points| {
            let response = ExportMetricsServiceResponse {
                partial_success: Some(ExportMetricsPartialSuccess {
                    rejected_data_points,
                    error_message: String::new(),
                }),
            };
            answered(200, protobuf, &response.encode_to_vec())
        };
        assert_eq!((part(3), part(0), part(-1)), (Ok(3), Ok(0), Ok(0)));
        assert_eq!(answered(200, protobuf, b""), Ok(0));
        let failure = answered(200, protobuf, b"nonsense").unwrap_err();
        assert_eq!((failure.retry, failure.is_taken), (Retry::Never, true));
        assert_eq!(
            answered(202, ("content-type", "text/plain"), b"nonsense"),
            Ok(0)
        );
    }
}

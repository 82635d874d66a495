//! OTLP over gRPC: messages in frames, and statuses in trailers. Pure.
//!
//! One call without streams: what a client of gRPC would add to the HTTP/2 that there is are the few lines here.

use std::time::Duration;

use hyper::header::HeaderMap;
use hyper::http::response::Parts;
use prost::Message;

use super::http;
use super::retry::{Failure, Retry};

/// A message in its frame.
pub(super) fn frame(message: &[u8], is_compressed: bool) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    let mut frame = Vec::with_capacity(HEAD + message.len());
    frame.push(is_compressed.into());
    frame.extend(length.to_be_bytes());
    frame.extend(message);
    frame
}

/// Whether a message is compressed, and its length.
const HEAD: usize = 5;

/// How many points were rejected of a request that was received.
pub(super) fn answer(
    parts: &Parts,
    body: &[u8],
    trailers: Option<&HeaderMap>,
) -> Result<u64, Failure> {
    let status = parts.status;
    if !status.is_success() {
        // A proxy before the receiver answers in HTTP.
        let retry = match status.as_u16() {
            429 | 502 | 503 | 504 => Retry::After(None),
            _ => Retry::Never,
        };
        return Err(Failure::new(format!("it answers {status}"), retry));
    }
    // An answer without a message has its status among the headers.
    let all = trailers.into_iter().chain([&parts.headers]);
    let found = all
        .into_iter()
        .find_map(|headers| Some((headers, code(headers)?)));
    match found {
        Some((_, 0)) => rejected(body),
        Some((headers, code)) => Err(failure(code, details(headers).as_deref())),
        None => Err(Failure::new("its answer is none of gRPC", Retry::Never)),
    }
}

fn code(headers: &HeaderMap) -> Option<usize> {
    headers.get("grpc-status")?.to_str().ok()?.parse().ok()
}

fn rejected(body: &[u8]) -> Result<u64, Failure> {
    match body.split_first_chunk::<HEAD>() {
        Some(([0, ..], message)) => http::rejected(message),
        // Compressed without being asked to, or not a frame.
        _ => Err(Failure::of_taken("its answer is none of gRPC")),
    }
}

/// By the table of OTLP. A full receiver may be asked again if it says when.
fn failure(code: usize, details: Option<&[u8]>) -> Failure {
    let pause = details.and_then(retry_delay);
    let name = CODES.get(code).copied().unwrap_or("an unknown status");
    let retry = match name {
        "CANCELLED" | "DEADLINE_EXCEEDED" | "ABORTED" | "OUT_OF_RANGE" | "UNAVAILABLE"
        | "DATA_LOSS" => Retry::After(pause),
        "RESOURCE_EXHAUSTED" if pause.is_some() => Retry::After(pause),
        _ => Retry::Never,
    };
    Failure::new(format!("it answers {name}"), retry)
}

const CODES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, Message)]
struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

/// `google.rpc.RetryInfo`.
#[derive(Clone, PartialEq, Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<Delay>,
}

/// `google.protobuf.Duration`.
#[derive(Clone, PartialEq, Message)]
struct Delay {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

/// When to try again, by the details of a status.
fn retry_delay(details: &[u8]) -> Option<Duration> {
    let details = Status::decode(details).ok()?.details;
    let info = details
        .iter()
        .find(|any| any.type_url.ends_with("google.rpc.RetryInfo"))?;
    let delay = RetryInfo::decode(&*info.value).ok()?.retry_delay?;
    let (seconds, nanos) = (delay.seconds.try_into().ok()?, delay.nanos.try_into().ok()?);
    Duration::from_secs(seconds).checked_add(Duration::from_nanos(nanos))
}

/// The details of a status.
fn details(headers: &HeaderMap) -> Option<Vec<u8>> {
    base64(headers.get("grpc-status-details-bin")?.as_bytes())
}

/// From base64, padded or not.
fn base64(text: &[u8]) -> Option<Vec<u8>> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bytes, mut bits, mut buffer) = (Vec::new(), 0, 0_u32);
    for byte in text.iter().filter(|byte| **byte != b'=') {
        let digit = DIGITS.iter().position(|digit| digit == byte)?;
        buffer = buffer << 6 | digit as u32;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((buffer >> bits) as u8);
        }
    }
    Some(bytes)
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    #![allow(clippy::unwrap_used)]

    use hyper::Response;

    use super::*;

    fn answered(
        http: u16,
        body: &[u8],
        trailers: Option<&[(&'static str, &str)]>,
        headers: &[(&'static str, &str)],
    ) -> Result<u64, Failure> {
        let map = |pairs: &[(&'static str, &str)]| {
            let pairs = pairs
                .iter()
                .map(|(key, value)| (key.parse().unwrap(), value.parse().unwrap()));
            pairs.collect::<HeaderMap>()
        };
        let (mut parts, ()) = Response::builder()
            .status(http)
            .body(())
            .unwrap()
            .into_parts();
        parts.headers = map(headers);
        answer(&parts, body, trailers.map(map).as_ref())
    }

    fn retry(code: usize, details: &str) -> Retry {
        let code = code.to_string();
        let headers = [
            ("grpc-status", &*code),
            ("grpc-status-details-bin", details),
        ];
        let in_headers = answered(200, b"", None, &headers).unwrap_err();
        let in_trailers = answered(200, b"", Some(&headers), &[]).unwrap_err();
        assert_eq!(in_headers, in_trailers);
        in_headers.retry
    }

    /// A status with this `retry_delay`.
    fn details(seconds: i64, nanos: i32) -> String {
        let info = RetryInfo {
            retry_delay: Some(Delay { seconds, nanos }),
        };
        let any = Any {
            type_url: "type.googleapis.com/google.rpc.RetryInfo".to_owned(),
            value: info.encode_to_vec(),
        };
        let other = Any {
            type_url: "type.googleapis.com/google.rpc.Help".to_owned(),
            value: Vec::new(),
        };
        encoded(
            &Status {
                details: vec![other, any],
            }
            .encode_to_vec(),
        )
    }

    fn encoded(bytes: &[u8]) -> String {
        const DIGITS: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let bits: String = bytes.iter().map(|byte| format!("{byte:08b}")).collect();
        let digits = bits.as_bytes().chunks(6).map(|six| {
            let six = format!("{:0<6}", std::str::from_utf8(six).unwrap());
            char::from(DIGITS[usize::from_str_radix(&six, 2).unwrap()])
        });
        digits.collect()
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        let may = [1, 4, 10, 11, 14, 15];
        for code in 1..20 {
            let expected = match may.contains(&code) {
                true => Retry::After(None),
                false => Retry::Never,
            };
            assert_eq!(retry(code, ""), expected, "{code}");
        }
        let soon = Retry::After(Some(Duration::from_millis(2500)));
        assert_eq!(retry(8, &details(2, 500_000_000)), soon);
        assert_eq!(retry(14, &details(2, 500_000_000)), soon);
        assert_eq!(retry(3, &details(2, 500_000_000)), Retry::Never);
        for nonsense in ["", "=", "//8", "not base64!", &details(-1, 0)] {
            assert_eq!(retry(8, nonsense), Retry::Never, "{nonsense}");
        }
    }

    #[test]
    fn an_answer_has_a_frame_and_a_status() {
        let well = [("grpc-status", "0")];
        assert_eq!(answered(200, &frame(b"", false), Some(&well), &[]), Ok(0));
        assert_eq!(answered(200, &frame(b"", false), None, &well), Ok(0));
        for (body, trailers) in [
            (frame(b"", true), &well[..]),
            (b"none".to_vec(), &well),
            (frame(b"nonsense", false), &well),
            (frame(b"", false), &[]),
            (frame(b"", false), &[("grpc-status", "fine")]),
        ] {
            let failure = answered(200, &body, Some(trailers), &[]).unwrap_err();
            assert_eq!(failure.retry, Retry::Never, "{failure:?}");
        }
        let retry = |status| answered(status, b"", None, &[]).unwrap_err().retry;
        assert_eq!((retry(503), retry(404)), (Retry::After(None), Retry::Never));
    }

    #[test]
    fn a_frame_says_its_length() {
        assert_eq!(frame(b"ab", true), [1, 0, 0, 0, 2, b'a', b'b']);
    }
}

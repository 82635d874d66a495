//! The sending of requests: each on a connection of its own, as there is one in a minute.

use std::hash::{BuildHasher as _, RandomState};
use std::io::{self, Write as _};
use std::thread;
use std::time::{Duration, SystemTime};

use flate2::Compression;
use flate2::write::GzEncoder;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::{http1, http2};
use hyper::{HeaderMap, Method, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout_at};

use super::endpoint::Address;
use super::protocol::{OtlpCompression, OtlpProtocol};
use super::retry::{Backoff, Failure, Patience, Retry};
use super::tls::Tls;
use super::{grpc, http};
use crate::exporters::block_on::block_on;

/// A receiver, and how it is spoken to.
pub(super) struct Receiver {
    pub(super) address: Address,
    pub(super) protocol: OtlpProtocol,
    pub(super) compression: OtlpCompression,
    /// All of a request. Never printed: there are tokens among them.
    pub(super) headers: HeaderMap,
    pub(super) tls: Option<Tls>,
    /// For a request with all its attempts.
    pub(super) timeout: Duration,
}

/// The outcome of a request.
pub(super) struct Sent {
    /// How many points were rejected of it, if it was received.
    pub(super) result: Result<u64, Failure>,
    /// Its size.
    pub(super) bytes: usize,
}

/// The longest answer that is read.
const MAX_ANSWER: usize = 64 * 1024;
const THREAD: &str = "cachier-otlp-push";

/// Sends these one after the other, until one is not received that might have been: then others would not be either.
///
/// # Errors
/// When there can be no thread that sends, or it panics.
pub(super) fn send(
    receiver: &Receiver,
    messages: &[impl Message],
    patience: Patience,
) -> io::Result<Vec<Sent>> {
    let thread = thread::Builder::new().name(THREAD.to_owned());
    block_on(thread, send_all(receiver, messages, patience))
}

async fn send_all(receiver: &Receiver, messages: &[impl Message], patience: Patience) -> Vec<Sent> {
    let mut all = Vec::with_capacity(messages.len());
    for message in messages {
        let body = receiver.body(&message.encode_to_vec());
        let bytes = body.len();
        let result = receiver.send(body, patience).await;
        let is_away = matches!(&result, Err(failure) if failure.retry != Retry::Never);
        all.push(Sent { result, bytes });
        if is_away {
            break;
        }
    }
    all
}

impl Receiver {
    /// A message as the protocol has it.
    fn body(&self, message: &[u8]) -> Bytes {
        let zipped = match self.compression {
            OtlpCompression::None => None,
            OtlpCompression::Gzip => Some(gzip(message)),
        };
        let content = zipped.as_deref().unwrap_or(message);
        Bytes::from(match self.protocol {
            OtlpProtocol::Http => content.to_vec(),
            OtlpProtocol::Grpc => grpc::frame(content, zipped.is_some()),
        })
    }

    async fn send(&self, body: Bytes, patience: Patience) -> Result<u64, Failure> {
        let deadline = Instant::now() + self.timeout;
        let mut backoff = Backoff::new(patience);
        loop {
            let attempt = timeout_at(deadline, self.attempt(body.clone())).await;
            let late = |_| {
                Err(Failure::new(
                    "it does not answer in time",
                    Retry::After(None),
                ))
            };
            let failure = match attempt.unwrap_or_else(late) {
                Ok(rejected) => return Ok(rejected),
                Err(failure) => failure,
            };
            let left = deadline.saturating_duration_since(Instant::now());
            let random = RandomState::new().hash_one(()) as u16;
            match backoff.next(failure.retry, left, random) {
                Some(pause) => sleep(pause).await,
                None => return Err(failure),
            }
        }
    }

    async fn attempt(&self, body: Bytes) -> Result<u64, Failure> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.address.uri.clone();
        *request.headers_mut() = self.headers.clone();
        let (parts, body) = self.exchange(request).await?.into_parts();
        let answer = Limited::new(body, MAX_ANSWER).collect().await;
        let answer = answer
            .map_err(|_| Failure::new("its answer breaks off or is long", Retry::After(None)))?;
        let trailers = answer.trailers().cloned();
        let body = answer.to_bytes();
        match self.protocol {
            OtlpProtocol::Http => http::answer(&parts, &body, SystemTime::now()),
            OtlpProtocol::Grpc => grpc::answer(&parts, &body, trailers.as_ref()),
        }
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, Failure> {
        let stream = TokioIo::new(self.connect().await?);
        let response = match self.protocol {
            OtlpProtocol::Http => {
                let (mut sender, connection) = http1::handshake(stream).await.map_err(broken)?;
                drop(tokio::spawn(connection));
                sender.send_request(request).await
            }
            OtlpProtocol::Grpc => {
                let handshake = http2::handshake(TokioExecutor::new(), stream).await;
                let (mut sender, connection) = handshake.map_err(broken)?;
                drop(tokio::spawn(connection));
                sender.send_request(request).await
            }
        };
        response.map_err(broken)
    }

    async fn connect(&self) -> Result<Box<dyn Stream>, Failure> {
        let unreachable =
            |error| Failure::new(format!("it cannot be reached: {error}"), Retry::After(None));
        let Address { host, port, .. } = &self.address;
        let stream = TcpStream::connect((&**host, *port))
            .await
            .map_err(unreachable)?;
        match &self.tls {
            None => Ok(Box::new(stream)),
            Some(Tls { connector, name }) => {
                let stream = connector.connect(name.clone(), stream).await;
                Ok(Box::new(stream.map_err(unreachable)?))
            }
        }
    }
}

/// Plain or over TLS.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

fn broken(error: hyper::Error) -> Failure {
    match error.is_parse() {
        true => Failure::new("its answer is no HTTP", Retry::Never),
        false => Failure::new("the connection breaks off", Retry::After(None)),
    }
}

fn gzip(message: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let written = encoder.write_all(message).and_then(|()| encoder.finish());
    written.expect("memory takes what is written")
}

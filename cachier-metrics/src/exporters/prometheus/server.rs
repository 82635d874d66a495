//! A small HTTP server in its own thread, for one path.

use std::convert::Infallible;
use std::io;
use std::mem::forget;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::oneshot;

use super::connections::{Limits, serve};
use super::host::{AllowedHosts, Refusal};
use super::text;
use crate::per_process::Process;

/// A running server, stopped when dropped.
#[derive(Debug)]
pub(super) struct Server {
    address: SocketAddr,
    /// Dropped to stop the server.
    running: Option<oneshot::Sender<Infallible>>,
    thread: Option<JoinHandle<()>>,
    /// The process of the thread.
    process: Process,
}

/// What is served.
pub(super) struct Endpoint {
    pub(super) path: String,
    pub(super) hosts: AllowedHosts,
    pub(super) render: Box<dyn Fn() -> String + Send + Sync>,
}

/// Clients that the system queues until they are accepted. Any more would retry only after a second.
const BACKLOG: u32 = 1024;

const TEXT_FORMAT: HeaderValue = HeaderValue::from_static(text::CONTENT_TYPE);
const PLAIN_TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

impl Server {
    pub(super) fn start(address: &str, limits: Limits, endpoint: Endpoint) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let listener = {
            let _entered = runtime.enter();
            listen(address)?
        };
        let address = listener.local_addr()?;
        let (running, ended) = oneshot::channel();
        let run = move || {
            let answer = Arc::new(move |request: &_| endpoint.answer(request));
            runtime.spawn(serve(listener, limits, answer));
            // Dropping the runtime drops its connections.
            let _ = runtime.block_on(ended);
        };
        let thread = thread::Builder::new().name("cachier-prometheus".to_owned());
        let thread = thread.spawn(run)?;
        Ok(Self {
            address,
            running: Some(running),
            thread: Some(thread),
            process: Process::current(),
        })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.process != Process::current() {
            // A child process has no such thread to join.
            forget((self.running.take(), self.thread.take()));
            return;
        }
        drop(self.running.take());
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// Listens at the first available address of a host.
fn listen(address: &str) -> io::Result<TcpListener> {
    let mut listening = Err(io::ErrorKind::AddrNotAvailable.into());
    for address in address.to_socket_addrs()? {
        listening = listen_at(address);
        if listening.is_ok() {
            break;
        }
    }
    listening
}

fn listen_at(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // As in the standard library: elsewhere a port is reusable at once, and two sockets could get the same one.
    socket.set_reuseaddr(cfg!(not(windows)))?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

impl Endpoint {
    fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        if let Err(refusal) = self.hosts.check(request) {
            return refused(refusal);
        }
        let mut response = Response::default();
        if request.uri().path() != self.path {
            *response.status_mut() = StatusCode::NOT_FOUND;
        } else if matches!(*request.method(), Method::GET | Method::HEAD) {
            *response.body_mut() = Full::from((self.render)());
            response.headers_mut().insert(CONTENT_TYPE, TEXT_FORMAT);
        } else {
            *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
            response
                .headers_mut()
                .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        }
        response
    }
}

fn refused(refusal: Refusal) -> Response<Full<Bytes>> {
    let (status, text) = match refusal {
        Refusal::Malformed => (
            StatusCode::BAD_REQUEST,
            "a request names one host, as in `Host: localhost:9464`\n".to_owned(),
        ),
        Refusal::Foreign(name) => (
            StatusCode::FORBIDDEN,
            format!(
                "metrics are served here to whoever asks for an IP address or `localhost`, not for `{name}`; if that name \
                 leads here by your will, allow it: PrometheusExporter::builder().allow_host(\"{name}\")\n"
            ),
        ),
    };
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, PLAIN_TEXT);
    response
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::io::{Read, Write};
    use std::net::TcpStream;
    use std::time::{Duration, Instant};

    use super::*;

    /// Longer than any test takes.
    const UNLIMITED: Duration = Duration::from_secs(3600);
    /// How long a client waits for a prompt reaction; less than the 30 s after which hyper times out headers by itself.
    const CLIENT_TIMEOUT: Duration = Duration::from_secs(10);
    const SHORT_LIMIT: Duration = Duration::from_millis(50);
    const REQUEST: &str = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";

    /// More than the system buffers for a client that does not read.
    const MORE_THAN_BUFFERED: usize = 16 << 20;

    fn serving(limits: Limits) -> Server {
        let endpoint = Endpoint {
            path: "/metrics".to_owned(),
            hosts: AllowedHosts::new(),
            render: Box::new(|| "x".repeat(MORE_THAN_BUFFERED)),
        };
        Server::start("127.0.0.1:0", limits, endpoint).unwrap()
    }

    fn send(server: &Server, request: &str) -> TcpStream {
        let mut client = TcpStream::connect(server.address()).unwrap();
        client.set_read_timeout(Some(CLIENT_TIMEOUT)).unwrap();
        client.write_all(request.as_bytes()).unwrap();
        client
    }

    /// A client that stops after it has begun to read the response.
    fn begun(server: &Server) -> TcpStream {
        let mut client = send(server, REQUEST);
        client.read_exact(&mut [0]).unwrap();
        client
    }

    /// Waits until the server has closed a connection with nothing left to send.
    fn closed(mut client: TcpStream) {
        let end = client.read_to_end(&mut Vec::new());
        assert!(!matches!(end, Err(error) if error.kind() == io::ErrorKind::WouldBlock));
    }

    /// Waits until the server has closed a connection with data left to send, and rejects what it is sent.
    fn cut(mut client: TcpStream) {
        let until = Instant::now() + CLIENT_TIMEOUT;
        while client.write_all(b"x").is_ok() {
            assert!(Instant::now() < until);
            thread::sleep(Duration::from_millis(1));
        }
    }

    fn answered(mut client: TcpStream) {
        let mut response = Vec::new();
        client.read_to_end(&mut response).unwrap();
        assert!(response.len() > MORE_THAN_BUFFERED);
    }

    #[test]
    fn a_half_sent_header_is_given_up() {
        let server = serving(Limits {
            header_timeout: SHORT_LIMIT,
            connection_timeout: UNLIMITED,
            ..Limits::default()
        });
        for begun in ["", "GET /metr", "GET /metrics HTTP/1.1\r\nHost: loc"] {
            closed(send(&server, begun));
        }
    }

    #[test]
    fn a_response_that_nobody_reads_is_given_up() {
        let server = serving(Limits {
            connection_timeout: SHORT_LIMIT,
            ..Limits::default()
        });
        cut(begun(&server));
    }

    #[test]
    fn the_oldest_idle_connection_makes_room() {
        let server = serving(Limits {
            connections: 3,
            header_timeout: UNLIMITED,
            connection_timeout: UNLIMITED,
        });
        let reading = begun(&server);
        let [first, second, third] = ["", "GET", ""].map(|begun| send(&server, begun));
        closed(first);
        answered(send(&server, REQUEST));
        closed(second);
        answered(reading);
        third.shutdown(std::net::Shutdown::Write).unwrap();
        closed(third);
    }

    #[test]
    fn without_an_idle_one_the_oldest_connection_goes() {
        let server = serving(Limits {
            connections: 2,
            header_timeout: UNLIMITED,
            connection_timeout: UNLIMITED,
        });
        let (first, second) = (begun(&server), begun(&server));
        answered(send(&server, REQUEST));
        cut(first);
        answered(second);
    }
}

//! A small HTTP server in its own thread.

use std::convert::Infallible;
use std::io;
use std::mem::forget;
use std::net::{SocketAddr, ToSocketAddrs};
#[cfg(unix)]
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};

#[cfg(unix)]
use tokio::net::UnixListener;
use tokio::net::{TcpListener, TcpSocket};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use super::connections::{Answer, Limits, Listener, serve};
use crate::per_process::Process;

/// Where it listens.
#[derive(Clone, Debug)]
pub(super) enum ListenAddress {
    /// A host and port.
    Address(String),
    /// A Unix socket.
    #[cfg(unix)]
    Socket(PathBuf),
}

#[cfg(unix)]
impl ListenAddress {
    fn socket(&self) -> Option<PathBuf> {
        match self {
            Self::Socket(path) => Some(path.clone()),
            Self::Address(_) => None,
        }
    }
}

/// A running server, stopped when dropped.
#[derive(Debug)]
pub(super) struct Server {
    /// None of a Unix socket.
    address: Option<SocketAddr>,
    /// To be removed in the end.
    #[cfg(unix)]
    socket: Option<PathBuf>,
    /// Dropped to stop the server.
    running: Option<oneshot::Sender<Infallible>>,
    thread: Option<JoinHandle<()>>,
    /// The process of the thread.
    process: Process,
}

/// Clients that the system queues until they are accepted. Any more would retry only after a second.
const BACKLOG: u32 = 1024;
/// What the system buffers for a client.
const SEND_BUFFER_BYTES: u32 = 256 << 10;

impl Server {
    /// `answers` is given the address: none of a Unix socket.
    pub(super) fn start(
        place: &ListenAddress,
        limits: Limits,
        answers: impl FnOnce(Option<SocketAddr>) -> Answer,
    ) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let entered = runtime.enter();
        match place {
            ListenAddress::Address(address) => {
                let listener = listen(address)?;
                let address = Some(listener.local_addr()?);
                drop(entered);
                Self::run(runtime, listener, limits, answers(address), address, place)
            }
            #[cfg(unix)]
            ListenAddress::Socket(path) => {
                let listener = listen_at_socket(path)?;
                drop(entered);
                Self::run(runtime, listener, limits, answers(None), None, place)
            }
        }
    }

    fn run(
        runtime: Runtime,
        listener: impl Listener,
        limits: Limits,
        answer: Answer,
        address: Option<SocketAddr>,
        #[cfg_attr(not(unix), expect(unused_variables))] place: &ListenAddress,
    ) -> io::Result<Self> {
        let (running, ended) = oneshot::channel();
        let run = move || {
            runtime.spawn(serve(listener, limits, answer));
            // Dropping the runtime drops its connections.
            let _ = runtime.block_on(ended);
            // Nor does it wait for stores that are asked whether they work.
            runtime.shutdown_background();
        };
        let thread = thread::Builder::new().name("cachier-prometheus".to_owned());
        let thread = thread.spawn(run)?;
        Ok(Self {
            address,
            #[cfg(unix)]
            socket: place.socket(),
            running: Some(running),
            thread: Some(thread),
            process: Process::current(),
        })
    }

    pub(super) fn address(&self) -> Option<SocketAddr> {
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
        #[cfg(unix)]
        if let Some(socket) = &self.socket {
            let _ = std::fs::remove_file(socket);
        }
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
    // Its connections inherit it. Without, the system would keep megabytes for each client that does not read.
    socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Listens at a path; at one that a process left when it was killed, too, but not at that of a living one, nor at a file.
#[cfg(unix)]
fn listen_at_socket(path: &Path) -> io::Result<UnixListener> {
    use std::os::unix::fs::FileTypeExt as _;
    use std::os::unix::net::UnixStream;

    UnixListener::bind(path).or_else(|error| {
        let is_socket =
            std::fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket());
        let answer = UnixStream::connect(path).map_err(|error| error.kind());
        match is_socket && answer.is_err_and(|kind| kind == io::ErrorKind::ConnectionRefused) {
            true => std::fs::remove_file(path).and_then(|()| UnixListener::bind(path)),
            false => Err(error),
        }
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::io::{Read, Write};
    use std::net::TcpStream;
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use hyper::Response;

    use super::*;
    use crate::exporters::prometheus::connections::Answering;

    /// Longer than any test takes.
    const UNLIMITED: Duration = Duration::from_secs(3600);
    /// How long a client waits for a prompt reaction; less than the 30 s after which hyper times out headers by itself.
    const CLIENT_TIMEOUT: Duration = Duration::from_secs(10);
    const SHORT_LIMIT: Duration = Duration::from_millis(50);
    const REQUEST: &str = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";

    /// More than the system buffers for a client that does not read.
    const MORE_THAN_BUFFERED: usize = 16 << 20;

    fn serving(limits: Limits) -> Server {
        let answer = |_, _| -> Answering {
            Box::pin(async { Response::new("x".repeat(MORE_THAN_BUFFERED).into()) })
        };
        let place = ListenAddress::Address("127.0.0.1:0".to_owned());
        Server::start(&place, limits, |_| Arc::new(answer)).unwrap()
    }

    fn send(server: &Server, request: &str) -> TcpStream {
        let mut client = TcpStream::connect(server.address().unwrap()).unwrap();
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

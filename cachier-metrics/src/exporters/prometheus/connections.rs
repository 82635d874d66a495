//! The server's connections: all are accepted, and none blocks another.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
#[cfg(unix)]
use tokio::net::{UnixListener, UnixStream};
use tokio::task::{AbortHandle, yield_now};
use tokio::time::{sleep, timeout};

/// Limits for clients.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Concurrent connections; the oldest are closed beyond.
    pub(super) connections: usize,
    /// The time for sending a request.
    pub(super) header_timeout: Duration,
    /// The time for the whole exchange.
    pub(super) connection_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 64,
            header_timeout: Duration::from_secs(5),
            connection_timeout: Duration::from_secs(10),
        }
    }
}

const MAX_HEADERS: usize = 64;
const MAX_HEADER_BYTES: usize = 16 * 1024;
/// Delay after a failed accept.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(50);

/// Makes the response to a request.
pub(super) type Answer = Arc<dyn Fn(Request<Incoming>) -> Answering + Send + Sync>;
pub(super) type Answering = Pin<Box<dyn Future<Output = Response<Full<Bytes>>> + Send>>;

/// Where clients come from.
pub(super) trait Listener: Send + Sync + 'static {
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    fn next(&self) -> impl Future<Output = io::Result<Self::Stream>> + Send;
}

impl Listener for TcpListener {
    type Stream = TcpStream;

    async fn next(&self) -> io::Result<TcpStream> {
        Ok(self.accept().await?.0)
    }
}

#[cfg(unix)]
impl Listener for UnixListener {
    type Stream = UnixStream;

    async fn next(&self) -> io::Result<UnixStream> {
        Ok(self.accept().await?.0)
    }
}

/// Serves requests for as long as it is polled.
pub(super) async fn serve(listener: impl Listener, limits: Limits, answer: Answer) {
    let mut connections = Connections::default();
    loop {
        let stream = accept(&listener).await;
        connections.make_room(limits.connections);
        connections.add(stream, limits, &answer);
        // The request that this client may have sent already is answered first.
        yield_now().await;
    }
}

/// The next client.
async fn accept<L: Listener>(listener: &L) -> L::Stream {
    loop {
        match listener.next().await {
            Ok(stream) => return stream,
            // Most likely out of file descriptors: no busy loop.
            Err(_) => sleep(ACCEPT_RETRY_DELAY).await,
        }
    }
}

/// Open connections, oldest first. Each waits for its client, as responses are made at once, or for the stores.
#[derive(Default)]
struct Connections {
    open: VecDeque<Connection>,
}

struct Connection {
    task: AbortHandle,
    /// Whether its request has arrived.
    has_asked: Arc<AtomicBool>,
}

impl Connections {
    /// Closes the oldest connection if all `places` are taken; preferably one without a request.
    fn make_room(&mut self, places: usize) {
        self.open
            .retain(|connection| !connection.task.is_finished());
        if self.open.len() < places {
            return;
        }
        let is_idle = |connection: &Connection| !connection.has_asked.load(Ordering::Relaxed);
        let oldest = self.open.iter().position(is_idle).unwrap_or_default();
        if let Some(connection) = self.open.remove(oldest) {
            connection.task.abort();
        }
    }

    fn add<S>(&mut self, stream: S, limits: Limits, answer: &Answer)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let has_asked = Arc::new(AtomicBool::new(false));
        let (asked, answer) = (Arc::clone(&has_asked), Arc::clone(answer));
        let service = service_fn(move |request| {
            asked.store(true, Ordering::Relaxed);
            let answering = answer(request);
            async { Ok::<_, Infallible>(answering.await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .keep_alive(false)
            .header_read_timeout(limits.header_timeout)
            .max_headers(MAX_HEADERS)
            .max_buf_size(MAX_HEADER_BYTES)
            .serve_connection(TokioIo::new(stream), service);
        // A failing or slow client is its own problem.
        let task = tokio::spawn(timeout(limits.connection_timeout, connection));
        let task = task.abort_handle();
        self.open.push_back(Connection { task, has_asked });
    }
}

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::io::ErrorKind::WouldBlock;
    use std::io::{Read, Write};
    use std::os::fd::OwnedFd;

    use super::*;

    #[test]
    fn half_a_header_times_out() {
        let limits = Limits {
            header_timeout: Duration::from_millis(50),
            connection_timeout: Duration::from_secs(600),
            ..Limits::default()
        };
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        listener.set_nonblocking(true).unwrap();
        // How a connection ends on which this was sent.
        let sent = move |request: &[u8]| {
            let mut client = std::net::TcpStream::connect(address).unwrap();
            client.write_all(request).unwrap();
            let read_timeout = Duration::from_secs(20);
            client.set_read_timeout(Some(read_timeout)).unwrap();
            client.read_to_end(&mut Vec::new())
        };
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_all().build().unwrap().block_on(async {
            let listener = TcpListener::from_std(listener).unwrap();
            let answer: Answer = Arc::new(|_| Box::pin(async { Response::default() }));
            let server = tokio::spawn(serve(listener, limits, answer));
            let clients = tokio::task::spawn_blocking(move || {
                assert!(sent(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").is_ok());
                sent(b"GET / HTTP/1.1\r\nHost")
            });
            // An answer that says so, or none: the connection ends.
            let ended = clients.await.unwrap();
            let is_late = matches!(&ended, Err(error) if error.kind() == WouldBlock);
            assert!(!is_late, "{ended:?}");
            server.abort();
        });
    }

    #[test]
    fn a_failed_accept_ends_nothing() {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        listener.accept().unwrap().0.write_all(b"ready").unwrap();
        client.set_nonblocking(true).unwrap();
        // A socket that cannot be connected to.
        let unfit = std::net::TcpListener::from(OwnedFd::from(client));
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_all().build().unwrap().block_on(async {
            let unfit = TcpListener::from_std(unfit).unwrap();
            assert!(unfit.accept().await.is_err());
            assert!(
                timeout(2 * ACCEPT_RETRY_DELAY, accept(&unfit))
                    .await
                    .is_err()
            );
        });
    }
}

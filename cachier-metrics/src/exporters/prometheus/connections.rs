//! The server's connections: all are accepted, and none blocks another.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
#[cfg(unix)]
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{AbortHandle, yield_now};
use tokio::time::{sleep, timeout};

use super::body::Chunks;
use super::progress::{Progress, to_close};

/// Limits for clients.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Concurrent connections; those that stand still are closed beyond.
    pub(super) connections: usize,
    /// The time for sending a request.
    pub(super) header_timeout: Duration,
    /// The time for the whole exchange.
    pub(super) connection_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 256,
            header_timeout: Duration::from_secs(5),
            connection_timeout: Duration::from_secs(10),
        }
    }
}

const MAX_HEADERS: usize = 64;
const MAX_HEADER_BYTES: usize = 16 * 1024;
/// How long a connection may stand still before it makes room for another one: more than a client needs to send its request
/// when it has connected, or to read on.
const MIN_STALL_TIME: Duration = Duration::from_millis(50);
/// Open connections from which on answers are shared.
const SHARED_REPLIES_FROM: usize = 4;
/// Delay after a failed accept.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(50);

/// Makes the response to a request.
pub(super) type Answer = Arc<dyn Fn(Request<Incoming>, Load) -> Answering + Send + Sync>;
pub(super) type Answering = Pin<Box<dyn Future<Output = Response<Bytes>> + Send>>;

/// How many clients there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Load {
    /// Few enough that each client gets its own answer.
    Usual,
    /// So many that separate answers would keep the last client waiting.
    Crowded,
}

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
    let mut connections = Connections::new(limits);
    loop {
        let stream = accept(&listener).await;
        let place = connections.place().await;
        connections.add(stream, place, &answer);
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

/// Open connections. Each waits for its client, as responses are made at once, or for the stores.
struct Connections {
    open: Vec<Connection>,
    limits: Limits,
    places: Arc<Semaphore>,
    /// The beginning of the time of all progress.
    origin: Instant,
}

struct Connection {
    task: AbortHandle,
    progress: Progress,
}

impl Connections {
    fn new(limits: Limits) -> Self {
        Self {
            open: Vec::new(),
            limits,
            places: Arc::new(Semaphore::new(limits.connections)),
            origin: Instant::now(),
        }
    }

    /// A place for a connection: a free one, or that of one that stands still.
    async fn place(&mut self) -> Option<OwnedSemaphorePermit> {
        let mut place = None;
        while place.is_none() {
            place = self.try_place().await;
        }
        place
    }

    /// `None` if the one that stood still has gone on meanwhile.
    async fn try_place(&mut self) -> Option<OwnedSemaphorePermit> {
        self.open
            .retain(|connection| !connection.task.is_finished());
        let still = to_close(self.open.iter().map(|open| &open.progress));
        let since = still.map_or(Duration::ZERO, |number| self.open[number].progress.last());
        let patience = (since + MIN_STALL_TIME).saturating_sub(self.origin.elapsed());
        let free = Arc::clone(&self.places).acquire_owned();
        if let Ok(place) = timeout(patience, free).await {
            return place.ok();
        }
        let number = still.filter(|number| self.open[*number].progress.last() == since)?;
        self.open.remove(number).task.abort();
        Arc::clone(&self.places).acquire_owned().await.ok()
    }

    fn add<S>(&mut self, stream: S, place: Option<OwnedSemaphorePermit>, answer: &Answer)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let load = match self.open.len() < SHARED_REPLIES_FROM {
            true => Load::Usual,
            false => Load::Crowded,
        };
        let (limits, origin) = (self.limits, self.origin);
        let progress = Progress::new(origin.elapsed());
        let (asked, answer) = (progress.clone(), Arc::clone(answer));
        let service = service_fn(move |request| {
            asked.asked(origin.elapsed());
            let (answering, progress) = (answer(request, load), asked.clone());
            async move {
                let response = answering.await;
                Ok::<_, Infallible>(response.map(|body| Chunks::new(body, progress, origin)))
            }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .keep_alive(false)
            .header_read_timeout(limits.header_timeout)
            .max_headers(MAX_HEADERS)
            .max_buf_size(MAX_HEADER_BYTES)
            .serve_connection(TokioIo::new(stream), service);
        // A failing or slow client is its own problem.
        let task = tokio::spawn(async move {
            let _ = timeout(limits.connection_timeout, connection).await;
            drop(place);
        });
        let task = task.abort_handle();
        self.open.push(Connection { task, progress });
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
            let answer: Answer = Arc::new(|_, _| Box::pin(async { Response::default() }));
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

//! The connections of the server: all are taken, and none holds a place that another one needs.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, yield_now};
use tokio::time::{sleep, timeout};

/// What clients are granted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Connections at once; beyond them the oldest ones go.
    pub(super) connections: usize,
    /// How long a client may take to send its request.
    pub(super) header_timeout: Duration,
    /// How long it may take altogether, until it has the response.
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
/// Between failed attempts to accept a connection.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(50);

/// What makes the response to a request.
pub(super) type Answer = Arc<dyn Fn(&Request<Incoming>) -> Response<Full<Bytes>> + Send + Sync>;

/// Answers requests, for as long as it is polled.
pub(super) async fn serve(listener: TcpListener, limits: Limits, answer: Answer) {
    let mut connections = Connections::default();
    loop {
        let stream = accept(&listener).await;
        connections.make_room(limits.connections);
        connections.add(stream, limits, &answer);
        // What this client has sent already is answered before the next one is let in.
        yield_now().await;
    }
}

/// The next client.
async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            // No file descriptors left, most likely: not again at once.
            Err(_) => sleep(ACCEPT_RETRY_DELAY).await,
        }
    }
}

/// Those that are open, the oldest first. Each of them waits for its client: what is to be done for one is done at once.
#[derive(Default)]
struct Connections {
    open: VecDeque<Connection>,
}

struct Connection {
    task: AbortHandle,
    /// Whether its request has come.
    has_asked: Arc<AtomicBool>,
}

impl Connections {
    /// Closes the oldest connection, if there is no place for another: of those without a request, if there are any.
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

    fn add(&mut self, stream: TcpStream, limits: Limits, answer: &Answer) {
        let has_asked = Arc::new(AtomicBool::new(false));
        let (asked, answer) = (Arc::clone(&has_asked), Arc::clone(answer));
        let service = service_fn(move |request| {
            asked.store(true, Ordering::Relaxed);
            std::future::ready(Ok::<_, std::convert::Infallible>(answer(&request)))
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .keep_alive(false)
            .header_read_timeout(limits.header_timeout)
            .max_headers(MAX_HEADERS)
            .max_buf_size(MAX_HEADER_BYTES)
            .serve_connection(TokioIo::new(stream), service);
        // A client that goes away or dawdles is its own concern.
        let task = tokio::spawn(timeout(limits.connection_timeout, connection));
        let task = task.abort_handle();
        self.open.push_back(Connection { task, has_asked });
    }
}

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::io::Write;
    use std::os::fd::OwnedFd;

    use super::*;

    #[test]
    fn a_failed_accept_ends_nothing() {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        listener.accept().unwrap().0.write_all(b"ready").unwrap();
        client.set_nonblocking(true).unwrap();
        // A socket that nobody can connect to.
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

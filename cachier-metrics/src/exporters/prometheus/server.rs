//! A small HTTP server in a thread of its own, for one path.

use std::convert::Infallible;
use std::io;
use std::mem::forget;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::{Semaphore, oneshot};

use crate::per_process::Process;

/// A running server; dropping it ends it.
#[derive(Debug)]
pub(super) struct Server {
    address: SocketAddr,
    /// Dropped to end the server.
    running: Option<oneshot::Sender<Infallible>>,
    thread: Option<JoinHandle<()>>,
    /// The process whose thread it is.
    process: Process,
}

/// Connections served at once; more of them wait to be accepted.
const CONNECTIONS: usize = 64;
/// What a client has to send its request, and what it has to take the answer.
const HEADER_TIME: Duration = Duration::from_secs(5);
const CONNECTION_TIME: Duration = Duration::from_secs(10);
const HEADERS: usize = 64;
const HEADER_BYTES: usize = 16 * 1024;
/// Between failed attempts to accept a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

const TEXT_FORMAT: HeaderValue =
    HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

struct Site<R> {
    path: String,
    render: R,
}

impl Server {
    pub(super) fn start(
        listener: TcpListener,
        path: &str,
        render: impl Fn() -> String + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let address = listener.local_addr()?;
        listener.set_nonblocking(true)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let listener = {
            let _entered = runtime.enter();
            tokio::net::TcpListener::from_std(listener)?
        };
        let site = Arc::new(Site {
            path: path.to_owned(),
            render,
        });
        let (running, ended) = oneshot::channel();
        let run = move || {
            runtime.spawn(serve(listener, site));
            // Dropping the runtime afterwards drops its connections.
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
            // In a child of the process there is no such thread to be waited for.
            forget((self.running.take(), self.thread.take()));
            return;
        }
        drop(self.running.take());
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

async fn serve<R>(listener: tokio::net::TcpListener, site: Arc<Site<R>>)
where
    R: Fn() -> String + Send + Sync + 'static,
{
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let place = Arc::clone(&places).acquire_owned().await;
        let accepted = listener.accept().await;
        // No file descriptors left, most likely: not again at once.
        tokio::time::sleep(ACCEPT_PAUSE * u32::from(accepted.is_err())).await;
        let Ok((stream, _)) = accepted else { continue };
        let site = Arc::clone(&site);
        tokio::spawn(async move {
            let service = service_fn(|request| std::future::ready(answer(&request, &site)));
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .keep_alive(false)
                .header_read_timeout(HEADER_TIME)
                .max_headers(HEADERS)
                .max_buf_size(HEADER_BYTES)
                .serve_connection(TokioIo::new(stream), service);
            // A client that goes away or dawdles is its own concern.
            let _ = tokio::time::timeout(CONNECTION_TIME, connection).await;
            drop(place);
        });
    }
}

fn answer<R: Fn() -> String>(
    request: &Request<Incoming>,
    site: &Site<R>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut response = Response::default();
    if request.uri().path() != site.path {
        *response.status_mut() = StatusCode::NOT_FOUND;
    } else if matches!(*request.method(), Method::GET | Method::HEAD) {
        *response.body_mut() = Full::from((site.render)());
        response.headers_mut().insert(CONTENT_TYPE, TEXT_FORMAT);
    } else {
        *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
        response
            .headers_mut()
            .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    Ok(response)
}

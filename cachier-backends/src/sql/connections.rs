//! Database connections: cachier's own, or those of the program's pool.

use std::ops::DerefMut;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::pool::PoolConnection;
use sqlx::{ConnectOptions, Connection};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::{sleep, timeout};

use super::destination::{Destination, FileId};
use super::error::{is_broken, is_busy};
use super::idle::IdleConnections;
use crate::backend::Pool;
use crate::network::{WaitReporter, tracked};
use crate::queue;

/// Limit for opening a connection or waiting for one. The operation's budget may be shorter.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// From this duration on, an abandoned operation makes its server suspect.
const SUSPECT_AFTER: Duration = Duration::from_millis(100);

const BUSY_RETRY_DELAY: Duration = Duration::from_millis(5);

type Options<D> = <<D as sqlx::Database>::Connection as Connection>::Options;

/// Where the connections of a client come from.
pub(super) enum Source<D: sqlx::Database> {
    /// Not a sqlx pool, which sends a request for every connection that is returned to it.
    Own(Arc<OwnPool<D>>),
    /// The program's pool.
    Program(sqlx::Pool<D>, WaitReporter),
}

/// The connections of one client, opened on demand.
pub(super) struct OwnPool<D: sqlx::Database> {
    /// Called for each new connection.
    options: Box<dyn Fn() -> Options<D> + Send + Sync>,
    /// Whether to retry after an error, with the options as they are by then.
    retries_after: Box<dyn Fn(&sqlx::Error) -> bool + Send + Sync>,
    destination: Destination,
    idle: IdleConnections<D::Connection>,
    permits: Arc<Semaphore>,
    max: usize,
    waits: WaitReporter,
}

/// A connection in use, closed unless it is [released](Self::release).
pub(super) enum ConnectionGuard<D: sqlx::Database> {
    Own {
        connection: D::Connection,
        checkout: Checkout<D>,
        _permit: OwnedSemaphorePermit,
    },
    Program(PoolConnection<D>),
}

/// Returns a connection to its pool. If that does not happen, the operation was abandoned; if it had been running for a
/// while, connections idle all that time are suspect, too, and are closed.
pub(super) struct Checkout<D: sqlx::Database> {
    owner: Arc<OwnPool<D>>,
    since: Instant,
    /// The file that the connection has open.
    file: FileId,
    is_ended: bool,
}

impl<D: sqlx::Database> Source<D> {
    pub(super) fn own(
        options: impl Fn() -> Options<D> + Send + Sync + 'static,
        retries_after: impl Fn(&sqlx::Error) -> bool + Send + Sync + 'static,
        destination: Destination,
        max: usize,
        waits: WaitReporter,
    ) -> Self {
        Self::Own(Arc::new(OwnPool {
            options: Box::new(options),
            retries_after: Box::new(retries_after),
            destination,
            idle: IdleConnections::default(),
            permits: Arc::new(Semaphore::new(max)),
            max,
            waits,
        }))
    }

    /// An idle connection, or else a new one.
    pub(super) async fn acquire(&self) -> Result<ConnectionGuard<D>, sqlx::Error> {
        if let Self::Own(own) = self
            && let Some(idle) = own.acquire_idle()
        {
            return Ok(idle);
        }
        // Boxed: opening a connection is rare and its future large.
        Box::pin(self.wait()).await
    }

    /// Waits for a connection.
    async fn wait(&self) -> Result<ConnectionGuard<D>, sqlx::Error> {
        match self {
            Self::Own(own) => timeout(CONNECT_TIMEOUT, Arc::clone(own).acquire())
                .await
                .unwrap_or(Err(sqlx::Error::PoolTimedOut)),
            Self::Program(pool, waits) => {
                let started = Instant::now();
                let connection = pool.acquire().await?;
                waits.waited_since(started);
                Ok(ConnectionGuard::Program(connection))
            }
        }
    }

    pub(super) fn figures(&self) -> Pool {
        match self {
            Self::Own(own) => {
                let busy = own.max - own.permits.available_permits();
                Pool::new(own.idle.count() as u64, busy as u64, Some(own.max as u64))
            }
            Self::Program(pool, _) => {
                let (size, idle) = (u64::from(pool.size()), pool.num_idle() as u64);
                let max = pool.options().get_max_connections();
                Pool::new(idle, size.saturating_sub(idle), Some(u64::from(max)))
            }
        }
    }
}

impl<D: sqlx::Database> Clone for Source<D> {
    fn clone(&self) -> Self {
        match self {
            Self::Own(own) => Self::Own(Arc::clone(own)),
            Self::Program(pool, waits) => Self::Program(pool.clone(), waits.clone()),
        }
    }
}

impl<D: sqlx::Database> OwnPool<D> {
    /// An idle connection, if there is one.
    fn acquire_idle(self: &Arc<Self>) -> Option<ConnectionGuard<D>> {
        let permit = Arc::clone(&self.permits).try_acquire_owned().ok()?;
        let connection = self.pop_idle()?;
        self.waits.not_waited();
        Some(self.guard(connection, permit))
    }

    async fn acquire(self: Arc<Self>) -> Result<ConnectionGuard<D>, sqlx::Error> {
        let permit = self.permit().await?;
        match self.pop_idle() {
            Some(connection) => Ok(self.guard(connection, permit)),
            None => self.open(permit).await,
        }
    }

    /// An idle connection to the current destination.
    fn pop_idle(&self) -> Option<D::Connection> {
        let now = Instant::now();
        if self.destination.has_changed(now) {
            self.idle.close(now);
        }
        self.idle.pop(now)
    }

    fn guard(
        self: &Arc<Self>,
        connection: D::Connection,
        permit: OwnedSemaphorePermit,
    ) -> ConnectionGuard<D> {
        let checkout = Checkout {
            owner: Arc::clone(self),
            since: Instant::now(),
            file: self.destination.file(),
            is_ended: false,
        };
        ConnectionGuard::Own {
            connection,
            checkout,
            _permit: permit,
        }
    }

    /// Connects, repeatedly while others set up the same file: SQLite's busy timeout does not cover all of that.
    async fn connect(&self) -> Result<D::Connection, sqlx::Error> {
        let mut is_retried = false;
        loop {
            let options = (self.options)();
            match options.connect().await {
                Err(error) if is_busy(&error) => sleep(BUSY_RETRY_DELAY).await,
                Err(error) if !is_retried && (self.retries_after)(&error) => is_retried = true,
                connected => {
                    let now = Instant::now();
                    if self.destination.check(now) {
                        self.idle.close(now);
                    }
                    return connected;
                }
            }
        }
    }

    /// Opens a connection in a task that outlives this future: if it takes longer than a call may, the next call has
    /// it.
    async fn open(
        self: Arc<Self>,
        permit: OwnedSemaphorePermit,
    ) -> Result<ConnectionGuard<D>, sqlx::Error> {
        let (hand_over, opened) = oneshot::channel();
        tokio::spawn(tracked(async move {
            let connected = timeout(CONNECT_TIMEOUT, self.connect()).await;
            let guard = connected
                .unwrap_or(Err(sqlx::Error::PoolTimedOut))
                .map(|connection| self.guard(connection, permit));
            if let Err(Ok(unwanted)) = hand_over.send(guard) {
                unwanted.release(None);
            }
        }));
        opened.await.unwrap_or(Err(sqlx::Error::PoolClosed))
    }

    /// Waits for a permit to use a connection.
    async fn permit(&self) -> Result<OwnedSemaphorePermit, sqlx::Error> {
        if let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() {
            self.waits.not_waited();
            return Ok(permit);
        }
        let started = Instant::now();
        let permit = queue::waiting(Arc::clone(&self.permits).acquire_owned()).await;
        self.waits.waited_since(started);
        permit.map_err(|_| sqlx::Error::PoolClosed)
    }
}

impl<D: sqlx::Database> ConnectionGuard<D> {
    pub(super) fn connection(&mut self) -> &mut D::Connection {
        match self {
            Self::Own { connection, .. } => connection,
            Self::Program(connection) => connection.deref_mut(),
        }
    }

    /// Returns the connection to the pool, unless the operation's error says that it is broken.
    pub(super) fn release(self, came_to: Option<&sqlx::Error>) {
        let is_sound = !came_to.is_some_and(is_broken);
        match self {
            Self::Own {
                connection,
                checkout,
                ..
            } if is_sound => checkout.release(connection),
            // The server is gone, and the other connections with it.
            Self::Own { checkout, .. } => checkout.end().idle.close(Instant::now()),
            // Dropping returns it to its pool.
            Self::Program(_) if is_sound => {}
            Self::Program(_) => self.close(),
        }
    }

    /// Closes the connection, as its session state must not leak.
    pub(super) fn close(self) {
        match self {
            Self::Own { checkout, .. } => drop(checkout.end()),
            Self::Program(mut connection) => connection.close_on_drop(),
        }
    }
}

impl<D: sqlx::Database> Checkout<D> {
    /// Ends a successful operation.
    fn release(self, connection: D::Connection) {
        let file = self.file;
        let owner = self.end();
        if file == owner.destination.file() {
            owner.idle.push(connection, Instant::now());
        }
    }

    /// Ends the operation.
    fn end(mut self) -> Arc<OwnPool<D>> {
        self.is_ended = true;
        Arc::clone(&self.owner)
    }
}

impl<D: sqlx::Database> Drop for Checkout<D> {
    fn drop(&mut self) {
        if !self.is_ended && self.since.elapsed() >= SUSPECT_AFTER {
            self.owner.idle.close(self.since);
        }
    }
}

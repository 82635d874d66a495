//! The connection of one runtime, replaced when it breaks.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use redis::{Cmd, RedisError, RedisResult, Value};
use tokio::sync::OnceCell;

use super::error;
use super::source::{self, Connection, Source};
use crate::error::{Error, Operation};
use crate::network::{RoundTrips, filled};

/// From when on a server that answers nobody is taken for gone, if the caller gives up.
///
/// A connection that was lost without notice otherwise looks alive for many minutes.
const SILENCE: Duration = Duration::from_millis(250);

/// What the links of all runtimes share.
pub(super) struct Server {
    pub(super) source: Source,
    /// Its address, without credentials.
    pub(super) name: String,
    pub(super) round_trips: RoundTrips,
}

/// The connection of one runtime to the server: one at a time, made when it is needed, for all callers.
#[derive(Clone)]
pub(super) struct Link(Arc<Inner>);

struct Inner {
    server: Arc<Server>,
    current: Mutex<Attempt>,
    started: Instant,
    /// When the server answered last, in milliseconds since `started`.
    answered: AtomicU64,
}

/// One attempt to connect, which all callers of the time share, and what it came to.
type Attempt = Arc<OnceCell<RedisResult<Connection>>>;

/// Why there is no answer.
pub(super) enum Failure {
    /// There is no connection.
    Unreachable(RedisError),
    /// The request failed, or the connection did meanwhile.
    Refused(RedisError),
}

impl Link {
    /// A link that connects when it is first used.
    pub(super) fn new(server: Arc<Server>) -> Self {
        Self(Arc::new(Inner {
            server,
            current: Mutex::default(),
            started: Instant::now(),
            answered: AtomicU64::new(0),
        }))
    }

    /// Sends a request and waits for the answer.
    pub(super) async fn ask(&self, operation: Operation, command: &Cmd) -> Result<Value, Error> {
        let answer = self.try_ask(operation, command).await;
        answer.map_err(|failure| self.error(operation, failure))
    }

    /// The same, for callers that look at the refusal.
    pub(super) async fn try_ask(
        &self,
        operation: Operation,
        command: &Cmd,
    ) -> Result<Value, Failure> {
        let attempt = Arc::clone(&self.0.current());
        if attempt.get().is_none() {
            let server = Arc::clone(&self.0.server);
            let connect = || async move { server.source.connect().await };
            // Boxed: the many requests that need no connecting keep no room for it.
            Box::pin(filled(&attempt, connect)).await;
        }
        let Some(connected) = attempt.get() else {
            return Err(Failure::Unreachable(source::lost()));
        };
        let connection = connected.as_ref().map_err(|refused| {
            self.0.replace(&attempt);
            Failure::Unreachable(refused.clone())
        })?;
        self.0.server.round_trips.count(operation);
        let pending = Pending::new(&self.0, &attempt);
        let answer = connection.ask(command).await;
        pending.ended(answer.as_ref().err());
        answer.map_err(Failure::Refused)
    }

    /// What a failure means.
    pub(super) fn error(&self, operation: Operation, failure: Failure) -> Error {
        let error = match failure {
            Failure::Unreachable(refused) => error::connecting(operation, refused),
            Failure::Refused(refused) => error::asking(operation, refused),
        };
        error.at(self.name())
    }

    /// The server's address, without credentials.
    pub(super) fn name(&self) -> &str {
        &self.0.server.name
    }

    /// Whether it is connected, and if so, whether somebody waits for an answer.
    pub(super) fn is_busy(&self) -> Option<bool> {
        let attempt = self.0.current();
        let is_connected = matches!(attempt.get(), Some(Ok(_)));
        // Every request shares it until it ends.
        is_connected.then(|| Arc::strong_count(&attempt) > 1)
    }
}

impl Inner {
    fn current(&self) -> MutexGuard<'_, Attempt> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the next request connect anew, unless another one did that already.
    fn replace(&self, broken: &Attempt) {
        let mut current = self.current();
        if Arc::ptr_eq(&current, broken) {
            *current = Attempt::default();
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// A request that is not answered yet.
struct Pending<'a> {
    link: &'a Inner,
    attempt: &'a Attempt,
    since: u64,
    is_answered: bool,
}

impl<'a> Pending<'a> {
    fn new(link: &'a Inner, attempt: &'a Attempt) -> Self {
        Self {
            link,
            attempt,
            since: link.now(),
            is_answered: false,
        }
    }

    fn ended(mut self, failure: Option<&RedisError>) {
        self.is_answered = true;
        if failure.is_some_and(error::is_fatal) {
            self.link.replace(self.attempt);
        } else {
            self.link.answered.store(self.link.now(), Ordering::Relaxed);
        }
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        if self.is_answered {
            return;
        }
        let waited = Duration::from_millis(self.link.now().saturating_sub(self.since));
        let answered = self.link.answered.load(Ordering::Relaxed);
        if waited >= SILENCE && answered <= self.since {
            self.link.replace(self.attempt);
        }
    }
}

//! The connection of one runtime, replaced when it breaks.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use redis::{Cmd, RedisError, RedisResult, Value};
use tokio::runtime::Handle;
use tokio::sync::OnceCell;
use tokio::time::sleep;

use super::error;
use super::source::{Connection, Source};
use super::stall::{AbandonedWait, StallDetector};
use crate::cold::boxed_cold;
use crate::error::{Error, Operation};
use crate::network::{RoundTrips, init_in_task};

/// The shortest time between two attempts to renew a cluster connection.
const RENEWAL_INTERVAL: Duration = Duration::from_secs(1);

/// Shared by the links of all runtimes.
pub(super) struct Server {
    pub(super) source: Source,
    /// Its address, without credentials.
    pub(super) name: String,
    pub(super) round_trips: RoundTrips,
}

/// One runtime's connection to the server, established on first use and shared by all callers.
#[derive(Clone)]
pub(super) struct Link(Arc<Inner>);

struct Inner {
    server: Arc<Server>,
    current: Mutex<Arc<Attempt>>,
}

/// One attempt to connect and its result, shared by all concurrent requests.
struct Attempt {
    made: Arc<OnceCell<RedisResult<Connection>>>,
    begun: Instant,
    /// Whether a replacement is being connected.
    is_being_renewed: AtomicBool,
    /// How often the server has answered.
    answers: AtomicU64,
    stall: Mutex<StallDetector>,
}

/// Why there is no answer.
pub(super) enum Failure {
    /// There is no connection.
    Unreachable(RedisError),
    /// The request failed, or the connection broke meanwhile.
    Refused(RedisError),
}

impl Link {
    /// A link that connects on first use.
    pub(super) fn new(server: Arc<Server>) -> Self {
        Self(Arc::new(Inner {
            server,
            current: Mutex::default(),
        }))
    }

    /// Sends a request and waits for the answer.
    pub(super) async fn query(&self, operation: Operation, command: &Cmd) -> Result<Value, Error> {
        let answer = self.try_query(operation, command).await;
        answer.map_err(|failure| self.error(operation, failure))
    }

    /// Like [`query`](Self::query), for callers that inspect the failure.
    pub(super) async fn try_query(
        &self,
        operation: Operation,
        command: &Cmd,
    ) -> Result<Value, Failure> {
        let attempt = self.attempt().await;
        let connection = attempt.connection()?;
        let pending = Pending::start(&self.0, &attempt, operation);
        pending.ended(connection.query(command).await)
    }

    /// Loads an entry.
    pub(super) async fn load(&self, get: Cmd) -> Result<Value, Failure> {
        let attempt = self.attempt().await;
        let connection = attempt.connection()?;
        let pending_requests = requests(&attempt).saturating_sub(1);
        let pending = Pending::start(&self.0, &attempt, Operation::Load);
        pending.ended(connection.load(get, pending_requests).await)
    }

    /// The current attempt, once it has ended.
    async fn attempt(&self) -> Arc<Attempt> {
        let attempt = Arc::clone(&self.0.current());
        if attempt.made.get().is_none() {
            let (link, of_task) = (Arc::clone(&self.0), Arc::clone(&attempt));
            let connect = || async move {
                let made = link.server.source.connect().await;
                if made.is_err() {
                    // Current waiters get this error; a later caller tries again even if nobody waits any more.
                    link.replace(&of_task);
                }
                made
            };
            boxed_cold(|| init_in_task(&attempt.made, connect)).await;
        }
        attempt
    }

    /// The error of a failure.
    pub(super) fn error(&self, operation: Operation, failure: Failure) -> Error {
        let error = match failure {
            Failure::Unreachable(refused) => error::connecting(operation, refused),
            Failure::Refused(refused) => error::querying(operation, refused),
        };
        error.at(self.name())
    }

    /// Makes the next request reconnect: on this connection, answers may be those to other requests.
    pub(super) fn distrust(&self) {
        let current = Arc::clone(&self.0.current());
        self.0.recover(&current);
    }

    /// The server's address, without credentials.
    pub(super) fn name(&self) -> &str {
        &self.0.server.name
    }

    /// `None` if not connected; otherwise whether a request is pending.
    pub(super) fn is_busy(&self) -> Option<bool> {
        let attempt = self.0.current();
        let is_connected = matches!(attempt.made.get(), Some(Ok(_)));
        is_connected.then(|| requests(&attempt) > 0)
    }
}

impl Inner {
    fn current(&self) -> MutexGuard<'_, Arc<Attempt>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Replaces a connection that is lost, or seems to be.
    fn recover(self: &Arc<Self>, broken: &Arc<Attempt>) {
        match broken.made.get() {
            Some(Ok(connection)) if connection.is_cluster() => self.renew(broken),
            _ => self.replace(broken),
        }
    }

    /// Makes the next request reconnect, unless somebody replaced the attempt already.
    fn replace(&self, broken: &Arc<Attempt>) {
        self.replace_by(broken, Arc::default());
    }

    fn replace_by(&self, broken: &Arc<Attempt>, next: Arc<Attempt>) {
        let mut current = self.current();
        if Arc::ptr_eq(&current, broken) {
            *current = next;
        }
    }

    /// Connects to all nodes of a cluster, and keeps the old connection in use until that succeeds: most nodes may
    /// still serve through it while one is gone.
    fn renew(self: &Arc<Self>, broken: &Arc<Attempt>) {
        let is_current = Arc::ptr_eq(&self.current(), broken);
        let is_new = broken.begun.elapsed() < RENEWAL_INTERVAL;
        let Ok(runtime) = Handle::try_current() else {
            // Without a runtime, the next caller renews it.
            return;
        };
        if !is_current || is_new || broken.is_being_renewed.swap(true, Ordering::Relaxed) {
            return;
        }
        let (link, broken) = (Arc::clone(self), Arc::downgrade(broken));
        runtime.spawn(async move {
            let better = link.server.source.connect_to_all().await;
            if better.is_err() {
                sleep(RENEWAL_INTERVAL).await;
            }
            let Some(broken) = broken.upgrade() else {
                return;
            };
            match better {
                Ok(connection) => link.replace_by(&broken, Arc::new(Attempt::at(connection))),
                Err(_) => broken.is_being_renewed.store(false, Ordering::Relaxed),
            }
        });
    }
}

/// How many requests share an attempt: each holds a reference, as does the link.
fn requests(attempt: &Arc<Attempt>) -> usize {
    const LINK_REFERENCES: usize = 1;
    Arc::strong_count(attempt).saturating_sub(LINK_REFERENCES)
}

/// An unanswered request.
struct Pending<'a> {
    link: &'a Arc<Inner>,
    attempt: &'a Arc<Attempt>,
    since: Instant,
    /// The answer count when the request was sent.
    answers: u64,
    is_answered: bool,
}

impl<'a> Pending<'a> {
    fn start(link: &'a Arc<Inner>, attempt: &'a Arc<Attempt>, operation: Operation) -> Self {
        link.server.round_trips.count(operation);
        Self {
            link,
            attempt,
            since: Instant::now(),
            answers: attempt.answers.load(Ordering::Relaxed),
            is_answered: false,
        }
    }

    fn ended(mut self, answer: RedisResult<Value>) -> Result<Value, Failure> {
        self.is_answered = true;
        if answer.as_ref().is_err_and(error::is_fatal) {
            self.link.recover(self.attempt);
        } else {
            self.attempt.answers.fetch_add(1, Ordering::Relaxed);
        }
        answer.map_err(Failure::Refused)
    }

    /// Records that the caller gave up.
    #[cold]
    fn abandoned(&self) {
        let wait = AbandonedWait {
            from: self.since,
            until: Instant::now(),
            answers: (self.answers, self.attempt.answers.load(Ordering::Relaxed)),
        };
        let is_gone = self.attempt.stall().is_stalled_after(wait);
        if is_gone {
            self.link.recover(self.attempt);
        }
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        if !self.is_answered {
            self.abandoned();
        }
    }
}

impl Default for Attempt {
    fn default() -> Self {
        Self {
            made: Arc::default(),
            begun: Instant::now(),
            is_being_renewed: AtomicBool::new(false),
            answers: AtomicU64::new(0),
            stall: Mutex::default(),
        }
    }
}

impl Attempt {
    /// A successful attempt.
    fn at(connection: Connection) -> Self {
        Self {
            made: Arc::new(OnceCell::new_with(Some(Ok(connection)))),
            ..Self::default()
        }
    }

    fn connection(&self) -> Result<&Connection, Failure> {
        match self.made.get() {
            Some(Ok(connection)) => Ok(connection),
            Some(Err(refused)) => Err(Failure::Unreachable(refused.clone())),
            // The runtime has ended.
            None => Err(Failure::Unreachable(error::lost())),
        }
    }

    fn stall(&self) -> MutexGuard<'_, StallDetector> {
        self.stall.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

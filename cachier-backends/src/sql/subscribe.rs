//! Change notifications from PostgreSQL: one listening connection per backend.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgListener, PgNotification, PgPoolOptions};
use tokio::sync::watch;
use tokio::time::timeout;

use super::client::Shared;
use super::pooler::Pooler;
use crate::backend::{Change, Watch, Watcher};
use crate::key::{Key, KeyHash, Scope};
use crate::network::runtime::{AbortOnDrop, background};
use crate::network::{Backoff, Subscribers};

/// The subscription of one backend; starts to listen on first use.
pub(super) struct Subscription {
    listening: Arc<Listening>,
    task: OnceLock<Option<AbortOnDrop<()>>>,
}

struct Listening {
    shared: Arc<Shared>,
    options: PgConnectOptions,
    pooler: Pooler,
    subscribers: Subscribers,
    is_listening: watch::Sender<bool>,
}

/// When an idle connection is pinged, and the limit for its answer.
const PING_INTERVAL: Duration = Duration::from_secs(10);
const PING_TIMEOUT: Duration = Duration::from_secs(5);

impl Subscription {
    pub(super) fn new(shared: Arc<Shared>, options: PgConnectOptions, pooler: Pooler) -> Self {
        let listening = Listening {
            subscribers: Subscribers::new(shared.origin.clone()),
            shared,
            options,
            pooler,
            is_listening: watch::Sender::new(false),
        };
        Self {
            listening: Arc::new(listening),
            task: OnceLock::new(),
        }
    }

    /// Whether notifications can arrive: not through a pooler.
    pub(super) fn is_available(&self) -> bool {
        !self.listening.pooler.is_there()
    }

    pub(super) fn watch(&self, scope: &Arc<Scope>, watcher: Arc<Watcher>) -> Option<Watch> {
        let watch = self.listening.subscribers.watchers.watch(scope, watcher);
        self.listen().then_some(watch)
    }

    /// Waits for a change of one entry, from this call on.
    pub(super) fn of_entry(&self, key: &Key) -> impl Future<Output = ()> + Send + use<> {
        self.listen();
        self.listening.subscribers.waiters.of_entry(key)
    }

    /// Waits at most `limit` until the subscription is active; whether it is.
    pub(super) fn is_listening(
        &self,
        limit: Duration,
    ) -> impl Future<Output = bool> + Send + use<> {
        let mut is_listening = self.listening.is_listening.subscribe();
        async move {
            let listens = timeout(limit, is_listening.wait_for(|listens| *listens));
            matches!(listens.await, Ok(Ok(_)))
        }
    }

    fn listen(&self) -> bool {
        let start = || {
            let task = background()
                .ok()?
                .spawn(Arc::clone(&self.listening).listen());
            Some(AbortOnDrop::new(task))
        };
        self.task.get_or_init(start).is_some()
    }
}

impl Listening {
    async fn listen(self: Arc<Self>) {
        let mut backoff = Backoff::new();
        while !self.pooler.is_there() {
            match timeout(PING_TIMEOUT, self.connect()).await {
                Ok(Ok(listener)) if !self.pooler.is_there() => {
                    backoff.reset();
                    self.receive(listener).await;
                }
                Ok(Err(error)) => {
                    self.pooler.detect_in(&error);
                }
                _ => {}
            }
            backoff.wait().await;
        }
    }

    async fn connect(&self) -> Result<PgListener, sqlx::Error> {
        let pool = PgPoolOptions::new().max_connections(1);
        let pool = pool.connect_lazy_with(self.options.clone());
        let mut listener = PgListener::connect_with(&pool).await?;
        listener.ignore_pool_close_event(true);
        // An automatic reconnect may be interrupted, and then be repeated unnoticed.
        listener.eager_reconnect(false);
        self.pooler.probe(&mut listener).await?;
        // A pooler would lend the listening session to others, who do not expect notifications.
        if !self.pooler.is_there() {
            listener.listen(&self.shared.statements.table).await?;
        }
        Ok(listener)
    }

    /// Receives until the connection is lost. The listener is dropped then, as it would reconnect silently.
    async fn receive(&self, mut listener: PgListener) {
        self.is_listening.send_replace(true);
        // Earlier changes were missed.
        self.subscribers.watchers.notify_gap();
        loop {
            match timeout(PING_INTERVAL, listener.try_recv()).await {
                Ok(Ok(Some(notification))) => self.tell(&notification),
                Ok(Ok(None) | Err(_)) => break,
                Err(_elapsed) => {
                    let asked = sqlx::raw_sql("SELECT 1").execute(&mut listener);
                    if !matches!(timeout(PING_TIMEOUT, asked).await, Ok(Ok(_))) {
                        break;
                    }
                }
            }
        }
        self.is_listening.send_replace(false);
        // Waiters have to poll.
        self.subscribers.waiters.notify_gap();
    }

    fn tell(&self, notification: &PgNotification) {
        let mut words = notification.payload().splitn(3, ' ');
        let (Some(origin), Some(scope), Some(what)) = (words.next(), words.next(), words.next())
        else {
            return;
        };
        if let Some(change) = change(what) {
            self.subscribers.tell(scope, origin, &change);
        }
    }
}

/// The hash of an entry, or `*` for all entries of a function.
fn change(what: &str) -> Option<Change> {
    match what {
        "*" => Some(Change::All),
        digits => KeyHash::parse(digits).map(Change::Entry),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hashes_and_the_asterisk_are_changes() {
        let hash = KeyHash::from_bytes([0xa7; 32]);
        assert_eq!(change(&hash.to_string()), Some(Change::Entry(hash)));
        assert_eq!(change("*"), Some(Change::All));
        for nothing in ["", "a", "zz", "é", "a7a7"] {
            assert_eq!(change(nothing), None, "{nothing}");
        }
    }
}

//! Change notifications by publish/subscribe: one subscription per backend.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Msg, PushInfo, PushKind, RedisResult};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;
use tokio::time::timeout;

use super::error;
use super::link::Server;
use super::names;
use crate::backend::Change;
use crate::key::{KeyHash, Scope};
use crate::network::runtime::{AbortOnDrop, background};
use crate::network::{Backoff, Subscribers, Watchers};

/// After this long without a message the server is pinged; also the limit for its answer.
const PING_INTERVAL: Duration = Duration::from_secs(5);

/// Notifies watchers and waiters; subscribes on first use.
pub(super) struct Listener {
    server: Arc<Server>,
    subscription: Arc<Subscription>,
    running: Mutex<Option<Running>>,
}

struct Running {
    events: UnboundedSender<Event>,
    _task: AbortOnDrop<()>,
}

/// The subscribers, and the state of the subscription.
struct Subscription {
    subscribers: Subscribers,
    state: watch::Sender<State>,
}

#[derive(Default)]
struct State {
    subscribed: HashSet<Arc<Scope>>,
    is_failing: bool,
}

enum Event {
    Subscribe(Arc<Scope>),
    /// A message, with the number of its connection.
    Pushed(u64, PushInfo),
}

impl Listener {
    pub(super) fn new(server: Arc<Server>, origin: String) -> Self {
        let subscription = Subscription {
            subscribers: Subscribers::new(origin),
            state: watch::Sender::default(),
        };
        Self {
            server,
            subscription: Arc::new(subscription),
            running: Mutex::default(),
        }
    }

    pub(super) fn watchers(&self) -> &Arc<Watchers> {
        &self.subscription.subscribers.watchers
    }

    pub(super) fn waiters(&self) -> &Arc<Watchers> {
        &self.subscription.subscribers.waiters
    }

    /// Whether notifications are interrupted or unsupported.
    pub(super) fn is_interrupted(&self) -> bool {
        !self.server.source.can_subscribe() || self.subscription.state.borrow().is_failing
    }

    /// Subscribes to the changes of a function, unless that is done.
    pub(super) fn subscribe_to(&self, scope: &Arc<Scope>) {
        if self.subscription.state.borrow().subscribed.contains(scope) {
            return;
        }
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if running.is_none() {
            *running = self.start();
        }
        if let Some(running) = running.as_ref() {
            let _ = running.events.send(Event::Subscribe(Arc::clone(scope)));
        }
    }

    /// Waits until the subscription to a function's changes is active or has failed; whether it is active.
    pub(super) fn subscribed(
        &self,
        scope: &Arc<Scope>,
    ) -> impl Future<Output = bool> + Send + use<> {
        let mut state = self.subscription.state.subscribe();
        let scope = Arc::clone(scope);
        async move {
            let settled = |state: &State| state.is_failing || state.subscribed.contains(&scope);
            state
                .wait_for(settled)
                .await
                .is_ok_and(|state| !state.is_failing)
        }
    }

    fn start(&self) -> Option<Running> {
        let (events, received) = unbounded_channel();
        let task = Task {
            server: Arc::clone(&self.server),
            subscription: Arc::clone(&self.subscription),
            events: events.clone(),
            received,
            channels: HashMap::new(),
            session: 0,
        };
        match background() {
            Ok(runtime) => Some(Running {
                events,
                _task: AbortOnDrop::new(runtime.spawn(task.run())),
            }),
            Err(_) => {
                self.subscription.set_failing();
                None
            }
        }
    }
}

/// The background task of a subscription.
struct Task {
    server: Arc<Server>,
    subscription: Arc<Subscription>,
    events: UnboundedSender<Event>,
    received: UnboundedReceiver<Event>,
    channels: HashMap<String, Arc<Scope>>,
    /// The number of the current connection.
    session: u64,
}

impl Task {
    async fn run(mut self) {
        let mut backoff = Backoff::new();
        loop {
            if let Ok(connection) = self.connect().await {
                backoff.reset();
                // The only remedy for an error is to reconnect.
                let _ = self.listen(connection).await;
            }
            self.subscription.set_failing();
            backoff.wait().await;
        }
    }

    /// Connects, and subscribes to everything requested so far.
    async fn connect(&mut self) -> RedisResult<MultiplexedConnection> {
        while let Ok(event) = self.received.try_recv() {
            if let Event::Subscribe(scope) = event {
                self.channels.insert(names::channel(&scope), scope);
            }
        }
        self.session += 1;
        let (events, session) = (self.events.clone(), self.session);
        let push = move |info| events.send(Event::Pushed(session, info));
        let mut connection = self.server.source.subscribe(push).await?;
        let channels: Vec<_> = self.channels.keys().collect();
        if !channels.is_empty() {
            in_time(connection.subscribe(channels)).await?;
        }
        self.subscription.subscribed(self.channels.values());
        Ok(connection)
    }

    /// Passes messages on until the connection is lost.
    async fn listen(&mut self, mut connection: MultiplexedConnection) -> RedisResult<()> {
        loop {
            match timeout(PING_INTERVAL, self.received.recv()).await {
                Ok(Some(Event::Subscribe(scope))) => self.subscribe(&mut connection, scope).await?,
                Ok(Some(Event::Pushed(session, info))) if session == self.session => {
                    if info.kind == PushKind::Disconnection {
                        return Ok(());
                    }
                    self.pass_on(info);
                }
                Ok(Some(Event::Pushed(..))) => {}
                Ok(None) => return Ok(()),
                Err(_elapsed) => ping(&mut connection).await?,
            }
        }
    }

    async fn subscribe(
        &mut self,
        connection: &mut MultiplexedConnection,
        scope: Arc<Scope>,
    ) -> RedisResult<()> {
        let channel = names::channel(&scope);
        if self.channels.contains_key(&channel) {
            return Ok(());
        }
        self.channels.insert(channel.clone(), Arc::clone(&scope));
        in_time(connection.subscribe(channel)).await?;
        self.subscription.subscribed([&scope].into_iter());
        Ok(())
    }

    fn pass_on(&self, info: PushInfo) {
        if let Some(message) = Msg::from_push_info(info)
            && let Some(scope) = self.channels.get(message.get_channel_name())
            && let Ok(text) = std::str::from_utf8(message.get_payload_bytes())
        {
            self.subscription.tell(scope, text);
        }
    }
}

impl Subscription {
    /// Notifies of a message in the scripts' formats: `origin entry hash`, `origin lease hash`, `origin all`, `origin
    /// leases`.
    fn tell(&self, scope: &Scope, message: &str) {
        let mut words = message.split(' ');
        let (origin, what, hash) = (words.next(), words.next(), words.next());
        let change = hash.and_then(KeyHash::parse).map(Change::Entry);
        let change = change.unwrap_or(Change::All);
        match what {
            Some("lease" | "leases") => self.subscribers.waiters.notify(scope.path(), &change),
            _ => self
                .subscribers
                .tell(scope.path(), origin.unwrap_or_default(), &change),
        }
    }

    /// Nothing is missed from now on; earlier changes may have been.
    fn subscribed<'a>(&self, scopes: impl Iterator<Item = &'a Arc<Scope>> + Clone) {
        self.state.send_modify(|state| {
            state.is_failing = false;
            state.subscribed.extend(scopes.clone().cloned());
        });
        let watchers = &self.subscribers.watchers;
        scopes.for_each(|scope| watchers.notify(scope.path(), &Change::All));
    }

    /// Waiters have to poll.
    fn set_failing(&self) {
        self.state.send_modify(|state| {
            state.is_failing = true;
            state.subscribed.clear();
        });
        self.subscribers.waiters.notify_gap();
    }
}

/// Fails if the server does not answer.
async fn ping(connection: &mut MultiplexedConnection) -> RedisResult<()> {
    let command = redis::cmd("PING");
    match in_time(command.query_async::<()>(connection)).await {
        Err(lost) if error::is_fatal(&lost) => Err(lost),
        _ => Ok(()),
    }
}

async fn in_time<T>(answer: impl Future<Output = RedisResult<T>>) -> RedisResult<T> {
    let late = |_| Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into());
    timeout(PING_INTERVAL, answer).await.unwrap_or_else(late)
}

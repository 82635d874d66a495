//! Learning of changes by publish and subscribe: one subscription for all that one backend wants to know.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Msg, PushInfo, PushKind, RedisResult};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::error;
use super::link::Server;
use super::names;
use crate::backend::Change;
use crate::key::Scope;
use crate::network::{Changes, spawn_on_own};

/// After this long without a message the server is asked whether it is still there, and given as long to answer.
const QUIET: Duration = Duration::from_secs(5);

/// The first pause before a lost subscription is made again, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));

/// Tells watchers and waiters what is published, from when somebody first wants to know.
pub(super) struct Listener {
    server: Arc<Server>,
    heard: Arc<Heard>,
    running: Mutex<Option<Running>>,
}

struct Running {
    events: UnboundedSender<Event>,
    task: JoinHandle<()>,
}

/// Who is told, and how far the subscription is.
struct Heard {
    /// What this backend calls itself in what it publishes.
    origin: String,
    /// Told of what others do to entries.
    watchers: Arc<Changes>,
    /// Told of what anybody does to entries and leases.
    waiters: Arc<Changes>,
    state: watch::Sender<State>,
}

#[derive(Default)]
struct State {
    subscribed: HashSet<Arc<Scope>>,
    is_failing: bool,
}

enum Event {
    Wanted(Arc<Scope>),
    /// A message, and the number of the connection that it came by.
    Pushed(u64, PushInfo),
}

impl Listener {
    pub(super) fn new(server: Arc<Server>, origin: String) -> Self {
        let heard = Heard {
            origin,
            watchers: Arc::default(),
            waiters: Arc::default(),
            state: watch::Sender::default(),
        };
        Self {
            server,
            heard: Arc::new(heard),
            running: Mutex::default(),
        }
    }

    pub(super) fn watchers(&self) -> &Arc<Changes> {
        &self.heard.watchers
    }

    pub(super) fn waiters(&self) -> &Arc<Changes> {
        &self.heard.waiters
    }

    /// Whether changes cannot be learned of at the moment.
    pub(super) fn is_deaf(&self) -> bool {
        !self.server.source.can_subscribe() || self.heard.state.borrow().is_failing
    }

    /// Subscribes to the changes of a function, unless that has been done.
    pub(super) fn want(&self, scope: &Arc<Scope>) {
        if self.heard.state.borrow().subscribed.contains(scope) {
            return;
        }
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if running.is_none() {
            *running = self.start();
        }
        if let Some(running) = running.as_ref() {
            let _ = running.events.send(Event::Wanted(Arc::clone(scope)));
        }
    }

    /// Waits until the subscription to a function's changes holds, or fails; whether it holds.
    pub(super) fn subscribed(
        &self,
        scope: &Arc<Scope>,
    ) -> impl Future<Output = bool> + Send + use<> {
        let mut state = self.heard.state.subscribe();
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
            heard: Arc::clone(&self.heard),
            events: events.clone(),
            received,
            channels: HashMap::new(),
            session: 0,
        };
        match spawn_on_own(task.run()) {
            Ok(task) => Some(Running { events, task }),
            Err(_) => {
                self.heard.failing();
                None
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What keeps the subscription.
struct Task {
    server: Arc<Server>,
    heard: Arc<Heard>,
    events: UnboundedSender<Event>,
    received: UnboundedReceiver<Event>,
    channels: HashMap<String, Arc<Scope>>,
    /// The number of the current connection.
    session: u64,
}

impl Task {
    async fn run(mut self) {
        let (mut pause, longest) = PAUSES;
        loop {
            if let Ok(connection) = self.connect().await {
                pause = PAUSES.0;
                // Nothing is left to do about an error but to connect again.
                let _ = self.listen(connection).await;
            }
            self.heard.failing();
            sleep(pause).await;
            pause = (2 * pause).min(longest);
        }
    }

    /// Connects, and subscribes to what was wanted so far.
    async fn connect(&mut self) -> RedisResult<MultiplexedConnection> {
        while let Ok(event) = self.received.try_recv() {
            if let Event::Wanted(scope) = event {
                self.channels.insert(names::channel(&scope), scope);
            }
        }
        self.session += 1;
        let (events, session) = (self.events.clone(), self.session);
        let push = move |info| events.send(Event::Pushed(session, info));
        let mut connection = self.server.source.subscribe(push).await?;
        let channels: Vec<_> = self.channels.keys().collect();
        if !channels.is_empty() {
            within(connection.subscribe(channels)).await?;
        }
        self.heard.subscribed(self.channels.values());
        Ok(connection)
    }

    /// Passes on what is published until the connection is lost.
    async fn listen(&mut self, mut connection: MultiplexedConnection) -> RedisResult<()> {
        loop {
            match timeout(QUIET, self.received.recv()).await {
                Ok(Some(Event::Wanted(scope))) => self.subscribe(&mut connection, scope).await?,
                Ok(Some(Event::Pushed(session, info))) if session == self.session => {
                    if info.kind == PushKind::Disconnection {
                        return Ok(());
                    }
                    self.pass_on(info);
                }
                Ok(Some(Event::Pushed(..))) => {}
                Ok(None) => return Ok(()),
                Err(_quiet) => is_there(&mut connection).await?,
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
        within(connection.subscribe(channel)).await?;
        self.heard.subscribed([&scope].into_iter());
        Ok(())
    }

    fn pass_on(&self, info: PushInfo) {
        if let Some(message) = Msg::from_push_info(info)
            && let Some(scope) = self.channels.get(message.get_channel_name())
            && let Ok(text) = std::str::from_utf8(message.get_payload_bytes())
        {
            self.heard.tell(scope, text);
        }
    }
}

impl Heard {
    /// Tells those concerned of a message, as the scripts write them: `origin entry hash`, `origin lease hash`,
    /// `origin all`, `origin leases`.
    fn tell(&self, scope: &Scope, message: &str) {
        let mut words = message.split(' ');
        let (origin, what, hash) = (words.next(), words.next(), words.next());
        let of_entry = || hash.and_then(names::hash).map(Change::Entry);
        let (change, is_of_leases) = match what {
            Some("entry") => (of_entry(), false),
            Some("lease") => (of_entry(), true),
            Some("leases") => (Some(Change::All), true),
            _ => (Some(Change::All), false),
        };
        let change = change.unwrap_or(Change::All);
        self.waiters.announce(scope, &change);
        if !is_of_leases && origin != Some(&self.origin) {
            self.watchers.announce(scope, &change);
        }
    }

    /// From now on nothing is missed; what happened before was.
    fn subscribed<'a>(&self, scopes: impl Iterator<Item = &'a Arc<Scope>> + Clone) {
        self.state.send_modify(|state| {
            state.is_failing = false;
            state.subscribed.extend(scopes.clone().cloned());
        });
        scopes.for_each(|scope| self.watchers.announce(scope, &Change::All));
    }

    /// Whoever waits has to look for himself.
    fn failing(&self) {
        self.state.send_modify(|state| {
            state.is_failing = true;
            state.subscribed.clear();
        });
        self.waiters.announce_gap();
    }
}

/// An error if the server does not answer any more.
async fn is_there(connection: &mut MultiplexedConnection) -> RedisResult<()> {
    let ping = redis::cmd("PING");
    match within(ping.query_async::<()>(connection)).await {
        Err(lost) if error::is_fatal(&lost) => Err(lost),
        _ => Ok(()),
    }
}

async fn within<T>(answer: impl Future<Output = RedisResult<T>>) -> RedisResult<T> {
    let late = |_| Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into());
    timeout(QUIET, answer).await.unwrap_or_else(late)
}

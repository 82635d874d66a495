//! One client for each runtime that uses a store: its connections live and die with the runtime that opened them.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::{Handle, Id};
use tokio::time::timeout;

use super::apart::apart;
use super::given::Given;
use super::lazily::Lazily;
use super::runtime::{self, AbortOnDrop, Place, joined, too_late};
use super::thread_homes::ThreadHomes;
use super::undo::Undo;
use super::waits::Waits;
use crate::backend::{BoxFuture, WaitObserver};
use crate::error::{Error, ErrorKind, Operation};
use crate::process::Process;

/// Whom a client serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Home {
    /// The tasks of a runtime.
    Tasks,
    /// One synchronous caller at a time.
    Thread,
}

/// What becomes of the client of a synchronous caller whom the store did not answer in time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Unanswered {
    /// It serves the next caller.
    #[default]
    Kept,
    /// The next caller connects anew: the driver does not find out in time that a connection is lost, or a server there again,
    /// in a runtime that rests between calls.
    #[cfg_attr(not(feature = "mongo"), allow(dead_code, reason = "other drivers do"))]
    Replaced,
}

/// The clients of one store, each connected when it is first needed.
pub(crate) struct Clients<C>(Arc<Inner<C>>);

struct Inner<C> {
    source: Source<C>,
    unanswered: Unanswered,
    /// A few, of which one is looked for at every operation.
    by_runtime: Mutex<Vec<OfRuntime<C>>>,
    threads: Arc<ThreadHomes<C>>,
}

/// The client of one runtime.
struct OfRuntime<C> {
    runtime: Id,
    client: Arc<Lazily<C>>,
    /// A task that lives as long as the runtime, or as long as the client is kept.
    #[allow(dead_code, reason = "it ends when this is dropped")]
    until_the_end: Option<AbortOnDrop<()>>,
}

type Connect<C> = dyn Fn(Home) -> Connecting<C> + Send + Sync;
type Connecting<C> = Pin<Box<dyn Future<Output = Result<C, Error>> + Send>>;

enum Source<C> {
    /// Each runtime has a client of its own.
    Connect(Arc<Connect<C>>),
    Given(Given<C>),
    /// The program has handed its client over in a process that this one was forked from: its connections are that one's.
    OfParent,
}

impl<C: Clone + Send + Sync + 'static> Clients<C> {
    /// Clients that `connect` makes, which must not wait for longer than it takes to connect.
    pub(crate) fn new<F>(
        unanswered: Unanswered,
        connect: impl Fn(Home) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<C, Error>> + Send + 'static,
    {
        let connect = Arc::new(move |home| -> Connecting<C> { Box::pin(connect(home)) });
        Self::of(Source::Connect(connect), unanswered, Waits::default())
    }

    /// The program's own client, for all. Its connections belong to the runtime of the calling code, if there is one; if
    /// that has but one thread, a synchronous caller on that thread is told that it cannot be served.
    pub(crate) fn given(client: C) -> Self {
        let source = Source::Given(Given::new(client));
        Self::of(source, Unanswered::Kept, Waits::default())
    }

    /// Clients for the same store in another process, with connections of their own. The program's own client cannot be
    /// made anew: without it, every operation fails at once.
    pub(crate) fn anew(&self) -> Self {
        let source = match &self.0.source {
            Source::Connect(connect) => Source::Connect(Arc::clone(connect)),
            Source::Given(_) | Source::OfParent => Source::OfParent,
        };
        Self::of(source, self.0.unanswered, self.0.threads.waits.clone())
    }

    /// The same clients, with the observer of waits that others have.
    #[cfg(feature = "redis")]
    pub(crate) fn waiting_as(self, others: &Self) -> Self {
        let Source::Connect(connect) = &self.0.source else {
            return self;
        };
        let waits = others.0.threads.waits.clone();
        let source = Source::Connect(Arc::clone(connect));
        Self::of(source, self.0.unanswered, waits)
    }

    fn of(source: Source<C>, unanswered: Unanswered, waits: Waits) -> Self {
        Self(Arc::new(Inner {
            source,
            unanswered,
            by_runtime: Mutex::default(),
            threads: Arc::new(ThreadHomes::new(waits)),
        }))
    }

    /// Runs an operation with the client of the place where it is first polled.
    ///
    /// It is cancelled when the returned future is dropped.
    pub(crate) fn run<T, O, F>(&self, operation: Operation, work: O) -> BoxFuture<'_, T>
    where
        T: Send + 'static,
        O: FnOnce(C) -> F + Send + 'static,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let clients = &self.0;
        Box::pin(async move {
            match &clients.source {
                Source::Connect(_) => {}
                Source::Given(given) => return given.run(operation, work).await,
                Source::OfParent => return Err(of_parent(operation)),
            }
            match Place::here() {
                Place::Caller(runtime) => {
                    let client = match clients.made(&runtime) {
                        Some(client) => client,
                        None => apart(|| clients.make(&runtime)).await?,
                    };
                    work(client).await
                }
                Place::Thread(allowance) => clients.block_on(operation, allowance, work),
                Place::Own => {
                    let runtime = runtime::own()?;
                    let clients = Arc::clone(clients);
                    joined(runtime.spawn(async move { work(clients.make(runtime).await?).await }))
                        .await
                }
            }
        })
    }

    /// Has `work` undo a request in the background, unless it is answered first.
    pub(crate) fn undo<F>(&self, work: impl FnOnce(C) -> F + Send + 'static) -> Undo
    where
        F: Future<Output = Result<(), Error>> + Send + 'static,
    {
        let clients = Arc::clone(&self.0);
        let runtime = match &self.0.source {
            Source::Given(given) => given.runtime().cloned(),
            Source::Connect(_) | Source::OfParent => None,
        };
        Undo::on(runtime, move || async move {
            match &clients.source {
                Source::Connect(_) => work(clients.make(runtime::own()?).await?).await,
                Source::Given(given) => work(given.client.clone()).await,
                // Nothing was asked.
                Source::OfParent => Ok(()),
            }
        })
    }

    /// Has `observer` told how long synchronous callers wait for one of the connections that they share.
    pub(crate) fn observe_waits(&self, observer: Arc<WaitObserver>) {
        self.0.threads.waits.observe(observer);
    }

    /// The clients that are connected now.
    #[cfg(any(feature = "redis", feature = "_sql"))]
    pub(crate) fn connected(&self) -> Vec<C> {
        if let Source::Given(given) = &self.0.source {
            return vec![given.client.clone()];
        }
        let of_tasks = |known: &OfRuntime<C>| Arc::clone(&known.client);
        let tasks: Vec<_> = self.0.by_runtime().iter().map(of_tasks).collect();
        let all = tasks.into_iter().chain(self.0.threads.clients());
        all.filter_map(|client| client.get().cloned()).collect()
    }
}

impl<C: Clone + Send + Sync + 'static> Inner<C> {
    /// Runs an operation on this thread, which blocks for so long at most.
    fn block_on<T, O, F>(
        self: &Arc<Self>,
        operation: Operation,
        allowance: Duration,
        work: O,
    ) -> Result<T, Error>
    where
        O: FnOnce(C) -> F,
        F: Future<Output = Result<T, Error>>,
    {
        let started = Instant::now();
        let Some(home) = self.threads.borrow(allowance)? else {
            // All are in use by others of this process.
            return Err(too_late(operation).of_the_caller());
        };
        // Boxed: a runtime moves what it blocks on.
        let working = Box::pin(async {
            let client = self.connected(&home.client, Home::Thread).await?;
            work(client).await
        });
        let allowance = allowance.saturating_sub(started.elapsed());
        let done = home.block_on(async { timeout(allowance, working).await });
        match done {
            Err(_) if self.unanswered == Unanswered::Replaced => home.give_up(),
            _ => home.give_back(),
        }
        done.unwrap_or_else(|_| Err(too_late(operation)))
    }

    /// The client of a home, which connects first if it never did.
    async fn connected(self: &Arc<Self>, client: &Lazily<C>, home: Home) -> Result<C, Error> {
        if let Some(client) = client.get() {
            return Ok(client.clone());
        }
        let clients = Arc::clone(self);
        let making = apart(|| client.get_or_make(move || clients.connect(home)));
        Ok(making.await?.clone())
    }

    fn connect(&self, home: Home) -> Connecting<C> {
        let Source::Connect(connect) = &self.source else {
            unreachable!("the program's client needs no connecting");
        };
        connect(home)
    }

    /// The client of a runtime, if there is one already.
    fn made(&self, runtime: &Handle) -> Option<C> {
        let id = runtime.id();
        let by_runtime = self.by_runtime();
        let known = by_runtime.iter().find(|known| known.runtime == id)?;
        known.client.get().cloned()
    }

    /// The client of a runtime, which is made if need be.
    async fn make(self: &Arc<Self>, runtime: &Handle) -> Result<C, Error> {
        let client = self.of_runtime(runtime);
        self.connected(&client, Home::Tasks).await
    }

    /// The client of a runtime, made or not, which is forgotten when the runtime ends.
    fn of_runtime(self: &Arc<Self>, runtime: &Handle) -> Arc<Lazily<C>> {
        let id = runtime.id();
        let mut by_runtime = self.by_runtime();
        if let Some(known) = by_runtime.iter().find(|known| known.runtime == id) {
            return Arc::clone(&known.client);
        }
        let client = Arc::default();
        by_runtime.push(OfRuntime {
            runtime: id,
            client: Arc::clone(&client),
            until_the_end: None,
        });
        // Not under the lock: a runtime that has ended drops the task at once.
        drop(by_runtime);
        let forget = Forget {
            clients: Arc::downgrade(self),
            id,
            process: Process::current(),
        };
        let until_the_end = AbortOnDrop::new(runtime.spawn(async move {
            let _forget = forget;
            std::future::pending::<()>().await;
        }));
        let mut by_runtime = self.by_runtime();
        if let Some(known) = by_runtime.iter_mut().find(|known| known.runtime == id) {
            known.until_the_end = Some(until_the_end);
        }
        client
    }
}

impl<C> Clone for Clients<C> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<C> Inner<C> {
    fn by_runtime(&self) -> MutexGuard<'_, Vec<OfRuntime<C>>> {
        self.by_runtime
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Forgets the client of a runtime when dropped, together with the runtime's tasks.
struct Forget<C> {
    clients: std::sync::Weak<Inner<C>>,
    id: Id,
    /// In its children the runtime has not ended: they have a copy of it, and leave the client alone.
    process: Process,
}

impl<C> Drop for Forget<C> {
    fn drop(&mut self) {
        if let Some(clients) = self.clients.upgrade()
            && self.process.is_current()
        {
            let mut by_runtime = clients.by_runtime();
            let forgotten: Vec<_> = by_runtime
                .extract_if(.., |known| known.runtime == self.id)
                .collect();
            drop(by_runtime);
            drop(forgotten);
        }
    }
}

fn of_parent(operation: Operation) -> Error {
    let message =
        "the program's client of the store is one of the process that this one was forked from";
    Error::new(ErrorKind::NotRegistered, operation, message)
        .with_hint("register a backend with a client that this process has made, or have cachier connect by a URL")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use futures_lite::future::block_on;

    use super::*;

    #[test]
    fn the_programs_client_is_refused_in_children_and_others_are_made_anew() {
        let asked = |clients: &Clients<u8>| {
            block_on(clients.run(Operation::Load, |client| async move { Ok(client) }))
        };
        let (own, given) = (
            Clients::new(Unanswered::Kept, |_| async { Ok(7) }),
            Clients::given(7),
        );
        assert_eq!((asked(&own).unwrap(), asked(&given).unwrap()), (7, 7));
        assert_eq!(asked(&own.anew()).unwrap(), 7);
        let error = asked(&given.anew().anew()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotRegistered);
        assert!(error.to_string().contains("register a backend"), "{error}");
    }
}

//! One client for each runtime that uses a store: its connections live and die with the runtime that opened them.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::{Handle, Id};
use tokio::time::timeout;

use super::async_once::AsyncOnce;
use super::blocking_runtimes::BlockingRuntimes;
use super::cold::boxed_cold;
use super::compensation::Compensation;
use super::program_client::ProgramClient;
use super::runtime::{self, AbortOnDrop, Placement, join, timed_out};
use super::wait_reporter::WaitReporter;
use crate::backend::{BoxFuture, WaitObserver};
use crate::error::{Error, ErrorKind, Operation};
use crate::process::Process;

/// Whom a client serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClientScope {
    /// The tasks of a runtime.
    Runtime,
    /// One synchronous caller at a time.
    Thread,
}

/// What becomes of the client of a synchronous caller whom the store did not answer in time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum OnTimeout {
    /// It serves the next caller.
    #[default]
    KeepClient,
    /// The next caller connects anew: the driver does not find out in time that a connection is lost, or a server there again,
    /// in a runtime that rests between calls.
    #[cfg_attr(not(feature = "mongo"), allow(dead_code, reason = "other drivers do"))]
    ReplaceClient,
}

/// The clients of one store, each connected when it is first needed.
pub(crate) struct Clients<C>(Arc<Inner<C>>);

struct Inner<C> {
    source: Source<C>,
    on_timeout: OnTimeout,
    /// A few, of which one is looked for at every operation.
    by_runtime: Mutex<Vec<RuntimeClient<C>>>,
    blocking: Arc<BlockingRuntimes<C>>,
}

/// The client of one runtime.
struct RuntimeClient<C> {
    runtime: Id,
    client: Arc<AsyncOnce<C>>,
    /// A task that lives as long as the runtime, or as long as the client is kept.
    #[allow(dead_code, reason = "it ends when this is dropped")]
    lifetime: Option<AbortOnDrop<()>>,
}

type Connect<C> = dyn Fn(ClientScope) -> Connecting<C> + Send + Sync;
type Connecting<C> = Pin<Box<dyn Future<Output = Result<C, Error>> + Send>>;

enum Source<C> {
    /// Each runtime has a client of its own.
    Connect(Arc<Connect<C>>),
    Program(ProgramClient<C>),
    /// The program has handed its client over in a process that this one was forked from: its connections are that one's.
    Forked,
}

impl<C: Clone + Send + Sync + 'static> Clients<C> {
    /// Clients that `connect` makes, which must not wait for longer than it takes to connect.
    pub(crate) fn new<F>(
        on_timeout: OnTimeout,
        connect: impl Fn(ClientScope) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<C, Error>> + Send + 'static,
    {
        let connect = Arc::new(move |scope| -> Connecting<C> { Box::pin(connect(scope)) });
        Self::of(
            Source::Connect(connect),
            on_timeout,
            WaitReporter::default(),
        )
    }

    /// The program's own client, for all. Its connections belong to the runtime of the calling code, if there is one; if
    /// that has but one thread, a synchronous caller on that thread is told that it cannot be served.
    pub(crate) fn of_program(client: C) -> Self {
        let source = Source::Program(ProgramClient::new(client));
        Self::of(source, OnTimeout::KeepClient, WaitReporter::default())
    }

    /// Clients for the same store in another process, with connections of their own. The program's own client cannot be
    /// made anew: without it, every operation fails at once.
    pub(crate) fn reopen(&self) -> Self {
        let source = match &self.0.source {
            Source::Connect(connect) => Source::Connect(Arc::clone(connect)),
            Source::Program(_) | Source::Forked => Source::Forked,
        };
        Self::of(source, self.0.on_timeout, self.0.blocking.waits.clone())
    }

    /// The same clients, with the observer of waits that others have.
    #[cfg(feature = "redis")]
    pub(crate) fn reporting_waits_as(self, others: &Self) -> Self {
        let Source::Connect(connect) = &self.0.source else {
            return self;
        };
        let waits = others.0.blocking.waits.clone();
        let source = Source::Connect(Arc::clone(connect));
        Self::of(source, self.0.on_timeout, waits)
    }

    fn of(source: Source<C>, on_timeout: OnTimeout, waits: WaitReporter) -> Self {
        Self(Arc::new(Inner {
            source,
            on_timeout,
            by_runtime: Mutex::default(),
            blocking: Arc::new(BlockingRuntimes::new(waits)),
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
                Source::Program(program) => return program.run(operation, work).await,
                Source::Forked => return Err(forked(operation)),
            }
            match Placement::current() {
                Placement::Caller(runtime) => {
                    let client = match clients.existing_client(&runtime) {
                        Some(client) => client,
                        None => boxed_cold(|| clients.client_of(&runtime)).await?,
                    };
                    work(client).await
                }
                Placement::Thread(allowance) => clients.block_on(operation, allowance, work),
                Placement::Background => {
                    let runtime = runtime::background()?;
                    let clients = Arc::clone(clients);
                    join(
                        runtime.spawn(async move { work(clients.client_of(runtime).await?).await }),
                    )
                    .await
                }
            }
        })
    }

    /// Has `work` undo a request in the background, unless it is answered first.
    pub(crate) fn compensate<F>(&self, work: impl FnOnce(C) -> F + Send + 'static) -> Compensation
    where
        F: Future<Output = Result<(), Error>> + Send + 'static,
    {
        let clients = Arc::clone(&self.0);
        let runtime = match &self.0.source {
            Source::Program(program) => program.runtime().cloned(),
            Source::Connect(_) | Source::Forked => None,
        };
        Compensation::on(runtime, move || async move {
            match &clients.source {
                Source::Connect(_) => work(clients.client_of(runtime::background()?).await?).await,
                Source::Program(program) => work(program.client.clone()).await,
                // Nothing was asked.
                Source::Forked => Ok(()),
            }
        })
    }

    /// Has `observer` told how long synchronous callers wait for one of the connections that they share.
    pub(crate) fn observe_waits(&self, observer: Arc<WaitObserver>) {
        self.0.blocking.waits.observe(observer);
    }

    /// The clients that are connected now.
    #[cfg(any(feature = "redis", feature = "_sql"))]
    pub(crate) fn connected(&self) -> Vec<C> {
        if let Source::Program(program) = &self.0.source {
            return vec![program.client.clone()];
        }
        let of_runtimes = |known: &RuntimeClient<C>| Arc::clone(&known.client);
        let runtimes: Vec<_> = self.0.by_runtime().iter().map(of_runtimes).collect();
        let all = runtimes.into_iter().chain(self.0.blocking.clients());
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
        let Some(guard) = self.blocking.acquire(allowance)? else {
            // All are in use by others of this process.
            return Err(timed_out(operation).of_the_caller());
        };
        // Boxed: a runtime moves what it blocks on.
        let working = Box::pin(async {
            let client = self.connected(&guard.client, ClientScope::Thread).await?;
            work(client).await
        });
        let allowance = allowance.saturating_sub(started.elapsed());
        let done = guard.block_on(async { timeout(allowance, working).await });
        match done {
            Err(_) if self.on_timeout == OnTimeout::ReplaceClient => guard.discard(),
            _ => guard.release(),
        }
        done.unwrap_or_else(|_| Err(timed_out(operation)))
    }

    /// The client of a home, which connects first if it never did.
    async fn connected(
        self: &Arc<Self>,
        client: &AsyncOnce<C>,
        scope: ClientScope,
    ) -> Result<C, Error> {
        if let Some(client) = client.get() {
            return Ok(client.clone());
        }
        let clients = Arc::clone(self);
        let making = boxed_cold(|| client.get_or_try_init(move || clients.connect(scope)));
        Ok(making.await?.clone())
    }

    fn connect(&self, scope: ClientScope) -> Connecting<C> {
        let Source::Connect(connect) = &self.source else {
            unreachable!("the program's client needs no connecting");
        };
        connect(scope)
    }

    /// The client of a runtime, if there is one already.
    fn existing_client(&self, runtime: &Handle) -> Option<C> {
        let id = runtime.id();
        let by_runtime = self.by_runtime();
        let known = by_runtime.iter().find(|known| known.runtime == id)?;
        known.client.get().cloned()
    }

    /// The client of a runtime, which is made if need be.
    async fn client_of(self: &Arc<Self>, runtime: &Handle) -> Result<C, Error> {
        let client = self.client_cell(runtime);
        self.connected(&client, ClientScope::Runtime).await
    }

    /// The client of a runtime, made or not, which is forgotten when the runtime ends.
    fn client_cell(self: &Arc<Self>, runtime: &Handle) -> Arc<AsyncOnce<C>> {
        let id = runtime.id();
        let mut by_runtime = self.by_runtime();
        if let Some(known) = by_runtime.iter().find(|known| known.runtime == id) {
            return Arc::clone(&known.client);
        }
        let client = Arc::default();
        by_runtime.push(RuntimeClient {
            runtime: id,
            client: Arc::clone(&client),
            lifetime: None,
        });
        // Not under the lock: a runtime that has ended drops the task at once.
        drop(by_runtime);
        let forget = ForgetOnDrop {
            clients: Arc::downgrade(self),
            id,
            process: Process::current(),
        };
        let lifetime = AbortOnDrop::new(runtime.spawn(async move {
            let _forget = forget;
            std::future::pending::<()>().await;
        }));
        let mut by_runtime = self.by_runtime();
        if let Some(known) = by_runtime.iter_mut().find(|known| known.runtime == id) {
            known.lifetime = Some(lifetime);
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
    fn by_runtime(&self) -> MutexGuard<'_, Vec<RuntimeClient<C>>> {
        self.by_runtime
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Forgets the client of a runtime when dropped, together with the runtime's tasks.
struct ForgetOnDrop<C> {
    clients: std::sync::Weak<Inner<C>>,
    id: Id,
    /// In its children the runtime has not ended: they have a copy of it, and leave the client alone.
    process: Process,
}

impl<C> Drop for ForgetOnDrop<C> {
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

fn forked(operation: Operation) -> Error {
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
            Clients::new(OnTimeout::KeepClient, |_| async { Ok(7) }),
            Clients::of_program(7),
        );
        assert_eq!((asked(&own).unwrap(), asked(&given).unwrap()), (7, 7));
        assert_eq!(asked(&own.reopen()).unwrap(), 7);
        let error = asked(&given.reopen().reopen()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotRegistered);
        assert!(error.to_string().contains("register a backend"), "{error}");
    }
}

//! One client per runtime: connections live and die with the runtime that opened them.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::{Handle, Id};
use tokio::time::timeout;

use super::async_once::AsyncOnce;
use super::blocking_runtimes::BlockingRuntimes;
use super::compensation::Compensation;
use super::program_client::ProgramClient;
use super::runtime::{self, AbortOnDrop, Placement, join, timed_out};
use super::wait_reporter::WaitReporter;
use crate::backend::{BoxFuture, WaitObserver};
use crate::cold::boxed_cold;
use crate::error::{Error, ErrorKind, Operation};
use crate::process::Process;

/// The users of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClientScope {
    /// All tasks of a runtime.
    Runtime,
    /// One synchronous caller at a time.
    Thread,
}

/// The fate of a synchronous caller's client when an operation times out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum OnTimeout {
    /// The next caller uses it again.
    #[default]
    KeepClient,
    /// The next caller reconnects: a driver whose runtime is idle between calls does not notice in time that a
    /// connection is lost, or that the server is back.
    #[cfg_attr(not(feature = "mongo"), allow(dead_code, reason = "other drivers do"))]
    ReplaceClient,
}

/// The clients of one store, each connected on first use.
pub(crate) struct Clients<C>(Arc<Inner<C>>);

struct Inner<C> {
    source: Source<C>,
    on_timeout: OnTimeout,
    /// Few; searched on every operation.
    by_runtime: Mutex<Vec<RuntimeClient<C>>>,
    blocking: Arc<BlockingRuntimes<C>>,
}

struct RuntimeClient<C> {
    runtime: Id,
    client: Arc<AsyncOnce<C>>,
    /// A task that ends with the runtime, or with this client.
    #[allow(dead_code, reason = "it ends when this is dropped")]
    lifetime: Option<AbortOnDrop<()>>,
}

type Connect<C> = dyn Fn(ClientScope) -> Connecting<C> + Send + Sync;
type Connecting<C> = Pin<Box<dyn Future<Output = Result<C, Error>> + Send>>;

enum Source<C> {
    /// Each runtime connects its own client.
    Connect(Arc<Connect<C>>),
    Program(ProgramClient<C>),
    /// The program's client belongs to the parent of this forked process.
    Forked,
}

impl<C: Clone + Send + Sync + 'static> Clients<C> {
    /// Clients made by `connect`, which may only wait for the connection itself.
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

    /// The program's own client, used by everybody. Its connections belong to the current runtime, if any. On the only
    /// thread of a current-thread runtime, synchronous calls fail.
    pub(crate) fn of_program(client: C) -> Self {
        let source = Source::Program(ProgramClient::new(client));
        Self::of(source, OnTimeout::KeepClient, WaitReporter::default())
    }

    /// The same store in a child process, with new connections. A program's client cannot be reopened: all operations
    /// fail.
    pub(crate) fn reopen(&self) -> Self {
        let source = match &self.0.source {
            Source::Connect(connect) => Source::Connect(Arc::clone(connect)),
            Source::Program(_) | Source::Forked => Source::Forked,
        };
        Self::of(source, self.0.on_timeout, self.0.blocking.waits.clone())
    }

    /// The same clients, reporting waits to the observer of `others`.
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

    /// Runs an operation with the client of the place where it is first polled. Dropping the future cancels it.
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

    /// Compensates for a request in the background, unless the request is answered first.
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
                // Nothing was sent.
                Source::Forked => Ok(()),
            }
        })
    }

    /// Reports to `observer` how long synchronous callers wait for a connection.
    pub(crate) fn observe_waits(&self, observer: Arc<WaitObserver>) {
        self.0.blocking.waits.observe(observer);
    }

    /// The connected clients.
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
    /// Runs an operation on this thread, which may block for `allowance`.
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
            // Other callers of this process use all runtimes.
            return Err(timed_out(operation).caused_by_caller());
        };
        // Boxed: a runtime moves the future it blocks on.
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

    /// The client in `client`, connected if need be.
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

    /// The runtime's client, if it is connected.
    fn existing_client(&self, runtime: &Handle) -> Option<C> {
        let id = runtime.id();
        let by_runtime = self.by_runtime();
        let known = by_runtime.iter().find(|known| known.runtime == id)?;
        known.client.get().cloned()
    }

    /// The runtime's client, connected if need be.
    async fn client_of(self: &Arc<Self>, runtime: &Handle) -> Result<C, Error> {
        let client = self.client_cell(runtime);
        self.connected(&client, ClientScope::Runtime).await
    }

    /// The runtime's cell for a client, forgotten when the runtime ends.
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

/// Forgets a runtime's client when dropped with the runtime's tasks.
struct ForgetOnDrop<C> {
    clients: std::sync::Weak<Inner<C>>,
    id: Id,
    /// A child process has a copy of the runtime, which has not ended; it leaves the client alone.
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
    fn only_own_clients_can_be_reopened() {
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

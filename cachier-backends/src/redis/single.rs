//! A connection to one server, which many callers use at once.
//!
//! The driver writes as soon as it has something to write. With many callers on a runtime of several threads that is a
//! system call for each request, which costs more than all that is done for it in the process. So where many wait
//! already, a request for an entry lets others come first, and goes out with theirs.

use std::future::poll_fn;
use std::mem;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Cmd, Pipeline, RedisResult, Value};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::source::lost;
use crate::network::apart;

/// So many requests are sent together at most: the first of them is answered with the last.
const TOGETHER: usize = 32;

/// From when on it is asked whether an answer will come at all.
const SLOW: Duration = Duration::from_millis(250);

/// What is waited for.
type Answer<'a, T> = Pin<&'a mut (dyn Future<Output = RedisResult<T>> + Send)>;

/// The connection.
#[derive(Clone)]
pub(super) struct Single(Arc<Inner>);

struct Inner {
    connection: MultiplexedConnection,
    /// Requests that let others come first.
    waiting: Mutex<Vec<Request>>,
}

/// A request that is sent together with others.
struct Request {
    command: Cmd,
    answer: oneshot::Sender<RedisResult<Value>>,
}

impl Single {
    pub(super) fn new(connection: MultiplexedConnection) -> Self {
        Self(Arc::new(Inner {
            connection,
            waiting: Mutex::default(),
        }))
    }

    /// Sends a request at once, and waits for the answer.
    pub(super) async fn ask(&self, command: &Cmd) -> RedisResult<Value> {
        let mut connection = self.0.connection.clone();
        let answer = pin!(command.query_async(&mut connection));
        self.unless_lost(answer).await
    }

    /// Sends a request together with those that others have meanwhile, and waits for the answer.
    pub(super) async fn ask_with_others(&self, command: Cmd) -> RedisResult<Value> {
        let (answer, answered) = oneshot::channel();
        self.add(Request { command, answer });
        answered.await.unwrap_or_else(|_| Err(lost()))
    }

    /// The requests are sent by a task of their own: a caller may be dropped, or never go on.
    fn add(&self, request: Request) {
        let mut waiting = self.waiting();
        waiting.push(request);
        let full = (waiting.len() == TOGETHER).then(|| mem::take(&mut *waiting));
        let is_first = waiting.len() == 1;
        drop(waiting);
        let connection = self.clone();
        if let Some(full) = full {
            tokio::spawn(async move { connection.send(full).await });
        } else if is_first {
            tokio::spawn(async move {
                let_others_run().await;
                let waiting = mem::take(&mut *connection.waiting());
                connection.send(waiting).await;
            });
        }
    }

    async fn send(&self, requests: Vec<Request>) {
        let mut commands = Pipeline::with_capacity(requests.len());
        let mut askers = Vec::with_capacity(requests.len());
        for Request { command, answer } in requests {
            commands.add_command(command);
            askers.push(answer);
        }
        let mut connection = self.0.connection.clone();
        let answers = pin!(connection.send_packed_commands(&commands, 0, askers.len()));
        match self.unless_lost(answers).await {
            Ok(answers) => askers.into_iter().zip(answers).for_each(|(asker, answer)| {
                // Nobody may be there any more.
                let _ = asker.send(answer.extract_error());
            }),
            Err(error) => askers.into_iter().for_each(|asker| {
                let _ = asker.send(Err(error.clone()));
            }),
        }
    }

    /// Waits for what the server answers, or until it is clear that it will not.
    async fn unless_lost<T: Send>(&self, mut answer: Answer<'_, T>) -> RedisResult<T> {
        match timeout(SLOW, &mut answer).await {
            Ok(answer) => answer,
            Err(_) => apart(|| self.wait_and_see(answer)).await,
        }
    }

    /// Waits for an answer that takes long.
    ///
    /// The driver loses a request without a word that comes in the very moment in which it closes the connection. So another
    /// request is sent: it fails at once if that has happened, and else is answered later.
    async fn wait_and_see<T>(&self, mut answer: Answer<'_, T>) -> RedisResult<T> {
        let (ping, mut connection) = (redis::cmd("PING"), self.0.connection.clone());
        let mut later = pin!(ping.query_async::<Value>(&mut connection));
        poll_fn(|context| {
            let later = later.as_mut().poll(context);
            match (answer.as_mut().poll(context), later) {
                (Poll::Ready(answer), _) => Poll::Ready(answer),
                (Poll::Pending, Poll::Ready(Err(lost))) => Poll::Ready(Err(lost)),
                (Poll::Pending, Poll::Ready(Ok(_))) => Poll::Ready(Err(lost())),
                (Poll::Pending, Poll::Pending) => Poll::Pending,
            }
        })
        .await
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Request>> {
        self.0
            .waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Goes to the end of the queue of tasks that can run. Unlike tokio's own way of yielding, any thread may take it from there.
async fn let_others_run() {
    let mut has_waited = false;
    poll_fn(|context| {
        if mem::replace(&mut has_waited, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

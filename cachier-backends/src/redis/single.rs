//! A connection to one server, which many callers use at once.
//!
//! The driver writes as soon as it has something to write. With many callers on a runtime of several threads that is a
//! system call for each request, which costs more than all that is done for it in the process. So where many wait
//! already, a request for an entry waits until the tasks that can run have run, and goes out in one pipeline with what they
//! ask for. It is written later than by itself, if those tasks have much to do, and answered with the last of them, which
//! is a matter of microseconds as long as entries are small.

use std::future::poll_fn;
use std::mem;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Cmd, Pipeline, RedisResult, Value};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::unconstrained;
use tokio::time::timeout;

use super::error::lost;
use crate::network::boxed_cold;

/// Where at least so many other requests wait for an answer, those for entries are sent together.
const MIN_PENDING_TO_BATCH: usize = 8;

/// So many are sent together at most.
const MAX_BATCH: usize = 32;

/// After an entry of this size, in bytes, all are asked for one by one for a while.
const LARGE_ENTRY: usize = 16 << 10;

/// From when on it is asked whether an answer will come at all.
const LOSS_CHECK_AFTER: Duration = Duration::from_millis(250);

/// What is waited for: without its type, so that waiting is compiled once for one answer and once for many.
type Answer<'a, T> = Pin<&'a mut (dyn Future<Output = RedisResult<T>> + Send)>;

/// The connection.
#[derive(Clone)]
pub(super) struct Single(Arc<Inner>);

struct Inner {
    connection: MultiplexedConnection,
    /// The runtime that drives the connection.
    runtime: Handle,
    has_one_thread: bool,
    /// Requests that are to be sent together.
    waiting: Mutex<Vec<Request>>,
    /// The size of the largest of the newest entries, in bytes.
    largest: AtomicUsize,
}

/// A request that is sent together with others.
struct Request {
    command: Cmd,
    answer: oneshot::Sender<RedisResult<Value>>,
}

impl Single {
    /// A connection of the runtime in which this is called.
    pub(super) fn new(connection: MultiplexedConnection) -> Self {
        let runtime = Handle::current();
        Self(Arc::new(Inner {
            connection,
            has_one_thread: runtime.metrics().num_workers() == 1,
            runtime,
            waiting: Mutex::default(),
            largest: AtomicUsize::new(0),
        }))
    }

    /// Sends a request at once, and waits for the answer.
    pub(super) async fn query(&self, command: &Cmd) -> RedisResult<Value> {
        let mut connection = self.0.connection.clone();
        let answer = pin!(command.query_async(&mut connection));
        self.detecting_loss(answer).await
    }

    /// Asks for an entry, while so many other requests wait for an answer.
    pub(super) async fn load(&self, get: Cmd, pending: usize) -> RedisResult<Value> {
        let largest = self.0.largest.load(Ordering::Relaxed);
        // An only thread comes to the driver when all callers have asked, and so writes once anyway.
        let loaded = match should_batch(pending, largest) && !self.0.has_one_thread {
            true => self.query_batched(get).await,
            false => self.query(&get).await,
        };
        let bytes = match &loaded {
            Ok(Value::BulkString(entry)) => entry.len(),
            _ => 0,
        };
        // That one is overlooked now and then does no harm.
        let largest = decayed_max(self.0.largest.load(Ordering::Relaxed), bytes);
        self.0.largest.store(largest, Ordering::Relaxed);
        loaded
    }

    /// Sends a request together with those that others make meanwhile, and waits for the answer.
    async fn query_batched(&self, command: Cmd) -> RedisResult<Value> {
        let (answer, answered) = oneshot::channel();
        self.add(Request { command, answer });
        answered.await.unwrap_or_else(|_| Err(lost()))
    }

    /// Requests are sent by a task of their own: a caller may be dropped, or never go on.
    fn add(&self, request: Request) {
        let mut waiting = self.waiting();
        if waiting.is_empty() {
            waiting.reserve(MAX_BATCH);
        }
        waiting.push(request);
        let full = (waiting.len() == MAX_BATCH).then(|| mem::take(&mut *waiting));
        let is_first = waiting.len() == 1;
        drop(waiting);
        let connection = self.clone();
        if let Some(full) = full {
            self.0
                .runtime
                .spawn(async move { connection.send(full).await });
        } else if is_first {
            let flush = Flush(Some(connection));
            self.0.runtime.spawn(async move {
                yield_to_tasks().await;
                flush.send().await;
            });
        }
    }

    /// Sends requests, and answers them, unless nobody waits any more.
    async fn send(&self, requests: Vec<Request>) {
        let mut commands = Pipeline::with_capacity(requests.len());
        let mut callers = Vec::with_capacity(requests.len());
        let wanted = |request: &Request| !request.answer.is_closed();
        for request in requests.into_iter().filter(wanted) {
            commands.add_command(request.command);
            callers.push(request.answer);
        }
        if callers.is_empty() {
            return;
        }
        match self.query_all(&commands, &mut callers).await {
            None => {}
            Some(Ok(answers)) => callers
                .into_iter()
                .zip(answers)
                .for_each(|(caller, answer)| {
                    // The caller may have gone just now.
                    let _ = caller.send(answer.extract_error());
                }),
            Some(Err(error)) => callers.into_iter().for_each(|caller| {
                let _ = caller.send(Err(error.clone()));
            }),
        }
    }

    /// Sends commands and waits for the answers; `None` when all callers have gone before.
    async fn query_all(
        &self,
        commands: &Pipeline,
        callers: &mut [oneshot::Sender<RedisResult<Value>>],
    ) -> Option<RedisResult<Vec<Value>>> {
        let mut connection = self.0.connection.clone();
        let answers = pin!(connection.send_packed_commands(commands, 0, callers.len()));
        let mut answers = pin!(self.detecting_loss(answers));
        let mut all_gone = pin!(async {
            for caller in callers {
                caller.closed().await;
            }
        });
        poll_fn(|cx| match answers.as_mut().poll(cx) {
            Poll::Ready(answers) => Poll::Ready(Some(answers)),
            Poll::Pending => all_gone.as_mut().poll(cx).map(|()| None),
        })
        .await
    }

    /// Waits for what the server answers, or until it is clear that it will not.
    async fn detecting_loss<T: Send>(&self, mut answer: Answer<'_, T>) -> RedisResult<T> {
        match timeout(LOSS_CHECK_AFTER, &mut answer).await {
            Ok(answer) => answer,
            Err(_) => boxed_cold(|| self.wait_with_ping(answer)).await,
        }
    }

    /// Waits for an answer that takes long.
    ///
    /// A request that comes in the very moment in which the driver closes the connection is lost without a word. So another
    /// one is sent: it fails at once if that has happened, and else is answered later.
    async fn wait_with_ping<T>(&self, answer: Answer<'_, T>) -> RedisResult<T> {
        // Not by tokio's budget for the task, which may suffice for the later one and not for this one.
        let mut answer = pin!(unconstrained(answer));
        let (ping, mut connection) = (redis::cmd("PING"), self.0.connection.clone());
        let mut pong = pin!(ping.query_async::<Value>(&mut connection));
        poll_fn(|cx| {
            let pong = pong.as_mut().poll(cx);
            match (answer.as_mut().poll(cx), pong) {
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

/// Whether a request is better sent with others: while so many wait, and the largest of the newest entries has this size.
fn should_batch(pending: usize, largest: usize) -> bool {
    pending >= MIN_PENDING_TO_BATCH && largest < LARGE_ENTRY
}

/// The size of the largest of the newest entries after one more. Larger ones are forgotten little by little.
fn decayed_max(largest: usize, bytes: usize) -> usize {
    bytes.max(largest - largest.div_ceil(64))
}

/// The first request's part: to send all that have come when others have run. If that does not come about, because the
/// runtime ends, they are not left to wait.
struct Flush(Option<Single>);

impl Flush {
    async fn send(mut self) {
        if let Some(connection) = self.0.take() {
            let requests = mem::take(&mut *connection.waiting());
            connection.send(requests).await;
        }
    }
}

impl Drop for Flush {
    fn drop(&mut self) {
        if let Some(connection) = &self.0 {
            let unsent = mem::take(&mut *connection.waiting());
            // Not under the lock: callers are woken.
            drop(unsent);
        }
    }
}

/// Goes to the end of the queue of tasks that can run. Unlike tokio's own way of yielding, any thread may take it from there.
async fn yield_to_tasks() {
    let mut has_waited = false;
    poll_fn(|cx| {
        if mem::replace(&mut has_waited, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_many_ask_together_and_only_while_entries_are_small() {
        assert!(should_batch(MIN_PENDING_TO_BATCH, 0));
        assert!(!should_batch(MIN_PENDING_TO_BATCH - 1, 0));
        assert!(should_batch(MIN_PENDING_TO_BATCH, LARGE_ENTRY - 1));
        assert!(!should_batch(MIN_PENDING_TO_BATCH, LARGE_ENTRY));
    }

    #[test]
    fn a_large_entry_counts_until_many_small_ones_have_come() {
        let mut largest = decayed_max(100, 2 * LARGE_ENTRY);
        assert_eq!(largest, 2 * LARGE_ENTRY);
        for _ in 0..40 {
            largest = decayed_max(largest, 100);
        }
        assert!(largest >= LARGE_ENTRY, "{largest}");
        for _ in 0..10 {
            largest = decayed_max(largest, 100);
        }
        assert!(largest < LARGE_ENTRY, "{largest}");
        for _ in 0..1_000 {
            largest = decayed_max(largest, 0);
        }
        assert_eq!(largest, 0);
    }
}

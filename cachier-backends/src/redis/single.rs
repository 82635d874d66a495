//! A multiplexed connection to one server, with batching of loads.
//!
//! The driver writes as soon as there is something to write. With many callers on a multi-thread runtime this costs one
//! system call per request, more than everything else done for it. So while many requests are pending, a load waits
//! until all runnable tasks have run, and is sent in one pipeline with their loads. This delays it by microseconds as
//! long as entries are small.

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
use crate::cold::boxed_cold;

/// Loads are batched while at least this many other requests are pending.
const MIN_PENDING_TO_BATCH: usize = 8;

const MAX_BATCH: usize = 32;

/// An entry of this size, in bytes, disables batching for a while.
const LARGE_ENTRY: usize = 16 << 10;

/// When to check whether an answer can still come.
const LOSS_CHECK_AFTER: Duration = Duration::from_millis(250);

/// Type-erased, so that waiting is compiled once for single answers and once for batches.
type Answer<'a, T> = Pin<&'a mut (dyn Future<Output = RedisResult<T>> + Send)>;

#[derive(Clone)]
pub(super) struct Single(Arc<Inner>);

struct Inner {
    connection: MultiplexedConnection,
    /// The runtime that drives the connection.
    runtime: Handle,
    has_one_thread: bool,
    /// Loads waiting for the next batch.
    waiting: Mutex<Vec<Request>>,
    /// A decaying maximum of entry sizes, in bytes.
    largest: AtomicUsize,
}

/// A load in a batch.
struct Request {
    command: Cmd,
    answer: oneshot::Sender<RedisResult<Value>>,
}

impl Single {
    /// A connection driven by the current runtime.
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

    /// Loads an entry while `pending` other requests wait for an answer.
    pub(super) async fn load(&self, get: Cmd, pending: usize) -> RedisResult<Value> {
        let largest = self.0.largest.load(Ordering::Relaxed);
        // On a current-thread runtime the driver writes once anyway, after all callers have sent.
        let loaded = match should_batch(pending, largest) && !self.0.has_one_thread {
            true => self.query_batched(get).await,
            false => self.query(&get).await,
        };
        let bytes = match &loaded {
            Ok(Value::BulkString(entry)) => entry.len(),
            _ => 0,
        };
        // A lost update does no harm.
        let largest = decayed_max(self.0.largest.load(Ordering::Relaxed), bytes);
        self.0.largest.store(largest, Ordering::Relaxed);
        loaded
    }

    /// Sends a load with the next batch, and waits for the answer.
    async fn query_batched(&self, command: Cmd) -> RedisResult<Value> {
        let (answer, answered) = oneshot::channel();
        self.add(Request { command, answer });
        answered.await.unwrap_or_else(|_| Err(lost()))
    }

    /// Batches are sent by tasks of their own, as a caller may be dropped or never polled again.
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

    /// Sends a batch and hands out the answers, unless all callers are gone.
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
                    // The caller may be gone.
                    let _ = caller.send(answer.extract_error());
                }),
            Some(Err(error)) => callers.into_iter().for_each(|caller| {
                let _ = caller.send(Err(error.clone()));
            }),
        }
    }

    /// Sends commands and waits for the answers; `None` if all callers are gone first.
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

    /// Waits for an answer, or until it is certain that none will come.
    async fn detecting_loss<T: Send>(&self, mut answer: Answer<'_, T>) -> RedisResult<T> {
        match timeout(LOSS_CHECK_AFTER, &mut answer).await {
            Ok(answer) => answer,
            Err(_) => boxed_cold(|| self.wait_with_ping(answer)).await,
        }
    }

    /// Waits for a slow answer.
    ///
    /// A request is lost silently if it reaches the driver while that closes the connection. So a ping follows it: the
    /// ping fails at once in this case, and is answered after the request otherwise.
    async fn wait_with_ping<T>(&self, answer: Answer<'_, T>) -> RedisResult<T> {
        // Outside tokio's cooperative budget, which might be exhausted for the answer, yet not for the ping.
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

/// Whether to batch a load: with this many requests pending, and entries of at most this size.
fn should_batch(pending: usize, largest: usize) -> bool {
    pending >= MIN_PENDING_TO_BATCH && largest < LARGE_ENTRY
}

/// The decaying maximum of entry sizes after one more entry.
fn decayed_max(largest: usize, bytes: usize) -> usize {
    bytes.max(largest - largest.div_ceil(64))
}

/// Sends the batch once other tasks have run. If the runtime ends first, the batch is dropped, which wakes its callers.
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
            // Not under the lock: this wakes callers.
            drop(unsent);
        }
    }
}

/// Yields to all runnable tasks. Unlike after `tokio::task::yield_now`, any worker may resume this task.
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
    fn only_many_loads_of_small_entries_are_batched() {
        assert!(should_batch(MIN_PENDING_TO_BATCH, 0));
        assert!(!should_batch(MIN_PENDING_TO_BATCH - 1, 0));
        assert!(should_batch(MIN_PENDING_TO_BATCH, LARGE_ENTRY - 1));
        assert!(!should_batch(MIN_PENDING_TO_BATCH, LARGE_ENTRY));
    }

    #[test]
    fn a_large_entry_disables_batching_for_a_while() {
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

//! Runtimes for synchronous callers: a bounded number of them, lent to one caller at a time.

use std::ops::Deref;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::time::timeout;

use super::Waits;
use super::lazily::Lazily;
use super::runtime::ThreadRuntime;
use super::under_way::UnderWay;
use crate::error::Error;

/// How many synchronous callers of one store can be served at once; each has a connection of its own, and servers do not
/// take any number of those.
const MOST: usize = 8;

/// How long a home is driven on at most for what is under way.
const LONGEST: Duration = Duration::from_secs(10);

/// The homes of one store, made when they are needed.
pub(super) struct ThreadHomes<C> {
    state: Mutex<State<C>>,
    returned: Condvar,
    pub(super) waits: Waits,
}

struct State<C> {
    /// Those that nobody uses now; the last one used goes first.
    idle: Vec<ThreadHome<C>>,
    /// The clients of all that were made, in use or not.
    clients: Vec<Arc<Lazily<C>>>,
    /// Callers that wait for one to be returned.
    waiting: usize,
}

/// A runtime, and its client.
pub(super) struct ThreadHome<C> {
    runtime: ThreadRuntime,
    pub(super) client: Arc<Lazily<C>>,
    under_way: Arc<UnderWay>,
}

/// A home that goes back when this is dropped.
pub(super) struct Borrowed<C> {
    homes: Arc<ThreadHomes<C>>,
    home: Option<ThreadHome<C>>,
}

impl<C> ThreadHomes<C> {
    pub(super) fn new(waits: Waits) -> Self {
        let state = State {
            idle: Vec::new(),
            clients: Vec::new(),
            waiting: 0,
        };
        Self {
            state: Mutex::new(state),
            returned: Condvar::new(),
            waits,
        }
    }

    /// Lends a home; `None` if all were in use for so long.
    pub(super) fn borrow(
        self: &Arc<Self>,
        patience: Duration,
    ) -> Result<Option<Borrowed<C>>, Error> {
        let mut state = self.state();
        let (started, mut has_waited) = (Instant::now(), false);
        while state.idle.is_empty() && state.clients.len() >= MOST {
            let left = patience.saturating_sub(started.elapsed());
            if left.is_zero() {
                return Ok(None);
            }
            has_waited = true;
            state.waiting += 1;
            let waited = self.returned.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            state.waiting -= 1;
        }
        match has_waited {
            true => self.waits.since(started),
            false => self.waits.none(),
        }
        let home = match state.idle.pop() {
            Some(home) => home,
            None => {
                let runtime = ThreadRuntime::start()?;
                let client = Arc::default();
                state.clients.push(Arc::clone(&client));
                ThreadHome {
                    runtime,
                    client,
                    under_way: Arc::default(),
                }
            }
        };
        Ok(Some(Borrowed {
            homes: Arc::clone(self),
            home: Some(home),
        }))
    }

    /// The clients of all of them, in use or not.
    #[cfg(any(test, feature = "redis", feature = "_sql"))]
    pub(super) fn clients(&self) -> Vec<Arc<Lazily<C>>> {
        self.state().clients.clone()
    }

    fn state(&self) -> MutexGuard<'_, State<C>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C> ThreadHome<C> {
    /// Blocks this thread on some work.
    pub(super) fn block_on<F: Future>(&self, work: F) -> F::Output {
        self.under_way.counting(|| self.runtime.block_on(work))
    }
}

impl<C: Clone + Send + Sync + 'static> Borrowed<C> {
    /// Leaves the home behind, with all that is under way in it; another is made for the next caller. One that is just
    /// connecting, which has limits of its own, is given back.
    pub(super) fn give_up(mut self) {
        if self.client.get().is_none() {
            return self.give_back();
        }
        if let Some(home) = self.home.take() {
            let mut state = self.homes.state();
            state
                .clients
                .retain(|client| !Arc::ptr_eq(client, &home.client));
        }
    }

    /// Gives the home back, as soon as nothing is under way in it any more: a thread of its own drives it as long.
    pub(super) fn give_back(self) {
        if self.under_way.is_nothing() {
            return;
        }
        let drive = move || {
            // All that is made has limits of its own.
            let ended = async { timeout(LONGEST, self.under_way.ended()).await };
            let _ = self.runtime.block_on(ended);
        };
        // Without a thread it goes on when the next caller comes.
        let _ = thread::Builder::new()
            .name("cachier-connect".to_owned())
            .spawn(drive);
    }
}

impl<C> Deref for Borrowed<C> {
    type Target = ThreadHome<C>;

    fn deref(&self) -> &ThreadHome<C> {
        match &self.home {
            Some(home) => home,
            None => unreachable!("it goes back when this is dropped"),
        }
    }
}

impl<C> Drop for Borrowed<C> {
    fn drop(&mut self) {
        let mut state = self.homes.state();
        // None is there if it was given up; then there is room for another.
        state.idle.extend(self.home.take());
        let is_awaited = state.waiting > 0;
        drop(state);
        if is_awaited {
            // Only then: it asks the operating system.
            self.homes.returned.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn there_are_no_more_than_so_many_and_whoever_waits_gets_the_next() {
        let homes = Arc::new(ThreadHomes::<()>::new(Waits::default()));
        let mut lent: Vec<_> = (0..MOST)
            .map(|_| homes.borrow(Duration::ZERO).unwrap().unwrap())
            .collect();
        assert!(homes.borrow(Duration::ZERO).unwrap().is_none());
        assert!(homes.borrow(Duration::from_millis(5)).unwrap().is_none());
        assert_eq!(
            homes.clients().len(),
            MOST,
            "one that is lent counts as well"
        );
        thread::scope(|scope| {
            let waits = scope.spawn(|| homes.borrow(Duration::from_secs(60)).unwrap().is_some());
            lent.pop();
            assert!(waits.join().unwrap());
        });
        drop(lent);
        assert_eq!(homes.clients().len(), MOST);
    }

    #[test]
    fn one_that_is_given_up_makes_room_for_another() {
        let homes = Arc::new(ThreadHomes::<()>::new(Waits::default()));
        let mut lent: Vec<_> = (0..MOST)
            .map(|_| homes.borrow(Duration::ZERO).unwrap().unwrap())
            .collect();
        let given_up = lent.pop().unwrap();
        given_up
            .block_on(async {
                given_up
                    .client
                    .get_or_make(|| async { Ok(()) })
                    .await
                    .map(drop)
            })
            .unwrap();
        let client = Arc::downgrade(&given_up.client);
        thread::scope(|scope| {
            let waits = scope.spawn(|| homes.borrow(Duration::from_secs(60)).unwrap());
            given_up.give_up();
            assert!(waits.join().unwrap().unwrap().client.get().is_none());
        });
        assert!(client.upgrade().is_none());
    }

    #[test]
    fn they_may_be_dropped_in_a_task() {
        let homes = Arc::new(ThreadHomes::<()>::new(Waits::default()));
        drop(homes.borrow(Duration::ZERO).unwrap());
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder
            .build()
            .unwrap()
            .block_on(async move { drop(homes) });
    }
}

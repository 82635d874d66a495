//! A place in the body of a function where it waits until the test lets it go on.

use std::future::poll_fn;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use futures_lite::future::block_on;

use crate::wait::until;

/// Closed until it is opened, and open from then on.
pub struct Gate {
    state: Mutex<State>,
}

struct State {
    is_open: bool,
    arrived: u64,
    waiting: Vec<Waker>,
}

impl Gate {
    /// A closed gate.
    #[must_use]
    pub const fn new() -> Self {
        let state = State {
            is_open: false,
            arrived: 0,
            waiting: Vec::new(),
        };
        Self {
            state: Mutex::new(state),
        }
    }

    /// Waits on a thread until the gate is open.
    pub fn wait(&self) {
        block_on(self.wait_async());
    }

    /// Waits in a task until the gate is open.
    pub async fn wait_async(&self) {
        self.state().arrived += 1;
        poll_fn(|cx| {
            let mut state = self.state();
            if state.is_open {
                return Poll::Ready(());
            }
            state.waiting.push(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Lets everyone through.
    pub fn open(&self) {
        let waiting = {
            let mut state = self.state();
            state.is_open = true;
            std::mem::take(&mut state.waiting)
        };
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Waits until so many have come to the gate.
    #[track_caller]
    pub fn until_arrived(&self, count: u64) {
        until("they come to the gate", || self.state().arrived >= count);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}

/// Counts how often something happened.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Nothing has happened yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// It happens once more: for the how-manieth time, beginning with 1.
    pub fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// How often it has happened.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// Panics without a word on the screen: for bodies that are meant to.
pub fn panic_silently() -> ! {
    std::panic::resume_unwind(Box::new("on purpose"))
}

//! Gates, at which functions wait until the test opens them.

use std::future::poll_fn;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use futures_lite::future::block_on;

use crate::wait::until;

/// Closed at first; stays open once opened.
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

    /// Blocks the thread until the gate is open.
    pub fn wait(&self) {
        block_on(self.wait_async());
    }

    /// Waits asynchronously until the gate is open.
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

    /// Opens the gate.
    pub fn open(&self) {
        let waiting = {
            let mut state = self.state();
            state.is_open = true;
            std::mem::take(&mut state.waiting)
        };
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Waits until `count` callers have arrived at the gate.
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

/// Counts events.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Zero.
    #[must_use]
    pub const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Counts an event; returns its number, from 1.
    pub fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// The number of events.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// Succeeds in the first run only.
///
/// # Errors
/// In every other run: `down`.
pub fn once(runs: &Counter) -> Result<u64, String> {
    match runs.next() {
        1 => Ok(1),
        _ => Err("down".to_owned()),
    }
}

/// Fails in the second run only; in others, returns their number.
///
/// # Errors
/// In the second run: `down`.
pub fn but_once(runs: &Counter) -> Result<u64, String> {
    match runs.next() {
        2 => Err("down".to_owned()),
        run => Ok(run),
    }
}

/// Panics without output, on purpose.
pub fn panic_silently() -> ! {
    std::panic::resume_unwind(Box::new("on purpose"))
}

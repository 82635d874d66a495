//! Waking up at a moment, on the system's clock or on a test's.
//!
//! One thread serves all moments of the system's clock, started when the first is waited for. On a test's clock nothing
//! happens until the test advances it.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Condvar, Mutex, MutexGuard, Once, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use cachier_metrics::Clock;

/// Everyone who waits for a moment of one clock.
pub(crate) struct Timer {
    clock: Clock,
    kind: Kind,
    sleepers: Mutex<Sleepers>,
    earlier: Condvar,
    thread: Once,
}

/// Who notices that a moment has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The timer's own thread.
    Thread,
    /// Whoever advances the clock, by calling [`Timer::fire`].
    Manual,
}

#[derive(Default)]
struct Sleepers {
    /// By moment in nanoseconds of the clock; the number tells sleepers of one moment apart.
    queue: BTreeMap<(u64, u64), Waker>,
    next: u64,
}

impl Timer {
    pub(crate) fn new(clock: Clock, kind: Kind) -> Self {
        Self {
            clock,
            kind,
            sleepers: Mutex::new(Sleepers::default()),
            earlier: Condvar::new(),
            thread: Once::new(),
        }
    }

    /// The future's output, or `None` when `patience` has run out first. `None` patience never runs out.
    pub(crate) async fn within<F: Future>(
        &'static self,
        patience: Option<Duration>,
        future: F,
    ) -> Option<F::Output> {
        let Some(patience) = patience else {
            return Some(future.await);
        };
        let mut future = pin!(future);
        let deadline = self.clock.now().saturating_add(nanos(patience));
        let mut sleep = Sleep {
            timer: self,
            deadline,
            place: None,
        };
        poll_fn(|context| match future.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => sleep.poll(context).map(|()| None),
        })
        .await
    }

    /// Waits for this long.
    pub(crate) async fn sleep(&'static self, duration: Duration) {
        self.within(Some(duration), std::future::pending::<()>())
            .await;
    }

    /// Wakes everyone whose moment has come; returns how long until the next one's.
    pub(crate) fn fire(&self) -> Option<Duration> {
        let (due, next) = {
            let mut sleepers = self.sleepers();
            let later = sleepers
                .queue
                .split_off(&(self.clock.now().saturating_add(1), 0));
            let due = std::mem::replace(&mut sleepers.queue, later);
            (due, sleepers.queue.keys().next().map(|&(moment, _)| moment))
        };
        due.into_values().for_each(Waker::wake);
        next.map(|moment| Duration::from_nanos(moment.saturating_sub(self.clock.now())))
    }

    fn sleepers(&self) -> MutexGuard<'_, Sleepers> {
        self.sleepers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start_thread(&'static self) {
        if self.kind == Kind::Manual {
            return;
        }
        self.thread.call_once(|| {
            let thread = std::thread::Builder::new().name("cachier-timer".to_owned());
            // Without a thread timeouts never fire, and waits last as long as their owner lives.
            let _ = thread.spawn(|| self.run());
        });
    }

    fn run(&self) {
        loop {
            let pause = self.fire().unwrap_or(Duration::from_secs(3600));
            let sleepers = self.sleepers();
            let due = |sleepers: &Sleepers| {
                let now = self.clock.now();
                sleepers
                    .queue
                    .keys()
                    .next()
                    .is_some_and(|&(moment, _)| moment <= now)
            };
            if !due(&sleepers) {
                // Whoever adds an earlier moment notifies; a late wake-up is a loop more.
                let _ = self.earlier.wait_timeout(sleepers, pause);
            }
        }
    }
}

struct Sleep {
    timer: &'static Timer,
    deadline: u64,
    place: Option<(u64, u64)>,
}

impl Sleep {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.timer.clock.now() >= self.deadline {
            return Poll::Ready(());
        }
        let mut sleepers = self.timer.sleepers();
        let place = *self.place.get_or_insert_with(|| {
            sleepers.next += 1;
            (self.deadline, sleepers.next)
        });
        sleepers.queue.insert(place, context.waker().clone());
        let is_first = sleepers.queue.keys().next() == Some(&place);
        drop(sleepers);
        self.timer.start_thread();
        if is_first {
            self.timer.earlier.notify_one();
        }
        // The clock may have been advanced between the look at it and the insertion.
        if self.timer.clock.now() >= self.deadline {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            self.timer.sleepers().queue.remove(&place);
        }
    }
}

/// Nanoseconds, saturating after 584 years.
pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

//! Waking up at a moment, on the system's clock or on a test's.
//!
//! One thread serves all moments of the system's clock, started when the first is waited for. On a test's clock nothing
//! happens until the test advances it.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Condvar, Mutex, MutexGuard, Once, OnceLock, PoisonError};
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
    /// When the thread will look again; it is woken for earlier moments only.
    next_fire: Option<u64>,
    /// By moment in nanoseconds of the clock; the number tells sleepers of one moment apart.
    queue: BTreeMap<(u64, u64), Waker>,
    next: u64,
}

impl Timer {
    /// The timer of the system's clock, for the program and for what isolated tests share with other processes.
    pub(crate) fn of_system() -> &'static Self {
        static TIMER: OnceLock<Timer> = OnceLock::new();
        TIMER.get_or_init(|| Self::new(Clock::system(), Kind::Thread))
    }

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
        match patience {
            Some(patience) => {
                let deadline = self.clock.now().saturating_add(nanos(patience));
                self.until(deadline, future).await
            }
            None => Some(future.await),
        }
    }

    /// The future's output, or `None` when the deadline, in nanoseconds of the clock, has come first.
    pub(crate) async fn until<F: Future>(
        &'static self,
        deadline: u64,
        future: F,
    ) -> Option<F::Output> {
        let mut future = pin!(future);
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

    /// Wakes everyone whose moment has come.
    pub(crate) fn fire(&self) {
        let due = {
            let mut sleepers = self.sleepers();
            let later = sleepers
                .queue
                .split_off(&(self.clock.now().saturating_add(1), 0));
            std::mem::replace(&mut sleepers.queue, later)
        };
        due.into_values().for_each(Waker::wake);
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
            self.fire();
            let mut sleepers = self.sleepers();
            // Read under the lock: whoever adds an earlier moment notifies, and must find this thread waiting.
            sleepers.next_fire = sleepers.queue.keys().next().map(|&(moment, _)| moment);
            let pause = sleepers
                .next_fire
                .map_or(Duration::from_secs(3600), |moment| {
                    Duration::from_nanos(moment.saturating_sub(self.clock.now()))
                });
            if !pause.is_zero() {
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
        let mut sleepers = self.timer.sleepers();
        let place = *self.place.get_or_insert_with(|| {
            sleepers.next += 1;
            (self.deadline, sleepers.next)
        });
        sleepers.queue.insert(place, context.waker().clone());
        let is_earlier = sleepers
            .next_fire
            .is_none_or(|next_fire| self.deadline < next_fire);
        drop(sleepers);
        self.timer.start_thread();
        if is_earlier {
            self.timer.earlier.notify_one();
        }
        // After the insertion: what advances the clock from now on finds this one in the queue.
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

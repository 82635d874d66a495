//! Timeouts and sleeps, on the system's clock or on a test's.
//!
//! One thread serves the system's clock, started when it is first needed. A test's clock moves only when the test advances
//! it.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use cachier_backends::process::{PerProcess, Process};
use cachier_metrics::Clock;
use once_cell::race::OnceBox;
use once_cell::sync::OnceCell;

/// The sleepers of one clock.
///
/// Threads are spread over several queues: every operation on a store sleeps, if only to be woken by the answer.
pub(crate) struct Timer {
    clock: Clock,
    kind: TimerKind,
    /// One set per process, each with its own timer thread.
    queues: PerProcess<Queues>,
}

/// The sleepers of one process.
struct Queues {
    queues: [Queue; QUEUE_COUNT],
    /// When the thread looks again; it is woken for earlier moments only. [`AWAKE`] while it looks.
    next_fire: AtomicU64,
    /// Held by the thread from its look at the queues until it waits.
    waiting: Mutex<()>,
    earlier: Condvar,
    /// Full once the thread has started.
    thread: OnceCell<()>,
}

/// The number of queues that threads are spread over.
const QUEUE_COUNT: usize = 16;

/// Later than every moment, so that every moment is notified.
const AWAKE: u64 = u64::MAX;

/// The one who fires the timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TimerKind {
    /// The timer's own thread.
    Thread,
    /// The test that advances the clock, by calling [`Timer::fire`].
    Manual,
}

/// The sleepers of some threads, in cache lines of their own.
#[derive(Default)]
#[repr(align(128))]
struct Queue(Mutex<Sleepers>);

#[derive(Default)]
struct Sleepers {
    /// By deadline in nanoseconds of the clock; the number tells equal deadlines apart.
    by_moment: BTreeMap<(u64, u64), Waker>,
    next: u64,
}

impl Timer {
    /// The timer of the system's clock, for the program, and for what isolated tests share with other processes.
    pub(crate) fn system() -> &'static Self {
        static TIMER: OnceBox<Timer> = OnceBox::new();
        TIMER.get_or_init(|| Box::new(Self::new(Clock::system(), TimerKind::Thread)))
    }

    pub(crate) fn new(clock: Clock, kind: TimerKind) -> Self {
        Self {
            clock,
            kind,
            queues: PerProcess::new(|_| Queues::new()),
        }
    }

    /// The current time, in nanoseconds of the clock.
    pub(crate) fn now(&self) -> u64 {
        self.clock.now()
    }

    /// The future's output, or `None` if `limit` passes first. `None` is no limit.
    pub(crate) async fn timeout<F: Future>(
        &'static self,
        limit: Option<Duration>,
        future: F,
    ) -> Option<F::Output> {
        match limit {
            Some(limit) => {
                let deadline = self.clock.now().saturating_add(nanos(limit));
                self.timeout_at(deadline, future).await
            }
            None => Some(future.await),
        }
    }

    /// The future's output, or `None` if the deadline, in nanoseconds of the clock, passes first.
    pub(crate) async fn timeout_at<F: Future>(
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
        poll_fn(|cx| match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => sleep.poll(cx).map(|()| None),
        })
        .await
    }

    /// Sleeps this long.
    pub(crate) async fn sleep(&'static self, duration: Duration) {
        self.timeout(Some(duration), std::future::pending::<()>())
            .await;
    }

    /// Wakes everyone whose deadline has passed.
    #[cfg(feature = "testing")]
    pub(crate) fn fire(&self) {
        self.queues.fire(&self.clock);
    }
}

impl Queues {
    fn new() -> Self {
        Self {
            queues: Default::default(),
            next_fire: AtomicU64::new(AWAKE),
            waiting: Mutex::default(),
            earlier: Condvar::new(),
            thread: OnceCell::new(),
        }
    }

    fn fire(&self, clock: &Clock) {
        for queue in &self.queues {
            let due = queue.sleepers().take_due(clock.now());
            due.into_values().for_each(Waker::wake);
        }
    }

    fn start_thread(&'static self, timer: &'static Timer) {
        if timer.kind == TimerKind::Manual {
            return;
        }
        let start = || {
            let thread = std::thread::Builder::new().name("cachier-timer".to_owned());
            thread.spawn(|| self.run(&timer.clock)).map(drop)
        };
        // Without a thread this timeout fires once another sleeper has found one.
        let _ = self.thread.get_or_try_init(start);
    }

    fn run(&self, clock: &Clock) {
        loop {
            // First: a sleeper that joins a queue after the look sees this, and notifies the thread.
            self.next_fire.store(AWAKE, Ordering::SeqCst);
            self.fire(clock);
            let waiting = self.waiting();
            let moments = self
                .queues
                .iter()
                .filter_map(|queue| queue.sleepers().first());
            let next_fire = moments.min().unwrap_or(AWAKE - 1);
            self.next_fire.store(next_fire, Ordering::SeqCst);
            let pause = Duration::from_nanos(next_fire.saturating_sub(clock.now()));
            if !pause.is_zero() {
                let _ = self
                    .earlier
                    .wait_timeout(waiting, pause.min(MAX_THREAD_SLEEP));
            }
        }
    }

    fn waiting(&self) -> MutexGuard<'_, ()> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the thread look again before this moment, unless it will anyway.
    fn notify(&self, moment: u64) {
        if moment < self.next_fire.load(Ordering::SeqCst) {
            // Once it waits: before that it could not be woken, and it may have seen this moment itself.
            let waiting = self.waiting();
            let is_earlier = moment < self.next_fire.load(Ordering::SeqCst);
            drop(waiting);
            if is_earlier {
                self.earlier.notify_one();
            }
        }
    }
}

/// The longest wait of the thread.
const MAX_THREAD_SLEEP: Duration = Duration::from_secs(3600);

impl Queue {
    fn sleepers(&self) -> MutexGuard<'_, Sleepers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sleepers {
    /// Takes the sleepers whose deadline has passed.
    fn take_due(&mut self, now: u64) -> BTreeMap<(u64, u64), Waker> {
        let later = self.by_moment.split_off(&(now.saturating_add(1), 0));
        std::mem::replace(&mut self.by_moment, later)
    }

    fn first(&self) -> Option<u64> {
        self.by_moment.keys().next().map(|&(moment, _)| moment)
    }
}

/// The queue of the calling thread.
fn own_queue() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static OWN: usize = NEXT.fetch_add(1, Ordering::Relaxed) % QUEUE_COUNT;
    }
    // A thread that is being torn down can use any.
    OWN.try_with(|own| *own).unwrap_or(0)
}

struct Sleep {
    timer: &'static Timer,
    deadline: u64,
    place: Option<QueuePosition>,
}

/// A sleeper's place in a queue.
#[derive(Clone, Copy)]
struct QueuePosition {
    queues: &'static Queues,
    /// The process that owns the queues.
    process: Process,
    queue: usize,
    /// `None` until its waker is in the queue.
    number: Option<u64>,
}

impl Sleep {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let place = self.place.get_or_insert_with(|| {
            let process = Process::current();
            QueuePosition {
                queues: self.timer.queues.of(process),
                process,
                queue: own_queue(),
                number: None,
            }
        });
        let queues = place.queues;
        let mut sleepers = place.queue().sleepers();
        let number = *place.number.get_or_insert_with(|| {
            sleepers.next += 1;
            sleepers.next
        });
        let waker = cx.waker().clone();
        let former = sleepers.by_moment.insert((self.deadline, number), waker);
        drop(sleepers);
        // Not under the lock: dropping a task's last waker may drop the task, and its sleepers with it.
        drop(former);
        queues.start_thread(self.timer);
        queues.notify(self.deadline);
        // After the insertion: whoever advances the clock from now on finds this sleeper in the queue.
        if self.timer.clock.now() >= self.deadline {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(place) = &self.place
            && let Some(number) = place.number
            && let Some(mut sleepers) = place.sleepers()
        {
            let waker = sleepers.by_moment.remove(&(self.deadline, number));
            drop(sleepers);
            drop(waker);
        }
    }
}

impl QueuePosition {
    fn queue(&self) -> &'static Queue {
        &self.queues.queues[self.queue]
    }

    /// The sleepers of its queue; `None` in a forked child, where a thread that does not exist holds the lock.
    fn sleepers(&self) -> Option<MutexGuard<'static, Sleepers>> {
        match self.queue().0.try_lock() {
            Ok(sleepers) => Some(sleepers),
            Err(TryLockError::Poisoned(sleepers)) => Some(sleepers.into_inner()),
            Err(TryLockError::WouldBlock) => {
                self.process.is_current().then(|| self.queue().sleepers())
            }
        }
    }
}

/// Nanoseconds, saturating after 584 years.
pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::mpsc::channel;
    use std::thread;

    use futures_lite::future::{block_on, poll_once};

    use super::*;

    /// Longer than anything here takes.
    const TEST_TIMEOUT: Duration = Duration::from_secs(60);

    #[test]
    fn sleepers_of_many_threads_wake_in_time() {
        let timer = Timer::system();
        let (sender, receiver) = channel();
        for number in 0..40 {
            let sender = sender.clone();
            thread::spawn(move || {
                for nap in 0..50 {
                    let pause = Duration::from_micros(1 + number * 131 + nap * 37 % 1000);
                    let before = timer.clock.now();
                    block_on(timer.sleep(pause));
                    let _ = sender.send(timer.clock.now() >= before + nanos(pause));
                }
            });
        }
        for _ in 0..40 * 50 {
            assert_eq!(receiver.recv_timeout(TEST_TIMEOUT), Ok(true));
        }
    }

    #[test]
    fn an_earlier_deadline_wakes_the_thread() {
        let timer: &Timer = Box::leak(Box::new(Timer::new(Clock::system(), TimerKind::Thread)));
        let mut later = pin!(timer.sleep(TEST_TIMEOUT * 60));
        assert_eq!(block_on(poll_once(&mut later)), None);
        // Until the thread waits for nothing else.
        while timer.queues.next_fire.load(Ordering::SeqCst) >= AWAKE - 1 {
            thread::yield_now();
        }
        let (sender, receiver) = channel();
        thread::spawn(move || {
            block_on(timer.sleep(Duration::from_millis(1)));
            sender.send(())
        });
        assert_eq!(receiver.recv_timeout(TEST_TIMEOUT), Ok(()));
    }
}

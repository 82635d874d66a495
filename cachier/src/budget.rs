//! How long a call may wait, and for what.
//!
//! All waits of a call draw on one budget: `operation_timeout` for its store, `wait_for_calc_timeout` for the computations
//! of others. Neither starts again after a wait. Time in this process's queue does not count against the store as long as
//! the queue moves; in a queue that does not move, the call waits for the store.

#[cfg(feature = "persistent")]
mod operation;

use std::future::{Future, poll_fn};
use std::mem;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use crate::timer::{Timer, nanos};

/// The waiting time left to one call.
pub(crate) struct Budget {
    timer: &'static Timer,
    /// Time left for the store, in nanoseconds, or [`UNLIMITED`]. One wait at a time draws on it.
    left: AtomicU64,
    /// How long the call may wait for others in all; `None` means forever.
    wait_limit: Option<Duration>,
    /// When it first waited for others, or [`NEVER`].
    waiting_since: AtomicU64,
}

/// A wait that ends: who has one may ask a backend.
///
/// What a call asks is bounded by the call's [`Budget`], which hands this out.
#[derive(Clone, Copy)]
pub struct Bounded(());

impl Bounded {
    /// For operations that no call waits for, limited by their caller: lease renewals, checks, figures for other instances.
    pub(crate) const OUTSIDE_CALLS: Self = Self(());
}

/// The limit that ended a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BudgetSpent {
    /// The time for the store.
    Store,
    /// The time for others.
    Waiting,
}

/// Why an operation timed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OperationTimeout {
    /// The store did not answer.
    NoAnswer,
    /// The store did not answer those ahead in the queue either.
    NoPermit,
}

/// An executor that takes this long to poll a task again is overloaded.
const BUSY_THRESHOLD: Duration = Duration::from_millis(5);

/// How long an overloaded executor may keep a call waiting beyond its budget.
const MAX_OVERTIME: Duration = Duration::from_secs(1);

const UNLIMITED: u64 = u64::MAX;
const NEVER: u64 = u64::MAX;

impl Budget {
    /// A budget of these times for the store and for others.
    pub(crate) fn new(
        timer: &'static Timer,
        store: Duration,
        wait_limit: Option<Duration>,
    ) -> Self {
        Self {
            timer,
            left: AtomicU64::new(nanos(store)),
            wait_limit,
            waiting_since: AtomicU64::new(NEVER),
        }
    }

    /// A budget without limits.
    #[cfg(test)]
    pub(crate) fn unlimited() -> Self {
        Self::new(Timer::system(), Duration::MAX, None)
    }

    /// Time left for the store.
    pub(crate) fn left(&self) -> Duration {
        Duration::from_nanos(self.left.load(Ordering::Relaxed))
    }

    /// How long this call has waited for others, since it first did.
    pub(crate) fn waited(&self) -> Duration {
        let since = self.waiting_since.load(Ordering::Relaxed);
        Duration::from_nanos(self.timer.now().saturating_sub(since))
    }

    /// Whether this call has waited for others.
    pub(crate) fn has_waited(&self) -> bool {
        self.waiting_since.load(Ordering::Relaxed) != NEVER
    }

    /// Waits for another caller's or process's computation.
    pub(crate) async fn computation<F: Future>(&self, work: F) -> Result<F::Output, BudgetSpent> {
        let done = self.timer.timeout(self.wait_limit(), work).await;
        done.ok_or(BudgetSpent::Waiting)
    }

    /// Waits for the store operations around another caller's computation. Time counts from when that caller's queue last
    /// `moved`.
    pub(crate) async fn store_of_another<F: Future>(
        &self,
        moved: impl Fn() -> Option<u64>,
        work: F,
    ) -> Result<F::Output, BudgetSpent> {
        let left = self.left.load(Ordering::Relaxed);
        if left == UNLIMITED {
            return self.computation(work).await;
        }
        let began = self.timer.now();
        let wait_deadline = self
            .wait_limit()
            .map(|wait_limit| began.saturating_add(nanos(wait_limit)));
        let since = || moved().map_or(began, |moved| moved.max(began));
        let mut work = pin!(work);
        let (done, since) = loop {
            let counts_from = since();
            let deadline = counts_from.saturating_add(left);
            let (limit, spent) = match wait_deadline {
                Some(end) if end < deadline => (end, BudgetSpent::Waiting),
                _ => (deadline, BudgetSpent::Store),
            };
            match self.timer.timeout_at(limit, work.as_mut()).await {
                Some(output) => break (Ok(output), since()),
                None if spent == BudgetSpent::Waiting => break (Err(spent), counts_from),
                None if since() > counts_from => {}
                None => {
                    let done = self.overtime(work.as_mut()).await;
                    break (done.ok_or(spent), counts_from);
                }
            }
        };
        self.spend(self.timer.now().saturating_sub(since));
        done
    }

    /// Waits while another process computes, at most this long, or until `change`. Uses the system's clock: the other
    /// process does.
    pub(crate) async fn pause<F: Future>(
        &self,
        at_most: Duration,
        change: impl FnOnce(Bounded) -> F,
    ) -> Option<F::Output> {
        let at_most = self.wait_limit().unwrap_or(at_most).min(at_most);
        let change = change(Bounded(()));
        Timer::system().timeout(Some(at_most), change).await
    }

    /// Runs operations that poll the owner of a lease. They cost nothing while that `is_computing`: the wait is for the
    /// computation.
    pub(crate) async fn poll_owner<F: Future>(
        &self,
        work: F,
        is_computing: impl FnOnce(&F::Output) -> bool,
    ) -> F::Output {
        let left = self.left.load(Ordering::Relaxed);
        let output = work.await;
        if is_computing(&output) {
            self.left.store(left, Ordering::Relaxed);
        }
        output
    }

    /// How long this call may still wait for others, starting now; `None` means forever.
    pub(crate) fn wait_limit(&self) -> Option<Duration> {
        if !self.has_waited() {
            self.waiting_since
                .store(self.timer.now(), Ordering::Relaxed);
        }
        Some(self.wait_limit?.saturating_sub(self.waited()))
    }

    /// Polls late work for as long as the executor itself is late: the answer may have arrived, and its task may wait to be
    /// run.
    async fn overtime<F: Future>(&self, mut work: Pin<&mut F>) -> Option<F::Output> {
        let began = self.timer.now();
        loop {
            let before = self.timer.now();
            // Lets runnable tasks run first.
            yield_now().await;
            let now = self.timer.now();
            if let Some(output) = self.timer.timeout_at(now, work.as_mut()).await {
                return Some(output);
            }
            let is_late = now.saturating_sub(before) >= nanos(BUSY_THRESHOLD);
            if !is_late || now.saturating_sub(began) >= nanos(MAX_OVERTIME) {
                return None;
            }
        }
    }

    fn spend(&self, took: u64) {
        let left = self.left.load(Ordering::Relaxed);
        if left != UNLIMITED {
            self.left
                .store(left.saturating_sub(took), Ordering::Relaxed);
        }
    }
}

/// Lets the executor run its other tasks first.
async fn yield_now() {
    let mut has_yielded = false;
    poll_fn(|cx| {
        if mem::replace(&mut has_yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[cfg(all(test, not(shuttle), feature = "persistent"))]
mod tests {
    use std::cell::Cell;
    use std::future::pending;
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;
    use std::task::{Context, Poll, Wake, Waker};

    use cachier_backends::queue;
    use cachier_metrics::Clock;

    use super::*;
    use crate::timer::TimerKind;

    const SECOND: Duration = Duration::from_secs(1);

    /// A manual clock, and a budget that uses it.
    fn budget(wait_limit: Option<Duration>) -> (Clock, Budget) {
        let clock = Clock::manual();
        let timer = Box::leak(Box::new(Timer::new(clock.clone(), TimerKind::Manual)));
        (clock, Budget::new(timer, SECOND, wait_limit))
    }

    /// Polls like an idle executor: again whenever the future yields.
    fn poll<F: Future>(future: &mut Pin<&mut F>) -> Poll<F::Output> {
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&woken));
        let mut cx = Context::from_waker(&waker);
        loop {
            let poll = future.as_mut().poll(&mut cx);
            if poll.is_ready() || !woken.0.swap(false, Ordering::Relaxed) {
                return poll;
            }
        }
    }

    #[derive(Default)]
    struct Woken(AtomicBool);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    /// The result of a wait when this much time passes and nothing ends it.
    fn after<F: Future>(clock: &Clock, passes: Duration, wait: F) -> Option<F::Output> {
        let mut wait = pin!(wait);
        assert!(poll(&mut wait).is_pending());
        clock.advance(passes);
        match poll(&mut wait) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        }
    }

    #[test]
    fn all_waits_for_the_store_share_a_budget() {
        let (clock, budget) = budget(None);
        let begun = after(
            &clock,
            SECOND / 4,
            budget.operation(never_answered, |_| pending_once()),
        );
        assert_eq!(begun, Some(Ok(())));
        let joined = after(
            &clock,
            SECOND / 4,
            budget.store_of_another(never_answered, pending_once()),
        );
        assert_eq!(joined, Some(Ok(())));
        assert_eq!(budget.left(), SECOND / 2);
        let ran_out = after(
            &clock,
            SECOND / 2,
            budget.store_of_another(never_answered, pending::<()>()),
        );
        assert_eq!(ran_out, Some(Err(BudgetSpent::Store)));
        let mut late = pin!(budget.operation(never_answered, |_| pending::<()>()));
        assert_eq!(
            poll(&mut late),
            Poll::Ready(Err(OperationTimeout::NoAnswer))
        );
    }

    #[test]
    fn waiting_for_a_computation_leaves_store_time() {
        let (clock, budget) = budget(Some(3 * SECOND));
        assert_eq!(
            after(&clock, 2 * SECOND, budget.computation(pending_once())),
            Some(Ok(()))
        );
        assert_eq!((budget.left(), budget.wait_limit()), (SECOND, Some(SECOND)));
        let ran_out = after(&clock, SECOND, budget.computation(pending::<()>()));
        assert_eq!(ran_out, Some(Err(BudgetSpent::Waiting)));
    }

    #[test]
    fn waiting_time_starts_with_the_first_wait() {
        let (clock, budget) = budget(Some(SECOND));
        clock.advance(9 * SECOND);
        assert_eq!(
            (budget.waited(), budget.has_waited()),
            (Duration::ZERO, false)
        );
        assert_eq!(budget.wait_limit(), Some(SECOND));
        clock.advance(SECOND);
        assert_eq!((budget.waited(), budget.has_waited()), (SECOND, true));
    }

    #[test]
    fn polling_an_owner_that_computes_costs_nothing() {
        let (clock, budget) = budget(None);
        for (computes, left) in [(true, SECOND), (false, SECOND / 2)] {
            let poll = budget
                .poll_owner(budget.operation(never_answered, |_| pending_once()), |_| {
                    computes
                });
            assert_eq!(after(&clock, SECOND / 2, poll), Some(Ok(())));
            assert_eq!(budget.left(), left);
        }
        let poll = budget.poll_owner(
            budget.operation(never_answered, |_| pending::<()>()),
            |_| false,
        );
        let hung = after(&clock, SECOND / 2, poll);
        assert_eq!(
            hung,
            Some(Err(OperationTimeout::NoAnswer)),
            "each look has its end"
        );
    }

    #[test]
    fn an_unlimited_budget_never_runs_out() {
        let timer = Timer::system();
        let budget = Budget::new(timer, Duration::MAX, None);
        let mut wait = pin!(budget.store_of_another(never_answered, pending::<()>()));
        assert!(poll(&mut wait).is_pending());
        budget.spend(nanos(SECOND));
        assert_eq!(budget.left(), Duration::from_nanos(UNLIMITED));
    }

    #[test]
    fn operations_stay_queued_while_the_queue_moves() {
        let (clock, budget) = budget(None);
        let answered = Cell::new(None);
        let permit = queue::waiting(pending::<()>());
        let mut waits = pin!(budget.operation(|| answered.get(), |_| permit));
        for _ in 0..9 {
            assert!(poll(&mut waits).is_pending());
            std::thread::sleep(SECOND / 1000);
            clock.advance(SECOND / 1000);
            answered.set(Some(clock.now()));
        }
        clock.advance(SECOND - SECOND / 1000);
        assert!(poll(&mut waits).is_pending());
        clock.advance(SECOND);
        assert_eq!(
            poll(&mut waits),
            Poll::Ready(Err(OperationTimeout::NoPermit))
        );
    }

    #[test]
    fn a_busy_executor_gets_overtime() {
        let (clock, budget) = budget(None);
        let mut polls = 0;
        let work = poll_fn(|_| {
            polls += 1;
            match polls {
                4 => Poll::Ready(()),
                _ => Poll::Pending,
            }
        });
        let mut late = pin!(budget.operation(never_answered, |_| work));
        let mut cx = Context::from_waker(Waker::noop());
        let mut poll = || late.as_mut().poll(&mut cx);
        assert!(poll().is_pending());
        clock.advance(SECOND);
        for _ in 0..2 {
            assert!(poll().is_pending(), "it lets others run");
            clock.advance(BUSY_THRESHOLD);
        }
        assert_eq!(poll(), Poll::Ready(Ok(())));
    }

    #[test]
    fn waiters_of_queued_operations_wait_while_it_moves() {
        let (clock, budget) = budget(None);
        let moved = Cell::new(None);
        let mut waits = pin!(budget.store_of_another(|| moved.get(), pending::<()>()));
        for _ in 0..9 {
            assert!(poll(&mut waits).is_pending());
            clock.advance(SECOND / 2);
            moved.set(Some(clock.now()));
        }
        clock.advance(SECOND / 2);
        assert!(poll(&mut waits).is_pending());
        clock.advance(SECOND / 2);
        assert_eq!(poll(&mut waits), Poll::Ready(Err(BudgetSpent::Store)));
    }

    /// A store that has answered nobody.
    fn never_answered() -> Option<u64> {
        None
    }

    /// A future that is pending once.
    fn pending_once() -> impl Future<Output = ()> {
        let mut is_over = false;
        poll_fn(move |_| match std::mem::replace(&mut is_over, true) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        })
    }
}

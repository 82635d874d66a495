//! For how long a call may wait, and for what: the one object on which each of its waits draws.
//!
//! A call waits for its store, no longer than `operation_timeout` in all, and for the computations of others, as long as
//! `wait_for_calc_timeout` lets it. Neither starts anew after a wait.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cachier_backends::queue;

use crate::timer::{Timer, nanos};

/// What one call may still wait for.
pub(crate) struct Budget {
    timer: &'static Timer,
    /// What is left for the store, in nanoseconds, or [`ENDLESS`]. One wait at a time draws on it.
    left: AtomicU64,
    /// What is left for turns among the others of this process, in nanoseconds.
    left_for_turns: AtomicU64,
    /// How long the call may wait for others in all; `None` is for ever.
    patience: Option<Duration>,
    /// Since when it does, or [`NEVER`].
    waiting_since: AtomicU64,
}

/// What was used up before a wait was over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spent {
    /// The time for the store.
    Store,
    /// The time for others.
    Patience,
}

/// Why an operation was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GivenUp {
    /// The store has not answered.
    NoAnswer,
    /// Its turn in this process has not come.
    NoTurn,
}

const ENDLESS: u64 = u64::MAX;
const NEVER: u64 = u64::MAX;

impl Budget {
    /// So much for the store, and so much for others.
    pub(crate) fn new(timer: &'static Timer, store: Duration, patience: Option<Duration>) -> Self {
        Self {
            timer,
            left: AtomicU64::new(nanos(store)),
            left_for_turns: AtomicU64::new(nanos(store)),
            patience,
            waiting_since: AtomicU64::new(NEVER),
        }
    }

    /// One that bounds nothing.
    #[cfg(test)]
    pub(crate) fn endless() -> Self {
        Self::new(Timer::of_system(), Duration::MAX, None)
    }

    /// What is left for the store.
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

    /// Waits for an operation of this call. What it waits for its turns among the others of this process
    /// takes none of the store's time: those of a call may last as long again.
    pub(crate) async fn operation<F: Future>(&self, work: F) -> Result<F::Output, GivenUp> {
        let (began, left) = (self.timer.now(), self.left.load(Ordering::Relaxed));
        let left_for_turns = self.left_for_turns.load(Ordering::Relaxed);
        let turns = Turns::default();
        let mut work = pin!(turns.observed(work));
        let done = loop {
            let waited = turns.waited().min(left_for_turns);
            let deadline = began.saturating_add(left).saturating_add(waited);
            if let Some(output) = self.timer.until(deadline, work.as_mut()).await {
                break Ok(output);
            }
            // It has been polled just now: if it waits for a turn, it has waited longer.
            match turns.waited() > waited {
                true if waited < left_for_turns => {}
                true => break Err(GivenUp::NoTurn),
                false => break Err(GivenUp::NoAnswer),
            }
        };
        let took = self.timer.now().saturating_sub(began);
        let waited = turns.waited().min(left_for_turns);
        self.left_for_turns
            .store(left_for_turns - waited, Ordering::Relaxed);
        self.draw(took.saturating_sub(waited));
        done
    }

    /// Waits for the computation of another, which may be elsewhere.
    pub(crate) async fn computation<F: Future>(&self, work: F) -> Result<F::Output, Spent> {
        let done = self.timer.within(self.patience(), work).await;
        done.ok_or(Spent::Patience)
    }

    /// Waits for what the store takes to begin or to end the computation of another.
    pub(crate) async fn store_of_another<F: Future>(&self, work: F) -> Result<F::Output, Spent> {
        let left = self.left();
        if left == Duration::from_nanos(ENDLESS) {
            return self.computation(work).await;
        }
        let (limit, spent) = match self.patience() {
            Some(patience) if patience < left => (patience, Spent::Patience),
            _ => (left, Spent::Store),
        };
        let began = self.timer.now();
        let done = self.timer.within(Some(limit), work).await;
        self.draw(self.timer.now().saturating_sub(began));
        done.ok_or(spent)
    }

    /// Lets a while pass in which another process computes, or less if `change` comes. The process lives by the system's clock,
    /// whatever clock this call has.
    pub(crate) async fn pause<F: Future>(&self, at_most: Duration, change: F) -> Option<F::Output> {
        let at_most = self.patience().unwrap_or(at_most).min(at_most);
        Timer::of_system().within(Some(at_most), change).await
    }

    /// Waits for operations by which another process is looked at. While `it_computes` they take nothing: the wait is
    /// one for the computation.
    pub(crate) async fn look<F: Future>(
        &self,
        work: F,
        it_computes: impl FnOnce(&F::Output) -> bool,
    ) -> F::Output {
        let left = self.left.load(Ordering::Relaxed);
        let output = work.await;
        if it_computes(&output) {
            self.left.store(left, Ordering::Relaxed);
        }
        output
    }

    /// How long this call may still wait for others, for which it waits from now on; `None` is for ever.
    pub(crate) fn patience(&self) -> Option<Duration> {
        if !self.has_waited() {
            self.waiting_since
                .store(self.timer.now(), Ordering::Relaxed);
        }
        Some(self.patience?.saturating_sub(self.waited()))
    }

    fn draw(&self, took: u64) {
        let left = self.left.load(Ordering::Relaxed);
        if left != ENDLESS {
            self.left
                .store(left.saturating_sub(took), Ordering::Relaxed);
        }
    }
}

/// How long an operation has waited for its turns in this process.
#[derive(Default)]
struct Turns {
    /// In all.
    waited: AtomicU64,
    /// As it was told last; what comes after another operation begins anew.
    told: AtomicU64,
}

impl Turns {
    fn waited(&self) -> u64 {
        self.waited.load(Ordering::Relaxed)
    }

    async fn observed<F: Future>(&self, work: F) -> F::Output {
        let mut work = pin!(work);
        poll_fn(|context| {
            let (poll, told) = queue::observe(|| work.as_mut().poll(context));
            let told = nanos(told);
            let more = told.saturating_sub(self.told.swap(told, Ordering::Relaxed));
            self.waited.fetch_add(more, Ordering::Relaxed);
            poll
        })
        .await
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use std::future::pending;
    use std::pin::Pin;
    use std::task::{Context, Poll, Waker};

    use cachier_metrics::Clock;

    use super::*;
    use crate::timer::Kind;

    const SECOND: Duration = Duration::from_secs(1);

    /// A clock that the test advances, and a budget that lives by it.
    fn budget(patience: Option<Duration>) -> (Clock, Budget) {
        let clock = Clock::manual();
        let timer = Box::leak(Box::new(Timer::new(clock.clone(), Kind::Manual)));
        (clock, Budget::new(timer, SECOND, patience))
    }

    fn poll<F: Future>(future: &mut Pin<&mut F>) -> Poll<F::Output> {
        let mut context = Context::from_waker(Waker::noop());
        future.as_mut().poll(&mut context)
    }

    /// What a wait comes to that nothing ends, when this much time passes.
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
    fn all_that_waits_for_the_store_draws_on_one_time() {
        let (clock, budget) = budget(None);
        let begun = after(&clock, SECOND / 4, budget.operation(a_moment()));
        assert_eq!(begun, Some(Ok(())));
        let joined = after(&clock, SECOND / 4, budget.store_of_another(a_moment()));
        assert_eq!(joined, Some(Ok(())));
        assert_eq!(budget.left(), SECOND / 2);
        let ran_out = after(&clock, SECOND / 2, budget.store_of_another(pending::<()>()));
        assert_eq!(ran_out, Some(Err(Spent::Store)));
        let mut late = pin!(budget.operation(pending::<()>()));
        assert_eq!(poll(&mut late), Poll::Ready(Err(GivenUp::NoAnswer)));
    }

    #[test]
    fn a_computation_takes_patience_alone() {
        let (clock, budget) = budget(Some(3 * SECOND));
        assert_eq!(
            after(&clock, 2 * SECOND, budget.computation(a_moment())),
            Some(Ok(()))
        );
        assert_eq!((budget.left(), budget.patience()), (SECOND, Some(SECOND)));
        let ran_out = after(&clock, SECOND, budget.computation(pending::<()>()));
        assert_eq!(ran_out, Some(Err(Spent::Patience)));
    }

    #[test]
    fn whoever_begins_to_wait_has_not_waited_yet() {
        let (clock, budget) = budget(Some(SECOND));
        clock.advance(9 * SECOND);
        assert_eq!(
            (budget.waited(), budget.has_waited()),
            (Duration::ZERO, false)
        );
        assert_eq!(budget.patience(), Some(SECOND));
        clock.advance(SECOND);
        assert_eq!((budget.waited(), budget.has_waited()), (SECOND, true));
    }

    #[test]
    fn looking_takes_nothing_while_another_computes() {
        let (clock, budget) = budget(None);
        for (computes, left) in [(true, SECOND), (false, SECOND / 2)] {
            let look = budget.look(budget.operation(a_moment()), |_| computes);
            assert_eq!(after(&clock, SECOND / 2, look), Some(Ok(())));
            assert_eq!(budget.left(), left);
        }
        let look = budget.look(budget.operation(pending::<()>()), |_| false);
        let hung = after(&clock, SECOND / 2, look);
        assert_eq!(hung, Some(Err(GivenUp::NoAnswer)), "each look has its end");
    }

    #[test]
    fn an_endless_budget_waits_for_ever() {
        let timer = Timer::of_system();
        let budget = Budget::new(timer, Duration::MAX, None);
        let mut wait = pin!(budget.store_of_another(pending::<()>()));
        assert!(poll(&mut wait).is_pending());
        budget.draw(nanos(SECOND));
        assert_eq!(budget.left(), Duration::from_nanos(ENDLESS));
    }

    /// What is pending once.
    fn a_moment() -> impl Future<Output = ()> {
        futures_lite::future::yield_now()
    }
}

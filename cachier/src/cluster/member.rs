//! This process as one of the instances that share a store: it publishes, and helps to keep the ledger.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cachier_backends::{Error, ErrorKind, Operation};
use cachier_metrics::{InstanceFigures, InstanceId, Publisher};

use super::metrics_store::{Change, MetricsStore, Slot};
use super::view::View;
use crate::block_on::block_on;
use crate::cached_function::metrics_of;
use crate::context::{Context, sync_scope};
use crate::problems;
use crate::timer::{Timer, nanos};
use crate::usage_cache::patiently;

/// One instance: this process, from when it began to publish.
pub(super) struct Member {
    pub(super) view: Arc<View>,
    /// When the instance began, by the system's monotonic clock.
    begun: u64,
    /// Locked during a publication, by its thread or by a flush. Kept when only the interval changes.
    state: Arc<Mutex<State>>,
}

struct State {
    publisher: Publisher,
    /// When a publication was last known to be stored.
    stored: Option<u64>,
    /// How long that took: the next one comes so much later than an interval.
    took: Duration,
    /// How many intervals are left until it checks the ledger, and until it looks for ended instances.
    until_ledger: u32,
    until_look: u32,
    /// How many instances there are.
    members: usize,
}

/// What all operations of one publication may take together.
const PUBLISH_TIMEOUT: Duration = Duration::from_secs(5);
/// How many intervals pass between two checks of the ledger; a check also follows a pause in publishing.
const LEDGER_INTERVALS: u32 = 30;
const PAUSE_INTERVALS: u32 = 3;

impl Member {
    pub(super) fn new(
        context: &'static Context,
        interval: Duration,
        store: MetricsStore,
    ) -> Arc<Self> {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
        let started = nanos(since_1970.unwrap_or_default());
        let publisher = Publisher::new(InstanceId::random(), started, interval);
        Arc::new(Self {
            view: View::new(context, interval, store),
            begun: Timer::system().now(),
            state: Arc::new(Mutex::new(State {
                publisher,
                stored: None,
                took: Duration::ZERO,
                until_ledger: 0,
                until_look: look_after(1),
                members: 1,
            })),
        })
    }

    /// The same instance with another publication interval.
    pub(super) fn in_intervals(&self, interval: Duration) -> Arc<Self> {
        Arc::new(Self {
            view: View::new(self.view.context, interval, self.view.store.share()),
            begun: self.begun,
            state: Arc::clone(&self.state),
        })
    }

    /// The same settings, as another instance: a forked child's.
    pub(super) fn again(&self) -> Arc<Self> {
        Self::new(
            self.view.context,
            self.view.interval,
            self.view.store.share(),
        )
    }

    /// Publishes once, from a thread that may wait. A failure is reported once; the next publication covers this one.
    pub(super) fn publish(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let figures = sync_scope(self.view.context, || {
            patiently(|| InstanceFigures::of(metrics_of(|_| true)).with_stores())
        });
        let published = self.publish_figures(&mut state, &figures);
        let published = Timer::system().timeout(Some(PUBLISH_TIMEOUT), published);
        let published = block_on(published).unwrap_or_else(|| Err(timed_out()));
        let is_time_to_look = state.until_look == 0;
        if is_time_to_look {
            state.until_look = look_after(state.members);
        }
        drop(state);
        // Unlocked first: a problem listener may ask for figures.
        if let Err(error) = published {
            let problem = format!("figures for other instances could not be stored: {error}");
            problems::report("published metrics", &problem);
        }
        if is_time_to_look {
            // A reader of all figures also folds those of ended instances.
            self.view.refresh();
        }
    }

    async fn publish_figures(
        &self,
        state: &mut State,
        figures: &InstanceFigures,
    ) -> Result<(), Error> {
        let now = Timer::system().now();
        let uptime = Duration::from_nanos(now.saturating_sub(self.begun));
        let pause = nanos(self.view.interval.saturating_mul(PAUSE_INTERVALS));
        let has_paused = state
            .stored
            .is_some_and(|stored| now.saturating_sub(stored) > pause);
        state.until_look = state.until_look.saturating_sub(1);
        if has_paused || state.until_ledger == 0 {
            self.look_after_ledger(state, uptime, has_paused).await?;
        }
        state.until_ledger -= 1;
        let interval = self.view.interval.saturating_add(state.took);
        state.publisher.set_interval(interval);
        let (form, bytes) = state.publisher.publish(figures, uptime);
        let (instance, _) = state.publisher.epoch();
        self.view
            .store
            .store(Slot::Figures(instance, form), &bytes)
            .await?;
        state.publisher.confirm();
        let stored = Timer::system().now();
        state.took = Duration::from_nanos(stored.saturating_sub(now));
        state.stored = Some(stored);
        Ok(())
    }

    /// Joins the ledger, so that others read this instance's figures; begins a new epoch if they considered it ended.
    async fn look_after_ledger(
        &self,
        state: &mut State,
        uptime: Duration,
        has_paused: bool,
    ) -> Result<(), Error> {
        let (instance, epoch) = state.publisher.epoch();
        let joined = self
            .view
            .store
            .update(|ledger| match ledger.members.insert(instance) {
                true => Change::Store,
                false => Change::Keep,
            });
        let ledger = joined.await?;
        if let Some(tombstone) = ledger.tombstone(instance, epoch) {
            let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
            let now = nanos(since_1970.unwrap_or_default());
            state.publisher.fold(tombstone, now, uptime);
        } else if has_paused {
            state.publisher.remember_sent();
        } else {
            state.publisher.forget_sent();
        }
        // The store may have lost the full publication.
        state.publisher.begin_anew();
        state.until_ledger = LEDGER_INTERVALS;
        state.members = ledger.members.len();
        Ok(())
    }
}

/// How many intervals an instance waits before it looks for ended ones, so that about one instance looks every three.
fn look_after(members: usize) -> u32 {
    let members = u32::try_from(members).unwrap_or(u32::MAX);
    let pause = members.saturating_mul(3).max(LEDGER_INTERVALS);
    fastrand::u32(pause / 2..=pause.saturating_add(pause / 2))
}

fn timed_out() -> Error {
    let message = "the store did not answer in time";
    Error::new(ErrorKind::Timeout, Operation::Store, message)
}

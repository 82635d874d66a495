//! The figures of all instances together, computed at most once per interval, for all callers.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cachier_backends::{Error, ErrorKind, Operation};
use cachier_metrics::{Cluster, ClusterStats};
use event_listener::Event;

use super::metrics_store::{Change, MetricsStore};
use super::reading::{slots_of, timed_out};
use crate::background::{WorkerPool, run_on_thread_if_any};
use crate::block_on::block_on;
use crate::context::Context;
use crate::timer::{Timer, nanos};

/// The figures of all instances, as this process last read them.
pub(super) struct View {
    pub(super) context: &'static Context,
    pub(super) interval: Duration,
    pub(super) store: MetricsStore,
    progress: Mutex<Progress>,
    computed: Event,
    /// Everything read so far, so that late publications are ignored. Locked during a computation.
    cluster: Mutex<Cluster>,
}

#[derive(Default)]
struct Progress {
    latest: Option<Computed>,
    is_computing: bool,
    /// When a caller last asked for the figures.
    asked: Option<u64>,
}

/// The result of a computation, and when it ended.
struct Computed {
    at: u64,
    stats: Result<Arc<ClusterStats>, Error>,
}

/// The time limit for reading all instances.
const READ_TIMEOUT: Duration = Duration::from_secs(60);
/// How many intervals of silence end an instance.
const ENDED_INTERVALS: u32 = 30;
/// After how many intervals without a question the figures are not kept.
const IDLE_INTERVALS: u32 = 30;

impl View {
    pub(super) fn new(
        context: &'static Context,
        interval: Duration,
        store: MetricsStore,
    ) -> Arc<Self> {
        Arc::new(Self {
            context,
            interval,
            store,
            progress: Mutex::default(),
            computed: Event::new(),
            cluster: Mutex::default(),
        })
    }

    /// The latest figures, recomputed if older than an interval. Figures that a caller waited for are returned at any age.
    pub(super) async fn stats(self: &Arc<Self>) -> Result<Arc<ClusterStats>, Error> {
        let computed = self.computed.listen();
        self.progress().asked = Some(Timer::system().now());
        if let Some(fresh) = self.latest(nanos(self.interval)) {
            return fresh;
        }
        self.refresh();
        computed.await;
        self.latest(u64::MAX).unwrap_or_else(|| Err(not_computed()))
    }

    /// Computes the figures on a worker thread, unless a computation is running.
    pub(super) fn refresh(self: &Arc<Self>) {
        if mem::replace(&mut self.progress().is_computing, true) {
            return;
        }
        let mut computing = Computing {
            view: Arc::clone(self),
            stats: Err(not_computed()),
        };
        // Without a thread the job is dropped, which answers at once.
        let _ = run_on_thread_if_any(self.context, WorkerPool::Figures, move || {
            let read = Timer::system().timeout(Some(READ_TIMEOUT), computing.view.read());
            computing.stats = block_on(read).unwrap_or_else(|| Err(timed_out()));
            drop(computing);
        });
    }

    /// The latest result, unless it is older than this.
    fn latest(&self, max_age: u64) -> Option<Result<Arc<ClusterStats>, Error>> {
        let progress = self.progress();
        let latest = progress.latest.as_ref()?;
        let age = Timer::system().now().saturating_sub(latest.at);
        (age < max_age).then(|| latest.stats.clone())
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running computation. Dropping it publishes its result, even after a panic.
struct Computing {
    view: Arc<View>,
    stats: Result<Arc<ClusterStats>, Error>,
}

impl Drop for Computing {
    fn drop(&mut self) {
        let stats = mem::replace(&mut self.stats, Err(not_computed()));
        let at = Timer::system().now();
        let mut progress = self.view.progress();
        progress.latest = Some(Computed { at, stats });
        progress.is_computing = false;
        drop(progress);
        self.view.computed.notify(usize::MAX);
    }
}

impl View {
    /// Reads the figures of all instances, and folds those of ended ones.
    #[expect(
        clippy::await_holding_lock,
        reason = "one computation at a time, on a thread of its own"
    )]
    async fn read(&self) -> Result<Arc<ClusterStats>, Error> {
        let mut cluster = self.cluster.lock().unwrap_or_else(PoisonError::into_inner);
        self.store.read_into(&mut cluster).await?;
        self.fold_ended(&mut cluster).await?;
        let merged = cluster.merge(Timer::system().now());
        if self.is_idle() {
            // It only looked for ended instances, as each that publishes does.
            cluster.shed();
        }
        Ok(Arc::new(ClusterStats::from(&merged)))
    }

    /// Whether nobody has asked for the figures for long.
    fn is_idle(&self) -> bool {
        let idle = nanos(self.interval.saturating_mul(IDLE_INTERVALS));
        let asked = self.progress().asked;
        asked.is_none_or(|asked| Timer::system().now().saturating_sub(asked) > idle)
    }

    async fn fold_ended(&self, cluster: &mut Cluster) -> Result<(), Error> {
        let ended = cluster.silent(Timer::system().now(), ENDED_INTERVALS);
        if ended.is_empty() {
            return Ok(());
        }
        let folded = self
            .store
            .update(|ledger| match ledger.fold_members(&ended) {
                true => Change::Store,
                false => Change::Keep,
            });
        let _ = cluster.add_ledger(&folded.await?.write());
        cluster.keep_members();
        for (tombstone, _) in ended {
            for slot in slots_of(tombstone.instance) {
                // If it stays, no instance reads it again.
                let _ = self.store.remove(slot).await;
            }
        }
        Ok(())
    }
}

fn not_computed() -> Error {
    let message = "the figures of all instances could not be added up: that has panicked, or there is no thread for it";
    Error::new(ErrorKind::Io, Operation::Load, message)
}

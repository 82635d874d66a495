//! The metrics of one function: recording and reading.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::thread::LocalKey;
use std::time::{Duration, SystemTime};

use once_cell::race::OnceBox;

use crate::block::Blocks;
use crate::clock::{Clock, nanos};
use crate::counter::Writers;
#[cfg(feature = "prometheus")]
use crate::exemplars::ExemplarsRead;
use crate::gauges::Gauges;
use crate::labels::{ErrorLabel, NearResult, Operation, RemovalCause, StaleUse};
use crate::local::Local;
use crate::options::MetricsOptions;
use crate::past::{KnownPast, Life, Past};
use crate::per_process::{PerProcess, copied};
use crate::sampling::{Sampled, SamplingRate};
use crate::shared::SharedCounters;
use crate::slot::{LocalSlot, attach};
use crate::snapshot::{Activity, Snapshot};
use crate::stats::{Lookups, Stats};
use crate::sync::{Mutex, MutexGuard, lock};
use crate::ticker;
use crate::windows::{Earlier, Windows};

/// The metrics of one cached function: exact counters, sampled timings, and windows over all of them.
///
/// Memory: 1.6 KB per thread that calls, left to the next one when it ends; 12 KB for timed hits, up to eight times that where
/// threads add theirs all the time; 6 KB per kind of observed duration. The windows keep what was counted between some 225
/// moments of the last day, in 100 KB for a busy function and next to nothing for an idle one.
///
/// ```
/// # use cachier_metrics::{CacheMetrics, MetricsOptions, Outcome};
/// let metrics = CacheMetrics::create(MetricsOptions::new("forecast", "memory"));
/// # metrics.start_call(None, None).finish(Outcome::Hit, None, None);
/// # metrics.start_call(None, None).finish(Outcome::Miss, None, None);
/// // One call is a hit, another one a miss.
/// assert_eq!(metrics.stats().hit_rate(), Some(0.5));
/// ```
pub struct CacheMetrics {
    name: String,
    backend: String,
    settings: Vec<(&'static str, String)>,
    rate: SamplingRate,
    clock: Clock,
    pub(crate) blocks: Blocks,
    pub(crate) shared: SharedCounters,
    /// A child process begins to count with its first operation other than a hit.
    history: PerProcess<Mutex<History>>,
    gauges: PerProcess<Mutex<Option<Arc<GaugeSource>>>>,
    /// What processes that have ended counted, once that has been read.
    pub(crate) past: KnownPast,
}

type GaugeSource = dyn Fn() -> Gauges + Send + Sync;

/// Old states, and the latest one as long as nothing changes.
pub(crate) struct History {
    /// When counting began in this process.
    begun: u64,
    begun_wall: SystemTime,
    inherited: Option<Inherited>,
    windows: Windows,
    latest: Arc<Snapshot>,
    latest_activity: u64,
}

/// Counts inherited from the parent process, to be subtracted.
#[derive(Clone)]
struct Inherited {
    counts: Arc<Snapshot>,
    inflight_calls: u64,
    waiting_calls: u64,
}

impl History {
    /// What this process has counted, of all that has been.
    fn own(&self, latest: &Arc<Snapshot>) -> Snapshot {
        match &self.inherited {
            Some(inherited) => latest.since(&inherited.counts),
            None => (**latest).clone(),
        }
    }
}

/// Recording: for those who run cached functions, not for those who read their figures.
#[doc(hidden)]
impl CacheMetrics {
    /// The handle for counting hits on this thread, once [`local`](Self::local) has created it.
    ///
    /// ```
    /// use cachier_metrics::{CacheMetrics, LocalSlot, MetricsOptions};
    ///
    /// thread_local! {
    ///     static SLOT: LocalSlot = const { LocalSlot::new() };
    /// }
    ///
    /// let metrics = CacheMetrics::create(MetricsOptions::new("forecast", "memory"));
    /// assert!(metrics.attached(&SLOT).is_none());
    /// metrics.local(&SLOT).hit();
    /// assert!(metrics.attached(&SLOT).is_some());
    /// ```
    #[inline]
    pub fn attached(&'static self, slot: &'static LocalKey<LocalSlot>) -> Option<Local> {
        let block = slot.with(LocalSlot::get)?;
        let is_ours = block.owned_by(&self.blocks);
        is_ours.then(|| Local::of(block, Writers::One))
    }

    /// The handle for counting hits on this thread. Functions may share a `slot`, at the price of a search whenever a
    /// thread changes between them.
    #[inline]
    pub fn local(&'static self, slot: &'static LocalKey<LocalSlot>) -> Local {
        let attached = self.attached(slot);
        attached.unwrap_or_else(|| {
            self.counting();
            let (block, writers) = attach(&self.blocks, slot);
            Local::of(block, writers)
        })
    }

    /// Records the serialized size of a stored value, if sampled.
    pub fn stored(&self, bytes: u64, sampled: Option<Sampled>) {
        if let Some(sampled) = sampled {
            self.shared.entry_size.record(bytes, sampled.weight());
        }
    }

    /// Counts a lookup that found a stale entry.
    pub fn stale_found(&self, used: StaleUse) {
        self.shared.stale_hits.add(used, 1);
    }

    /// Counts a stale value that was served without an attempt to recompute it, because of `retry_after`.
    pub fn refresh_suppressed(&self) {
        self.shared.refreshes_suppressed.add(1, Writers::Many);
    }

    /// Counts a wait ended by `wait_for_calc_timeout`.
    pub fn wait_timeout(&self) {
        self.shared.wait_timeouts.add(1, Writers::Many);
    }

    /// Counts a computation whose lease had gone when its value was to be stored.
    pub fn lease_lost(&self) {
        self.shared.leases_lost.add(1, Writers::Many);
    }

    /// Counts a value of this size that was not stored because it was too large.
    pub fn rejected(&self, bytes: u64) {
        self.shared.rejected_bytes.add(bytes, Writers::Many);
        self.shared.size_limit_rejections.add(1, Writers::Many);
    }

    /// Counts removed entries.
    pub fn removed(&self, cause: RemovalCause, entries: u64) {
        self.shared.removals.add(cause, entries);
    }

    /// Counts a failure of the backend.
    pub fn backend_error(&self, operation: Operation, kind: ErrorLabel) {
        self.shared.backend_errors[operation].add(kind, 1);
    }

    /// Counts a lookup in the near tier; [`Local::near_hit`] does it for the hit path.
    pub fn near_lookup(&self, result: NearResult) {
        self.shared.near_lookups.add(result, 1);
    }

    /// Sets the source of gauges. It is called for every snapshot, so it must not wait.
    pub fn set_gauges(&self, source: Box<dyn Fn() -> Gauges + Send + Sync>) {
        *lock(self.gauges.get(copied)) = Some(Arc::from(source));
    }
}

/// Reading.
impl CacheMetrics {
    /// The function's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The backend's name.
    pub fn backend(&self) -> &str {
        &self.backend
    }

    /// What the program has set for the function: names and values.
    pub fn settings(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.settings.iter().map(|(name, value)| (*name, &**value))
    }

    /// The share of calls that are timed, from 0 to 1: the rate of the attribute or, where that is
    /// [`AUTO`](SamplingRate::AUTO), the share so far.
    pub fn sampling_rate(&self) -> f64 {
        self.sampling_rate_in(|| self.snapshot().timed_share())
    }

    /// When counting began; in a child process, with its first operation other than a hit.
    pub fn start_time(&self) -> SystemTime {
        self.history().begun_wall
    }

    /// The figures since the beginning, or since the last [`reset`](Self::reset).
    ///
    /// Never waits. The size of a shared backend is therefore as of the last query, and absent before the first;
    /// reading it triggers a query in the background if the last is more than ten seconds old. The companion's
    /// `usage()` queries at once.
    #[doc(alias = "get_stats")]
    pub fn stats(&self) -> Stats {
        Stats::from(&self.difference(|windows, _| windows.start()))
    }

    /// The figures of the last `window`.
    #[doc(alias = "get_stats")]
    pub fn stats_over(&self, window: Duration) -> Stats {
        Stats::from(&self.snapshot_over(window))
    }

    /// The figures of the last `window`, mergeable.
    ///
    /// The window begins up to a fifteenth of its length, or a second, too early: [`Snapshot::covers`] tells its
    /// length. A window longer than a day, or than the time since the beginning, begins there.
    ///
    /// Where figures are kept over restarts, a window that is longer than this process has lived goes on in the figures of
    /// earlier ones: by minutes, of more than an hour ago by quarters, and of more than four by hours. It covers only the
    /// time in which a process counted.
    pub fn snapshot_over(&self, window: Duration) -> Snapshot {
        let begin = |now: u64| now.saturating_sub(nanos(window));
        let mut snapshot = self.difference(|windows, now| windows.before(begin(now)));
        if let Some((past, time)) = self.before(window) {
            past.add_within(&time, &mut snapshot);
        }
        snapshot
    }

    /// The figures since the beginning, unaffected by resets: its counters never fall.
    pub fn snapshot(&self) -> Snapshot {
        self.snapshot_with([]).0
    }

    /// [`snapshot`](Self::snapshot), and the lookups of the last `windows`, all at one moment.
    pub(crate) fn snapshot_with<const N: usize>(
        &self,
        windows: [Duration; N],
    ) -> (Snapshot, [Lookups; N]) {
        let now = self.clock.now();
        let mut history = self.history();
        let latest = self.rotate(&mut history, now);
        let lookups = windows.map(|window| {
            let earlier = now.saturating_sub(nanos(window));
            Lookups::since(&latest.calls, history.windows.calls_before(earlier))
        });
        let (begun, own) = (history.begun, history.own(&latest));
        drop(history);
        let lookups = std::array::from_fn(|place| {
            let past = self.before(windows[place]);
            let past = past.map(|(past, time)| past.lookups_within(&time));
            past.into_iter().chain([lookups[place]]).sum()
        });
        (self.complete(own, now, begun), lookups)
    }

    /// [`snapshot`](Self::snapshot) without what only a moment has: it asks no store for its size.
    pub(crate) fn counts(&self) -> Snapshot {
        let now = self.clock.now();
        let mut history = self.history();
        let latest = self.rotate(&mut history, now);
        self.covering(history.own(&latest), now, history.begun)
    }

    /// The counts of each of the last `count` steps of time, the oldest first; `None` where unknown.
    #[cfg(feature = "prometheus")]
    pub(crate) fn series(&self, step: Duration, count: u64) -> Vec<Option<Snapshot>> {
        let now = self.clock.now();
        let mut history = self.history();
        self.rotate(&mut history, now);
        let steps = history.windows.series(now, nanos(step), count);
        // Others need not wait for the sums.
        drop(history);
        let steps = steps.into_iter();
        steps
            .map(|counted| counted.map(|counted| counted.snapshot()))
            .collect()
    }

    /// The latest exemplars of its calls.
    #[cfg(feature = "prometheus")]
    pub(crate) fn exemplars(&self) -> ExemplarsRead {
        self.blocks.exemplars.read()
    }

    /// Begins anew: for [`stats`](Self::stats) and the windows, not for [`snapshot`](Self::snapshot). Where figures are kept
    /// over restarts, windows forget what earlier processes counted too, and those of later processes begin here; a
    /// [lifetime](Self::lifetime) goes on.
    pub fn reset(&self) {
        let now = self.clock.now();
        let mut history = self.history();
        let latest = self.rotate(&mut history, now);
        history.windows = Windows::starting(now, latest);
        drop(history);
        self.past.forget_until(self.clock.wall());
    }

    /// Keeps the state of now for the windows. The ticker of the process does it each second for listed functions on
    /// the system clock; others call it after advancing their clock. Reading does it too.
    pub fn tick(&self) {
        self.rotate(&mut self.history(), self.clock.now());
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    pub(crate) fn sampling(&self) -> SamplingRate {
        self.rate
    }

    /// The share of timed calls, if need be as what was timed.
    pub(crate) fn sampling_rate_in(&self, timed_share: impl Fn() -> f64) -> f64 {
        self.rate.get().unwrap_or_else(timed_share)
    }
}

impl CacheMetrics {
    pub(crate) fn new(options: MetricsOptions) -> Self {
        let metrics = Self {
            name: options.function,
            backend: options.backend,
            settings: options.settings,
            rate: options.sampling,
            clock: options.clock,
            blocks: Blocks::new(options.sampling),
            shared: SharedCounters::new(),
            history: PerProcess::new(),
            gauges: PerProcess::new(),
            past: KnownPast::new(),
        };
        metrics.counting();
        metrics
    }

    fn history(&self) -> MutexGuard<'_, History> {
        lock(self.counting())
    }

    /// The history of this process, which counts from now on.
    pub(crate) fn counting(&self) -> &Mutex<History> {
        self.history
            .get(|before| Mutex::new(self.begin(before.is_some())))
    }

    /// Begins to count in a process, perhaps in a child of the one that has counted so far.
    fn begin(&self, is_child: bool) -> History {
        let (begun, begun_wall) = (self.clock.now(), self.clock.wall());
        let latest = match is_child {
            true => Arc::new(self.read()),
            false => nothing(),
        };
        let inherited = is_child.then(|| Inherited {
            counts: Arc::clone(&latest),
            inflight_calls: self.shared.inflight_calls.get(),
            waiting_calls: self.shared.waiting_calls.get(),
        });
        if is_child && self.clock.is_system() {
            ticker::start();
        }
        History {
            begun,
            begun_wall,
            inherited,
            windows: Windows::starting(begun, Arc::clone(&latest)),
            latest,
            latest_activity: 0,
        }
    }

    /// What there is before this process, if a window reaches there, and when that begins.
    fn before(&self, window: Duration) -> Option<(Arc<Past>, Range<u64>)> {
        let (begun, begun_wall) = {
            let history = self.history();
            (history.begun, history.begun_wall)
        };
        let life = Life {
            begun: begun_wall,
            now: self.clock.wall(),
            lived: Duration::from_nanos(self.clock.now().saturating_sub(begun)),
        };
        self.past.before(life, window)
    }

    /// The figures since the state that `choose` finds among the kept ones.
    fn difference(&self, choose: impl Fn(&Windows, u64) -> Earlier) -> Snapshot {
        let now = self.clock.now();
        let mut history = self.history();
        let latest = self.rotate(&mut history, now);
        let earlier = choose(&history.windows, now);
        // Others need not wait for the sum.
        drop(history);
        let at = earlier.at;
        self.complete(latest.since(&earlier.snapshot()), now, at)
    }

    /// The cumulative state of now, kept for the windows. Costs next to nothing when nothing has happened.
    fn rotate(&self, history: &mut History, now: u64) -> Arc<Snapshot> {
        let activity = self.shared.activity();
        let activity = activity.wrapping_add(self.blocks.activity());
        if activity != history.latest_activity {
            let mut latest = self.read();
            latest.raise_to(&history.latest);
            history.latest = Arc::new(latest);
            history.latest_activity = activity;
        }
        history.windows.push(now, &history.latest);
        Arc::clone(&history.latest)
    }

    /// Adds what only a moment has: gauges, and the time covered.
    fn complete(&self, snapshot: Snapshot, now: u64, since: u64) -> Snapshot {
        let mut snapshot = self.covering(snapshot, now, since);
        let source = lock(self.gauges.get(copied)).clone();
        snapshot.gauges = source.map(|source| source()).unwrap_or_default();
        snapshot.activity = self.activity(now);
        snapshot
    }

    fn covering(&self, mut snapshot: Snapshot, now: u64, since: u64) -> Snapshot {
        snapshot.covers = Duration::from_nanos(now.saturating_sub(since));
        snapshot.time_saved =
            (self.rate != SamplingRate::NONE).then(|| snapshot.time_saved.unwrap_or(0));
        snapshot
    }

    /// The current activity in this process.
    fn activity(&self, now: u64) -> Activity {
        let (shared, history) = (&self.shared, self.history());
        let (begun, inherited) = (history.begun, history.inherited.clone());
        drop(history);
        let (calls, waiting) = inherited.as_ref().map_or((0, 0), |inherited| {
            (inherited.inflight_calls, inherited.waiting_calls)
        });
        let is_own = |start: &u64| inherited.is_none() || *start >= begun;
        Activity {
            inflight_calls: shared.inflight_calls.get().saturating_sub(calls),
            inflight_computations: match inherited {
                Some(_) => shared.running.starts().filter(is_own).count() as u64,
                None => shared.running.count(),
            },
            waiting_calls: shared.waiting_calls.get().saturating_sub(waiting),
            oldest_computation: shared
                .running
                .starts()
                .filter(is_own)
                .min()
                .map(|start| Duration::from_nanos(now.saturating_sub(start))),
        }
    }

    /// The sum of everything counted so far.
    fn read(&self) -> Snapshot {
        let mut snapshot = self.shared.read();
        self.blocks.add_to(&mut snapshot);
        snapshot
    }
}

/// The empty snapshot with which all functions begin, shared by them.
fn nothing() -> Arc<Snapshot> {
    static NOTHING: OnceBox<Arc<Snapshot>> = OnceBox::new();
    Arc::clone(NOTHING.get_or_init(Box::default))
}

impl fmt::Debug for CacheMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CacheMetrics")
            .field("name", &self.name)
            .field("backend", &self.backend)
            .finish_non_exhaustive()
    }
}

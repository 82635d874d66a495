//! Publishing and reading, as programs call them.

use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread;
use std::time::Duration;

use cachier_backends::process::PerProcess;
use cachier_backends::{Error, ErrorKind, Operation};
use cachier_metrics::{ClusterStats, set_tick_listener};

use super::member::Member;
use super::metrics_store::MetricsStore;
use crate::background::{WorkerPool, run_on_thread};
use crate::block_on::block_on;
use crate::context::{self, Context};
use crate::options::{Options, Policy};

/// The instances of this process: one for the program, one for each isolated test that publishes.
static MEMBERS: PerProcess<Mutex<Vec<Running>>> = PerProcess::new(inherited);

struct Running {
    member: Arc<Member>,
    /// Dropped to end its thread.
    _until_dropped: Sender<Infallible>,
}

/// A shorter interval would publish without a pause.
const MIN_INTERVAL: Duration = Duration::from_millis(10);
/// Readers wait for three of them before they miss an instance.
const MAX_INTERVAL: Duration = Duration::from_secs(24 * 3600);

/// Publishes the figures of all functions of this process in each interval, in a backend that the processes share, for
/// [`cluster_stats`] to read those of all.
///
/// A publication is one request, and has what has changed since the last. The figures are those since the start of the
/// process; each start, and each forked child, is an instance of its own. Where the store is down or slow, publishing waits or
/// fails by itself: it passes no circuit breaker, and no call waits for it. What could not be stored is part of the next
/// publication. [`flush`](crate::flush) publishes once more, for programs that end.
///
/// Instances of different [namespaces](crate::GlobalParams::namespace) do not see each other. Called again, it replaces what
/// it was told before; for another backend or namespace, as another instance.
///
/// ```
/// # #[cfg(feature = "file")] {
/// use std::time::Duration;
/// use cachier::FileBackend;
///
/// # let folder = std::env::temp_dir().join(format!("cachier-doc-cluster-{}", std::process::id()));
/// cachier::register_backend("shared", FileBackend::new(&folder))?;
/// cachier::publish_metrics("shared", Duration::from_secs(10))?;
/// cachier::flush();
/// let cluster = cachier::cluster_stats()?;
/// assert_eq!(cluster.live_instances(), 1);
/// println!("{cluster}"); // a table of functions, over all instances
/// # let _ = std::fs::remove_dir_all(folder);
/// # }
/// # Ok::<(), cachier::Error>(())
/// ```
///
/// # Errors
/// [`ErrorKind::NotRegistered`] if this program has no backend of that name, or if a thread cannot start. Whether the store
/// can be reached shows later.
pub fn publish_metrics(backend: &str, interval: Duration) -> Result<(), Error> {
    let context = context::current();
    let policy = Policy::resolve(&Options::new(), &context.params());
    let handle = context.backends.open(backend, &policy, &[])?;
    let store = MetricsStore::new(handle, policy.namespace());
    let interval = interval.clamp(MIN_INTERVAL, MAX_INTERVAL);
    let mut members = members();
    let mut known = members.iter().map(|running| &running.member);
    let member = match known.find(|known| known.view.context.id == context.id) {
        // As another instance it would count everything once more.
        Some(known) if known.view.store.is(&store) => known.in_intervals(interval),
        _ => Member::new(context, interval, store),
    };
    let running = Running::start(member)?;
    members.retain(|known| known.member.view.context.id != context.id);
    members.push(running);
    drop(members);
    // A forked child starts its own thread with its first tick.
    set_tick_listener(|| drop(self::members()));
    Ok(())
}

/// The figures of all instances that publish to the same backend and namespace, added up: sums first, then ratios and
/// quantiles. The store is read at most once per interval, for all callers.
///
/// An instance that publishes no more leaves the live ones after three intervals, and stays in the sums.
///
/// Blocks the thread until all are read, which takes two requests for each. In a task use [`cluster_stats_async`].
///
/// ```no_run
/// # fn main() -> Result<(), cachier::Error> {
/// cachier::publish_metrics("redis", std::time::Duration::from_secs(10))?;
/// let cluster = cachier::cluster_stats()?;
/// println!("{:?} of {} instances", cluster.total().hit_rate(), cluster.live_instances());
/// for instance in &cluster.instances {
///     println!("{} {:?}", instance.id, instance.age);
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`ErrorKind::NotRegistered`] before [`publish_metrics`], and whatever the store fails with.
pub fn cluster_stats() -> Result<Arc<ClusterStats>, Error> {
    block_on(cluster_stats_async())
}

/// [`cluster_stats`], without blocking the thread.
///
/// ```no_run
/// # async fn show() -> Result<(), cachier::Error> {
/// println!("{}", cachier::cluster_stats_async().await?);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// As [`cluster_stats`].
pub async fn cluster_stats_async() -> Result<Arc<ClusterStats>, Error> {
    let Some(member) = member_of(context::current()) else {
        let message = "this program does not know where instances publish their figures";
        return Err(
            Error::new(ErrorKind::NotRegistered, Operation::Load, message)
                .with_hint("call `cachier::publish_metrics` first"),
        );
    };
    member.view.stats().await
}

/// Publishes once, as part of the work that a flush waits for.
pub(crate) fn publish_on_flush(context: &'static Context) {
    if let Some(member) = member_of(context) {
        run_on_thread(context, WorkerPool::Figures, move || member.publish());
    }
}

fn member_of(context: &Context) -> Option<Arc<Member>> {
    let members = members();
    let mut members = members.iter();
    let found = members.find(|running| running.member.view.context.id == context.id)?;
    Some(Arc::clone(&found.member))
}

fn members() -> MutexGuard<'static, Vec<Running>> {
    MEMBERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A forked child publishes as its parent did, unless the parent was changing its settings.
fn inherited(parent: Option<&Mutex<Vec<Running>>>) -> Mutex<Vec<Running>> {
    let of_parent = parent.map(Mutex::try_lock);
    let members = match &of_parent {
        Some(Ok(members)) => members.as_slice(),
        Some(Err(TryLockError::Poisoned(members))) => members.get_ref().as_slice(),
        Some(Err(TryLockError::WouldBlock)) | None => &[],
    };
    let started = members
        .iter()
        .map(|parent| Running::start(parent.member.again()));
    Mutex::new(started.flatten().collect())
}

impl Running {
    fn start(member: Arc<Member>) -> Result<Self, Error> {
        let (until_dropped, dropped) = channel::<Infallible>();
        let (thread, own) = (thread::Builder::new(), Arc::clone(&member));
        let started = thread.name("cachier-publisher".to_owned()).spawn(move || {
            loop {
                // The thread survives a panic in a backend of the program.
                let _ = catch_unwind(AssertUnwindSafe(|| own.publish()));
                if dropped.recv_timeout(own.view.interval) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
            }
        });
        match started {
            Ok(_) => Ok(Self {
                member,
                _until_dropped: until_dropped,
            }),
            Err(error) => {
                let message = format!("no thread `cachier-publisher` could be started: {error}");
                Err(Error::new(ErrorKind::Io, Operation::Store, message))
            }
        }
    }
}

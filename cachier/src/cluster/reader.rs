//! Reading the figures of a cluster without being part of it.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use cachier_backends::Error;
use cachier_metrics::{Cluster, ClusterFigures, ClusterStats};

use super::metrics_store::MetricsStore;
use super::reading::timed_out;
use crate::block_on::block_on;
use crate::context;
use crate::options::{Options, Policy};
use crate::timer::Timer;

/// Reads the figures that instances [publish](crate::publish_metrics) in a backend, without being one of them: for tools.
///
/// It changes nothing in the store, and reads whenever it is asked. One that is kept knows the ages of publications, from the
/// second time on that it sees an instance; programs that publish themselves have [`cluster_stats`](crate::cluster_stats).
///
/// ```
/// # #[cfg(feature = "file")] {
/// use cachier::{ClusterReader, FileBackend};
///
/// # let folder = std::env::temp_dir().join(format!("cachier-doc-reader-{}", std::process::id()));
/// cachier::register_backend("cluster", FileBackend::new(&folder))?;
/// let reader = ClusterReader::new("cluster")?;
/// assert_eq!(reader.stats()?.live_instances(), 0);
/// # let _ = std::fs::remove_dir_all(folder);
/// # }
/// # Ok::<(), cachier::Error>(())
/// ```
pub struct ClusterReader {
    store: MetricsStore,
    /// What has been read so far.
    cluster: Mutex<Cluster>,
}

/// The time limit for reading all instances.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

impl ClusterReader {
    /// One for the instances of this [namespace](crate::GlobalParams::namespace) in a backend of this name.
    ///
    /// # Errors
    /// [`ErrorKind::NotRegistered`](crate::ErrorKind::NotRegistered) for a name that this program has no backend of.
    pub fn new(backend: &str) -> Result<Self, Error> {
        let context = context::current();
        let policy = Policy::resolve(&Options::new(), &context.params());
        let handle = context.backends.open(backend, &policy, &[])?;
        Ok(Self {
            store: MetricsStore::new(handle, policy.namespace()),
            cluster: Mutex::default(),
        })
    }

    /// The figures of all instances, added up. Blocks the thread until they are read, for a minute at most.
    ///
    /// # Errors
    /// Whatever the store fails with.
    pub fn stats(&self) -> Result<ClusterStats, Error> {
        self.figures().map(|figures| ClusterStats::from(&figures))
    }

    /// The same, in the form that the program `cachier` shows.
    ///
    /// # Errors
    /// As [`stats`](Self::stats).
    #[doc(hidden)]
    pub fn figures(&self) -> Result<ClusterFigures, Error> {
        let mut cluster = self.cluster.lock().unwrap_or_else(PoisonError::into_inner);
        let read = self.store.read_into(&mut cluster);
        let read = Timer::system().timeout(Some(READ_TIMEOUT), read);
        block_on(read).unwrap_or_else(|| Err(timed_out()))?;
        Ok(cluster.merge(Timer::system().now()))
    }
}

impl fmt::Debug for ClusterReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClusterReader").finish_non_exhaustive()
    }
}

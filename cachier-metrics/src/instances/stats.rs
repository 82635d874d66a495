//! The figures of many instances, for people and programs.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::cluster::{ClusterFigures, InstanceState};
use crate::stats::Stats;
use crate::stores::StoreFigures;
use crate::table::StatsTable;

/// The figures of all instances that share a store of metrics. `Display` is a table, with the instances below.
///
/// Counts and durations are sums over all instances since their starts, ended ones among them; ratios and quantiles are those
/// of the sums. Sizes and activity are those of the live instances: an entry in a shared store counts once.
///
/// ```
/// use cachier_metrics::ClusterStats;
///
/// fn show(cluster: &ClusterStats) {
///     println!("{:?} of {} instances", cluster.total().hit_rate(), cluster.live_instances());
///     println!("{cluster}");
/// }
///
/// show(&ClusterStats::default());
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ClusterStats {
    /// The figures of each function, by its name, over all instances.
    pub functions: StatsTable,
    /// The figures of each store that they use: requests and connections are sums, and a breaker is open where that of any
    /// instance is.
    pub stores: Vec<StoreFigures>,
    /// The instances, most recently heard of first; instances that are silent for long are only in the sums.
    pub instances: Vec<InstanceStats>,
    /// How many ended instances are included in the sums.
    pub ended_instances: u64,
    /// How many publications could not be read: damaged, or of a newer version of cachier.
    pub unreadable: u64,
}

/// One instance: a process from its start to its end.
///
/// ```
/// use cachier_metrics::ClusterStats;
///
/// fn oldest(cluster: &ClusterStats) -> Option<&str> {
///     let live = cluster.instances.iter().filter(|instance| instance.is_live);
///     live.min_by_key(|instance| instance.started).map(|oldest| &*oldest.id)
/// }
///
/// assert_eq!(oldest(&ClusterStats::default()), None);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InstanceStats {
    /// 32 hexadecimal digits, random for each start.
    pub id: String,
    /// Whether it has published within its last three intervals, as far as this program can tell.
    pub is_live: bool,
    /// The age of the figures in the sums, to within an interval; absent for an instance that has not
    /// published since this program first looked.
    pub age: Option<Duration>,
    /// When it began to count, by its own clock.
    pub started: SystemTime,
    /// The time between two of its publications.
    pub interval: Duration,
}

impl ClusterStats {
    /// All functions together.
    #[must_use]
    pub fn total(&self) -> Stats {
        self.functions.total()
    }

    /// How many instances live.
    #[must_use]
    pub fn live_instances(&self) -> usize {
        let live = self.instances.iter().filter(|instance| instance.is_live);
        live.count()
    }
}

impl From<&ClusterFigures> for ClusterStats {
    fn from(cluster: &ClusterFigures) -> Self {
        let functions = cluster.figures.functions.iter();
        let functions =
            functions.map(|((function, _), figures)| (function.as_str(), figures.snapshot.clone()));
        Self {
            functions: functions.collect(),
            stores: cluster.figures.stores.values().cloned().collect(),
            instances: cluster.instances.iter().map(InstanceStats::from).collect(),
            ended_instances: cluster.ended_instances,
            unreadable: cluster.unreadable,
        }
    }
}

impl From<&InstanceState> for InstanceStats {
    fn from(state: &InstanceState) -> Self {
        Self {
            id: state.header.instance.to_string(),
            is_live: state.is_live,
            age: state.age,
            started: UNIX_EPOCH + Duration::from_nanos(state.header.started),
            interval: state.header.interval,
        }
    }
}

impl fmt::Display for ClusterStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let silent = self.instances.len() - self.live_instances();
        let ended = self.ended_instances;
        write!(f, "instances: {} live, ", self.live_instances())?;
        write!(f, "{silent} silent, {ended} ended before")?;
        if self.unreadable > 0 {
            write!(f, "; {} could not be read", self.unreadable)?;
        }
        writeln!(f)?;
        self.functions.fmt(f)?;
        for store in &self.stores {
            let requests: u64 = store.round_trips.iter().map(|(_, count)| count).sum();
            write!(f, "{} {}: {requests} requests", store.backend, store.store)?;
            if let (Some(busy), Some(max)) = (store.busy_connections, store.max_connections) {
                write!(f, ", {busy} of {max} connections in use")?;
            }
            let breaker = match store.breaker_open {
                true => ", breaker open",
                false => "",
            };
            writeln!(f, "{breaker}")?;
        }
        Ok(())
    }
}

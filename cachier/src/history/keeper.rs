//! One instance in a folder of figures: it writes its own figures, and folds those of ended instances.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use cachier_metrics::{
    CacheMetrics, Header, History, InstanceFigures, InstanceHistory, InstanceId,
};

use super::folder::{Folder, Lock, Problem, Stamp};
use crate::environment::CacheMode;

/// This process as an instance. Its trail is kept in the folder only.
pub(super) struct Keeper {
    folder: Folder,
    header: Header,
    begun: Instant,
    /// Which file of ended instances functions were last told of, how many functions, and when.
    stamp: Stamp,
    told: usize,
    told_at: Duration,
}

/// The time between two writes, which is the most that can be lost.
pub(super) const INTERVAL: Duration = Duration::from_secs(10);
/// How many writes pass between two writes of the trail and two looks at other instances.
const TRAIL_WRITES: u64 = 6;
/// How often functions are told again: what they know of ended instances takes less room as it gets older.
const TELL_INTERVAL: Duration = Duration::from_secs(3600);

impl Keeper {
    /// A new instance in a folder, with the lock that shows that it lives.
    pub(super) fn start(path: &Path, mode: CacheMode) -> io::Result<(Self, Lock)> {
        let folder = Folder::open(path, mode)?;
        let instance = InstanceId::random();
        let coming = folder.lock_ended()?;
        let lock = folder.lock_instance(instance);
        coming.unlock();
        let lock = lock?.ok_or_else(|| io::Error::other("two instances of one id"))?;
        let keeper = Self {
            folder,
            header: Header {
                instance,
                epoch: 0,
                sequence: 0,
                started: since_1970(),
                uptime: Duration::ZERO,
                interval: INTERVAL,
            },
            begun: Instant::now(),
            stamp: None,
            told: 0,
            told_at: Duration::ZERO,
        };
        Ok((keeper, lock))
    }

    /// Where figures are kept.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What a person should know of, since the last time.
    pub(super) fn take_problems(&self) -> Vec<Problem> {
        self.folder.take_problems()
    }

    /// Writes this instance's figures, and reads those of ended ones. What is wrong with those keeps nobody from keeping its
    /// own, and is a problem only.
    pub(super) fn keep(&mut self) -> io::Result<()> {
        let functions = CacheMetrics::all();
        let is_time_for_more = self.header.sequence.is_multiple_of(TRAIL_WRITES);
        self.header.sequence += 1;
        self.header.uptime = self.begun.elapsed();
        let counted = InstanceHistory {
            header: self.header,
            until: since_1970(),
            figures: InstanceFigures::counted(functions.iter().copied()),
            ..InstanceHistory::starting(self.header)
        };
        let history = History::Instance(counted);
        self.folder.write(self.header.instance, &history)?;
        let mut own = Ok(());
        let mut others = Ok(());
        if is_time_for_more {
            others = self.fold();
            if let History::Instance(counted) = history {
                own = self.go_on(counted);
            }
        }
        let told = self.tell(&functions);
        if let Err(error) = others.and(told) {
            let text = format!("figures of ended instances cannot be counted: {error}");
            self.folder
                .met("figures of ended instances".to_owned(), text);
        }
        own
    }

    /// Adds what was counted to the trail in the folder.
    fn go_on(&self, counted: InstanceHistory) -> io::Result<()> {
        let mut trail = self.folder.read_trail(&counted)?;
        trail.go_on(counted);
        self.folder.write_trail(trail)
    }

    /// Adds newly ended instances to the earlier ones, and removes their files.
    fn fold(&mut self) -> io::Result<()> {
        let folding = self.folder.lock_ended()?;
        let folded = self.fold_locked();
        folding.unlock();
        folded
    }

    fn fold_locked(&mut self) -> io::Result<()> {
        let mut ended = self.folder.read_ended()?;
        let mut locks = Vec::new();
        let mut gone = BTreeSet::new();
        let found = self.folder.instances()?;
        for instance in found.iter().copied() {
            if instance == self.header.instance {
                continue;
            }
            let lock = match self.folder.lock_instance(instance) {
                Ok(Some(lock)) => lock,
                Ok(None) => continue,
                Err(error) => {
                    // The instance may still live, so it is left alone.
                    self.folder.met(instance.to_string(), error.to_string());
                    continue;
                }
            };
            match self.folder.read(instance) {
                Ok(Some(History::Instance(history))) => match self.folder.read_trail(&history) {
                    Ok(mut trail) => {
                        trail.go_on(history);
                        ended.fold(trail);
                    }
                    Err(error) => {
                        self.folder.met(instance.to_string(), error.to_string());
                        continue;
                    }
                },
                Ok(_) => {}
                // A newer version wrote this file, so programs of that version fold it.
                Err(_) => continue,
            }
            gone.insert(instance);
            locks.push(lock);
        }
        if !gone.is_empty() {
            ended.ledger.revision += 1;
            // Other tombstones are not needed: their files are gone.
            ended
                .ledger
                .keep_tombstones(|instance| found.contains(&instance));
            ended.thin(since_1970());
            self.folder.write_ended(ended)?;
            gone.iter()
                .for_each(|instance| self.folder.remove(*instance));
        }
        Ok(())
    }

    /// Tells functions what ended instances counted, if that has changed or there are new functions.
    fn tell(&mut self, functions: &[&'static CacheMetrics]) -> io::Result<()> {
        let stamp = self.folder.stamp();
        let is_news = stamp != self.stamp || self.told != functions.len() || self.told == 0;
        if !is_news && self.header.uptime < self.told_at + TELL_INTERVAL {
            return Ok(());
        }
        let mut ended = self.folder.read_ended()?;
        ended.thin(since_1970());
        let mut names = BTreeSet::new();
        for metrics in functions {
            // Functions that share a name count as one: only the first gets the past.
            if names.insert((metrics.name(), metrics.backend())) {
                metrics.set_past(ended.past_of(metrics.name(), metrics.backend()));
            }
        }
        (self.stamp, self.told, self.told_at) = (stamp, functions.len(), self.header.uptime);
        Ok(())
    }
}

fn since_1970() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    u64::try_from(since.unwrap_or_default().as_nanos()).unwrap_or(u64::MAX)
}

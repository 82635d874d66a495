//! One instance in a folder of figures: it keeps its own, and folds those of instances that have ended.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use cachier_metrics::{
    CacheMetrics, EndedHistory, Header, History, InstanceFigures, InstanceHistory, InstanceId,
    Step, Trail,
};

use super::folder::{Folder, Lock, Stamp};
use crate::environment::CacheMode;
use crate::problems;

/// This process as an instance.
pub(super) struct Keeper {
    folder: Folder,
    header: Header,
    begun: Instant,
    figures: InstanceFigures,
    trail: Trail,
    /// Up to when the trail goes, in nanoseconds since 1970.
    until: u64,
    /// What is known of ended instances, as of when, and how many functions know it.
    ended: EndedHistory,
    stamp: Stamp,
    told: usize,
}

/// The time between two writes: so much is lost at most.
pub(super) const INTERVAL: Duration = Duration::from_secs(10);
/// Others are looked at once in so many writes.
const FOLD_WRITES: u64 = 6;

impl Keeper {
    /// A new instance in a folder, with the lock that shows that it lives.
    pub(super) fn start(path: &Path, mode: CacheMode) -> io::Result<(Self, Lock)> {
        let folder = Folder::open(path, mode)?;
        let instance = InstanceId::random();
        let coming = folder.lock_ended()?;
        let lock = folder.lock_instance(instance);
        coming.unlock();
        let lock = lock?.ok_or_else(|| io::Error::other("two instances of one id"))?;
        let now = since_1970();
        let keeper = Self {
            folder,
            header: Header {
                instance,
                epoch: 0,
                sequence: 0,
                started: now,
                uptime: Duration::ZERO,
                interval: INTERVAL,
            },
            begun: Instant::now(),
            figures: InstanceFigures::default(),
            trail: Trail::default(),
            until: now,
            ended: EndedHistory::default(),
            stamp: None,
            told: 0,
        };
        Ok((keeper, lock))
    }

    /// Writes what has been counted by now, and reads what others have.
    pub(super) fn keep(&mut self) -> io::Result<()> {
        let functions = CacheMetrics::all();
        let is_time_to_fold = self.header.sequence.is_multiple_of(FOLD_WRITES);
        self.header.sequence += 1;
        self.count(InstanceFigures::counted(functions.iter().copied()));
        let history = History::Instance(InstanceHistory {
            header: self.header,
            figures: self.figures.clone(),
            trail: self.trail.clone(),
        });
        self.folder.write(self.header.instance, &history)?;
        if is_time_to_fold {
            self.fold()?;
        }
        self.tell(&functions)
    }

    fn count(&mut self, figures: InstanceFigures) {
        let (now, uptime) = (since_1970(), self.begun.elapsed());
        let passed = uptime.saturating_sub(self.header.uptime);
        let passed = u64::try_from(passed.as_nanos()).unwrap_or(u64::MAX);
        self.trail.add(Step {
            from: self.until.min(now),
            to: now,
            covered: passed.min(now.saturating_sub(self.until)),
            figures: figures.counted_since(&self.figures),
        });
        self.trail.thin(now);
        self.header.uptime = uptime;
        self.until = now;
        self.figures = figures;
    }

    /// Adds instances that have ended to those that had before, and removes their files.
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
        for instance in self.folder.instances()? {
            if instance == self.header.instance {
                continue;
            }
            let lock = match self.folder.lock_instance(instance) {
                Ok(Some(lock)) => lock,
                Ok(None) => continue,
                Err(error) => {
                    // It may live: it is left alone.
                    problems::report(&instance.to_string(), &error.to_string());
                    continue;
                }
            };
            match self.folder.read(instance) {
                Ok(Some(History::Instance(history))) => ended.fold(history),
                Ok(_) => {}
                // It is left to programs of its version.
                Err(_) => continue,
            }
            gone.insert(instance);
            locks.push(lock);
        }
        if !gone.is_empty() {
            ended.ledger.revision += 1;
            // Those of others have no files that could be met again.
            ended
                .ledger
                .keep_tombstones(|instance| gone.contains(&instance));
            ended.trail.thin(since_1970());
            self.folder.write_ended(ended)?;
            gone.iter()
                .for_each(|instance| self.folder.remove(*instance));
        }
        Ok(())
    }

    /// Tells functions what ended instances have counted, once that has changed or there are more functions.
    fn tell(&mut self, functions: &[&'static CacheMetrics]) -> io::Result<()> {
        let stamp = self.folder.stamp();
        if self.told > 0 && stamp == self.stamp && self.told == functions.len() {
            return Ok(());
        }
        if stamp != self.stamp {
            self.ended = self.folder.read_ended()?;
            self.stamp = stamp;
        }
        let mut names = BTreeSet::new();
        for metrics in functions {
            // Functions of one name are one: the first of them has what is known.
            if names.insert((metrics.name(), metrics.backend())) {
                metrics.set_past(self.ended.past_of(metrics.name(), metrics.backend()));
            }
        }
        self.told = functions.len();
        Ok(())
    }
}

fn since_1970() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    u64::try_from(since.unwrap_or_default().as_nanos()).unwrap_or(u64::MAX)
}

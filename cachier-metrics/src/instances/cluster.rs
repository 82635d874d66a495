//! The merged figures of many instances, from the publications that have come in, in any order.

use std::collections::BTreeMap;
use std::time::Duration;

use super::figures::InstanceFigures;
use super::ledger::{Ledger, Tombstone};
use super::publication::{Header, InstanceId, Publication, Unreadable};
use super::stores;
use crate::gauges::Gauges;
use crate::snapshot::Activity;

/// The publications of many instances, and the ledger of their group.
///
/// Of each epoch of an instance the highest sequence number counts, so that publications may come twice, late, and in any
/// order. Instances are merged one at a time by [`merge`](Self::merge), which takes no lock and never waits.
#[derive(Clone, Debug, Default)]
pub struct Cluster {
    epochs: BTreeMap<(InstanceId, u32), Epoch>,
    ledger: Ledger,
    unreadable: u64,
}

/// What is known of one epoch of an instance.
#[derive(Clone, Debug, Default)]
struct Epoch {
    full: Option<Publication>,
    /// By the full publication that they change: for the known one, and for later ones that have not come yet.
    changes: BTreeMap<u64, Publication>,
    /// The last sequence number seen, and when it rose.
    seen: Option<Seen>,
}

/// When a sequence number rose, by the reader's clock.
#[derive(Clone, Copy, Debug)]
struct Seen {
    sequence: u64,
    at: u64,
    /// False for the first number seen, which may have been there for long.
    has_risen: bool,
}

/// The figures of all instances together.
#[derive(Clone, Debug, Default)]
pub struct ClusterFigures {
    /// Sums over all instances, including ended ones; current values are those of live instances only.
    pub figures: InstanceFigures,
    /// The instances that have not been folded, each by its latest epoch.
    pub instances: Vec<InstanceState>,
    /// How many ended instances are included in the sums.
    pub ended_instances: u64,
    /// How many publications could not be read, or are of a newer version.
    pub unreadable: u64,
}

/// An instance as its publications show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InstanceState {
    /// The head of its latest publication.
    pub header: Header,
    /// How long ago it came; `None` until the reader has seen the sequence number rise.
    pub age: Option<Duration>,
    /// Whether it still publishes: false after three intervals without a new publication.
    pub is_live: bool,
}

/// An instance that publishes no more leaves the live view after this many intervals.
const LIVE_INTERVALS: u32 = 3;

impl Cluster {
    /// Takes a publication that came in at `now`, in nanoseconds of the reader's own monotonic clock.
    ///
    /// # Errors
    /// When the bytes are damaged, or of a newer version: they are counted and passed over.
    pub fn add(&mut self, publication: &[u8], now: u64) -> Result<(), Unreadable> {
        let publication = Publication::read(publication).inspect_err(|_| self.unreadable += 1)?;
        let Header {
            instance, epoch, ..
        } = publication.header;
        let known = self.epochs.entry((instance, epoch)).or_default();
        known.add(publication);
        known.notice(now);
        Ok(())
    }

    /// Takes a ledger, unless a later one is known.
    ///
    /// # Errors
    /// When the bytes are damaged, or of a newer version.
    pub fn add_ledger(&mut self, ledger: &[u8]) -> Result<(), Unreadable> {
        let ledger = Ledger::read(ledger).inspect_err(|_| self.unreadable += 1)?;
        if ledger.revision >= self.ledger.revision {
            self.epochs
                .retain(|(instance, epoch), _| ledger.tombstone(*instance, *epoch).is_none());
            self.ledger = ledger;
        }
        Ok(())
    }

    /// Forgets whom the ledger does not name any more: its sum has them, also where their tombstones have been forgotten.
    pub fn keep_members(&mut self) {
        let members = &self.ledger.members;
        self.epochs
            .retain(|(instance, _), _| members.contains(instance));
    }

    /// Forgets all figures, but not when their instances were last heard of: for readers that want no sums for a while. The next
    /// reading brings all of them again.
    pub fn shed(&mut self) {
        for epoch in self.epochs.values_mut() {
            epoch.full = None;
            epoch.changes.clear();
        }
    }

    /// Resets the count of unreadable publications, before all are read again.
    pub fn forget_unreadable(&mut self) {
        self.unreadable = 0;
    }

    /// The latest known ledger.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The instances that published nothing for this many intervals, with their counts.
    pub fn silent(&self, now: u64, intervals: u32) -> Vec<(Tombstone, InstanceFigures)> {
        let silent = self.epochs.iter().filter(|(_, epoch)| {
            let header = epoch.latest().map(|latest| latest.header);
            let quiet = |header: Header| epoch.quiet(now) > header.interval * intervals;
            header.is_some_and(quiet)
        });
        let folded = silent.filter_map(|((instance, number), epoch)| {
            let tombstone = Tombstone {
                instance: *instance,
                epoch: *number,
                sequence: epoch.latest()?.header.sequence,
            };
            Some((tombstone, epoch.figures().ok()?))
        });
        folded.collect()
    }

    /// The merged figures at `now`.
    #[must_use]
    pub fn merge(&self, now: u64) -> ClusterFigures {
        let mut merged = ClusterFigures {
            figures: self.ledger.ended.clone(),
            ended_instances: self.ledger.ended_instances,
            unreadable: self.unreadable,
            ..ClusterFigures::default()
        };
        let mut parts: Vec<_> = self.unfolded().collect();
        // Youngest first: its sizes of shared stores count.
        parts.sort_by_key(|((instance, number), epoch)| (epoch.quiet(now), *instance, *number));
        let mut newest = Sizes::default();
        for ((instance, number), epoch) in parts {
            let Some(latest) = epoch.latest() else {
                continue;
            };
            let Ok(figures) = epoch.figures() else {
                merged.unreadable += 1;
                continue;
            };
            let state = InstanceState {
                header: latest.header,
                age: epoch.age(now),
                is_live: epoch.quiet(now) <= latest.header.interval * LIVE_INTERVALS,
            };
            merged.add(figures, &state, epoch.quiet(now), &mut newest);
            let later = (*instance, number.saturating_add(1));
            let is_latest = self
                .epochs
                .range(later..)
                .next()
                .is_none_or(|((id, _), _)| id != instance);
            if is_latest {
                merged.instances.push(state);
            }
        }
        newest.put_into(&mut merged.figures);
        merged
    }

    /// The epochs that the ledger's sum does not include.
    fn unfolded(&self) -> impl Iterator<Item = (&(InstanceId, u32), &Epoch)> {
        let epochs = self.epochs.iter();
        epochs.filter(|((instance, epoch), _)| self.ledger.tombstone(*instance, *epoch).is_none())
    }
}

impl Epoch {
    fn add(&mut self, publication: Publication) {
        let sequence = publication.header.sequence;
        let is_later = |known: &Publication| known.header.sequence < sequence;
        match publication.since() {
            None if self.full.as_ref().is_none_or(is_later) => {
                self.changes.retain(|since, _| *since >= sequence);
                self.full = Some(publication);
            }
            Some(since) if self.full_sequence() <= Some(since) => {
                let known = self.changes.get(&since);
                if known.is_none_or(is_later) {
                    self.changes.insert(since, publication);
                }
            }
            _ => {}
        }
    }

    /// Notes when the sequence number has risen.
    fn notice(&mut self, now: u64) {
        let Some(sequence) = self.latest().map(|latest| latest.header.sequence) else {
            return;
        };
        match &self.seen {
            Some(seen) if seen.sequence >= sequence => {}
            seen => {
                self.seen = Some(Seen {
                    sequence,
                    at: now,
                    has_risen: seen.is_some(),
                });
            }
        }
    }

    fn full_sequence(&self) -> Option<u64> {
        self.full.as_ref().map(|full| full.header.sequence)
    }

    fn change(&self) -> Option<&Publication> {
        self.changes.get(&self.full_sequence()?)
    }

    fn latest(&self) -> Option<&Publication> {
        self.change().or(self.full.as_ref())
    }

    fn figures(&self) -> Result<InstanceFigures, Unreadable> {
        let full = self.full.as_ref().ok_or(Unreadable::Damaged)?;
        full.figures(self.change())
    }

    /// How long the sequence number has not risen, as far as the reader knows.
    fn quiet(&self, now: u64) -> Duration {
        let at = self.seen.map_or(now, |seen| seen.at);
        Duration::from_nanos(now.saturating_sub(at))
    }

    fn age(&self, now: u64) -> Option<Duration> {
        let seen = self.seen.filter(|seen| seen.has_risen)?;
        Some(Duration::from_nanos(now.saturating_sub(seen.at)))
    }
}

/// For each function, the sizes of shared stores that live instances last reported, with their age.
#[derive(Default)]
struct Sizes(BTreeMap<(String, String), (Duration, Gauges)>);

impl Sizes {
    /// Call from younger to older instances. Among instances of equal age the largest size counts.
    fn add(&mut self, names: &(String, String), age: Duration, mut gauges: Gauges) {
        match self.0.get_mut(names) {
            None => drop(self.0.insert(names.clone(), (age, gauges))),
            Some((newest, known)) => {
                if *newest < age {
                    gauges
                        .shared
                        .retain(|store, _| !known.shared.contains_key(store));
                }
                known.merge(&gauges);
            }
        }
    }

    fn put_into(self, figures: &mut InstanceFigures) {
        for (names, (_, gauges)) in self.0 {
            if let Some(figures) = figures.functions.get_mut(&names) {
                figures.snapshot.gauges = gauges;
            }
        }
    }
}

impl ClusterFigures {
    /// Adds an instance: its counts, and if it lives what it holds and does now.
    fn add(
        &mut self,
        part: InstanceFigures,
        state: &InstanceState,
        age: Duration,
        sizes: &mut Sizes,
    ) {
        let stores = match state.is_live {
            true => part.stores,
            false => stores::counts_of(&part.stores),
        };
        stores::merge(&mut self.figures.stores, &stores);
        for (names, mut figures) in part.functions {
            let gauges = std::mem::take(&mut figures.snapshot.gauges);
            match state.is_live {
                true => sizes.add(&names, age, gauges),
                false => figures.snapshot.activity = Activity::default(),
            }
            match self.figures.functions.get_mut(&names) {
                Some(known) => known.merge(&figures),
                None => drop(self.figures.functions.insert(names, figures)),
            }
        }
    }
}

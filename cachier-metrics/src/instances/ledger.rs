//! What a group of instances keeps together: who is in it, and the counts of those that have ended.

use std::collections::{BTreeSet, VecDeque};

use super::figures::{FunctionFigures, InstanceFigures};
use super::publication::{InstanceId, Unreadable, seal, unseal};
use super::stores;
use crate::bits::{Reader, Writer};
use crate::gauges::Gauges;
use crate::snapshot::Activity;

/// The members of a group, the sum of what ended ones have counted, and which ones are part of it.
///
/// It is changed by one at a time, each change a new revision. An ended instance stays in the sum for ever, its tombstone for
/// as long as there are not many later ones: should the instance live after all, it learns from it that it is to begin a new
/// epoch, and until then nothing is counted twice.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ledger {
    /// Rises with each change.
    pub revision: u64,
    /// Whose figures are to be looked for.
    pub members: BTreeSet<InstanceId>,
    /// What ended instances have counted.
    pub ended: InstanceFigures,
    /// How many those are.
    pub ended_instances: u64,
    /// Of the latest of them: the epoch, and the sequence number of the figures that are in the sum.
    tombstones: VecDeque<Tombstone>,
}

/// An ended epoch of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tombstone {
    /// Of whom.
    pub instance: InstanceId,
    /// Which of its epochs.
    pub epoch: u32,
    /// Up to where its figures are in the sum.
    pub sequence: u64,
}

/// The oldest of more are forgotten.
const MAX_TOMBSTONES: usize = 4096;

impl Ledger {
    /// The tombstone of an epoch of an instance, if there is one.
    #[must_use]
    pub fn tombstone(&self, instance: InstanceId, epoch: u32) -> Option<Tombstone> {
        let mut latest = self.tombstones.iter().rev();
        let found = latest.find(|stone| stone.instance == instance && stone.epoch == epoch);
        found.copied()
    }

    /// Adds what an ended instance has counted, once, and takes it out of the members.
    pub fn fold(&mut self, ended: Tombstone, figures: &InstanceFigures) {
        self.members.remove(&ended.instance);
        if self.tombstone(ended.instance, ended.epoch).is_some() {
            return;
        }
        for ((function, backend), figures) in &figures.functions {
            self.ended.add(function, backend, &counts_of(figures));
        }
        stores::merge(&mut self.ended.stores, &stores::counts_of(&figures.stores));
        self.ended_instances += 1;
        self.tombstones.push_back(ended);
        if self.tombstones.len() > MAX_TOMBSTONES {
            self.tombstones.pop_front();
        }
    }

    /// Forgets the tombstones of instances that nobody meets again.
    pub fn keep_tombstones(&mut self, keep: impl Fn(InstanceId) -> bool) {
        self.tombstones.retain(|stone| keep(stone.instance));
    }

    /// As bytes.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        let mut to = Writer::default();
        to.number(self.revision);
        to.number(self.members.len() as u64);
        for member in &self.members {
            to.number(member.0);
        }
        to.number(self.ended_instances);
        to.number(self.tombstones.len() as u64);
        for stone in &self.tombstones {
            to.number(stone.instance.0);
            to.number(stone.epoch);
            to.number(stone.sequence);
        }
        self.ended.write(&mut to);
        seal(&to.finish())
    }

    /// Reads the bytes.
    ///
    /// # Errors
    /// When they are damaged, or of a newer version.
    pub fn read(bytes: &[u8]) -> Result<Self, Unreadable> {
        Self::read_body(unseal(bytes)?).ok_or(Unreadable::Damaged)
    }

    fn read_body(body: &[u8]) -> Option<Self> {
        let mut from = Reader::new(body);
        let mut ledger = Self {
            revision: from.int()?,
            ..Self::default()
        };
        for _ in 0..from.int::<u64>()? {
            ledger.members.insert(InstanceId(from.number()?));
        }
        ledger.ended_instances = from.int()?;
        for _ in 0..from.int::<u64>()? {
            ledger.tombstones.push_back(Tombstone {
                instance: InstanceId(from.number()?),
                epoch: from.int()?,
                sequence: from.int()?,
            });
        }
        ledger.ended = InstanceFigures::read(&mut from)?;
        Some(ledger)
    }
}

/// Without what only a moment has, which ends with the instance.
fn counts_of(figures: &FunctionFigures) -> FunctionFigures {
    let mut counts = figures.clone();
    counts.snapshot.gauges = Gauges::default();
    counts.snapshot.activity = Activity::default();
    counts
}

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
/// One instance changes it at a time; each change is a new revision. Ended instances stay in the sum for ever, tombstones
/// until there are too many newer ones. An instance that was only silent learns from its tombstone that it must begin a new
/// epoch; until then nothing is counted twice.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ledger {
    /// Rises with each change.
    pub revision: u64,
    /// The instances whose figures are read.
    pub members: BTreeSet<InstanceId>,
    /// What ended instances have counted.
    pub ended: InstanceFigures,
    /// The number of ended instances in the sum.
    pub ended_instances: u64,
    /// The tombstones of the latest ended instances.
    tombstones: VecDeque<Tombstone>,
}

/// An ended epoch of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tombstone {
    /// The instance.
    pub instance: InstanceId,
    /// The epoch of the instance.
    pub epoch: u32,
    /// The last sequence number whose figures are in the sum.
    pub sequence: u64,
}

/// The most tombstones; beyond it the oldest are forgotten.
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

    /// Adds what ended members have counted; whether there were any. The sum has those that are no members any more, also
    /// where their tombstones have been forgotten.
    pub fn fold_members(&mut self, ended: &[(Tombstone, InstanceFigures)]) -> bool {
        let members = self.members.clone();
        for (tombstone, figures) in ended {
            if members.contains(&tombstone.instance) {
                self.fold(*tombstone, figures);
            }
        }
        members.len() > self.members.len()
    }

    /// Keeps only the tombstones for which `keep` returns true.
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

/// Only the counts: current values end with the instance.
fn counts_of(figures: &FunctionFigures) -> FunctionFigures {
    let mut counts = figures.clone();
    counts.snapshot.gauges = Gauges::default();
    counts.snapshot.activity = Activity::default();
    counts
}

//! What an instance publishes next: all of its figures, or the changes since its last full publication.

use std::collections::VecDeque;
use std::time::Duration;

use super::figures::InstanceFigures;
use super::ledger::Tombstone;
use super::publication::{Header, InstanceId, Publication};
use super::stores;

/// The publications of one instance. Pure: its driver stores the bytes and reports the outcome.
#[derive(Debug)]
pub struct Publisher {
    next: Header,
    /// The uptime of the process when this epoch began.
    epoch_begun: Duration,
    /// The counts at that time, if the sum of ended epochs includes them.
    before: InstanceFigures,
    /// The last full publication known to be stored, with its size and that of all changes since.
    full: Option<Full>,
    /// The publications that may be the stored one: figures by sequence number, from the last confirmed one on.
    sent: VecDeque<(u64, InstanceFigures)>,
    /// The same from before a pause during which others may have considered this instance ended.
    remembered: VecDeque<(u64, InstanceFigures)>,
    /// Whether the newest of these is full, and its size.
    newest: Option<(Form, usize)>,
}

#[derive(Debug)]
struct Full {
    header: Header,
    figures: InstanceFigures,
    bytes: usize,
    bytes_of_changes: usize,
}

/// Where a publication is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// All figures.
    Full,
    /// The changes since the full publication.
    Change,
}

/// The most unconfirmed publications that are remembered.
const MAX_UNCONFIRMED: usize = 8;

impl Publisher {
    /// An instance that began at `started`, in nanoseconds since 1970.
    #[must_use]
    pub fn new(instance: InstanceId, started: u64, interval: Duration) -> Self {
        Self {
            next: Header {
                instance,
                epoch: 0,
                sequence: 0,
                started,
                uptime: Duration::ZERO,
                interval,
            },
            epoch_begun: Duration::ZERO,
            before: InstanceFigures::default(),
            full: None,
            sent: VecDeque::new(),
            remembered: VecDeque::new(),
            newest: None,
        }
    }

    /// Sets the interval for the following publications.
    pub fn set_interval(&mut self, interval: Duration) {
        self.next.interval = interval;
    }

    /// The instance and its current epoch.
    #[must_use]
    pub fn epoch(&self) -> (InstanceId, u32) {
        (self.next.instance, self.next.epoch)
    }

    /// The next publication of a process that has these figures since its start, for `uptime`.
    pub fn publish(&mut self, process: &InstanceFigures, uptime: Duration) -> (Form, Vec<u8>) {
        self.next.sequence += 1;
        self.next.uptime = uptime.saturating_sub(self.epoch_begun);
        let figures = process.since(&self.before);
        let change = self.full.as_ref().and_then(|full| {
            // Once the changes are as large as the full publication, a new full one pays off.
            let is_worth_it = full.bytes_of_changes < full.bytes;
            let earlier = (&full.header, &full.figures);
            is_worth_it.then(|| Publication::change(&self.next, &figures, earlier))?
        });
        let (form, bytes) = match change {
            Some(change) => (Form::Change, change),
            None => (Form::Full, Publication::full(&self.next, &figures)),
        };
        self.newest = Some((form, bytes.len()));
        self.sent.push_back((self.next.sequence, process.clone()));
        if self.sent.len() > MAX_UNCONFIRMED {
            self.sent.pop_front();
        }
        (form, bytes)
    }

    /// The latest publication is stored.
    pub fn confirm(&mut self) {
        let Some((form, bytes)) = self.newest.take() else {
            return;
        };
        self.sent.drain(..self.sent.len() - 1);
        if let (Form::Change, Some(full)) = (form, &mut self.full) {
            full.bytes_of_changes += bytes;
            return;
        }
        let latest = self.sent.back();
        self.full = latest.map(|(_, process)| Full {
            header: self.next,
            figures: process.since(&self.before),
            bytes,
            bytes_of_changes: 0,
        });
    }

    /// The store may have lost its contents: the next publication is full.
    pub fn begin_anew(&mut self) {
        self.full = None;
    }

    /// Others have considered this instance ended: a new epoch begins where their figures end.
    pub fn fold(&mut self, tombstone: Tombstone, now: u64, uptime: Duration) {
        if self.epoch() != (tombstone.instance, tombstone.epoch) {
            return;
        }
        let mut sent = self.sent.iter().chain(&self.remembered);
        // If the folded publication is unknown, counts are lost rather than counted twice.
        let folded = sent.find(|(sequence, _)| *sequence == tombstone.sequence);
        if let Some((_, process)) = folded.or(self.sent.back()) {
            self.before = process.clone();
        }
        self.next.epoch += 1;
        self.next.started = now;
        self.epoch_begun = uptime;
        self.full = None;
        self.newest = None;
        self.sent.clear();
        self.remembered.clear();
    }

    /// Others may have considered this instance ended, which it may learn only later. What it has published is therefore
    /// remembered until it is [forgotten](Self::forget_sent).
    pub fn remember_sent(&mut self) {
        self.remembered = self.sent.clone();
    }

    /// Others still consider this instance alive.
    pub fn forget_sent(&mut self) {
        self.remembered.clear();
    }
}

impl InstanceFigures {
    /// The counts since `earlier` figures of the same process.
    fn since(&self, earlier: &Self) -> Self {
        let mut since = self.clone();
        for (names, figures) in &mut since.functions {
            if let Some(earlier) = earlier.functions.get(names) {
                figures.snapshot = figures.snapshot.since(&earlier.snapshot);
            }
        }
        since.stores = stores::since(&self.stores, &earlier.stores);
        since
    }
}

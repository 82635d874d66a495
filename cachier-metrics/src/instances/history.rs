//! Figures as stored in a folder: those of one instance, or of all ended ones.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::time::Duration;

use super::figures::InstanceFigures;
use super::ledger::{Ledger, Tombstone};
use super::publication::{Header, MAGIC, Publication, Unreadable, seal, unseal};
use super::trail::{Step, Trail};
use crate::bits::{Reader, Writer};
use crate::clock::nanos;
use crate::past::Past;
use crate::snapshot::Snapshot;

/// The figures of an instance since its start, with when it counted them.
#[derive(Clone, Debug, PartialEq)]
pub struct InstanceHistory {
    /// Which figures these are.
    pub header: Header,
    /// The wall clock time up to which the figures go, in nanoseconds since 1970.
    pub until: u64,
    /// All counts since its start.
    pub figures: InstanceFigures,
    /// The counts by time, up to the last written trail.
    pub trail: Trail,
}

/// The same for all ended instances.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EndedHistory {
    /// Their sum, and which of them are part of it.
    pub ledger: Ledger,
    /// When they counted.
    pub trail: Trail,
}

/// What a file has.
#[derive(Clone, Debug, PartialEq)]
pub enum History {
    /// The figures of one instance, without its trail.
    Instance(InstanceHistory),
    /// Earlier figures with the trail up to then. The trail of a busy instance is large, so it is written less often.
    Trail(InstanceHistory),
    /// The figures of all ended instances.
    Ended(EndedHistory),
}

const INSTANCE: u64 = 0;
const ENDED: u64 = 1;
const TRAIL: u64 = 2;

impl History {
    /// The longest file that is read, in bytes.
    pub const MAX_BYTES: u64 = 512 << 20;

    /// Reads the file at a path, or behind a link there. Anything but a regular file is refused: a pipe could block.
    ///
    /// # Errors
    /// When the system refuses to read it.
    pub fn open(path: &Path) -> io::Result<Result<Self, Unreadable>> {
        if !path.metadata()?.is_file() {
            return Ok(Err(Unreadable::Foreign));
        }
        Self::read_file(&File::open(path)?)
    }

    /// Reads a file, unless it is too long or does not begin as one of figures.
    ///
    /// # Errors
    /// When the system refuses to read it.
    pub fn read_file(file: &File) -> io::Result<Result<Self, Unreadable>> {
        let is_bounded = file.metadata()?.len() <= Self::MAX_BYTES;
        let mut bytes = Vec::new();
        file.take(MAGIC.len() as u64).read_to_end(&mut bytes)?;
        if !MAGIC.starts_with(&bytes) {
            return Ok(Err(Unreadable::Foreign));
        }
        if !is_bounded {
            return Ok(Err(Unreadable::Damaged));
        }
        // The file may grow during the read.
        file.take(Self::MAX_BYTES).read_to_end(&mut bytes)?;
        Ok(Self::read(&bytes))
    }

    /// As bytes.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        let none = Trail::default();
        let (kind, until, sealed, trail) = match self {
            Self::Instance(instance) => (INSTANCE, instance.until, instance.seal(), &none),
            Self::Trail(instance) => (TRAIL, instance.until, instance.seal(), &instance.trail),
            Self::Ended(ended) => (ENDED, 0, ended.ledger.write(), &ended.trail),
        };
        let mut to = Writer::default();
        to.number(kind);
        to.number(until);
        to.number(sealed.len() as u64);
        to.bytes(&sealed);
        trail.write(&mut to);
        seal(&to.finish())
    }

    /// Reads the bytes.
    ///
    /// # Errors
    /// When they are damaged, or of a newer version.
    pub fn read(bytes: &[u8]) -> Result<Self, Unreadable> {
        let mut from = Reader::new(unseal(bytes)?);
        let parts = || {
            let (kind, until): (u64, u64) = (from.int()?, from.int()?);
            let length = from.int()?;
            let sealed = from.bytes(length)?;
            Some((kind, until, sealed, Trail::read(&mut from)?))
        };
        let (kind, until, sealed, trail) = { parts }().ok_or(Unreadable::Damaged)?;
        if kind == ENDED {
            let ledger = Ledger::read(sealed).map_err(in_a_file_of_ours)?;
            return Ok(Self::Ended(EndedHistory { ledger, trail }));
        }
        let publication = Publication::read(sealed).map_err(in_a_file_of_ours)?;
        let instance = InstanceHistory {
            header: publication.header,
            until,
            figures: publication.figures(None)?,
            trail,
        };
        Ok(match kind {
            TRAIL => Self::Trail(instance),
            _ => Self::Instance(instance),
        })
    }
}

impl InstanceHistory {
    /// An instance that has counted nothing yet.
    #[must_use]
    pub fn starting(header: Header) -> Self {
        Self {
            header: Header {
                sequence: 0,
                uptime: Duration::ZERO,
                ..header
            },
            until: header.started,
            figures: InstanceFigures::default(),
            trail: Trail::default(),
        }
    }

    fn seal(&self) -> Vec<u8> {
        Publication::full(&self.header, &self.figures)
    }

    /// Advances to later figures of the same instance, and adds the difference to the trail as a step.
    pub fn go_on(&mut self, later: Self) {
        if later.header.sequence <= self.header.sequence {
            return;
        }
        let passed = later.header.uptime.saturating_sub(self.header.uptime);
        let from = self.until.min(later.until);
        // The wall clock may have been set.
        let covered = nanos(passed).min(later.until - from);
        let time = (from, later.until);
        let step = Step::between(time, covered, &self.figures, &later.figures);
        self.trail.add(step);
        self.trail.thin(later.until);
        (self.header, self.until) = (later.header, later.until);
        self.figures = later.figures;
    }
}

/// Within one of cachier's own files, foreign bytes are damage.
fn in_a_file_of_ours(unreadable: Unreadable) -> Unreadable {
    match unreadable {
        Unreadable::Foreign => Unreadable::Damaged,
        known => known,
    }
}

impl EndedHistory {
    /// What ended instances counted for a function.
    #[must_use]
    pub fn past_of(&self, function: &str, backend: &str) -> Past {
        let names = (function.to_owned(), backend.to_owned());
        let mut past = match self.ledger.ended.functions.get(&names) {
            Some(all) => {
                let mut past = Past::new(all.snapshot.clone(), all.started);
                past.forget_until(all.forgotten);
                past
            }
            None => Past::new(Snapshot::default(), u64::MAX),
        };
        past.reserve(self.trail.steps().count());
        for step in self.trail.steps() {
            let time = (step.from, step.to);
            past.add_step(time, step.covered, step.counted(&names).cloned());
        }
        past
    }

    /// Drops what no window needs at `now`, in nanoseconds since 1970, and what a clock that was ahead tells of later moments.
    pub fn thin(&mut self, now: u64) {
        self.trail.thin(now);
        for figures in self.ledger.ended.functions.values_mut() {
            if figures.forgotten > now {
                figures.forgotten = 0;
            }
        }
    }

    /// Adds an instance that has ended, once.
    pub fn fold(&mut self, ended: InstanceHistory) {
        let Header {
            instance,
            epoch,
            sequence,
            ..
        } = ended.header;
        if self.ledger.tombstone(instance, epoch).is_none() {
            self.trail.merge(ended.trail);
        }
        let tombstone = Tombstone {
            instance,
            epoch,
            sequence,
        };
        self.ledger.fold(tombstone, &ended.figures);
    }
}

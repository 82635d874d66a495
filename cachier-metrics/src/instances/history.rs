//! Figures as they lie in a folder: those of one instance, or of all that have ended.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use super::figures::InstanceFigures;
use super::ledger::{Ledger, Tombstone};
use super::publication::{Header, MAGIC, Publication, Unreadable, seal, unseal};
use super::trail::Trail;
use super::varint::{Reader, Writer};
use crate::past::Past;
use crate::snapshot::Snapshot;

/// The figures of an instance since its start, with when it counted them.
#[derive(Clone, Debug, PartialEq)]
pub struct InstanceHistory {
    /// Which figures these are.
    pub header: Header,
    /// All that it has counted.
    pub figures: InstanceFigures,
    /// When.
    pub trail: Trail,
}

/// The same of all instances that have ended.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EndedHistory {
    /// Their sum, and which of them are part of it.
    pub ledger: Ledger,
    /// When they counted.
    pub trail: Trail,
}

/// Either.
#[derive(Clone, Debug, PartialEq)]
pub enum History {
    /// Of one instance.
    Instance(InstanceHistory),
    /// Of all ended ones.
    Ended(EndedHistory),
}

const INSTANCE: u64 = 0;
const ENDED: u64 = 1;

impl History {
    /// The longest file that is read, in bytes.
    pub const MAX_BYTES: u64 = 512 << 20;

    /// Reads the file at a path, or behind a link there. Anything else has no figures: a pipe would be waited for.
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
        if bytes != MAGIC {
            return Ok(Err(Unreadable::Foreign));
        }
        if !is_bounded {
            return Ok(Err(Unreadable::Damaged));
        }
        // It may grow meanwhile.
        file.take(Self::MAX_BYTES).read_to_end(&mut bytes)?;
        Ok(Self::read(&bytes))
    }

    /// As bytes.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        let (kind, sealed, trail) = match self {
            Self::Instance(instance) => {
                let sealed = Publication::full(&instance.header, &instance.figures);
                (INSTANCE, sealed, &instance.trail)
            }
            Self::Ended(ended) => (ENDED, ended.ledger.write(), &ended.trail),
        };
        let mut to = Writer::default();
        to.number(kind);
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
            let (kind, length) = (from.int::<u64>()?, from.int()?);
            let sealed = from.bytes(length)?;
            Some((kind, sealed, Trail::read(&mut from)?))
        };
        let (kind, sealed, trail) = { parts }().ok_or(Unreadable::Damaged)?;
        if kind == ENDED {
            let ledger = Ledger::read(sealed).map_err(in_a_file_of_ours)?;
            return Ok(Self::Ended(EndedHistory { ledger, trail }));
        }
        let publication = Publication::read(sealed).map_err(in_a_file_of_ours)?;
        Ok(Self::Instance(InstanceHistory {
            header: publication.header,
            figures: publication.figures(None)?,
            trail,
        }))
    }
}

/// What is in a file of cachier's is not somebody else's.
fn in_a_file_of_ours(unreadable: Unreadable) -> Unreadable {
    match unreadable {
        Unreadable::Foreign => Unreadable::Damaged,
        known => known,
    }
}

impl EndedHistory {
    /// What the function of these names counted.
    #[must_use]
    pub fn past_of(&self, function: &str, backend: &str) -> Past {
        let names = (function.to_owned(), backend.to_owned());
        let mut past = match self.ledger.ended.functions.get(&names) {
            Some(all) => Past::new(all.snapshot.clone(), all.started),
            None => Past::new(Snapshot::default(), u64::MAX),
        };
        for step in self.trail.steps() {
            let counted = step.figures.functions.get(&names);
            past.add_step(
                step.to,
                step.covered,
                counted.map(|figures| &figures.snapshot),
            );
        }
        past
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

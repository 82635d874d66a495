//! Under which names a function's entries, leases and books are kept.
//!
//! The entries of a function are spread over [`SHARDS`] shards. A shard's name holds a hash tag, so that all that
//! belongs to it lies in one slot of a cluster, where scripts can use it together.

use std::io::{self, Write};
use std::sync::Arc;

use crate::backend::EntryVersion;
use crate::key::{Key, Scope};

/// Into how many slots of a cluster the entries of one function go.
///
/// Part of the stored format: with another number, entries are not found again.
pub(super) const SHARDS: u8 = 16;

/// The length of most names, and more: the parts of a key are bounded.
pub(super) const NAME_CAPACITY: usize = 512;

/// How many bytes of a version are the length of the entry, and how many at most its beginning.
const LENGTH_BYTES: usize = size_of::<usize>();
const MAX_BEGINNING: usize = 16;

/// A part of a function's entries.
pub(super) struct Shard {
    name: String,
    channel: String,
}

impl Shard {
    /// The shard of an entry.
    pub(super) fn of(key: &Key) -> Self {
        Self::new(key.scope(), shard_of(key))
    }

    /// All shards of a function.
    pub(super) fn all(scope: &Arc<Scope>) -> impl Iterator<Item = Self> {
        (0..SHARDS).map(|number| Self::new(scope, number))
    }

    fn new(scope: &Scope, number: u8) -> Self {
        Self {
            name: format!("cachier:{{{scope}#{number:x}}}"),
            channel: channel(scope),
        }
    }

    /// `cachier:{cachier/2/…#0}`
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The name of the first of its books.
    pub(super) fn index(&self) -> String {
        format!("{}/index", self.name)
    }

    /// Where changes of its entries are published.
    pub(super) fn channel(&self) -> &str {
        &self.channel
    }
}

fn shard_of(key: &Key) -> u8 {
    key.hash().as_bytes()[0] % SHARDS
}

/// Where changes of a function's entries are published.
pub(super) fn channel(scope: &Scope) -> String {
    format!("cachier:changes/{scope}")
}

/// What names an entry in its shard.
pub(super) fn member(key: &Key) -> String {
    format!("{}/{}", key.version(), key.hash())
}

/// Writes the name of an entry. Every hit needs one: what takes no formatting is not formatted.
pub(super) fn write_entry(name: &mut impl Write, key: &Key) -> io::Result<()> {
    name.write_all(b"cachier:{")?;
    name.write_all(key.scope().path().as_bytes())?;
    let number = char::from_digit(shard_of(key).into(), 16).unwrap_or_default();
    write!(name, "#{number}}}/{}/", key.version())?;
    name.write_all(key.hash().to_hex().as_bytes())
}

/// Which version of an entry some bytes are: its length and its beginning, which holds a checksum.
pub(super) fn version(entry: &[u8]) -> EntryVersion {
    let beginning = &entry[..entry.len().min(MAX_BEGINNING)];
    let mut version = [0; LENGTH_BYTES + MAX_BEGINNING];
    version[..LENGTH_BYTES].copy_from_slice(&entry.len().to_le_bytes());
    version[LENGTH_BYTES..][..beginning.len()].copy_from_slice(beginning);
    EntryVersion::new(&version[..LENGTH_BYTES + beginning.len()])
}

/// The version of what is in an entry's place and is none: for the scripts it is nothing.
pub(super) fn absent_version() -> EntryVersion {
    EntryVersion::new([])
}

/// What the scripts take for "the version that was seen": the length in digits, a colon, and the beginning.
pub(super) fn seen(version: Option<&EntryVersion>) -> Vec<u8> {
    let Some((length, beginning)) =
        version.and_then(|version| version.as_bytes().split_first_chunk())
    else {
        return Vec::new();
    };
    let mut seen = format!("{}:", usize::from_le_bytes(*length)).into_bytes();
    seen.extend_from_slice(beginning);
    seen
}

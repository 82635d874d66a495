//! Names of a function's entries, leases and indexes.
//!
//! The entries of a function are spread over [`SHARDS`] shards. A shard's name contains a hash tag: all its keys are in
//! one slot of a cluster, where scripts can use them together.

use std::io::{self, Write};
use std::sync::Arc;

use crate::backend::EntryVersion;
use crate::key::{Key, Scope};

/// Cluster slots per function.
///
/// Part of the stored format: with another number, entries are not found again.
pub(super) const SHARDS: u8 = 16;

/// Initial capacity for a name; most are shorter.
pub(super) const NAME_CAPACITY: usize = 512;

/// A version is the entry's length, followed by at most `MAX_BEGINNING` bytes of it.
const LENGTH_BYTES: usize = size_of::<usize>();
const MAX_BEGINNING: usize = 16;

/// One shard of a function's entries.
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

    /// The sorted set of creation times, first of the shard's bookkeeping keys.
    pub(super) fn index(&self) -> String {
        format!("{}/index", self.name)
    }

    /// The channel for changes of the function's entries.
    pub(super) fn channel(&self) -> &str {
        &self.channel
    }
}

fn shard_of(key: &Key) -> u8 {
    key.hash().as_bytes()[0] % SHARDS
}

/// The channel for changes of a function's entries.
pub(super) fn channel(scope: &Scope) -> String {
    format!("cachier:changes/{scope}")
}

/// The entry's name within its shard.
pub(super) fn member(key: &Key) -> String {
    format!("{}/{}", key.version(), key.hash())
}

/// Writes the key of an entry. On every hit, so only the version goes through formatting.
pub(super) fn write_entry(name: &mut impl Write, key: &Key) -> io::Result<()> {
    name.write_all(b"cachier:{")?;
    name.write_all(key.scope().path().as_bytes())?;
    let number = char::from_digit(shard_of(key).into(), 16).unwrap_or_default();
    write!(name, "#{number}}}/{}/", key.version())?;
    name.write_all(key.hash().to_hex().as_bytes())
}

/// The version of an entry: its length and its beginning, which contains a checksum.
pub(super) fn version(entry: &[u8]) -> EntryVersion {
    let beginning = &entry[..entry.len().min(MAX_BEGINNING)];
    let mut version = [0; LENGTH_BYTES + MAX_BEGINNING];
    version[..LENGTH_BYTES].copy_from_slice(&entry.len().to_le_bytes());
    version[LENGTH_BYTES..][..beginning.len()].copy_from_slice(beginning);
    EntryVersion::new(&version[..LENGTH_BYTES + beginning.len()])
}

/// The version of a value that is not an entry; scripts treat it as absent.
pub(super) fn absent_version() -> EntryVersion {
    EntryVersion::new([])
}

/// The `seen` version as scripts expect it: the length in decimal, a colon, and the beginning.
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

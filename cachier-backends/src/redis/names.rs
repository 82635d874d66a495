//! Under which names a function's entries, leases and books are kept.
//!
//! The entries of a function are spread over [`SHARDS`] shards. A shard's name holds a hash tag, so that all that
//! belongs to it lies in one slot of a cluster, where scripts can use it together.

use std::fmt::Write;
use std::sync::Arc;

use crate::backend::EntryVersion;
use crate::key::{Key, Scope};

/// Into how many slots of a cluster the entries of one function go.
///
/// Part of the stored format: with another number, entries are not found again.
pub(super) const SHARDS: u8 = 16;

/// The length of most names, and more: the parts of a key are bounded.
const LONGEST_NAME: usize = 512;

/// How many characters the length of an entry takes at most, with what follows it.
const LONGEST_LENGTH: usize = 21;

/// A part of a function's entries.
pub(super) struct Shard {
    name: String,
    channel: String,
}

impl Shard {
    /// The shard of an entry.
    pub(super) fn of(key: &Key) -> Self {
        Self::new(key.scope(), key.hash().as_bytes()[0] % SHARDS)
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

    /// `cachier:{cachier/1/…#0}`
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

/// Where changes of a function's entries are published.
pub(super) fn channel(scope: &Scope) -> String {
    format!("cachier:changes/{scope}")
}

/// What names an entry in its shard.
pub(super) fn member(key: &Key) -> String {
    format!("{}/{}", key.version(), key.hash())
}

/// The name of an entry.
pub(super) fn entry(key: &Key) -> String {
    let (scope, number) = (key.scope(), key.hash().as_bytes()[0] % SHARDS);
    let (version, hash) = (key.version(), key.hash());
    let mut name = String::with_capacity(LONGEST_NAME);
    // Every hit needs one: what takes no formatting is not formatted. Writing to a string does not fail.
    name.push_str("cachier:{");
    name.push_str(scope.path());
    let _ = write!(name, "#{number:x}}}/{version}/");
    name.push_str(&hash.to_hex());
    name
}

/// Which version of an entry some bytes are, as the scripts see it: its length and its beginning, which holds a
/// checksum.
pub(super) fn version(entry: &[u8]) -> EntryVersion {
    let beginning = &entry[..entry.len().min(16)];
    let mut version = String::with_capacity(LONGEST_LENGTH + beginning.len());
    // Writing to a string does not fail.
    let _ = write!(version, "{}:", entry.len());
    let mut version = version.into_bytes();
    version.extend_from_slice(beginning);
    EntryVersion::new(version)
}

/// What the scripts take for "the version that was seen".
pub(super) fn seen(version: Option<&EntryVersion>) -> &[u8] {
    version.map_or(&[], EntryVersion::as_bytes)
}

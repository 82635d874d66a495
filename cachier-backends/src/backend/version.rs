//! What tells one entry from another under its key.

use std::fmt;

/// Which version of an entry something is: equal while the entry is the same, and otherwise not.
///
/// Only its backend knows what is in it: a checksum, a counter, an `ETag`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct EntryVersion(Repr);

/// Every load makes a version, and most are short: those are kept in place. Each has one form only, so that equal ones
/// compare equal.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Repr {
    /// So many bytes, and zeros behind them.
    Short(u8, [u8; MAX_INLINE_BYTES]),
    Long(Box<[u8]>),
}

/// What makes 40 bytes of it all: enough for a hash, or an `ETag` in its quotes.
const MAX_INLINE_BYTES: usize = 38;

impl EntryVersion {
    /// A version that the store tells.
    pub fn new(version: impl AsRef<[u8]>) -> Self {
        let version = version.as_ref();
        let mut short = [0; MAX_INLINE_BYTES];
        Self(match short.get_mut(..version.len()) {
            Some(place) => {
                place.copy_from_slice(version);
                // At most `MAX_INLINE_BYTES`, as there is a place for it.
                Repr::Short(version.len() as u8, short)
            }
            None => Repr::Long(version.into()),
        })
    }

    /// A version made from the entry itself, for stores that tell none.
    ///
    /// An entry says when it was created, so that two with the same bytes are the same.
    #[must_use]
    pub fn of_content(entry: &[u8]) -> Self {
        Self::new(blake3::hash(entry).as_bytes())
    }

    /// What the backend put into it.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Repr::Short(length, bytes) => &bytes[..usize::from(*length)],
            Repr::Long(bytes) => bytes,
        }
    }
}

impl fmt::Debug for EntryVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EntryVersion({})", self.as_bytes().escape_ascii())
    }
}

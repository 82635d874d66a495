//! Versions that tell entries under the same key apart.

use std::fmt;

/// The version of an entry: equal for the same entry, different otherwise.
///
/// Its content is the backend's own: a checksum, a counter, an `ETag`.
///
/// ```
/// use cachier_backends::EntryVersion;
///
/// let of_an_etag = EntryVersion::new("\"0cc175b9\"");
/// assert_eq!(of_an_etag.as_bytes(), b"\"0cc175b9\"");
/// assert_ne!(EntryVersion::of_content(b"one"), EntryVersion::of_content(b"other"));
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct EntryVersion(Repr);

/// Short versions are stored inline, as every load creates one. A version has one representation only, so that equal
/// ones compare equal.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Repr {
    /// Length and bytes, padded with zeros.
    Short(u8, [u8; MAX_INLINE_BYTES]),
    Long(Box<[u8]>),
}

/// Makes a version 40 bytes: enough for a hash, or an `ETag` in quotes.
const MAX_INLINE_BYTES: usize = 38;

impl EntryVersion {
    /// A version that the store provides.
    pub fn new(version: impl AsRef<[u8]>) -> Self {
        let version = version.as_ref();
        let mut short = [0; MAX_INLINE_BYTES];
        Self(match short.get_mut(..version.len()) {
            Some(place) => {
                place.copy_from_slice(version);
                // Cannot truncate: at most `MAX_INLINE_BYTES`.
                Repr::Short(version.len() as u8, short)
            }
            None => Repr::Long(version.into()),
        })
    }

    /// A version computed from the entry, for stores that have none.
    ///
    /// Two entries with the same bytes are the same, as an entry holds its creation time.
    #[must_use]
    pub fn of_content(entry: &[u8]) -> Self {
        Self::new(blake3::hash(entry).as_bytes())
    }

    /// The bytes that the backend put in.
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

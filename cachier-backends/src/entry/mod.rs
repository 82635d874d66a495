//! The stored format: a header and a value, bound to their key.
//!
//! ```text
//! 0   magic          4 bytes  CA 63 68 72
//! 4   format         2 bytes  2
//! 6   reserved       2 bytes  0
//! 8   checksum       8 bytes  the first bytes of a BLAKE3 hash, see below
//! 16  fields         4 bytes  how many bytes of fields follow
//! 20  field …                 id (2 bytes), length (4 bytes), content; ids ascend
//!     value …                 to the end
//! ```
//!
//! The hash covers the key's name (its `Display`), a zero byte, and everything after the checksum. The key itself is
//! not stored, as the loader knows it; an entry of another key, after a mixed-up answer or a renamed file, does not
//! match.
//!
//! Numbers are little-endian. The highest bit of an id marks a critical field: a reader that does not know it, or its
//! content, cannot use the entry. Other unknown fields are skipped, so that newer versions can add some.
//!
//! | id | field | content |
//! |---|---|---|
//! | 1 | created | nanoseconds since 1970, 8 bytes |
//! | 2 | compute | nanoseconds that computing took, 8 bytes |
//! | 3 | expires | nanoseconds since 1970, 8 bytes |
//! | 4, critical | codec | 1 byte: 1 is CBOR as [`encode_value`] writes it |
//! | 5 | length | of the value, 8 bytes |
//! | 6 | tags | reserved |
//! | 7, critical | compression | reserved |
//! | 8, critical | encryption | reserved |
//! | 9 | type fingerprint | reserved |
//! | 10 | own age limit | nanoseconds, 8 bytes; no bytes: it has none, it never gets stale |
//! | 11 | jitter share | the drawn share of the age limit that is taken off it, in 2⁻³²: 4 bytes |
//! | 12, critical | kind of content | 1 byte: 1 is an error; left out for a value |
//! | 13 | marked stale | since when, nanoseconds since 1970, 8 bytes |
//!
//! An entry of another format, or with an unknown critical field, is a plain miss, not an error. The former is not
//! parsed any further; the latter must be intact, and match its key.
//!
//! Stored bytes are untrusted: whatever they are, reading them is an error or a miss, never a panic.

mod fields;
mod header;
mod heap;
mod lossless;
mod readable;
mod slice;
mod value;

use std::io::Write as _;

use crate::error::Error;
use crate::key::Key;
use fields::corrupt;
pub use header::{AgeLimit, Codec, Content, Header, Jitter};
pub use heap::heap;
#[cfg(feature = "memory")]
pub(crate) use heap::{ALLOCATION, HEADER};
pub use value::{decode_value, encode_value, measure};

/// A decoded entry.
///
/// ```
/// # use std::sync::Arc;
/// # use cachier_backends::{Key, KeyHash, Scope, Version};
/// # let scope = Arc::new(Scope::new("default", "forecast"));
/// # let key = Key::new(scope, Version::Number(1), KeyHash::from_bytes([7; 32]));
/// use std::time::SystemTime;
/// use cachier_backends::entry::{self, Entry, Header};
///
/// let header = Header::new(SystemTime::now());
/// let stored = entry::encode(&key, &header, b"value");
/// let Some(Entry { value, .. }) = entry::decode(&key, &stored)? else {
///     unreachable!("it is of this format");
/// };
/// assert_eq!(value, b"value");
/// # Ok::<(), cachier_backends::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry<'a> {
    /// The value's properties.
    pub header: Header,
    /// The encoded value.
    pub value: &'a [u8],
}

const MAGIC: [u8; 4] = [0xCA, b'c', b'h', b'r'];
const FORMAT: u16 = 2;
const CHECKSUM: std::ops::Range<usize> = 8..16;
const FIELDS_LENGTH: std::ops::Range<usize> = 16..20;

/// The bytes to store under `key` for a value encoded by [`encode_value`].
///
/// ```
/// use std::sync::Arc;
/// use std::time::SystemTime;
/// use cachier_backends::entry::{self, Header};
/// use cachier_backends::{Key, KeyHash, Scope, Version};
///
/// let scope = Arc::new(Scope::new("default", "forecast"));
/// let key = Key::new(scope, Version::Number(1), KeyHash::of("Oslo", None)?);
/// let value = entry::encode_value(&("Oslo", 3))?;
/// let stored = entry::encode(&key, &Header::new(SystemTime::now()), &value);
///
/// let entry = entry::decode(&key, &stored)?.expect("written by this very version");
/// let (city, day): (String, u32) = entry::decode_value(entry.value)?;
/// assert_eq!((city.as_str(), day), ("Oslo", 3));
/// # Ok::<(), cachier_backends::Error>(())
/// ```
#[must_use]
pub fn encode(key: &Key, header: &Header, value: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(FIELDS_LENGTH.end + fields::MAX_FIELDS_BYTES + value.len());
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&FORMAT.to_le_bytes());
    bytes.resize(FIELDS_LENGTH.end, 0);
    fields::write(header, value.len(), &mut bytes);
    let length = u32::try_from(bytes.len() - FIELDS_LENGTH.end).unwrap_or(u32::MAX);
    bytes[FIELDS_LENGTH].copy_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(value);
    let checksum = checksum(key, &bytes[CHECKSUM.end..]);
    bytes[CHECKSUM].copy_from_slice(&checksum);
    bytes
}

/// Decodes the bytes stored under `key`.
///
/// `None` for an entry of another version of cachier that this one cannot use: a miss, not an error.
///
/// ```
/// # use std::sync::Arc;
/// # use cachier_backends::{Key, KeyHash, Scope, Version};
/// # let scope = Arc::new(Scope::new("default", "forecast"));
/// # let key = Key::new(scope, Version::Number(1), KeyHash::from_bytes([7; 32]));
/// use cachier_backends::{ErrorKind, entry};
///
/// let error = entry::decode(&key, b"something else").unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Corrupt);
/// ```
///
/// # Errors
/// [`ErrorKind::Corrupt`](crate::ErrorKind::Corrupt) for bytes that are not an intact entry of this key.
pub fn decode<'a>(key: &Key, bytes: &'a [u8]) -> Result<Option<Entry<'a>>, Error> {
    let cut_off = || corrupt("the entry is cut off");
    let (magic, rest) = bytes.split_first_chunk().ok_or_else(cut_off)?;
    if *magic != MAGIC {
        return Err(corrupt("the stored bytes are not an entry of cachier"));
    }
    let (format, rest) = rest.split_first_chunk().ok_or_else(cut_off)?;
    if u16::from_le_bytes(*format) != FORMAT {
        return Ok(None);
    }
    let (reserved, rest) = rest.split_first_chunk().ok_or_else(cut_off)?;
    if *reserved != [0; 2] {
        return Ok(None);
    }
    let (expected, rest) = rest.split_first_chunk().ok_or_else(cut_off)?;
    if *expected != checksum(key, rest) {
        return Err(corrupt(
            "the entry does not match its checksum: it is damaged, or of another key",
        ));
    }
    let (fields, value) = rest
        .split_first_chunk()
        .and_then(|(length, rest)| rest.split_at_checked(u32::from_le_bytes(*length) as usize))
        .ok_or_else(|| corrupt("the fields of the entry are cut off"))?;
    let header = fields::read(fields, value.len())?;
    Ok(header.map(|header| Entry { header, value }))
}

/// Whether bytes may be the start of an entry of any format.
#[cfg(feature = "file")]
pub(crate) fn is_start(bytes: &[u8]) -> bool {
    bytes.starts_with(&MAGIC)
}

fn checksum(key: &Key, bytes: &[u8]) -> [u8; 8] {
    let mut hasher = blake3::Hasher::new();
    // Writing to a hasher cannot fail, and no key contains a zero byte.
    let _ = write!(hasher, "{key}\0");
    let hash = hasher.update(bytes).finalize();
    let [a, b, c, d, e, f, g, h, ..] = *hash.as_bytes();
    [a, b, c, d, e, f, g, h]
}

#[cfg(test)]
mod tests;

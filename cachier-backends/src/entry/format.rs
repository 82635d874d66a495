//! Entries as bytes: header and value, bound to their key.

use std::io::Write as _;

use super::fields::{self, corrupt};
use super::header::Header;
use crate::error::Error;
use crate::key::Key;

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

/// The bytes to store under `key` for a value encoded by [`encode_value`](super::encode_value).
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
#[path = "tests.rs"]
mod tests;

//! What is stored: a value with a header in front of it.
//!
//! ```text
//! 0   magic          4 bytes  CA 63 68 72
//! 4   format         2 bytes  1
//! 6   reserved       2 bytes  0
//! 8   checksum       8 bytes  the first bytes of the BLAKE3 hash of all that follows
//! 16  fields         4 bytes  how many bytes of fields follow
//! 20  field …                 id (2 bytes), length (4 bytes), content; ids ascend
//!     value …                 to the end
//! ```
//!
//! Numbers stand little end first. The highest bit of an id marks a critical field: who does not
//! know it cannot use the entry. Other unknown fields are passed over, so that a newer cachier may
//! add some.
//!
//! | id | field | content |
//! |---|---|---|
//! | 1 | created | nanoseconds since 1970, 8 bytes |
//! | 2 | compute | nanoseconds that computing took, 8 bytes |
//! | 3 | expires | nanoseconds since 1970, 8 bytes |
//! | 4, critical | codec | 1 byte: 1 is CBOR |
//! | 5 | length | of the value, 8 bytes |
//! | 6 | tags | reserved |
//! | 7, critical | compression | reserved |
//! | 8, critical | encryption | reserved |
//! | 9 | type fingerprint | reserved |
//!
//! Stored bytes are hostile: whatever they are, reading them gives an error and never panics.

mod fields;
mod lossless;
mod slice;
mod value;

use std::time::{Duration, SystemTime};

use crate::error::{Error, ErrorKind, Operation};
pub use value::{decode_value, encode_value, measure};

/// What is known of a stored value.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Header {
    /// When the value had been computed, to the nanosecond, within the years 1970 to 2554.
    pub created: SystemTime,
    /// How long computing it took, if that is known.
    pub compute: Option<Duration>,
    /// From when on nothing may serve it any more.
    pub expires: Option<SystemTime>,
    /// How the value is encoded.
    pub codec: Codec,
}

/// How a value is encoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Codec {
    /// CBOR, RFC 8949.
    #[default]
    Cbor,
}

/// A stored entry, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry<'a> {
    /// What is known of the value.
    pub header: Header,
    /// The encoded value.
    pub value: &'a [u8],
}

const MAGIC: [u8; 4] = [0xCA, b'c', b'h', b'r'];
const FORMAT: [u8; 4] = [1, 0, 0, 0];
const CHECKSUM: std::ops::Range<usize> = 8..16;
const FIELDS_LENGTH: std::ops::Range<usize> = 16..20;

impl Header {
    /// The header of a value that was computed at `created`.
    #[must_use]
    pub fn new(created: SystemTime) -> Self {
        Self {
            created,
            compute: None,
            expires: None,
            codec: Codec::Cbor,
        }
    }
}

/// The bytes to store for a value that [`encode_value`] made.
///
/// ```
/// use std::time::SystemTime;
/// use cachier_backends::entry::{self, Header};
///
/// let value = entry::encode_value(&("Oslo", 3))?;
/// let stored = entry::encode(&Header::new(SystemTime::now()), &value);
///
/// let entry = entry::decode(&stored)?.expect("written by this very version");
/// let (city, day): (String, u32) = entry::decode_value(entry.value)?;
/// assert_eq!((city.as_str(), day), ("Oslo", 3));
/// # Ok::<(), cachier_backends::Error>(())
/// ```
#[must_use]
pub fn encode(header: &Header, value: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(FIELDS_LENGTH.end + fields::LONGEST + value.len());
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&FORMAT);
    bytes.resize(FIELDS_LENGTH.end, 0);
    fields::write(header, value.len(), &mut bytes);
    let length = u32::try_from(bytes.len() - FIELDS_LENGTH.end).unwrap_or(u32::MAX);
    bytes[FIELDS_LENGTH].copy_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(value);
    let checksum = checksum(&bytes[CHECKSUM.end..]);
    bytes[CHECKSUM].copy_from_slice(&checksum);
    bytes
}

/// Takes stored bytes apart.
///
/// `None` is an intact entry of a newer cachier that this one cannot use: a miss, and no error.
///
/// # Errors
/// [`ErrorKind::Corrupt`] for bytes that are not an intact entry of this format.
pub fn decode(bytes: &[u8]) -> Result<Option<Entry<'_>>, Error> {
    let (start, rest) = bytes
        .split_at_checked(CHECKSUM.end)
        .ok_or_else(|| corrupt("the entry is cut off"))?;
    if start[..4] != MAGIC {
        return Err(corrupt("the stored bytes are not an entry of cachier"));
    }
    if start[4..8] != FORMAT {
        return Err(corrupt("the entry has a format that is not known"));
    }
    if start[CHECKSUM] != checksum(rest) {
        return Err(corrupt("the entry does not match its checksum"));
    }
    let (fields, value) = rest
        .split_first_chunk()
        .and_then(|(length, rest)| rest.split_at_checked(u32::from_le_bytes(*length) as usize))
        .ok_or_else(|| corrupt("the fields of the entry are cut off"))?;
    let header = fields::read(fields, value.len())?;
    Ok(header.map(|header| Entry { header, value }))
}

fn checksum(bytes: &[u8]) -> [u8; 8] {
    let hash = blake3::hash(bytes);
    let [a, b, c, d, e, f, g, h, ..] = *hash.as_bytes();
    [a, b, c, d, e, f, g, h]
}

fn corrupt(message: &'static str) -> Error {
    Error::new(ErrorKind::Corrupt, Operation::Load, message)
}

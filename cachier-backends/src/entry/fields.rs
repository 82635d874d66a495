//! The field map of an entry.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{Codec, Header, corrupt};
use crate::error::Error;

/// Set in the id of a field that a reader must know.
const CRITICAL: u16 = 0x8000;

const CREATED: u16 = 1;
const COMPUTE: u16 = 2;
const EXPIRES: u16 = 3;
const CODEC: u16 = 4 | CRITICAL;
const LENGTH: u16 = 5;

const CODEC_CBOR: u8 = 1;

/// The most bytes that [`write`] writes: four fields of 6 + 8 bytes, one of 6 + 1.
pub(super) const LONGEST: usize = 4 * 14 + 7;

/// Appends the fields of an entry whose value has `value_len` bytes.
pub(super) fn write(header: &Header, value_len: usize, bytes: &mut Vec<u8>) {
    let mut field = |id: u16, content: &[u8]| {
        bytes.extend_from_slice(&id.to_le_bytes());
        bytes.extend_from_slice(&(content.len() as u32).to_le_bytes());
        bytes.extend_from_slice(content);
    };
    field(CREATED, &nanos_of(header.created).to_le_bytes());
    if let Some(compute) = header.compute {
        field(COMPUTE, &nanos(compute).to_le_bytes());
    }
    if let Some(expires) = header.expires {
        field(EXPIRES, &nanos_of(expires).to_le_bytes());
    }
    let codec = match header.codec {
        Codec::Cbor => CODEC_CBOR,
    };
    field(CODEC, &[codec]);
    field(LENGTH, &(value_len as u64).to_le_bytes());
}

/// Reads the fields of an entry whose value has `value_len` bytes.
///
/// `None`: a critical field is not known.
pub(super) fn read(mut bytes: &[u8], value_len: usize) -> Result<Option<Header>, Error> {
    let mut created = None;
    let mut header = Header::new(UNIX_EPOCH);
    let mut codec = None;
    let mut last = 0;
    let mut usable = true;
    while !bytes.is_empty() {
        let (id, content, rest) = next(bytes).ok_or_else(|| corrupt("a field is cut off"))?;
        bytes = rest;
        let number = id & !CRITICAL;
        if number <= last {
            return Err(corrupt("the fields are out of order"));
        }
        last = number;
        match id {
            CREATED => created = Some(time(content)?),
            COMPUTE => header.compute = Some(duration(content)?),
            EXPIRES => header.expires = Some(time(content)?),
            CODEC if *content == [CODEC_CBOR] => codec = Some(Codec::Cbor),
            LENGTH if number_of(content)? != value_len as u64 => {
                return Err(corrupt("the value does not have its length"));
            }
            _ => usable &= id & CRITICAL == 0,
        }
    }
    if !usable {
        return Ok(None);
    }
    header.created =
        created.ok_or_else(|| corrupt("the entry does not say when it was created"))?;
    header.codec = codec.ok_or_else(|| corrupt("the entry does not say how it is encoded"))?;
    Ok(Some(header))
}

/// Id and content of the first field, and what follows it.
fn next(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let (id, rest) = bytes.split_first_chunk()?;
    let (length, rest) = rest.split_first_chunk()?;
    let (content, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    Some((u16::from_le_bytes(*id), content, rest))
}

fn time(content: &[u8]) -> Result<SystemTime, Error> {
    // Every number of nanoseconds that fits is before the year 2555.
    Ok(UNIX_EPOCH + duration(content)?)
}

fn duration(content: &[u8]) -> Result<Duration, Error> {
    number_of(content).map(Duration::from_nanos)
}

fn number_of(content: &[u8]) -> Result<u64, Error> {
    let bytes = content
        .try_into()
        .map_err(|_| corrupt("a field has the wrong length"))?;
    Ok(u64::from_le_bytes(bytes))
}

fn nanos_of(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, nanos)
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

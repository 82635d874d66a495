//! The fields of an entry.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::header::{AgeLimit, Codec, Content, Header, Jitter};
use crate::error::{Error, ErrorKind, Operation};

/// Marks the ids of fields that a reader must understand.
const CRITICAL: u16 = 0x8000;

const CREATED: u16 = 1;
const COMPUTE: u16 = 2;
const EXPIRES: u16 = 3;
const CODEC: u16 = 4 | CRITICAL;
const LENGTH: u16 = 5;
// Reserved: 6 for tags, 7 (critical) for compression, 8 (critical) for encryption, 9 for a type fingerprint.
const AGE_LIMIT: u16 = 10;
const JITTER: u16 = 11;
const CONTENT: u16 = 12 | CRITICAL;
const STALE_SINCE: u16 = 13;

const CODEC_CBOR: u8 = 1;
const CONTENT_ERROR: u8 = 1;

/// The longest output of [`write()`]: six fields of 6 + 8 bytes, one of 6 + 4, two of 6 + 1.
pub(super) const MAX_FIELDS_BYTES: usize = 6 * 14 + 10 + 2 * 7;

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
    match header.age_limit {
        None => {}
        Some(AgeLimit::Of(limit)) => field(AGE_LIMIT, &nanos(limit).to_le_bytes()),
        Some(AgeLimit::Never) => field(AGE_LIMIT, &[]),
    }
    if header.jitter != Jitter::default() {
        field(JITTER, &header.jitter.0.to_le_bytes());
    }
    match header.content {
        Content::Value => {}
        Content::Error => field(CONTENT, &[CONTENT_ERROR]),
    }
    if let Some(since) = header.stale_since {
        field(STALE_SINCE, &nanos_of(since).to_le_bytes());
    }
}

/// Reads the fields of an entry whose value has `value_len` bytes.
///
/// `None` if a critical field is unknown, which makes the others meaningless.
pub(super) fn read(bytes: &[u8], value_len: usize) -> Result<Option<Header>, Error> {
    let mut is_usable = true;
    for field in fields(bytes) {
        let (id, content) = field?;
        is_usable &= match (id, content) {
            (CODEC, [CODEC_CBOR]) | (CONTENT, [CONTENT_ERROR]) => true,
            _ => id & CRITICAL == 0,
        };
    }
    match is_usable {
        true => header(bytes, value_len).map(Some),
        false => Ok(None),
    }
}

/// The header of fields that are all understood.
fn header(bytes: &[u8], value_len: usize) -> Result<Header, Error> {
    let mut created = None;
    let mut codec = None;
    let mut header = Header::new(UNIX_EPOCH);
    let mut last = 0;
    for field in fields(bytes) {
        let (id, content) = field?;
        let number = id & !CRITICAL;
        if number <= last {
            return Err(corrupt("the fields are out of order"));
        }
        last = number;
        match id {
            CREATED => created = Some(time(content)?),
            COMPUTE => header.compute = Some(duration(content)?),
            EXPIRES => header.expires = Some(time(content)?),
            CODEC => codec = Some(Codec::Cbor),
            LENGTH if number_of(content)? != value_len as u64 => {
                return Err(corrupt("the value does not have its length"));
            }
            AGE_LIMIT if content.is_empty() => header.age_limit = Some(AgeLimit::Never),
            AGE_LIMIT => header.age_limit = Some(AgeLimit::Of(duration(content)?)),
            JITTER => header.jitter = Jitter(u32::from_le_bytes(exactly(content)?)),
            CONTENT => header.content = Content::Error,
            STALE_SINCE => header.stale_since = Some(time(content)?),
            _ => {}
        }
    }
    header.created =
        created.ok_or_else(|| corrupt("the entry does not say when it was created"))?;
    header.codec = codec.ok_or_else(|| corrupt("the entry does not say how it is encoded"))?;
    Ok(header)
}

/// Id and content of each field.
fn fields(mut bytes: &[u8]) -> impl Iterator<Item = Result<(u16, &[u8]), Error>> {
    std::iter::from_fn(move || {
        if bytes.is_empty() {
            return None;
        }
        let Some((id, content, rest)) = next(bytes) else {
            bytes = &[];
            return Some(Err(corrupt("a field is cut off")));
        };
        bytes = rest;
        Some(Ok((id, content)))
    })
}

/// Id and content of the first field, and the rest.
fn next(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let (id, rest) = bytes.split_first_chunk()?;
    let (length, rest) = rest.split_first_chunk()?;
    let (content, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    Some((u16::from_le_bytes(*id), content, rest))
}

fn time(content: &[u8]) -> Result<SystemTime, Error> {
    // Every representable number of nanoseconds is before the year 2555.
    Ok(UNIX_EPOCH + duration(content)?)
}

fn duration(content: &[u8]) -> Result<Duration, Error> {
    number_of(content).map(Duration::from_nanos)
}

fn number_of(content: &[u8]) -> Result<u64, Error> {
    exactly(content).map(u64::from_le_bytes)
}

fn exactly<const N: usize>(content: &[u8]) -> Result<[u8; N], Error> {
    content
        .try_into()
        .map_err(|_| corrupt("a field has the wrong length"))
}

fn nanos_of(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, nanos)
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

pub(super) fn corrupt(message: &'static str) -> Error {
    Error::new(ErrorKind::Corrupt, Operation::Load, message)
}

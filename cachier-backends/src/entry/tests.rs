//! Entries roundtrip, or are not read at all.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::*;
use crate::entry::*;
use crate::support::golden::{assert_golden, bytes, hex};
use crate::support::hostile::{key, with_right_checksum};
use crate::{ErrorKind, Key, Scope, Version};
use proptest::prelude::*;

const CREATED: u16 = 1;
const CODEC: u16 = 4 | 0x8000;
const LENGTH: u16 = 5;
const AGE_LIMIT: u16 = 10;
const JITTER: u16 = 11;
const CONTENT: u16 = 12 | 0x8000;
const STALE_SINCE: u16 = 13;

fn at(nanos: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_nanos(nanos)
}

/// A header with every field.
fn full_header() -> Header {
    let mut header = Header::new(at(1_700_000_000_123_456_789));
    header.compute = Some(Duration::from_nanos(42));
    header.expires = Some(at(1_800_000_000_000_000_000));
    header.age_limit = Some(AgeLimit::Of(Duration::from_secs(60)));
    header.jitter = Jitter(1 << 31);
    header.content = Content::Error;
    header.stale_since = Some(at(1_750_000_000_000_000_000));
    header
}

/// An entry of these fields, with the right checksum.
fn entry_of(fields: &[(u16, &[u8])], value: &[u8]) -> Vec<u8> {
    let mut map = Vec::new();
    for (id, content) in fields {
        map.extend(id.to_le_bytes());
        map.extend((content.len() as u32).to_le_bytes());
        map.extend(*content);
    }
    let mut entry = b"\xcachr\x02\0\0\0________".to_vec();
    entry.extend((map.len() as u32).to_le_bytes());
    entry.extend(map);
    entry.extend(value);
    with_right_checksum(&key(1), entry)
}

#[track_caller]
fn assert_corrupt(entry: &[u8]) {
    let error = decode(&key(1), entry).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
}

#[test]
fn the_format_is_pinned() {
    let plain = Header::new(at(1_700_000_000_123_456_789));
    let mut without_limit = plain.clone();
    without_limit.age_limit = Some(AgeLimit::Never);
    let lines = [
        hex(&encode(&key(1), &plain, &[])),
        hex(&encode(&key(1), &plain, b"value")),
        hex(&encode(&key(2), &without_limit, b"value")),
        hex(&encode(
            &key(1),
            &full_header(),
            &encode_value(&("Oslo", 3)).unwrap(),
        )),
    ];
    assert_golden("entries.txt", &lines);
}

#[test]
fn room_is_made_for_the_longest_fields() {
    let longest = encode(&key(1), &full_header(), b"value").len();
    assert_eq!(longest, FIELDS_LENGTH.end + fields::MAX_FIELDS_BYTES + 5);
}

#[cfg(feature = "file")]
#[test]
fn entries_begin_as_no_other_bytes_do() {
    assert!(is_start(&encode(&key(1), &full_header(), b"value")));
    assert!(FORMAT_1_ENTRIES.iter().all(|hex| is_start(&bytes(hex))));
    assert!(!is_start(b"") && !is_start(b"hello, world"));
}

#[test]
fn entries_of_the_pinned_format_are_read() {
    let golden = include_str!("../../tests/golden/entries.txt");
    let stored: Vec<Vec<u8>> = golden.lines().map(bytes).collect();
    let last = decode(&key(1), &stored[3]).unwrap().unwrap();
    assert_eq!(last.header, full_header());
    assert_eq!(last.value, encode_value(&("Oslo", 3)).unwrap());
    let first = decode(&key(1), &stored[0]).unwrap().unwrap();
    assert!(first.value.is_empty());
    let third = decode(&key(2), &stored[2]).unwrap().unwrap();
    assert_eq!(third.header.age_limit, Some(AgeLimit::Never));
}

/// Entries of the first format, whole and truncated, which were not bound to keys.
const FORMAT_1_ENTRIES: [&str; 3] = [
    "ca6368720100000017265443235b67792300000001000800000015cd853dfe9c97170480010000000105000800\
     00000000000000000000",
    "ca636872010000004ad7ebec65a5ade43f00000001000800000015cd853dfe9c97170200080000002a00000000\
     0000000300080000000000b49376e2fa1804800100000001050008000000070000000000000082644f736c6f03",
    "ca63687201000000",
];

#[test]
fn another_format_is_a_plain_miss() {
    for hex in FORMAT_1_ENTRIES {
        let stored = bytes(hex);
        assert_eq!(decode(&key(1), &stored).unwrap(), None);
        // Its content does not matter.
        let damaged = [&stored[..8], b"damaged"].concat();
        assert_eq!(decode(&key(1), &damaged).unwrap(), None);
    }
    let whole = encode(&key(1), &full_header(), b"value");
    for (place, byte) in [(4, 0), (4, 1), (4, 3), (5, 1), (6, 1), (7, 255)] {
        let mut other = whole.clone();
        other[place] = byte;
        assert_eq!(decode(&key(1), &other).unwrap(), None);
    }
}

#[test]
fn an_entry_of_another_key_is_corrupt() {
    let stored = encode(&key(1), &full_header(), b"value");
    assert!(decode(&key(1), &stored).unwrap().is_some());
    assert_eq!(
        decode(&key(2), &stored).unwrap_err().kind(),
        ErrorKind::Corrupt
    );
    let others = [
        ("default", "weather::forecast", Version::Number(3)),
        ("default", "weather::forecast", Version::Unversioned),
        ("default", "weather::forecast", Version::Code(2)),
        ("default", "weather", Version::Number(2)),
        ("staging", "weather::forecast", Version::Number(2)),
        ("", "default/weather::forecast", Version::Number(2)),
    ];
    for (namespace, function, version) in others {
        let scope = Arc::new(Scope::new(namespace, function));
        let other = Key::new(scope, version, key(1).hash());
        assert_eq!(
            decode(&other, &stored).unwrap_err().kind(),
            ErrorKind::Corrupt
        );
    }
}

#[test]
fn times_out_of_range_are_brought_into_it() {
    let mut header = Header::new(UNIX_EPOCH - Duration::from_secs(1));
    header.compute = Some(Duration::MAX);
    header.expires = Some(UNIX_EPOCH + Duration::from_secs(1 << 40));
    let stored = encode(&key(1), &header, b"");
    let back = decode(&key(1), &stored).unwrap().unwrap().header;
    assert_eq!(back.created, UNIX_EPOCH);
    assert_eq!(back.compute, Some(Duration::from_nanos(u64::MAX)));
    assert_eq!(back.expires, Some(at(u64::MAX)));
}

#[test]
fn an_unknown_field_is_passed_over() {
    let stored = entry_of(
        &[
            (CREATED, &7u64.to_le_bytes()),
            (CODEC, &[1]),
            (LENGTH, &1u64.to_le_bytes()),
            (900, b"whatever"),
        ],
        b"v",
    );
    let entry = decode(&key(1), &stored).unwrap().unwrap();
    assert_eq!(entry.header, Header::new(at(7)));
    assert_eq!(entry.value, b"v");
}

#[test]
fn an_unknown_critical_field_is_a_plain_miss() {
    let created = (CREATED, &7u64.to_le_bytes()[..]);
    let codec = (CODEC, &[1][..]);
    for critical in [7, 8, 900].map(|id| id | 0x8000) {
        let stored = entry_of(&[created, codec, (critical, b"")], b"v");
        assert_eq!(decode(&key(1), &stored).unwrap(), None);
    }
    // Nor is an unknown codec or kind of content, or whatever they imply.
    for fields in [
        &[(CODEC, &[2][..])][..],
        &[(CODEC, b"")],
        &[created, codec, (CONTENT, &[2])],
        &[created, codec, (CONTENT, &[1, 1])],
        &[(CREATED, b"short"), codec, (900 | 0x8000, b"")],
        &[(900 | 0x8000, b""), codec, created, created],
        &[created, codec, (LENGTH, &[0; 8]), (900 | 0x8000, b"")],
    ] {
        assert_eq!(decode(&key(1), &entry_of(fields, b"v")).unwrap(), None);
    }
}

#[test]
fn fields_that_make_no_sense_are_corrupt() {
    let created = (CREATED, &7u64.to_le_bytes()[..]);
    let codec = (CODEC, &[1][..]);
    assert!(decode(&key(1), &entry_of(&[created, codec], b"v")).is_ok());
    assert_corrupt(&entry_of(&[], b"v"));
    assert_corrupt(&entry_of(&[created], b"v"));
    assert_corrupt(&entry_of(&[codec], b"v"));
    assert_corrupt(&entry_of(&[codec, created], b"v"));
    assert_corrupt(&entry_of(&[created, created, codec], b"v"));
    assert_corrupt(&entry_of(&[(CREATED, b"short"), codec], b"v"));
    assert_corrupt(&entry_of(&[created, codec, (0, b"")], b"v"));
    for field in [AGE_LIMIT, JITTER, STALE_SINCE] {
        assert_corrupt(&entry_of(&[created, codec, (field, b"short")], b"v"));
    }
    let length = (LENGTH, &2u64.to_le_bytes()[..]);
    assert_corrupt(&entry_of(&[created, codec, length], b"v"));
}

#[test]
fn lengths_beyond_the_end_are_corrupt() {
    let whole = entry_of(&[(CREATED, &7u64.to_le_bytes()), (CODEC, &[1])], b"v");
    for place in [16..20, 22..26] {
        let mut entry = whole.clone();
        entry[place].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_corrupt(&with_right_checksum(&key(1), entry));
    }
}

#[test]
fn foreign_bytes_are_corrupt() {
    let whole = encode(&key(1), &full_header(), b"value");
    assert_corrupt(b"");
    assert_corrupt(b"hello");
    assert_corrupt(&[0; 1000]);
    assert_corrupt(&[whole.clone(), b"tail".to_vec()].concat());
    assert_corrupt(&whole.repeat(2));
}

#[test]
fn every_flipped_bit_and_every_cut_is_noticed() {
    let whole = encode(&key(1), &full_header(), b"a value of some length");
    for bit in 0..8 * whole.len() {
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        match bit / 8 {
            // Another format.
            4..8 => assert_eq!(decode(&key(1), &flipped).unwrap(), None),
            _ => assert_corrupt(&flipped),
        }
    }
    for length in 0..whole.len() {
        assert_corrupt(&whole[..length]);
    }
}

proptest! {
    #[test]
    fn entries_come_back(
        created: u64,
        compute: Option<u64>,
        expires: Option<u64>,
        age_limit: Option<Option<u64>>,
        jitter: u32,
        is_error: bool,
        stale_since: Option<u64>,
        value: Vec<u8>,
    ) {
        let mut header = Header::new(at(created));
        header.compute = compute.map(Duration::from_nanos);
        header.expires = expires.map(at);
        header.age_limit = age_limit.map(|limit| match limit {
            Some(limit) => AgeLimit::Of(Duration::from_nanos(limit)),
            None => AgeLimit::Never,
        });
        header.jitter = Jitter(jitter);
        header.content = if is_error { Content::Error } else { Content::Value };
        header.stale_since = stale_since.map(at);
        let stored = encode(&key(1), &header, &value);
        let entry = decode(&key(1), &stored).unwrap().unwrap();
        prop_assert_eq!(entry.header, header);
        prop_assert_eq!(entry.value, value);
    }

    #[test]
    fn noise_is_never_an_entry(noise: Vec<u8>) {
        prop_assert!(decode(&key(1), &noise).is_err());
        let framed = [b"\xcachr\x02\0\0\0________", noise.as_slice()].concat();
        prop_assert!(decode(&key(1), &framed).is_err());
        let _ = decode(&key(1), &with_right_checksum(&key(1), framed));
    }
}

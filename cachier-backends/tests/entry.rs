//! Entries come back as they were, or not at all.

#![allow(clippy::unwrap_used)]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cachier_backends::ErrorKind;
use cachier_backends::entry::{Header, decode, encode, encode_value};
use proptest::prelude::*;
use support::golden::{assert_golden, bytes, hex};
use support::hostile::with_right_checksum;

mod support;

const CREATED: u16 = 1;
const CODEC: u16 = 4 | 0x8000;
const LENGTH: u16 = 5;

fn at(nanos: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_nanos(nanos)
}

/// A header with every field.
fn full_header() -> Header {
    let mut header = Header::new(at(1_700_000_000_123_456_789));
    header.compute = Some(Duration::from_nanos(42));
    header.expires = Some(at(1_800_000_000_000_000_000));
    header
}

/// An entry made of these fields, its checksum right.
fn entry_of(fields: &[(u16, &[u8])], value: &[u8]) -> Vec<u8> {
    let mut map = Vec::new();
    for (id, content) in fields {
        map.extend(id.to_le_bytes());
        map.extend((content.len() as u32).to_le_bytes());
        map.extend(*content);
    }
    let mut entry = b"\xcachr\x01\0\0\0________".to_vec();
    entry.extend((map.len() as u32).to_le_bytes());
    entry.extend(map);
    entry.extend(value);
    with_right_checksum(entry)
}

#[track_caller]
fn assert_corrupt(entry: &[u8]) {
    let error = decode(entry).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
}

#[test]
fn the_format_is_pinned() {
    let plain = Header::new(at(1_700_000_000_123_456_789));
    let lines = [
        hex(&encode(&plain, &[])),
        hex(&encode(&plain, b"value")),
        hex(&encode(
            &full_header(),
            &encode_value(&("Oslo", 3)).unwrap(),
        )),
    ];
    assert_golden("entries.txt", &lines);
}

#[test]
fn entries_of_the_pinned_format_are_read() {
    let golden = include_str!("golden/entries.txt");
    let stored: Vec<Vec<u8>> = golden.lines().map(bytes).collect();
    let last = decode(&stored[2]).unwrap().unwrap();
    assert_eq!(last.header, full_header());
    assert_eq!(last.value, encode_value(&("Oslo", 3)).unwrap());
    let first = decode(&stored[0]).unwrap().unwrap();
    assert!(first.value.is_empty());
}

#[test]
fn times_out_of_range_are_brought_into_it() {
    let mut header = Header::new(UNIX_EPOCH - Duration::from_secs(1));
    header.compute = Some(Duration::MAX);
    header.expires = Some(UNIX_EPOCH + Duration::from_secs(1 << 40));
    let stored = encode(&header, b"");
    let back = decode(&stored).unwrap().unwrap().header;
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
    let entry = decode(&stored).unwrap().unwrap();
    assert_eq!(entry.header, Header::new(at(7)));
    assert_eq!(entry.value, b"v");
}

#[test]
fn an_unknown_critical_field_makes_the_entry_unusable_and_no_error() {
    let created = (CREATED, &7u64.to_le_bytes()[..]);
    let codec = (CODEC, &[1][..]);
    for critical in [7, 8, 900].map(|id| id | 0x8000) {
        let stored = entry_of(&[created, codec, (critical, b"")], b"v");
        assert_eq!(decode(&stored).unwrap(), None);
    }
    // Neither is a codec of tomorrow one, nor what else that one may leave out.
    assert_eq!(decode(&entry_of(&[(CODEC, &[2])], b"v")).unwrap(), None);
}

#[test]
fn fields_that_make_no_sense_are_corrupt() {
    let created = (CREATED, &7u64.to_le_bytes()[..]);
    let codec = (CODEC, &[1][..]);
    assert!(decode(&entry_of(&[created, codec], b"v")).is_ok());
    assert_corrupt(&entry_of(&[], b"v"));
    assert_corrupt(&entry_of(&[created], b"v"));
    assert_corrupt(&entry_of(&[codec], b"v"));
    assert_corrupt(&entry_of(&[codec, created], b"v"));
    assert_corrupt(&entry_of(&[created, created, codec], b"v"));
    assert_corrupt(&entry_of(&[(CREATED, b"short"), codec], b"v"));
    assert_corrupt(&entry_of(&[created, codec, (0, b"")], b"v"));
    let length = (LENGTH, &2u64.to_le_bytes()[..]);
    assert_corrupt(&entry_of(&[created, codec, length], b"v"));
}

#[test]
fn lengths_beyond_the_end_are_corrupt() {
    let whole = entry_of(&[(CREATED, &7u64.to_le_bytes()), (CODEC, &[1])], b"v");
    for place in [16..20, 22..26] {
        let mut entry = whole.clone();
        entry[place].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_corrupt(&with_right_checksum(entry));
    }
}

#[test]
fn foreign_bytes_are_corrupt() {
    let whole = encode(&full_header(), b"value");
    assert_corrupt(b"");
    assert_corrupt(b"hello");
    assert_corrupt(&[0; 1000]);
    let mut of_another_format = whole.clone();
    of_another_format[4] = 2;
    assert_corrupt(&of_another_format);
    assert_corrupt(&[whole.clone(), b"tail".to_vec()].concat());
    assert_corrupt(&whole.repeat(2));
}

#[test]
fn every_flipped_bit_and_every_cut_is_noticed() {
    let whole = encode(&full_header(), b"a value of some length");
    for bit in 0..8 * whole.len() {
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert_corrupt(&flipped);
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
        value: Vec<u8>,
    ) {
        let mut header = Header::new(at(created));
        header.compute = compute.map(Duration::from_nanos);
        header.expires = expires.map(at);
        let stored = encode(&header, &value);
        let entry = decode(&stored).unwrap().unwrap();
        prop_assert_eq!(entry.header, header);
        prop_assert_eq!(entry.value, value);
    }

    #[test]
    fn noise_is_never_an_entry(noise: Vec<u8>) {
        prop_assert!(decode(&noise).is_err());
        let framed = [b"\xcachr\x01\0\0\0________", noise.as_slice()].concat();
        prop_assert!(decode(&framed).is_err());
        let _ = decode(&with_right_checksum(framed));
    }
}

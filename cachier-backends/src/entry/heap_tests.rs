#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use serde::Serialize;

use super::*;

#[track_caller]
fn takes<V: Serialize>(value: V, bytes: u64) {
    assert_eq!(heap(&value).unwrap(), bytes);
}

#[derive(Serialize)]
struct Nothing;

#[derive(Serialize)]
struct Newtype<T>(T);

#[derive(Serialize)]
struct Pair(String, u8);

#[derive(Serialize)]
struct Named {
    text: String,
    number: u8,
}

#[derive(Serialize)]
enum Kind {
    Unit,
    Newtype(String),
    Tuple(String, u64),
    Struct { text: String, number: u64 },
}

fn text() -> String {
    "four".to_owned()
}

/// Four characters behind a header, which is in the value itself.
const TEXT: u64 = 4 + ALLOCATION;

#[test]
fn texts_and_lists_take_their_bytes() {
    takes(String::new(), 0);
    takes("x".repeat(1_000), 1_000 + ALLOCATION);
    takes(Vec::<u64>::new(), 0);
    takes(vec![1_u64; 20], 160 + ALLOCATION);
    takes(vec![text(), text()], 2 * HEADER + ALLOCATION + 2 * TEXT);
    takes([text(), text()], 2 * TEXT);
    takes(Box::new([1_u64; 30]), 240 - size_of::<usize>() as u64);
    takes(vec![None::<u64>; 10], 160 + ALLOCATION);
    takes(Some(text()), TEXT);
}

#[test]
fn maps_have_room_to_spare() {
    let numbers: BTreeMap<u32, u32> = (0..10).map(|n| (n, n)).collect();
    // Sixteen buckets, and a byte of a hash for each and for a group.
    takes(numbers, 16 * 8 + 16 + 16 + ALLOCATION);
    let texts = BTreeMap::from([(1_u64, text()), (2, text())]);
    takes(texts, 4 * (8 + HEADER) + 4 + 16 + ALLOCATION + 2 * TEXT);
    let many: BTreeMap<u64, u64> = (0..113).map(|n| (n, n)).collect();
    takes(many, 256 * 16 + 256 + 16 + ALLOCATION);
    takes(BTreeMap::<u64, u64>::new(), 0);
}

#[test]
fn types_of_every_kind_take_their_parts() {
    takes(((), 1_u8, 'c', 1.5), 0);
    takes(vec![(); 10], 0);
    takes(vec![Nothing, Nothing], 0);
    takes(Newtype(text()), TEXT);
    takes(Pair(text(), 1), TEXT);
    let (text, number) = (text(), 1);
    takes(Named { text, number }, TEXT);
}

#[test]
fn variants_of_every_kind_take_their_parts() {
    let number = 1;
    takes(vec![Kind::Unit, Kind::Unit], 2 + ALLOCATION);
    takes(Kind::Newtype(text()), TEXT);
    takes(Kind::Tuple(text(), number), TEXT);
    takes(
        Kind::Struct {
            text: text(),
            number,
        },
        TEXT,
    );
}

/// Writes itself as bytes, or as what it displays.
enum Written {
    Bytes,
    Shown,
}

impl Serialize for Written {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Bytes => serializer.serialize_bytes(b"bytes"),
            Self::Shown => serializer.collect_str("shown"),
        }
    }
}

#[test]
fn other_forms_of_text_take_their_bytes() {
    let header = HEADER - size_of::<Written>() as u64;
    takes(Written::Bytes, header + 5 + ALLOCATION);
    takes(Written::Shown, header + 5 + ALLOCATION);
}

#[test]
fn a_refusal_says_why() {
    struct Refusing;
    impl Serialize for Refusing {
        fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(ser::Error::custom("the reason"))
        }
    }
    let map = BTreeMap::from([(1, Refusing)]);
    for error in [heap(&vec![Refusing]), heap(&map)] {
        let message = format!("{:#}", error.unwrap_err());
        assert!(message.contains("the reason"), "{message}");
    }
}

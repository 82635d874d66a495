//! Whatever a store holds: reading it never panics, and gives nothing that was not stored.

#![no_main]

use std::collections::HashMap;

use cachier_backends::entry::{decode, decode_value, encode, encode_value};
use libfuzzer_sys::fuzz_target;
use serde::{Deserialize, Serialize};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Value {
    text: String,
    list: Vec<Option<Kind>>,
    map: HashMap<String, (i128, char)>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Kind {
    Unit,
    Newtype(Box<Value>),
    Tuple(u8, i64),
    Struct {
        number: Option<Option<u32>>,
        unit: (),
    },
}

fuzz_target!(|bytes: &[u8]| {
    try_entry(bytes);
    try_entry(&with_right_checksum(bytes));
    try_value(bytes);
});

fn try_entry(bytes: &[u8]) {
    if let Ok(Some(entry)) = decode(bytes) {
        let again = encode(&entry.header, entry.value);
        let back = decode(&again).expect("intact").expect("of this version");
        assert_eq!(back, entry);
        try_value(entry.value);
    }
}

fn try_value(bytes: &[u8]) {
    if let Ok(value) = decode_value::<Value>(bytes)
        && let Ok(again) = encode_value(&value)
    {
        assert_eq!(decode_value::<Value>(&again).expect("stored"), value);
    }
}

/// What a forger would store.
fn with_right_checksum(bytes: &[u8]) -> Vec<u8> {
    let mut entry = b"\xcachr\x01\0\0\0________".to_vec();
    entry.extend(bytes);
    let checksum = blake3::hash(&entry[16..]);
    entry[8..16].copy_from_slice(&checksum.as_bytes()[..8]);
    entry
}

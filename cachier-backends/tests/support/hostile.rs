//! What must hold of any bytes that a store may hold: tried by the fuzz target and by `tests/hostile.rs`.

use std::collections::HashMap;

use cachier_backends::entry::{decode, decode_value, encode, encode_value};
use serde::{Deserialize, Serialize};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Value {
    pub text: String,
    pub list: Vec<Option<Kind>>,
    pub map: HashMap<String, (i128, char)>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub enum Kind {
    Unit,
    Newtype(Box<Value>),
    Tuple(u8, i64),
    Struct {
        number: Option<Option<u32>>,
        unit: (),
    },
}

/// Reading the bytes never panics, and gives nothing that was not stored.
pub fn try_stored(bytes: &[u8]) {
    try_entry(bytes);
    try_entry(&with_right_checksum(bytes.to_vec()));
    try_entry(&with_right_checksum(framed(bytes)));
    try_value(bytes);
}

/// The entry with the checksum that a forger would give it.
pub fn with_right_checksum(mut entry: Vec<u8>) -> Vec<u8> {
    if entry.len() >= 16 {
        let checksum = blake3::hash(&entry[16..]);
        entry[8..16].copy_from_slice(&checksum.as_bytes()[..8]);
    }
    entry
}

/// The bytes in place of an entry's fields and value.
fn framed(bytes: &[u8]) -> Vec<u8> {
    [b"\xcachr\x01\0\0\0________", bytes].concat()
}

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

//! Properties of arbitrary stored bytes, for the fuzz target and `tests/hostile.rs`.

use std::collections::HashMap;
use std::sync::Arc;

use cachier_backends::entry::{decode, decode_value, encode, encode_value};
use cachier_backends::{Key, KeyHash, Scope, Version};
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

/// One of a function's keys.
pub fn key(number: u8) -> Key {
    let scope = Arc::new(Scope::new("default", "weather::forecast"));
    Key::new(scope, Version::Number(2), KeyHash::from_bytes([number; 32]))
}

/// Reading the bytes never panics, and returns only what was stored.
pub fn try_stored(bytes: &[u8]) {
    try_entry(bytes);
    try_entry(&with_right_checksum(&key(1), bytes.to_vec()));
    try_entry(&with_right_checksum(&key(1), framed(bytes)));
    try_value(bytes);
}

/// The entry with a valid checksum, as a forger would compute it.
pub fn with_right_checksum(key: &Key, mut entry: Vec<u8>) -> Vec<u8> {
    if entry.len() >= 16 {
        let hashed = [key.to_string().as_bytes(), b"\0", &entry[16..]].concat();
        let checksum = blake3::hash(&hashed);
        entry[8..16].copy_from_slice(&checksum.as_bytes()[..8]);
    }
    entry
}

/// An entry with these bytes in place of fields and value.
fn framed(bytes: &[u8]) -> Vec<u8> {
    [b"\xcachr\x02\0\0\0________", bytes].concat()
}

fn try_entry(bytes: &[u8]) {
    if let Ok(Some(entry)) = decode(&key(1), bytes) {
        let again = encode(&key(1), &entry.header, entry.value);
        let back = decode(&key(1), &again);
        assert_eq!(back.expect("intact").expect("of this version"), entry);
        assert!(decode(&key(2), bytes).is_err(), "it is of one key");
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

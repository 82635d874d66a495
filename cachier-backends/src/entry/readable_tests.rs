#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fmt::Debug;

use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::*;
use crate::entry::{decode_value, encode_value};

#[test]
fn errors_say_which_type_was_expected() {
    fn message<V: DeserializeOwned + Debug>() -> String {
        let text = encode_value("text").unwrap();
        format!("{:#}", decode_value::<V>(&text).unwrap_err())
    }
    for (message, expected) in [
        (message::<f64>(), "expected f64"),
        (message::<()>(), "expected unit"),
    ] {
        assert!(message.contains(expected), "{message}");
    }
}

/// How many elements a list or map said that it has.
#[derive(Debug, PartialEq)]
struct Told(Option<usize>);

impl<'de> Deserialize<'de> for Told {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Told;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list or map")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Told, A::Error> {
                let told = Told(access.size_hint());
                while access.next_element::<IgnoredAny>()?.is_some() {}
                Ok(told)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Told, A::Error> {
                let told = Told(access.size_hint());
                while access.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(told)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// So room is made for them once.
#[test]
fn lists_and_maps_tell_their_length() {
    let told = |bytes: Vec<u8>| decode_value::<Told>(&bytes).unwrap();
    assert_eq!(told(encode_value(&[1, 2, 3]).unwrap()), Told(Some(3)));
    let map = BTreeMap::from([(1, 2), (3, 4)]);
    assert_eq!(told(encode_value(&map).unwrap()), Told(Some(2)));
}

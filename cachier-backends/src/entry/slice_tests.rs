#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::super::value::{decode_anything, encode_value};
use super::*;
use crate::support::random::Random;

const LEVELS: usize = 128;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Forecast {
    city: String,
    days: Vec<f64>,
    wind: Vec<Option<Wind>>,
    notes: BTreeMap<char, Option<i64>>,
    level: Level,
    #[serde(flatten)]
    rest: HashMap<String, bool>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Wind {
    Calm,
    Breeze(u8),
    Gusts(i8, u16),
    Storm { force: u64, names: [String; 1] },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Level(u128);

fn forecast() -> Forecast {
    Forecast {
        city: "Tromsø".to_owned(),
        days: vec![0.1, 1e300],
        wind: vec![
            None,
            Some(Wind::Calm),
            Some(Wind::Breeze(200)),
            Some(Wind::Gusts(-7, 300)),
            Some(Wind::Storm {
                force: u64::MAX,
                names: ["Ylva".to_owned()],
            }),
        ],
        notes: BTreeMap::from([('ø', Some(i64::MIN)), ('m', None)]),
        level: Level(70_000),
        rest: HashMap::from([("sunny".to_owned(), true)]),
    }
}

fn encoded<V: Serialize>(value: &V) -> Vec<u8> {
    encode_value(value).unwrap()
}

/// Whether it is read. If so, ciborium must read the same, to the end.
#[track_caller]
fn agrees<V: DeserializeOwned + Debug>(bytes: &[u8]) -> bool {
    let Some(value) = read::<V>(bytes, LEVELS) else {
        return false;
    };
    let theirs: V = decode_anything(bytes).unwrap();
    // As text, since NaN is not equal to itself.
    assert_eq!(format!("{value:?}"), format!("{theirs:?}"), "{bytes:02x?}");
    true
}

#[test]
fn what_is_common_is_read() {
    assert_eq!(read(&encoded(&forecast()), LEVELS), Some(forecast()));
    assert!(agrees::<ciborium::Value>(&encoded(&forecast())));
    assert!(agrees::<(Vec<u8>, [i16; 2], u128)>(&encoded(&(
        vec![7u8],
        [-300, 300],
        u128::MAX
    ))));
    let unknown_fields = encoded(&(("text", 0.1, [true]), HashMap::from([(1, None::<u8>)])));
    assert!(agrees::<(serde::de::IgnoredAny, HashMap<u8, Option<u8>>)>(
        &unknown_fields
    ));
}

/// Whether both read a value as it was written.
#[track_caller]
fn is_read<V: Serialize + DeserializeOwned + Debug>(value: V) {
    let bytes = encoded(&value);
    assert!(agrees::<V>(&bytes), "{value:?}: {bytes:02x?}");
    let read = read::<V>(&bytes, LEVELS).unwrap();
    assert_eq!(format!("{read:?}"), format!("{value:?}"));
}

/// One of each kind that is written in its own form.
#[test]
fn both_read_everything_written() {
    is_read(());
    is_read(((), Nothing, [(); 2], [Nothing, Nothing]));
    is_read((Level(0), Pair(1, ()), Some(Pair(2, ()))));
    is_read([0.0, -0.0, 1.5, 0.1, 1e300, f64::NAN, f64::INFINITY, 5e-324]);
    is_read([
        0.0f32,
        -0.0,
        1.5,
        0.1,
        f32::MAX,
        f32::NAN,
        f32::NEG_INFINITY,
    ]);
    is_read([0, 23, 24, 255, 256, 65_536, 1 << 32, u64::MAX]);
    is_read([-1, -24, -25, -256, -257, i64::MIN]);
    is_read([0, u128::from(u64::MAX), 1 << 64, u128::MAX]);
    is_read([
        i128::MIN,
        -(1 << 64) - 1,
        -(1 << 64),
        i128::from(i64::MIN) - 1,
        -1,
        0,
        i128::MAX,
    ]);
    is_read((
        true,
        'a',
        '\u{10ffff}',
        "é\0".to_owned(),
        String::new(),
        "x".repeat(70_000),
    ));
    is_read((
        None::<u8>,
        Some(1),
        Some(Some("x".to_owned())),
        vec![None, Some(2.5)],
    ));
    is_read(vec![Wind::Calm, Wind::Breeze(2), Wind::Gusts(-1, 1)]);
    is_read([
        Shape::Unit(()),
        Shape::Empty {},
        Shape::None(None),
        Shape::Float(1.5),
        Shape::Wide(1 << 100),
    ]);
    is_read((Ok::<u8, ()>(1), Err::<u8, ()>(())));
    is_read((
        Bytes(vec![]),
        Bytes(vec![7; 5_000]),
        BTreeMap::from([(Bytes(vec![1]), ())]),
    ));
    is_read((
        BTreeMap::from([(1, 'a')]),
        BTreeMap::from([((1, true), [0.5])]),
    ));
    is_read(serde_json::json!({ "null": null, "short": 1.5, "list": [1, -1, {}], "text": "x" }));
    is_read((
        IpAddr::from([127, 0, 0, 1]),
        SocketAddr::from(([0; 16], 80)),
        Duration::MAX,
    ));
    is_read(Unsized(3));
    is_read(forecast());
}

#[derive(Debug, Serialize, Deserialize)]
struct Nothing;

#[derive(Debug, Serialize, Deserialize)]
struct Pair(u8, ());

#[derive(Debug, Serialize, Deserialize)]
enum Shape {
    Unit(()),
    Empty {},
    None(Option<u8>),
    Float(f64),
    Wide(u128),
}

/// Bytes as in `serde_bytes`.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Bytes(Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Bytes;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Bytes, E> {
                Ok(Bytes(bytes.to_vec()))
            }
        }
        deserializer.deserialize_byte_buf(Visitor)
    }
}

/// A sequence of unknown length.
#[derive(Debug, PartialEq, Eq)]
struct Unsized(u8);

impl Serialize for Unsized {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut sequence = serializer.serialize_seq(None)?;
        for element in 0..self.0 {
            serde::ser::SerializeSeq::serialize_element(&mut sequence, &element)?;
        }
        serde::ser::SerializeSeq::end(sequence)
    }
}

impl<'de> Deserialize<'de> for Unsized {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::<u8>::deserialize(deserializer).map(|elements| Self(elements.len() as u8))
    }
}

#[test]
fn other_types_are_left_to_ciborium() {
    assert_eq!(read::<()>(&encoded(&1), LEVELS), None);
    assert_eq!(read::<()>(&[0x80], LEVELS), None);
    assert_eq!(read::<f64>(&encoded(&1), LEVELS), None);
    assert_eq!(read::<u8>(&encoded(&256), LEVELS), None);
    assert_eq!(read::<u8>(&encoded(&-1), LEVELS), None);
    assert_eq!(read::<char>(&encoded(&"ab"), LEVELS), None);
    assert_eq!(read::<Wind>(&encoded(&"Hurricane"), LEVELS), None);
    assert_eq!(read::<u8>(&[1, 2], LEVELS), None);
}

#[test]
fn nesting_has_an_end() {
    let nested = |levels| [vec![0x81; levels], vec![0x80]].concat();
    assert!(read::<serde::de::IgnoredAny>(&nested(LEVELS - 1), LEVELS).is_some());
    assert!(read::<serde::de::IgnoredAny>(&nested(LEVELS), LEVELS).is_none());
    assert!(read::<serde::de::IgnoredAny>(&nested(1_000_000), LEVELS).is_none());
}

#[test]
fn siblings_are_no_nesting() {
    let siblings = vec![vec![[1, 2], [3, 4]]; 1_000];
    assert_eq!(read(&encoded(&siblings), 3), Some(siblings));
}

#[test]
fn it_never_reads_anything_but_ciboriums_value() {
    let whole = encoded(&forecast());
    let mut random = Random(1);
    let mut read = [0; 3];
    for _ in 0..200_000 {
        let mut bytes = whole.clone();
        for _ in 0..1 + random.below(2) {
            let place = random.below(bytes.len());
            bytes[place] = random.next() as u8;
        }
        let noise: Vec<u8> = (0..1 + random.below(5))
            .map(|_| random.next() as u8)
            .collect();
        read[0] += u32::from(agrees::<Forecast>(&bytes));
        read[1] += u32::from(agrees::<ciborium::Value>(&bytes));
        read[2] += u32::from(agrees::<ciborium::Value>(&noise));
    }
    assert!(read.iter().all(|&count| count > 1_000), "{read:?}");
}

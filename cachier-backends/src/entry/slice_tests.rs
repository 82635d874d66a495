#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;

use serde::{Deserialize, Serialize};

use self::random::Random;
use super::*;

#[path = "../../tests/support/random.rs"]
#[allow(dead_code, unreachable_pub, reason = "it is of all tests")]
mod random;

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
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).unwrap();
    bytes
}

/// Whether it is read; then ciborium reads the same, to the end.
#[track_caller]
fn agrees<V: DeserializeOwned + Debug>(bytes: &[u8]) -> bool {
    let Some(value) = read::<V>(bytes, LEVELS) else {
        return false;
    };
    let mut rest = bytes;
    let theirs: V = ciborium::from_reader(&mut rest).unwrap();
    // In words, as some numbers are none and so equal to nothing.
    assert_eq!(format!("{value:?}"), format!("{theirs:?}"), "{bytes:02x?}");
    assert!(rest.is_empty(), "{bytes:02x?}");
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

#[test]
fn what_is_rare_or_of_another_type_is_left_to_ciborium() {
    assert_eq!(read::<()>(&encoded(&()), LEVELS), None);
    assert_eq!(read::<f64>(&encoded(&1.5), LEVELS), None);
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
fn of_any_bytes_it_reads_nothing_but_what_ciborium_reads() {
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

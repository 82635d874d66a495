//! A million mutations of entries and values, and entries in place of others: none makes reading panic, none passes for
//! what it is not.
//!
//! The fuzz target `stored` does the same without end.

#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use cachier_backends::entry::{Header, decode, encode, encode_value};
use support::hostile::{Kind, Value, key, try_stored};
use support::random::Random;

mod support;

/// Mutations per test.
const MUTATIONS: usize = 250_000;

/// Several tests, to run in parallel.
macro_rules! mutations {
    ($($name:ident: $seed:literal;)*) => {$(
        #[test]
        fn $name() {
            try_mutations(Random($seed));
        }
    )*};
}

mutations! {
    the_first_quarter_of_a_million: 1;
    the_second_quarter_of_a_million: 2;
    the_third_quarter_of_a_million: 3;
    the_fourth_quarter_of_a_million: 4;
}

/// Each is read with a key that may be another entry's: renamed, or swapped.
fn try_mutations(mut random: Random) {
    let (stored, values) = stored();
    for _ in 0..MUTATIONS {
        let looked_for = random.below(stored.len());
        let found = random.below(stored.len() + values.len());
        let whole = stored
            .get(found)
            .unwrap_or_else(|| &values[found - stored.len()]);
        let mutated = match random.below(8) {
            0 => spliced(whole, &stored[looked_for], &mut random),
            _ => mutate(whole, &mut random),
        };
        if let Ok(Some(entry)) = decode(&key(looked_for as u8), &mutated) {
            assert!(
                mutated == stored[looked_for],
                "only its own intact entry is one: {entry:?}"
            );
        }
        try_stored(&mutated);
    }
}

/// The beginning of one and the end of another.
fn spliced(one: &[u8], other: &[u8], random: &mut Random) -> Vec<u8> {
    let place = random.below(one.len().min(other.len()));
    [&one[..place], &other[place..]].concat()
}

/// Entries with the key of their index, and bare values. Some entries differ only in their key.
fn stored() -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
    let inner = Value {
        text: String::new(),
        list: vec![],
        map: HashMap::new(),
    };
    let value = Value {
        text: "Oslo".to_owned(),
        list: vec![
            None,
            Some(Kind::Unit),
            Some(Kind::Tuple(7, -7)),
            Some(Kind::Newtype(Box::new(inner))),
        ],
        map: HashMap::from([("fjord".to_owned(), (i128::MIN, 'ø'))]),
    };
    let options = Value {
        text: "x".repeat(30),
        list: vec![Some(Kind::Struct {
            number: Some(Some(7)),
            unit: (),
        })],
        map: HashMap::new(),
    };
    let mut header = Header::new(SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000));
    header.compute = Some(Duration::from_nanos(42));
    header.expires = Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000));
    let values = [value, options].map(|value| encode_value(&value).unwrap());
    let entries =
        (0..4).map(|number| encode(&key(number), &header, &values[usize::from(number) % 2]));
    (entries.collect(), values.to_vec())
}

/// Some bytes changed, removed, repeated or inserted; sometimes none.
fn mutate(whole: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    for _ in 0..random.below(4) {
        let place = random.below(bytes.len().max(1)).min(bytes.len());
        let end = (place + random.below(9)).min(bytes.len());
        match random.below(5) {
            0 => bytes[place..end]
                .iter_mut()
                .for_each(|byte| *byte = random.next() as u8),
            1 => drop(bytes.drain(place..end)),
            2 => bytes.extend_from_within(place..end),
            3 => bytes.truncate(place),
            _ => bytes.insert(place, random.next() as u8),
        }
    }
    bytes
}

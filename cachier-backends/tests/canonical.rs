//! Equal arguments have equal keys, unequal ones do not.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use cachier_backends::canonical::{Unordered, to_vec};
use cachier_backends::{ErrorKind, KeyHash, KeySecret, Operation};
use proptest::prelude::*;
use serde::Serialize;
use support::data::{Data, any_data, rewritten};

mod support;

fn same<A: Serialize + ?Sized, B: Serialize + ?Sized>(a: &A, b: &B) -> bool {
    let same = to_vec(a).unwrap() == to_vec(b).unwrap();
    let same_hash = KeyHash::of(a, None).unwrap() == KeyHash::of(b, None).unwrap();
    assert_eq!(same, same_hash);
    same
}

#[test]
fn integers_count_by_value_whatever_their_width() {
    assert!(same(&7u8, &7i128));
    assert!(same(&-7i8, &-7i128));
    assert!(same(&u64::MAX, &u128::from(u64::MAX)));
    assert!(same(&i64::MIN, &i128::from(i64::MIN)));
    assert!(!same(&1u8, &-1i8));
    assert!(!same(&255u8, &-1i8));
    assert!(!same(&u128::MAX, &-1i128));
    assert!(!same(&(1u128 << 64), &0u8));
    assert!(!same(&(-1i128 << 64), &0u8));
}

#[test]
fn floats_have_one_nan_and_two_zeros() {
    assert!(same(&0.5f32, &0.5f64));
    assert!(!same(&0.1f32, &0.1f64));
    assert!(same(&f64::NAN, &-f64::NAN));
    assert!(same(&f32::NAN, &f64::from_bits(0x7ff0_0000_0000_0001)));
    assert!(!same(&0.0, &-0.0));
    assert!(!same(&1.0, &1));
}

#[test]
fn some_none_is_not_none() {
    assert!(!same(&Some(None::<u8>), &None::<Option<u8>>));
    assert!(!same(&Some(()), &None::<()>));
    assert!(!same(&Some(1), &1));
    assert!(!same(&(None::<u8>, Some(1)), &(Some(1), None::<u8>)));
}

#[test]
fn where_a_text_ends_counts() {
    assert!(!same(&("ab", "c"), &("a", "bc")));
    assert!(!same(&["ab", "c"], &["a", "bc"]));
    assert!(!same(&vec![vec![1], vec![]], &vec![vec![], vec![1]]));
    assert!(!same(&(("a",), "b"), &("a", ("b",))));
    assert!(!same("a", &'a'));
    assert!(same("a", &String::from("a")));
}

#[test]
fn structs_and_enums_count_with_their_names() {
    #[derive(Serialize)]
    struct Metres(u8);
    #[derive(Serialize)]
    struct Feet(u8);
    #[derive(Serialize)]
    #[serde(untagged)]
    enum Length {
        Metres { m: u8 },
        Feet { ft: u8 },
    }
    #[derive(Serialize)]
    enum Unit {
        Metres,
        Feet,
    }
    assert!(!same(&Metres(1), &Feet(1)));
    assert!(!same(&Metres(1), &1));
    assert!(!same(&Length::Metres { m: 1 }, &Length::Feet { ft: 1 }));
    assert!(!same(&Unit::Metres, &Unit::Feet));
    assert!(!same(&Unit::Metres, "Metres"));
}

#[test]
fn hash_map_order_does_not_count() {
    let there: HashMap<String, u32> = (0..100).map(|n| (n.to_string(), n)).collect();
    let back: HashMap<String, u32> = (0..100).rev().map(|n| (n.to_string(), n)).collect();
    let sorted: BTreeMap<String, u32> = (0..100).map(|n| (n.to_string(), n)).collect();
    assert!(same(&there, &back));
    assert!(same(&there, &sorted));
    let swapped = HashMap::from([("a", "b")]);
    assert!(!same(&swapped, &HashMap::from([("b", "a")])));
}

#[test]
fn unordered_set_order_does_not_count() {
    let there: HashSet<u32> = (0..100).collect();
    let back: HashSet<u32> = (0..100).rev().collect();
    let sorted: BTreeSet<u32> = (0..100).collect();
    assert!(same(&Unordered(&there), &Unordered(&back)));
    assert!(same(&Unordered(&there), &Unordered(&sorted)));
    assert!(same(&Unordered(&Some(&there)), &Unordered(&Some(&back))));
    assert!(!same(&Unordered(&[1, 1, 2]), &Unordered(&[1, 2, 2])));
    assert!(!same(&Unordered(&[1, 2]), &[1, 2].as_slice()));
}

#[test]
fn elements_of_unordered_sets_keep_their_order() {
    assert!(!same(&Unordered(&[[1, 2]]), &Unordered(&[[2, 1]])));
}

#[test]
fn other_serializers_see_through_unordered() {
    let set = [3, 1, 2];
    assert_eq!(serde_json::to_string(&Unordered(&set)).unwrap(), "[3,1,2]");
}

#[test]
fn long_arguments_hash_like_short_ones() {
    // The hash buffers its input: for every length it must be that of the whole.
    let text = "x".repeat(3000);
    for length in (0..1200).chain([2999, 3000]) {
        let argument = (&text[..length], length, &text[..length / 2]);
        let whole = blake3::hash(&to_vec(&argument).unwrap());
        let hash = KeyHash::of(&argument, None).unwrap();
        assert_eq!(hash.as_bytes(), whole.as_bytes(), "at {length}");
    }
}

#[test]
fn a_secret_changes_every_hash() {
    let [one, other] = ["one", "other"].map(|secret| KeySecret::new(secret.as_bytes()));
    for argument in ["short".to_owned(), "long".repeat(1000)] {
        let plain = KeyHash::of(&argument, None).unwrap();
        let keyed = KeyHash::of(&argument, Some(&one)).unwrap();
        assert_eq!(keyed, KeyHash::of(&argument, Some(&one)).unwrap());
        assert_ne!(keyed, plain);
        assert_ne!(keyed, KeyHash::of(&argument, Some(&other)).unwrap());
    }
    assert!(!format!("{one:?}").contains(char::is_numeric));
}

#[test]
fn arguments_that_refuse_are_a_codec_error() {
    #[cfg(unix)]
    {
        use std::ffi::OsStr;
        use std::os::unix::ffi::OsStrExt;
        let path = std::path::Path::new(OsStr::from_bytes(b"\xff"));
        let error = KeyHash::of(path, None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Codec);
        assert_eq!(error.operation(), Operation::Load);
    }
}

proptest! {
    #[test]
    fn data_is_equal_exactly_when_its_bytes_are(a in any_data(), b in any_data()) {
        prop_assert_eq!(to_vec(&a).unwrap() == to_vec(&b).unwrap(), a.normal() == b.normal());
    }

    #[test]
    fn no_data_begins_with_other_data(a in any_data(), b in any_data()) {
        let (a_bytes, b_bytes) = (to_vec(&a).unwrap(), to_vec(&b).unwrap());
        prop_assert_eq!(a_bytes.starts_with(&b_bytes), a.normal() == b.normal());
    }

    #[test]
    fn equal_data_has_the_same_bytes(a in any_data(), seed: u64) {
        let b: Data = rewritten(&a, seed);
        prop_assert_eq!(to_vec(&a).unwrap(), to_vec(&b).unwrap());
    }
}

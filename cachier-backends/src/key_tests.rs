//! Names of entries: pinned, readable, safe.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::canonical::{self, Unordered};
use crate::support::golden::{assert_golden, hex};
use crate::{Key, KeyHash, KeySecret, Scope, Version};
use serde::Serialize;

#[derive(Serialize)]
struct Point {
    x: i32,
    y: f64,
}

#[derive(Serialize)]
struct Metres(u8);

#[derive(Serialize)]
struct Pair(u8, u8);

#[derive(Serialize)]
struct Nothing;

#[derive(Serialize)]
enum Shape {
    Empty,
    Dot(Point),
    Line(u8, u8),
    Circle { radius: f32 },
}

/// A description of an argument, its canonical serialization, and its hash.
fn line<T: Serialize + ?Sized>(what: &str, argument: &T) -> String {
    let bytes = hex(&canonical::to_vec(argument).unwrap());
    let hash = KeyHash::of(argument, None).unwrap();
    format!("{what}: {bytes} {hash}")
}

#[test]
fn the_canonical_serialization_is_pinned() {
    let lines = [
        line("()", &()),
        line("true", &true),
        line("false", &false),
        line("42", &42u8),
        line("-42", &-42i8),
        line("2^64", &(1u128 << 64)),
        line("-2^64", &-(1i128 << 64)),
        line("1.5", &1.5f32),
        line("NaN", &f64::NAN),
        line("-0.0", &-0.0f64),
        line("'é'", &'é'),
        line("text é", "é"),
        line("None", &None::<u8>),
        line("Some(None)", &Some(None::<u8>)),
        line("sequence", &vec!["ab", "c"]),
        line("tuple", &("ab", "c")),
        line("unordered", &Unordered(&[3, 1, 2])),
        line("map", &BTreeMap::from([("b", 1), ("a", 2)])),
        line("struct", &Point { x: 1, y: 2.0 }),
        line("newtype", &Metres(1)),
        line("tuple struct", &Pair(1, 2)),
        line("unit struct", &Nothing),
        line("unit variant", &Shape::Empty),
        line("newtype variant", &Shape::Dot(Point { x: 1, y: 2.0 })),
        line("tuple variant", &Shape::Line(1, 2)),
        line("struct variant", &Shape::Circle { radius: 1.0 }),
    ];
    assert_golden("canonical.txt", &lines);
}

#[test]
fn the_names_of_entries_are_pinned() {
    let secret = KeySecret::new(b"secret");
    let key = |namespace: &str, function: &str, version, secret| {
        let scope = Arc::new(Scope::new(namespace, function));
        let hash = KeyHash::of(&("Oslo", 3), secret).unwrap();
        Key::new(scope, version, hash).to_string()
    };
    let lines = [
        key("default", "weather::forecast", Version::Code(0xcafe), None),
        key("default", "forecast", Version::Number(2), Some(&secret)),
        key("", "<a::B<T> as C>::d", Version::Unversioned, None),
        key("..", "a/b%c é~{x}", Version::Number(u64::MAX), None),
        key("n", &"long::".repeat(100), Version::Code(u64::MAX), None),
    ];
    assert_golden("keys.txt", &lines);
}

#[test]
fn a_key_tells_what_it_was_made_of() {
    let scope = Arc::new(Scope::new("a/b", "é::f"));
    assert_eq!((scope.namespace(), scope.function()), ("a/b", "é::f"));
    let (version, hash) = (Version::Number(2), KeyHash::from_bytes([7; 32]));
    let key = Key::new(Arc::clone(&scope), version, hash);
    assert_eq!(key.scope(), &scope);
    assert_eq!((key.version(), key.hash()), (version, hash));
    assert_eq!(hash.as_bytes(), &[7; 32]);
    assert_eq!(format!("{hash:?}"), format!("KeyHash({})", "07".repeat(32)));
}

#[test]
fn a_secret_is_never_shown() {
    let secret = KeySecret::new(b"secret");
    assert_eq!(format!("{secret:?}"), "KeySecret(..)");
}

#[test]
fn names_are_kept_whole_up_to_the_bound() {
    let name_of = |length| Scope::new("n".repeat(length), "f").to_string();
    assert_eq!(name_of(180), format!("cachier/2/{}/f", "n".repeat(180)));
    assert!(name_of(181).starts_with(&format!("cachier/2/{}~", "n".repeat(147))));
}

#[test]
fn names_stay_apart_and_within_bounds() {
    let long = "é".repeat(1000);
    let longer = format!("{long}.");
    let names = [
        "", ".", "..", "...", "~", ".~", "a", "A", "a/b", "a%2Fb", &long, &longer,
    ];
    let mut seen = BTreeMap::new();
    for name in names {
        let scope = Scope::new(name, "f").to_string();
        assert!(scope.len() < 250, "{scope}");
        let segments: Vec<&str> = scope.split('/').collect();
        assert_eq!(segments.len(), 4, "{scope}");
        assert!(!["", ".", ".."].contains(&segments[2]), "{scope}");
        assert_eq!(seen.insert(scope, name), None, "{name} meets another");
    }
}

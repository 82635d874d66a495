//! Excessive nesting is an error long before it exhausts the stack.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::thread;

use cachier_backends::canonical::{self, Unordered};
use cachier_backends::entry::{decode_value, encode_value, measure};
use cachier_backends::{Error, ErrorKind, KeyHash};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize, Serializer};

const MAX_LEVELS: usize = 128;
const MAX_WRAPPERS: usize = 256;

/// The stack for serializing arguments and values, even in a debug build.
const STACK: usize = 512 * 1024;

/// The stack for reading them.
const STACK_TO_READ: usize = 1024 * 1024;

fn with_stack(size: usize, run: impl FnOnce() + Send + 'static) {
    let thread = thread::Builder::new().stack_size(size).spawn(run).unwrap();
    thread.join().unwrap();
}

/// A list, one level per element.
#[derive(Debug, Default, Serialize, Deserialize)]
struct List {
    value: u32,
    next: Option<Box<List>>,
}

impl List {
    fn of(levels: usize) -> Self {
        let mut list = Self::default();
        for value in 1..levels as u32 {
            let next = Some(Box::new(list));
            list = Self { value, next };
        }
        list
    }
}

impl Drop for List {
    fn drop(&mut self) {
        let mut next = self.next.take();
        while let Some(mut list) = next {
            next = list.next.take();
        }
    }
}

/// Nesting without levels visible in the bytes.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Wrapped(Option<Box<Wrapped>>);

#[derive(Debug, Serialize, Deserialize)]
enum Tree {
    Leaf(u8),
    Newtype(Box<Tree>),
    Tuple(Box<Tree>, u8),
    Struct { inside: Box<Tree> },
    List(Vec<Tree>),
    Map(BTreeMap<u8, Tree>),
    Set(Vec<Set>),
}

/// A set of sets.
#[derive(Debug, Deserialize)]
struct Set(Vec<Set>);

impl Serialize for Set {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Unordered(&self.0).serialize(serializer)
    }
}

fn trees() -> [fn(Tree) -> Tree; 5] {
    [
        |tree| Tree::Newtype(Box::new(tree)),
        |tree| Tree::Tuple(Box::new(tree), 1),
        |tree| Tree::Struct {
            inside: Box::new(tree),
        },
        |tree| Tree::List(vec![tree]),
        |tree| Tree::Map(BTreeMap::from([(1, tree)])),
    ]
}

#[track_caller]
fn is_too_deep<T: Debug>(result: Result<T, Error>) {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Codec);
    let message = format!("{error:#}");
    assert!(message.contains("more than 128 levels deep"), "{message}");
}

#[test]
fn arguments_are_as_deep_as_the_limit() {
    with_stack(STACK, || {
        KeyHash::of(&(List::of(MAX_LEVELS), 1), None).unwrap();
        is_too_deep(KeyHash::of(&(List::of(MAX_LEVELS + 1), 1), None));
        is_too_deep(KeyHash::of(&(List::of(100_000), 1), None));
        is_too_deep(canonical::to_vec(&List::of(100_000)));
    });
}

#[test]
fn values_are_as_deep_as_the_limit() {
    with_stack(STACK, || {
        let bytes = encode_value(&List::of(MAX_LEVELS)).unwrap();
        assert_eq!(measure(&List::of(MAX_LEVELS)).unwrap(), bytes.len() as u64);
        is_too_deep(encode_value(&List::of(MAX_LEVELS + 1)));
        is_too_deep(measure(&List::of(MAX_LEVELS + 1)));
        is_too_deep(encode_value(&List::of(100_000)));
        is_too_deep(measure(&List::of(100_000)));
    });
    with_stack(STACK_TO_READ, || {
        let bytes = encode_value(&List::of(MAX_LEVELS)).unwrap();
        decode_value::<List>(&bytes).unwrap();
    });
}

#[test]
fn nesting_of_every_kind_has_its_limit() {
    with_stack(STACK, || {
        for nest in trees() {
            let nested = |count| (0..count).fold(Tree::Leaf(1), |tree, _| nest(tree));
            let is_refused = |count| canonical::to_vec(&nested(count)).is_err();
            let most = (1..200).find(|&count| is_refused(count)).unwrap();
            assert!((60..=MAX_LEVELS + 1).contains(&most), "{most}");
            is_too_deep(canonical::to_vec(&nested(most)));
            is_too_deep(canonical::to_vec(&nested(400)));
            is_too_deep(encode_value(&nested(400)));
            is_too_deep(measure(&nested(400)));
        }
        let sets = |count| (0..count).fold(Set(Vec::new()), |set, _| Set(vec![set]));
        canonical::to_vec(&sets(MAX_LEVELS)).unwrap();
        is_too_deep(canonical::to_vec(&sets(MAX_LEVELS + 1)));
        is_too_deep(canonical::to_vec(&Tree::Set(vec![sets(400)])));
    });
}

#[test]
fn wrappers_that_are_no_level_have_a_limit() {
    let wrapped = |count| (0..count).fold(Wrapped(None), |inner, _| Wrapped(Some(Box::new(inner))));
    // A newtype for each, and an option for each but the last.
    let most = MAX_WRAPPERS / 2 - 1;
    with_stack(STACK, move || {
        canonical::to_vec(&wrapped(most)).unwrap();
        measure(&wrapped(most)).unwrap();
        for count in [most + 1, 1_000] {
            is_too_deep(canonical::to_vec(&wrapped(count)));
            is_too_deep(measure(&wrapped(count)));
            is_too_deep(encode_value(&wrapped(count)));
        }
    });
}

/// A level and two wrappers per link.
#[derive(Debug, Serialize, Deserialize)]
struct Link(Next);

#[derive(Debug, Serialize, Deserialize)]
struct Next {
    next: Option<Box<Link>>,
}

#[test]
fn levels_with_wrappers_between_them_fit_the_stack() {
    let of = |length| {
        (1..length).fold(Link(Next { next: None }), |inner, _| {
            let next = Some(Box::new(inner));
            Link(Next { next })
        })
    };
    with_stack(STACK, move || {
        canonical::to_vec(&of(MAX_LEVELS)).unwrap();
        measure(&of(MAX_LEVELS)).unwrap();
        encode_value(&of(MAX_LEVELS)).unwrap();
        is_too_deep(canonical::to_vec(&of(1_000)));
        is_too_deep(encode_value(&of(1_000)));
    });
    with_stack(STACK_TO_READ, move || {
        let bytes = encode_value(&of(MAX_LEVELS)).unwrap();
        decode_value::<Link>(&bytes).unwrap();
    });
}

/// Whether reading bytes as such a value fails.
fn is_no<V: DeserializeOwned + Debug>(bytes: &[u8]) {
    let error = decode_value::<V>(bytes).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Codec);
}

#[test]
fn bytes_of_recursive_types_are_bounded() {
    with_stack(STACK_TO_READ, || {
        let null = encode_value(&Wrapped(None)).unwrap();
        assert_eq!(decode_value::<Wrapped>(&null).unwrap(), Wrapped(None));
        is_no::<Wrapped>(&encode_value(&5).unwrap());
        is_no::<Wrapped>(&encode_value(&"text").unwrap());
    });
}

/// Knows none of the stored fields.
#[derive(Debug, Deserialize)]
struct Stranger {}

#[test]
fn deep_bytes_are_refused_for_every_type() {
    let nested = |begin: &[u8]| [begin.repeat(100_000), vec![0x00]].concat();
    with_stack(STACK_TO_READ, move || {
        // Arrays, single-entry maps, and tags.
        for begin in [&[0x81][..], &[0xa1, 0x61, b'a'], &[0xc1]] {
            is_no::<List>(&nested(begin));
            is_no::<Tree>(&nested(begin));
            is_no::<Stranger>(&nested(begin));
            is_no::<serde_json::Value>(&nested(begin));
            is_no::<Wrapped>(&nested(begin));
        }
    });
}

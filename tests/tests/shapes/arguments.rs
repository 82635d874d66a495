//! All ways to take an argument.
#![allow(clippy::ptr_arg, clippy::too_many_arguments)]

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cachier::cachier;
use cachier_tests::sandbox::{in_folder, in_folder_async};

/// The same function on both kinds of backend.
macro_rules! on_both {
    ($($name:ident($($argument:ident: $type:ty = $value:expr),*) -> $returned:ty $body:block)*) => {$(
        #[test]
        fn $name() {
            #[cachier(backend = "memory")]
            fn in_memory($($argument: $type),*) -> $returned $body
            #[cachier(backend = "file")]
            fn in_files($($argument: $type),*) -> $returned $body

            in_folder(|_| {
                let expected = in_memory($($value),*);
                assert_eq!(in_memory($($value),*), expected);
                assert_eq!(in_memory::peek($($value),*).unwrap().as_ref(), Some(&expected));
                assert_eq!(in_files($($value),*), expected);
                assert_eq!(in_files::peek($($value),*).unwrap().as_ref(), Some(&expected));
                assert!(in_files::invalidate($($value),*).unwrap());
            });
        }
    )*};
}

on_both! {
    strings(text: &str = "ab", owned: String = "c".to_owned()) -> String { format!("{text}{owned}") }
    slices(numbers: &[u8] = &[1, 2]) -> usize { numbers.len() }
    references(number: &u64 = &3, list: &Vec<u8> = &vec![1]) -> u64 { *number + list.len() as u64 }
    optional_references(text: Option<&str> = Some("a"), number: Option<&u8> = None) -> (bool, bool) {
        (text.is_some(), number.is_some())
    }
    floats(x: f64 = 1.5, y: f32 = -0.0, list: &[f64] = &[f64::NAN], both: Option<f64> = Some(2.0)) -> u32 {
        (x + f64::from(y) + both.unwrap_or(0.0)) as u32 + list.len() as u32
    }
    float_arrays(array: [f32; 3] = [1.0, 2.0, 3.0], pair: (f64, f64) = (1.0, 2.0)) -> u32 {
        (array[0] + pair.1 as f32) as u32
    }
    arrays_and_tuples(array: [u8; 4] = [1; 4], tuple: (u8, String) = (2, "x".to_owned())) -> usize {
        array.len() + tuple.1.len()
    }
    shared(text: Arc<str> = Arc::from("abc"), list: Arc<Vec<u8>> = Arc::new(vec![1])) -> usize { text.len() + list.len() }
    paths(path: &Path = Path::new("a/b"), owned: PathBuf = PathBuf::from("c")) -> PathBuf { path.join(owned) }
    maps(map: BTreeMap<String, u8> = BTreeMap::from([("a".to_owned(), 1)]), set: BTreeSet<u8> = BTreeSet::from([2])) -> u8 {
        map.values().sum::<u8>() + set.len() as u8
    }
    options(number: Option<u8> = Some(3), nested: Option<Option<u8>> = Some(None)) -> u8 {
        number.unwrap_or(0) + u8::from(nested.is_some())
    }
    functions_of_statics(text: &'static str = "abc") -> usize { text.len() }
}

#[cachier(backend = "file")]
fn unordered(map: HashMap<String, u8>, set: &HashSet<u32>) -> usize {
    map.len() + set.len()
}

#[test]
fn hash_maps_and_sets_are_stored_keys() {
    in_folder(|_| {
        let map: HashMap<String, u8> = (0..20).map(|n| (n.to_string(), n)).collect();
        let set: HashSet<u32> = (0..100).collect();
        let again: HashSet<u32> = (0..100).rev().collect();
        assert_eq!(unordered(map.clone(), &set), 120);
        assert_eq!(unordered::peek(map, &again).unwrap(), Some(120));
    });
}

#[cachier(backend = "memory")]
fn patterns((a, b): (u8, u8), [first, .., last]: [u8; 3], mut sum: u32, _: u8, _unused: u8) -> u32 {
    sum += u32::from(a) + u32::from(b) + u32::from(first) + u32::from(last);
    sum
}

#[test]
fn arguments_are_patterns() {
    in_folder(|_| {
        assert_eq!(patterns((1, 2), [3, 4, 5], 100, 7, 8), 111);
        assert_eq!(
            patterns::peek((1, 2), [3, 4, 5], 100, 7, 8).unwrap(),
            Some(111)
        );
        assert_eq!(patterns::peek((1, 2), [3, 4, 5], 100, 0, 8).unwrap(), None);
    });
}

#[cachier(backend = "memory")]
fn lifetimes<'a, 'b: 'a>(one: &'a str, other: &'b [u8]) -> usize {
    one.len() + other.len()
}

#[test]
fn named_lifetimes() {
    in_folder(|_| assert_eq!(lifetimes("ab", &[1]), 3));
}

#[cachier(backend = "memory")]
fn operation(
    options: u8,
    stored: u8,
    shape: u8,
    arguments: u8,
    start: u8,
    value: u8,
    key: u8,
    recipe: u8,
) -> u8 {
    options + stored + shape + arguments + start + value + key + recipe
}

#[test]
fn the_users_names_do_not_meet_the_macros() {
    in_folder(|_| {
        assert_eq!(operation(1, 2, 3, 4, 5, 6, 7, 8), 36);
        operation::precache_value(1, 2, 3, 4, 5, 6, 7, 8, 9).unwrap();
        assert_eq!(operation(1, 2, 3, 4, 5, 6, 7, 8), 9);
    });
}

struct Connection;

#[cachier(backend = "memory", skip(connection, log))]
fn skipping(connection: &Connection, id: u64, log: &mut Vec<u64>) -> u64 {
    let Connection = connection;
    log.push(id);
    id * 10
}

#[test]
fn skipped_arguments_need_nothing() {
    in_folder(|_| {
        let mut log = Vec::new();
        assert_eq!(skipping(&Connection, 1, &mut log), 10);
        assert_eq!(skipping(&Connection, 1, &mut log), 10);
        assert_eq!(log, [1]);
    });
}

struct Request<'a> {
    id: u64,
    _body: &'a [u8],
}

#[cachier(backend = "memory", key = |request, mode: &Option<u8>| (request.id, *mode))]
fn keyed(request: &Request<'_>, mode: Option<u8>, _noise: &Connection) -> u64 {
    request.id + u64::from(mode.unwrap_or(0))
}

#[cachier(backend = "file", key = |text| { if text.is_empty() { return 0; } text.len() })]
fn keyed_in_files(text: &str, _noise: Connection) -> usize {
    text.len() * 2
}

#[test]
fn own_keys() {
    in_folder(|_| {
        let request = Request { id: 3, _body: b"x" };
        assert_eq!(keyed(&request, Some(1), &Connection), 4);
        let other = Request { id: 3, _body: b"y" };
        assert_eq!(keyed::peek(&other, Some(1), &Connection).unwrap(), Some(4));
        assert_eq!(keyed_in_files("ab", Connection), 4);
        assert_eq!(keyed_in_files("xy", Connection), 4);
        assert_eq!(keyed_in_files::peek("cd", Connection).unwrap(), Some(4));
    });
}

#[cachier(backend = "memory", stale_after = "0s", next_time)]
fn printed(text: &'static str, more: Option<&'static [u8]>) -> &'static str {
    if more.is_some() { text } else { "" }
}

#[cachier(backend = "memory", stale_after = "0s", next_time, companion = false)]
fn printed_alone(text: &'static str) -> &'static str {
    text
}

#[cachier(backend = "file", stale_after = "0s", next_time)]
async fn measured(text: &'static str) -> usize {
    text.len()
}

struct Page;

impl Page {
    #[cachier(backend = "memory", stale_after = "0s", next_time, skip(self))]
    fn number(&'static self, _text: &'static str) -> usize {
        7
    }
}

#[tokio::test]
async fn static_references_go_to_the_background() {
    static PAGE: Page = Page;

    in_folder_async(async |_| {
        for _ in 0..2 {
            assert_eq!(printed("a", Some(&[1])), "a");
            assert_eq!(printed_alone("b"), "b");
            assert_eq!(measured("abc").await, 3);
            assert_eq!(PAGE.number("d"), 7);
        }
        cachier::flush_async().await;
    })
    .await;
}

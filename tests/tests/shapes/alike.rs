//! Arguments accepted on files are accepted in memory, and before a near tier, sync and async.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::fmt::Debug;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use cachier::{ErrorKind, Outcome, cachier};
use cachier_tests::sandbox::{in_folder, in_folder_async};
use futures_lite::future::block_on;
use serde::{Serialize, Serializer};

/// No `Hash`: it holds floats.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Point {
    x: f64,
    y: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
enum Shape {
    Circle(Point, f32),
    Corners(Vec<Point>),
}

/// Neither `Clone` nor `'static`.
#[derive(Debug, PartialEq, Eq, Hash, Serialize)]
struct Ticket<'a> {
    seat: &'a str,
    tags: Vec<&'a str>,
}

const NORTH: Point = Point { x: 0.0, y: 1.0 };
const EAST: Point = Point { x: 1.0, y: 0.0 };

fn numbers(to: u32) -> HashMap<String, u32> {
    (0..to).map(|n| (n.to_string(), n)).collect()
}

/// The same function in all places: equal arguments are one entry, others are another.
macro_rules! in_all_places {
    ($($name:ident: $type:ty = $equal:expr, not $other:expr;)*) => {$(
        #[test]
        fn $name() {
            #[cachier(backend = "memory")]
            fn in_memory(argument: $type) -> String { format!("{argument:?}") }
            #[cachier(backend = "file")]
            fn in_files(argument: $type) -> String { format!("{argument:?}") }
            #[cachier(backend = "file", near_cache = 100)]
            fn near(argument: $type) -> String { format!("{argument:?}") }
            #[cachier(backend = "memory", companion = false)]
            fn alone(argument: $type) -> String { format!("{argument:?}") }
            #[cachier(backend = "memory")]
            async fn in_memory_async(argument: $type) -> String { format!("{argument:?}") }
            #[cachier(backend = "file")]
            async fn in_files_async(argument: $type) -> String { format!("{argument:?}") }

            in_folder(|_| {
                let first = in_memory($equal);
                assert_eq!(in_memory($equal), first);
                assert_eq!(in_memory::peek($equal).unwrap(), Some(first));
                assert_eq!(in_memory::peek($other).unwrap(), None);
                let first = in_files($equal);
                assert_eq!(in_files::peek($equal).unwrap(), Some(first));
                assert_eq!(in_files::peek($other).unwrap(), None);
                let first = near($equal);
                assert_eq!(near($equal), first);
                assert_eq!(near::peek($equal).unwrap(), Some(first));
                assert_eq!(near::peek($other).unwrap(), None);
                assert_eq!(alone($equal), alone($equal));
            });
            block_on(in_folder_async(async |_| {
                let first = in_memory_async($equal).await;
                assert_eq!(in_memory_async::peek($equal).await.unwrap(), Some(first));
                assert_eq!(in_memory_async::peek($other).await.unwrap(), None);
                let first = in_files_async($equal).await;
                assert_eq!(in_files_async::peek($equal).await.unwrap(), Some(first));
                assert_eq!(in_files_async::peek($other).await.unwrap(), None);
            }));
        }
    )*};
}

in_all_places! {
    optional_text: Option<&str> = Some("a"), not None;
    optional_number: Option<&f64> = Some(&1.5), not Some(&2.5);
    optional_list_of_texts: Option<&[&str]> = Some(&["a", "b"]), not Some(&["ab"]);
    optional_path: Option<&Path> = Some(Path::new("a/b")), not None;
    optional_struct: Option<&Point> = Some(&NORTH), not Some(&EAST);
    texts: &[&str] = &["a", "b"], not &["ab"];
    text_in_a_list: Vec<&str> = vec!["a"], not vec!["b"];
    text_behind_two: &&str = &"a", not &"b";
    text_in_a_tuple: (u8, &str) = (1, "a"), not (1, "b");
    borrowed_or_owned: Cow<'_, str> = Cow::Borrowed("a"), not Cow::Borrowed("b");
    hash_map: HashMap<String, u32> = numbers(40), not numbers(41);
    hash_map_behind_a_reference: &HashMap<String, u32> = &numbers(40), not &numbers(39);
    hash_map_of_texts: HashMap<&str, f64> = HashMap::from([("a", 1.0)]), not HashMap::from([("a", 2.0)]);
    hash_maps_in_a_list: &[HashMap<String, u32>] = &[numbers(9), numbers(8)], not &[numbers(8), numbers(9)];
    hash_map_of_hash_maps: HashMap<u8, HashMap<String, u32>> =
        HashMap::from([(1, numbers(20)), (2, numbers(3))]), not HashMap::from([(1, numbers(20))]);
    hash_set: HashSet<u32> = (0..100).collect(), not (0..99).collect();
    hash_set_behind_a_reference: &HashSet<u32> = &(0..100).rev().collect(), not &(1..100).collect();
    tree_map_of_floats: BTreeMap<String, f64> = BTreeMap::from([("a".to_owned(), 1.0)]), not BTreeMap::new();
    tree_map_of_sets: &BTreeMap<u8, BTreeSet<u8>> = &BTreeMap::from([(1, BTreeSet::from([2]))]), not &BTreeMap::new();
    struct_of_floats: Point = NORTH, not EAST;
    struct_behind_a_reference: &Point = &NORTH, not &EAST;
    structs_in_a_list: &[Point] = &[NORTH, EAST], not &[EAST, NORTH];
    enum_of_floats: Shape = Shape::Circle(NORTH, 1.0), not Shape::Corners(vec![NORTH]);
    struct_that_borrows: &Ticket<'_> = &Ticket { seat: "1a", tags: vec!["x"] }, not &Ticket { seat: "1a", tags: vec![] };
    struct_of_numbers_that_are_none: Point = Point { x: f64::NAN, y: 0.0 }, not Point { x: f64::NAN, y: -0.0 };
    float_and_text: (f64, String) = (1.0, "a".to_owned()), not (2.0, "a".to_owned());
    pairs_of_floats: Vec<(f64, f64)> = vec![(1.0, 2.0)], not vec![(2.0, 1.0)];
    matrix: [[f64; 2]; 2] = [[1.0, 2.0], [3.0, 4.0]], not [[1.0, 2.0], [4.0, 3.0]];
    queue_of_floats: VecDeque<f32> = VecDeque::from([1.0]), not VecDeque::from([2.0]);
    shared_struct: Arc<Point> = Arc::new(NORTH), not Arc::new(EAST);
    boxed_struct: Box<Point> = Box::new(NORTH), not Box::new(EAST);
    optional_optional: Option<Option<Point>> = Some(None), not None;
    result_of_floats: Result<f64, String> = Ok(1.0), not Ok(2.0);
    period: Duration = Duration::from_secs(1), not Duration::from_secs(2);
    moment: Option<SystemTime> = Some(SystemTime::UNIX_EPOCH), not None;
}

/// Bound to one thread, and so is the future of an async function with it.
#[cachier(backend = "memory")]
fn of_one_thread(text: Rc<str>, more: &Rc<Point>) -> String {
    format!("{text}{more:?}")
}

#[test]
fn arguments_of_one_thread() {
    in_folder(|_| {
        let first = of_one_thread(Rc::from("a"), &Rc::new(NORTH));
        let again = of_one_thread::peek(Rc::from("a"), &Rc::new(NORTH)).unwrap();
        assert_eq!(again, Some(first));
        let other = of_one_thread::peek(Rc::from("a"), &Rc::new(EAST)).unwrap();
        assert_eq!(other, None);
    });
}

#[cachier(backend = "memory")]
fn generic<T: Serialize + Debug>(argument: T, list: &[T]) -> String {
    format!("{argument:?}{list:?}")
}

#[cachier(backend = "memory")]
fn opaque(argument: impl Serialize + Debug) -> String {
    format!("{argument:?}")
}

#[test]
fn generic_arguments_with_serde() {
    in_folder(|_| {
        assert_eq!(generic(NORTH, &[EAST]), generic(NORTH, &[EAST]));
        assert_eq!(generic::peek(NORTH, &[NORTH]).unwrap(), None);
        assert_eq!(opaque(NORTH), opaque(NORTH));
        assert_ne!(opaque(NORTH), opaque(EAST));
    });
}

struct Map(HashMap<String, u32>);

impl Map {
    #[cachier(backend = "memory", skip(self))]
    fn sum(&self, names: &[&str], weights: &HashMap<String, f64>) -> f64 {
        let found = names
            .iter()
            .filter_map(|name| Some(f64::from(*self.0.get(*name)?) * weights.get(*name)?));
        found.sum()
    }
}

#[test]
fn methods_take_the_same() {
    in_folder(|_| {
        let (map, weights) = (Map(numbers(5)), HashMap::from([("4".to_owned(), 0.5)]));
        assert_eq!(map.sum(&["1", "4"], &weights), 2.0);
        let peeked = Map::sum_cache().peek(&map, &["1", "4"], &weights).unwrap();
        assert_eq!(peeked, Some(2.0));
        let peeked = Map::sum_cache().peek(&map, &["14"], &weights).unwrap();
        assert_eq!(peeked, None);
    });
}

/// No `Clone`, so in memory its encoding counts, which shows nothing of it. Its `Hash` does.
#[derive(PartialEq, Eq, Hash)]
struct Secret(u64);

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("[redacted]")
    }
}

#[cachier(backend = "memory")]
fn revealed(secret: &Secret) -> u64 {
    secret.0
}

#[test]
fn hash_tells_apart_what_serde_hides() {
    in_folder(|_| {
        assert_eq!(revealed(&Secret(1)), 1);
        assert_eq!(revealed(&Secret(2)), 2);
        assert_eq!(revealed::peek(&Secret(1)).unwrap(), Some(1));
    });
}

/// Refuses to be serialized.
struct Silent(f64);

impl Serialize for Silent {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("not now"))
    }
}

#[cachier(backend = "memory")]
fn doubled(number: &Silent) -> f64 {
    number.0 * 2.0
}

#[test]
fn what_does_not_serialize_bypasses_memory() {
    in_folder(|_| {
        for number in [1.0, 2.0] {
            let call = doubled::call_detailed(cachier::CallOptions::new(), &Silent(number));
            assert_eq!((call.value, call.outcome), (number * 2.0, Outcome::Bypass));
            let error = call.backend_error.unwrap();
            assert_eq!(error.kind(), ErrorKind::Codec);
        }
        assert!(doubled::peek(&Silent(1.0)).is_err());
        assert!(doubled::precache_value(&Silent(1.0), 5.0).is_err());
        assert_eq!(doubled(&Silent(3.0)), 6.0);
    });
}

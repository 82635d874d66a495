//! `key = |..| ..` with all that a closure may take and give.

use std::sync::Arc;

use cachier::cachier;
use cachier_tests::sandbox::{in_folder, in_folder_async};

/// A type that no key can hold.
#[derive(Clone)]
struct Connection;

/// A type that is `Copy`, and one that is not.
#[derive(Clone, Copy)]
struct Point {
    x: u64,
    y: u64,
}

struct Request {
    item: String,
    point: Point,
}

/// Functions with one body, one for each kind of store.
macro_rules! on_each_store {
    ($($name:ident($($argument:tt)*);)*) => {$(
        #[cachier($($argument)*, key = |name, n| (name.to_lowercase(), n))]
        fn $name(name: &str, n: u64, _connection: &Connection) -> String {
            format!("{name}{n}")
        }
    )*};
}

on_each_store! {
    in_memory(backend = "memory");
    in_memory_measured(backend = "memory", capacity_bytes = "1MB");
    in_files(backend = "file");
    in_files_behind_memory(backend = "file", near_cache = 10);
    in_a_database(backend = registered("database"));
    in_memory_refreshed(backend = "memory", next_time, stale_after = "1h");
}

#[test]
fn numbers_arrive_by_value_on_each_store() {
    in_folder(|folder| {
        crate::with_database(folder);
        macro_rules! check {
            ($($name:ident)*) => {$(
                assert_eq!($name("Tea", 3, &Connection), "Tea3");
                assert_eq!($name("TEA", 3, &Connection), "Tea3", stringify!($name));
                assert_eq!($name("TEA", 4, &Connection), "TEA4");
                assert_eq!($name::peek("tEa", 4, &Connection).unwrap().as_deref(), Some("TEA4"));
            )*};
        }
        check! { in_memory in_memory_measured in_files in_files_behind_memory in_a_database in_memory_refreshed }
    });
}

#[cachier(backend = "memory", key = |n, name| (n % 10, name))]
async fn asynchronous(name: &str, n: u64) -> u64 {
    name.len() as u64 + n
}

#[cachier(backend = "file", near_cache = 10, key = |n| n % 10)]
async fn asynchronous_in_files(name: &str, n: u64) -> u64 {
    name.len() as u64 + n
}

struct Shop<T> {
    tenant: T,
    point: Point,
}

trait Priced {
    fn priced(&self, n: u64) -> u64;
}

impl<T: Copy + Into<u64>> Shop<T> {
    #[cachier(backend = "memory", key = |self, n, point| (self.tenant.into(), n, point.x))]
    fn price(&self, n: u64, point: Point) -> u64 {
        self.tenant.into() + n + point.x + point.y
    }

    #[cachier(backend = "file", key = |tenant| tenant.into(), in_impl)]
    fn tax(tenant: T, _noise: u64) -> u64 {
        tenant.into()
    }

    #[cachier(backend = "memory", key = |self, n| (self.point.x, n))]
    async fn rating(self: Arc<Self>, n: u64) -> u64
    where
        T: Send + Sync + 'static,
    {
        n + self.tenant.into()
    }
}

impl Priced for Shop<u8> {
    #[cachier(backend = "memory", companion = false, key = |self, n| (self.tenant, n))]
    fn priced(&self, n: u64) -> u64 {
        n + self.point.y
    }
}

#[cachier(backend = "memory", key = |small, item, name| (small.into(), item.to_string(), name))]
fn generic<S: Copy + Into<u64>, T: ToString>(name: &str, small: S, item: &T) -> String {
    format!("{name}{}{}", small.into(), item.to_string())
}

#[tokio::test]
async fn numbers_arrive_by_value_in_every_function_kind() {
    in_folder_async(async |_| {
        assert_eq!(asynchronous("ab", 13).await, 15);
        assert_eq!(asynchronous("ab", 23).await, 15);
        assert_eq!(asynchronous("abc", 23).await, 26);
        assert_eq!(asynchronous_in_files("ab", 13).await, 15);
        assert_eq!(asynchronous_in_files("x", 23).await, 15);

        let point = Point { x: 1, y: 2 };
        let shop = Arc::new(Shop { tenant: 4u8, point });
        assert_eq!(shop.price(3, point), 10);
        assert_eq!(shop.price(3, Point { y: 7, ..point }), 10);
        assert_eq!(shop.price(3, Point { x: 2, y: 7 }), 16);
        assert_eq!((Shop::tax(4u8, 1), Shop::tax(4u8, 2)), (4, 4));
        assert_eq!(Arc::clone(&shop).rating(3).await, 7);
        let other = Shop {
            point: Point { x: 1, y: 9 },
            ..*shop
        };
        assert_eq!(
            (shop.priced(1), other.priced(1), other.priced(2)),
            (3, 3, 11)
        );

        assert_eq!(generic("a", 1u8, &2.5), "a12.5");
        assert_eq!(
            generic::peek("a", 1u8, &2.5).unwrap().as_deref(),
            Some("a12.5")
        );
        assert_eq!(generic::peek("b", 1u8, &2.5).unwrap(), None);
    })
    .await;
}

#[cachier(backend = "memory", key = |request, point| (request.item.clone(), point.x))]
fn not_copied(request: Request, point: Point) -> u64 {
    request.point.x + point.y
}

#[cachier(backend = "memory", key = |item: &String, &n, letter: char| (item.clone(), n, letter))]
fn annotated(item: String, n: u64, letter: char) -> String {
    format!("{item}{n}{letter}")
}

#[cachier(backend = "memory", key = |&n, mut text| { text.make_ascii_lowercase(); (n, text) })]
fn through_references(n: &u64, text: [u8; 2]) -> u64 {
    n + u64::from(text[0])
}

#[test]
fn what_is_not_copied_arrives_by_reference() {
    let request = |item: &str| Request {
        item: item.to_owned(),
        point: Point { x: 1, y: 2 },
    };
    in_folder(|_| {
        let point = Point { x: 3, y: 4 };
        assert_eq!(not_copied(request("a"), point), 5);
        assert_eq!(not_copied(request("a"), Point { y: 9, ..point }), 5);
        assert_eq!(annotated("a".to_owned(), 1, 'b'), "a1b");
        assert_eq!(through_references(&1, *b"Ab"), 66);
        assert_eq!(through_references(&1, *b"aB"), 66);
    });
}

#[cachier(backend = "memory", key = |y| y)]
fn named_inside((_, y): (u64, u64), _noise: u64) -> u64 {
    y
}

#[cachier(backend = "file", key = |y, texts| (y, texts.len()))]
fn named_deep(Point { x: _, mut y }: Point, (_, texts): &(u64, Vec<String>)) -> u64 {
    y += texts.len() as u64;
    y
}

#[cachier(backend = "memory", key = |(x, y)| x + y)]
fn pattern_of_its_own(name: &str, (x, y): (u64, u64)) -> u64 {
    x + y + name.len() as u64
}

#[cachier(backend = "memory", key = |_, Point { x, .. }, n| (x, n))]
fn pattern_at_its_place(_noise: u64, point: Point, n: u64) -> u64 {
    point.x + point.y + n
}

#[cachier(backend = "memory", key = |point @ Point { x, .. }| (x, point.y))]
fn pattern_with_a_name(_noise: u64, point: Point) -> u64 {
    point.x + point.y
}

#[test]
fn patterns_take_arguments_apart() {
    in_folder(|_| {
        assert_eq!(named_inside((1, 2), 3), 2);
        assert_eq!(named_inside::peek((5, 2), 6).unwrap(), Some(2));
        let texts = |count| (0, vec![String::new(); count]);
        assert_eq!(named_deep(Point { x: 1, y: 2 }, &texts(2)), 4);
        assert_eq!(
            named_deep::peek(Point { x: 5, y: 2 }, &texts(2)).unwrap(),
            Some(4)
        );
        assert_eq!(
            named_deep::peek(Point { x: 1, y: 2 }, &texts(3)).unwrap(),
            None
        );
        assert_eq!(pattern_of_its_own("a", (1, 2)), 4);
        assert_eq!(pattern_of_its_own::peek("b", (2, 1)).unwrap(), Some(4));
        assert_eq!(pattern_at_its_place(0, Point { x: 1, y: 2 }, 3), 6);
        assert_eq!(
            pattern_at_its_place::peek(9, Point { x: 1, y: 9 }, 3).unwrap(),
            Some(6)
        );
        assert_eq!(pattern_with_a_name(0, Point { x: 1, y: 2 }), 3);
        assert_eq!(
            pattern_with_a_name::peek(1, Point { x: 1, y: 2 }).unwrap(),
            Some(3)
        );
    });
}

#[cachier(backend = "memory", key = |name| name.trim())]
fn borrowed(name: &str) -> usize {
    name.len()
}

#[cachier(backend = "file", near_cache = 10, key = |name, n| (name, n))]
fn borrowed_behind_memory(name: &str, n: u64, _noise: u64) -> usize {
    name.len() + n as usize
}

#[cachier(backend = "memory", key = |request, ratio| { let item = &request.item; (item, ratio) })]
fn borrowed_with_floats(request: &Request, ratio: f64) -> u64 {
    request.point.x + ratio as u64
}

#[test]
fn keys_in_memory_own_what_they_borrow() {
    in_folder(|_| {
        assert_eq!((borrowed(" a"), borrowed("a ")), (2, 2));
        assert_eq!(borrowed::peek("a").unwrap(), Some(2));
        assert_eq!(borrowed_behind_memory("ab", 1, 2), 3);
        assert_eq!(borrowed_behind_memory::peek("ab", 1, 3).unwrap(), Some(3));
        let request = Request {
            item: "a".to_owned(),
            point: Point { x: 1, y: 2 },
        };
        assert_eq!(borrowed_with_floats(&request, 1.5), 2);
        assert_eq!(borrowed_with_floats::peek(&request, 1.6).unwrap(), None);
    });
}

#[cachier(backend = "memory", key = |small| -> u64 { small.into() })]
fn widened(small: u32, _noise: u64) -> u64 {
    small.into()
}

#[cachier(backend = "file", key = |numbers, name| -> (Vec<u8>, &str) { (numbers.iter().map(|n| n % 10).collect(), name) })]
async fn collected(numbers: &[u8], name: &str) -> usize {
    numbers.len() + name.len()
}

#[tokio::test]
async fn a_key_may_name_its_type() {
    in_folder_async(async |_| {
        assert_eq!(widened(3, 1), 3);
        assert_eq!(widened::peek(3, 2).unwrap(), Some(3));
        assert_eq!(collected(&[1, 12], "a").await, 3);
        assert_eq!(collected::peek(&[11, 2], "a").await.unwrap(), Some(3));
        assert_eq!(collected::peek(&[11, 3], "a").await.unwrap(), None);
    })
    .await;
}

#[cachier(backend = "memory", key = |(other, _), (_, own)| (other, own))]
fn named_as_another(pair: (u64, u64), other: (u64, u64)) -> u64 {
    pair.0 + other.1
}

#[cachier(backend = "memory", key = |(other, _), Point { x, .. }| (other.x, x))]
fn alike_in_type(pair: (Point, u64), other: Point) -> u64 {
    pair.0.x + other.x
}

#[test]
fn no_parameter_hides_an_argument_from_the_next() {
    in_folder(|_| {
        assert_eq!(named_as_another((1, 2), (3, 4)), 5);
        assert_eq!(named_as_another::peek((1, 9), (9, 4)).unwrap(), Some(5));
        assert_eq!(named_as_another::peek((1, 2), (3, 5)).unwrap(), None);
        let (one, two) = (Point { x: 1, y: 0 }, Point { x: 2, y: 0 });
        assert_eq!(alike_in_type((one, 0), two), 3);
        assert_eq!(alike_in_type((one, 0), one), 2);
    });
}

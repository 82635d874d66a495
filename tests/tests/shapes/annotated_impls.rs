//! Impls with `#[cachier::methods]`.

use std::fmt::Debug;
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};

use cachier::{CallOptions, Outcome, cachier};
use cachier_tests::sandbox::{in_folder, in_folder_async};

#[derive(Default)]
struct Shop {
    tenant: u64,
    asked: AtomicU64,
}

impl Shop {
    fn asked(&self) -> u64 {
        self.asked.fetch_add(1, Ordering::Relaxed) + 1
    }
}

#[cachier::methods]
impl Shop {
    const RATE: u64 = 10;

    #[cachier(backend = "memory")]
    fn tax(net: u64) -> u64 {
        net / 10
    }

    #[cachier(backend = "memory", skip(self), in_impl, enable_metrics)]
    pub(crate) fn price(&self, item: &str) -> Option<u64> {
        self.asked();
        (!item.is_empty()).then_some(item.len() as u64 * Self::RATE)
    }

    fn uncached(&self) -> u64 {
        self.tenant
    }

    #[cachier(backend = "file", skip(self), companion = false)]
    async fn silent(&self, id: u64) -> u64 {
        id + self.uncached()
    }

    #[cachier(backend = "file", companion = bills)]
    async fn bill(of: u64) -> Result<u64, String> {
        tokio::task::yield_now().await;
        Ok(of + 1)
    }
}

#[tokio::test]
async fn inherent_impls_need_no_in_impl() {
    in_folder_async(async |_| {
        let shop = Shop {
            tenant: 1,
            ..Shop::default()
        };
        assert_eq!((Shop::tax(50), Shop::tax(50)), (5, 5));
        assert_eq!(Shop::tax_cache().peek(50).unwrap(), Some(5));
        assert_eq!((shop.price("tea"), shop.price("tea")), (Some(30), Some(30)));
        assert_eq!(shop.asked.load(Ordering::Relaxed), 1);
        assert!(Shop::price_cache().invalidate(&shop, "tea").unwrap());
        assert_eq!(Shop::price_cache().metrics().stats().hits, 1);
        assert!(
            Shop::price_cache()
                .metrics()
                .name()
                .ends_with("annotated_impls::Shop::price")
        );
        assert_eq!(shop.silent(2).await, 3);
        assert_eq!(Shop::bill(2).await, Ok(3));
        assert_eq!(Shop::bills().peek(2).await.unwrap(), Some(3));
    })
    .await;
}

trait Lookup {
    const FACTOR: u64;
    type Found;
    fn lookup(&self, id: u64) -> Option<Self::Found>;
    fn count(ids: &[u64], times: usize) -> usize;
    fn fetch(&self, id: u64) -> impl Future<Output = Result<Self::Found, String>> + Send;
    async fn remote(id: u64) -> u64;
    fn twin(&self, other: &Self) -> u64;
    fn uncached(&self) -> u64 {
        7
    }
}

#[cachier::methods]
impl Lookup for Shop {
    const FACTOR: u64 = 3;
    type Found = String;

    /// Looks up.
    #[cachier(backend = "memory", skip(self), enable_metrics)]
    fn lookup(&self, mut id: u64) -> Option<Self::Found> {
        if id == 0 {
            return None;
        }
        id *= Self::FACTOR;
        id += self.asked();
        let found: Self::Found = id.to_string();
        Some(found)
    }

    #[cachier(backend = "memory", next_time, stale_after = "0s")]
    fn count(ids: &[u64], times: usize) -> usize {
        ids.len() * times
    }

    #[cachier(backend = "file", key = |self, id| self.tenant + id)]
    async fn fetch(&self, id: u64) -> Result<String, String> {
        let found = self.lookup(id).ok_or_else(|| "unknown".to_owned())?;
        tokio::task::yield_now().await;
        Ok(found)
    }

    #[cachier(backend = "memory", next_time, stale_after = "0s")]
    async fn remote(id: u64) -> u64 {
        tokio::task::yield_now().await;
        id
    }

    #[cachier(backend = "memory", key = |self, other| (self.tenant, other.tenant))]
    fn twin(&self, other: &Self) -> u64 {
        self.tenant + other.tenant
    }
}

#[tokio::test]
async fn methods_of_a_trait_have_companions() {
    in_folder_async(async |_| {
        let shop = Shop::default();
        assert_eq!(shop.lookup(0), None);
        assert_eq!(shop.lookup(5).unwrap(), shop.lookup(5).unwrap());
        assert_eq!(
            Shop::lookup_cache().peek(&shop, 5).unwrap().as_deref(),
            Some("16")
        );
        Shop::lookup_cache()
            .precache_value(&shop, 6, "six".to_owned())
            .unwrap();
        assert_eq!(shop.lookup(6).as_deref(), Some("six"));
        assert!(Shop::lookup_cache().invalidate(&shop, 6).unwrap());
        assert!(!Shop::lookup_cache().invalidate(&shop, 6).unwrap());
        let call = Shop::lookup_cache().call_detailed(CallOptions::new(), &shop, 5);
        assert_eq!(call.outcome, Outcome::Hit);
        let name = "<shapes::annotated_impls::Shop as shapes::annotated_impls::Lookup>::lookup";
        assert_eq!(Shop::lookup_cache().metrics().name(), name);
        assert_eq!(Shop::lookup_cache().metrics().stats().hits, 3);
        let known = cachier::function(name).unwrap();
        assert_eq!(known.usage().unwrap().entries, Some(1));
        assert_eq!(Shop::lookup_cache().clear_cache().unwrap(), Some(1));

        assert_eq!(Shop::count(&[1, 2], 3), 6);
        assert_eq!(Shop::count_cache().peek(&[1, 2], 3).unwrap(), Some(6));
        let fetched = shop.fetch(5).await.unwrap();
        assert_eq!(
            Shop::fetch_cache().peek(&shop, 5).await.unwrap(),
            Some(fetched)
        );
        assert_eq!(Shop::fetch_cache().usage().await.unwrap().entries, Some(1));
        assert_eq!((Shop::remote(3).await, Shop::remote(3).await), (3, 3));
        assert_eq!(Shop::remote_cache().peek(3).await.unwrap(), Some(3));
        let tenth = Shop {
            tenant: 10,
            ..Shop::default()
        };
        assert_eq!(
            (
                shop.twin(&tenth),
                tenth.twin(&tenth),
                Lookup::uncached(&shop)
            ),
            (10, 20, 7)
        );
        assert_eq!(Shop::twin_cache().peek(&tenth, &tenth).unwrap(), Some(20));
        cachier::flush_async().await;
    })
    .await;
}

trait Convert<U> {
    fn convert(&self, from: U) -> String;
}

#[cachier::methods]
impl Convert<u8> for Shop {
    #[cachier(backend = "memory", skip(self))]
    fn convert(&self, from: u8) -> String {
        format!("u8 {from}")
    }
}

#[cachier::methods]
impl Convert<Vec<u16>> for Shop {
    #[cachier(backend = "memory", skip(self))]
    fn convert(&self, from: Vec<u16>) -> String {
        format!("u16 {from:?}")
    }
}

#[cachier::methods]
impl Convert<u8> for u32 {
    #[cachier(backend = "memory", enable_metrics, key = |self, from| (*self, from))]
    fn convert(&self, from: u8) -> String {
        format!("{self} {from}")
    }
}

#[test]
fn impls_of_one_trait_do_not_clash() {
    in_folder(|_| {
        let shop = Shop::default();
        assert_eq!(shop.convert(3_u8), "u8 3");
        assert_eq!(shop.convert(vec![3_u16]), "u16 [3]");
        assert_eq!(7_u32.convert(3), "7 3");
        let peeked = Shop::convert_u8_cache().peek(&shop, 3).unwrap();
        assert_eq!(peeked.as_deref(), Some("u8 3"));
        let peeked = Shop::convert_vec_u16_cache().peek(&shop, vec![3]).unwrap();
        assert_eq!(peeked.as_deref(), Some("u16 [3]"));
        assert_eq!(Shop::convert_u8_cache().clear_cache().unwrap(), Some(1));
        assert_eq!(
            Shop::convert_vec_u16_cache().usage().unwrap().entries,
            Some(1)
        );
        let peeked = u32::convert_u8_cache().peek(&7, 3).unwrap();
        assert_eq!(peeked.as_deref(), Some("7 3"));
    });
}

#[derive(Clone)]
struct Table<K, const N: usize>([K; N]);

trait Part: Clone + Debug + Hash + Eq + Send + Sync + 'static {}

impl<T: Clone + Debug + Hash + Eq + Send + Sync + 'static> Part for T {}

trait Search<Q> {
    type Row;
    fn search<F: Part>(&self, query: Q, filter: F) -> Option<Self::Row>;
    async fn later(&self, query: &Q) -> Result<Vec<Self::Row>, String>;
}

#[cachier::methods]
impl<Row, Query, const N: usize> Search<Query> for Table<Row, N>
where
    Row: Part,
    Query: Part + Into<usize>,
{
    type Row = Row;

    #[cachier(backend = "memory", skip(self), enable_metrics)]
    fn search<F: Part>(&self, query: Query, filter: F) -> Option<Self::Row> {
        let _ = filter;
        self.0.get(query.into()).cloned()
    }

    #[cachier(backend = "memory", skip(self), next_time, stale_after = "0s")]
    async fn later(&self, query: &Query) -> Result<Vec<Row>, String> {
        let index: usize = query.clone().into();
        Ok(self.0[index..].to_vec())
    }
}

#[tokio::test]
async fn generic_types_traits_and_methods() {
    in_folder_async(async |_| {
        let (words, numbers) = (Table(["a", "b"]), Table([1_u8, 2, 3]));
        assert_eq!(
            (words.search(1_u8, ()), numbers.search(1_u16, 'x')),
            (Some("b"), Some(2))
        );
        assert_eq!(numbers.search(1_u16, 'x'), Some(2));
        let cache = Table::<u8, 3>::search_cache::<u16, char>();
        assert_eq!(cache.peek(&numbers, 1, 'x').unwrap(), Some(2));
        assert_eq!(cache.metrics().stats().hits, 1);
        assert_eq!(
            cache.metrics().name(),
            "<shapes::annotated_impls::Table as shapes::annotated_impls::Search>::search"
        );
        assert_eq!(
            Table::<&str, 2>::search_cache::<u8, u8>()
                .peek(&words, 1, 1)
                .unwrap(),
            None
        );
        assert_eq!(words.later(&1_u8).await, Ok(vec!["b"]));
        assert_eq!(words.later(&1_u8).await, Ok(vec!["b"]));
        cachier::flush_async().await;
        let cache = Table::<&str, 2>::later_cache::<u8>();
        assert_eq!(cache.peek(&words, &1).await.unwrap(), Some(vec!["b"]));
        assert_eq!(cache.clear_cache().await.unwrap(), Some(1));
    })
    .await;
}

#[async_trait::async_trait]
trait Store: Send + Sync {
    async fn load(&self, id: u64) -> Result<String, String>;
    async fn total(ids: &[u64]) -> u64
    where
        Self: Sized;
}

#[cachier::methods]
#[async_trait::async_trait]
impl Store for Shop {
    #[cachier(backend = "file", skip(self))]
    async fn load(&self, id: u64) -> Result<String, String> {
        tokio::task::yield_now().await;
        Ok(format!("{id} of {}", self.tenant))
    }

    #[cachier(backend = "memory")]
    async fn total(ids: &[u64]) -> u64 {
        ids.iter().sum()
    }
}

fn sendable<F: Future + Send>(future: F) -> F {
    future
}

#[tokio::test]
async fn methods_above_async_trait() {
    in_folder_async(async |_| {
        let shop: Box<dyn Store> = Box::new(Shop::default());
        assert_eq!(sendable(shop.load(3)).await.unwrap(), "3 of 0");
        let shop = Shop::default();
        assert_eq!(
            Shop::load_cache().peek(&shop, 3).await.unwrap().as_deref(),
            Some("3 of 0")
        );
        assert!(Shop::load_cache().invalidate(&shop, 3).await.unwrap());
        assert_eq!(Shop::total(&[1, 2]).await, 3);
        assert_eq!(Shop::total_cache().peek(&[1, 2]).await.unwrap(), Some(3));
    })
    .await;
}

#[derive(Clone, Copy)]
struct Id(u64);

trait Number {
    fn number(self, plus: u64) -> u64;
    fn none() -> u64;
}

#[cachier::methods]
impl Number for Id {
    #[cachier(backend = "memory", key = |self, plus| (self.0, plus))]
    fn number(self, plus: u64) -> u64 {
        self.0 + plus
    }

    #[cachier(backend = "memory", enable_metrics)]
    fn none() -> u64 {
        7
    }
}

impl Id {
    #[cachier(backend = "memory", in_impl, name = "its own")]
    fn other(id: u64) -> u64 {
        id
    }
}

#[test]
fn receivers_by_value_and_none() {
    in_folder(|_| {
        assert_eq!((Id(1).number(2), Id(1).number(2), Id::none()), (3, 3, 7));
        assert_eq!(Id::number_cache().peek(Id(1), 2).unwrap(), Some(3));
        assert_eq!(Id::none_cache().peek().unwrap(), Some(7));
        assert_eq!(Id::none_cache().metrics().stats().misses, 1);
        assert_eq!(
            (Id::other(2), Id::other_cache().peek(2).unwrap()),
            (2, Some(2))
        );
    });
}

fn local(n: u64) -> u64 {
    struct Inner(u64);
    trait Twice {
        fn twice(&self) -> u64;
    }
    #[cachier::methods]
    impl Twice for Inner {
        #[cachier(backend = "memory", key = |self| self.0)]
        fn twice(&self) -> u64 {
            self.0 * 2
        }
    }
    let twice = Inner(n).twice();
    assert_eq!(Inner::twice_cache().peek(&Inner(n)).unwrap(), Some(twice));
    twice
}

#[test]
fn an_impl_inside_a_function() {
    in_folder(|_| assert_eq!(local(3), 6));
}

type Fallible<T> = Result<T, String>;

struct Loader<Source>(Source);

#[cachier::methods]
impl<Source: Part> Loader<Source> {
    #[cachier(backend = "memory", skip(self))]
    fn source(&self, id: u64) -> Source {
        let _ = id;
        self.0.clone()
    }

    #[cachier(backend = "memory", skip(self))]
    fn checked(&self, id: u64) -> Fallible<u64> {
        Ok(id)
    }
}

#[test]
fn parameters_of_impls_have_any_names() {
    in_folder(|_| {
        let loader = Loader('x');
        assert_eq!((loader.source(1), loader.checked(2)), ('x', Ok(2)));
        assert_eq!(Loader::source_cache().peek(&loader, 1).unwrap(), Some('x'));
        assert_eq!(Loader::checked_cache().peek(&loader, 2).unwrap(), Some(2));
    });
}

trait Shapes {
    type Line<'l>;
    type Kind;
    fn first<'l>(&self, line: Self::Line<'l>) -> Option<Self::Kind>;
    fn longest<'l, T: Part>(&self, lines: &'l [&'l str], other: T) -> usize;
}

#[cachier::methods]
impl Shapes for Id {
    type Line<'l> = &'l str;
    #[cfg(any())]
    type Kind = u8;
    #[cfg(not(any()))]
    type Kind = char;

    #[cachier(backend = "memory", key = |self, line| (self.0, line.to_string()))]
    fn first<'l>(&self, line: Self::Line<'l>) -> Option<Self::Kind> {
        line.chars().next()
    }

    #[cachier(backend = "memory", key = |lines, other| (lines.join(","), other.clone()))]
    fn longest<'l, T: Part>(&self, lines: &'l [&'l str], other: T) -> usize {
        let _ = other;
        lines
            .iter()
            .map(|line| line.len())
            .max()
            .unwrap_or_default()
    }
}

#[test]
fn associated_types_with_parameters_and_cfg() {
    in_folder(|_| {
        assert_eq!(Id(1).first("ab"), Some('a'));
        assert_eq!(Id::first_cache().peek(&Id(1), "ab").unwrap(), Some('a'));
        let words = ["a", "bc"];
        assert_eq!(Id(1).longest(&words, 3_u8), 2);
        assert_eq!(
            Id::longest_cache().peek(&Id(1), &words, 3_u8).unwrap(),
            Some(2)
        );
    });
}

//! Methods, associated functions and methods of trait impls.

use std::borrow::Cow;
use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cachier::{CallOptions, Outcome, cachier};
use cachier_tests::sandbox::{in_folder, in_folder_async};

/// The bounds of an in-memory key's part.
trait Part: Hash + Eq + Clone + Send + Sync + 'static {}

impl<T: Hash + Eq + Clone + Send + Sync + 'static> Part for T {}

#[derive(Default)]
struct Shop {
    tenant: u64,
    asked: AtomicU64,
}

impl Shop {
    #[cachier(backend = "memory", skip(self), enable_metrics)]
    pub(crate) fn price(&self, item: &str) -> Option<u64> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        (!item.is_empty()).then_some(item.len() as u64)
    }

    #[cachier(backend = "file", key = |self, item| (self.tenant, item.to_owned()))]
    async fn stock(&self, item: &str) -> Result<u64, String> {
        tokio::task::yield_now().await;
        Ok(self.tenant * 100 + item.len() as u64)
    }

    #[cachier(backend = "memory", key = |id| id, enable_metrics)]
    async fn rating(self: Arc<Self>, id: u64) -> u64 {
        self.tenant + id
    }

    #[cachier(backend = "memory", skip(self))]
    fn ask(&mut self, id: u64) -> u64 {
        *self.asked.get_mut() += 1;
        id
    }

    #[cachier(backend = "memory")]
    fn open(tenant: u64) -> Arc<Self> {
        Arc::new(Self {
            tenant,
            ..Self::default()
        })
    }

    #[cachier(backend = "memory", in_impl)]
    fn tax(percent: u64, (net, _): (u64, u8)) -> u64 {
        net * percent / 100
    }

    #[cachier(backend = "memory", skip(self), companion = labels)]
    fn label<T>(&self, prefix: impl AsRef<str> + Part, thing: &T) -> String
    where
        T: ToString + Hash + Eq + ToOwned<Owned: Part> + ?Sized,
    {
        format!("{}{}", prefix.as_ref(), thing.to_string())
    }
}

#[test]
fn a_method_and_its_companion() {
    in_folder(|_| {
        let shop = Shop::default();
        assert_eq!((shop.price("tea"), shop.price("tea")), (Some(3), Some(3)));
        assert_eq!(shop.asked.load(Ordering::Relaxed), 1);
        assert_eq!(Shop::price_cache().peek(&shop, "tea").unwrap(), Some(3));
        Shop::price_cache().precache_value(&shop, "tea", 4).unwrap();
        assert_eq!(shop.price("tea"), Some(4));
        assert!(Shop::price_cache().invalidate(&shop, "tea").unwrap());
        let call = Shop::price_cache().call_detailed(CallOptions::new(), &shop, "tea");
        assert_eq!((call.outcome, call.value), (Outcome::Miss, Some(3)));
        let stats = Shop::price_cache().metrics().stats();
        assert_eq!((stats.hits, stats.misses), (2, 2));
        assert_eq!(Shop::price_cache().usage().unwrap().entries, Some(1));
        assert_eq!(Shop::price_cache().clear_cache().unwrap(), Some(1));
        assert!(
            cachier::functions()
                .iter()
                .any(|function| function.name().ends_with("Shop::price"))
        );
    });
}

#[tokio::test]
async fn an_async_method_and_its_companion() {
    in_folder_async(async |_| {
        let (one, two) = (
            Shop {
                tenant: 1,
                ..Shop::default()
            },
            Shop {
                tenant: 2,
                ..Shop::default()
            },
        );
        assert_eq!(
            (one.stock("tea").await, two.stock("tea").await),
            (Ok(103), Ok(203))
        );
        assert_eq!(
            Shop::stock_cache().peek(&two, "tea").await.unwrap(),
            Some(203)
        );
        assert!(Shop::stock_cache().invalidate(&two, "tea").await.unwrap());
        assert_eq!(
            Shop::stock_cache().peek(&one, "tea").await.unwrap(),
            Some(103)
        );
        assert!(Shop::stock_cache().cache_dir().is_absolute());
    })
    .await;
}

#[tokio::test]
async fn receivers_of_every_kind() {
    in_folder_async(async |_| {
        let shop = Shop::open(5);
        assert!(Arc::ptr_eq(&shop, &Shop::open(5)));
        assert_eq!(Arc::clone(&shop).rating(2).await, 7);
        assert_eq!(Shop::rating_cache().peek(shop, 2).await.unwrap(), Some(7));
        assert_eq!(Shop::rating_cache().metrics().stats().misses, 1);
        let mut shop = Shop::default();
        assert_eq!((shop.ask(1), shop.ask(1)), (1, 1));
        assert_eq!(*shop.asked.get_mut(), 1);
    })
    .await;
}

struct Ticket<'a>(&'a str);

impl Shop {
    #[cachier(backend = "file", key = |text, ticket| (text.to_string(), ticket.0.to_owned()), companion = borrowing)]
    fn borrowed(&self, text: Cow<'_, str>, ticket: Ticket<'_>) -> usize {
        text.len() + ticket.0.len()
    }

    #[cachier(backend = "file", key = |ticket| ticket.0.to_owned(), companion = false)]
    fn hidden(&self, ticket: Ticket) -> usize {
        ticket.0.len()
    }
}

#[test]
fn arguments_whose_types_hold_references() {
    in_folder(|_| {
        let (shop, text) = (Shop::default(), "ab".to_owned());
        assert_eq!(shop.borrowed(Cow::from(&text), Ticket("c")), 3);
        let peeked = Shop::borrowing().peek(&shop, Cow::from("ab"), Ticket("c"));
        assert_eq!(peeked.unwrap(), Some(3));
        assert_eq!(shop.hidden(Ticket(&text)), 2);
    });
}

#[test]
fn associated_functions_and_generic_methods() {
    in_folder(|_| {
        assert_eq!(Shop::tax(20, (50, 1)), 10);
        assert_eq!(Shop::tax_cache().peek(20, (50, 1)).unwrap(), Some(10));
        let shop = Shop::default();
        assert_eq!(shop.label("no. ", "7"), "no. 7");
        assert_eq!(shop.label("no. ", &7), "no. 7");
        assert_eq!(
            Shop::labels().peek(&shop, "no. ", "7").unwrap().as_deref(),
            Some("no. 7")
        );
    });
}

#[derive(Clone)]
struct Wrapper<T>(T);

impl<T: Clone + Into<u64> + Send + Sync + 'static> Wrapper<T> {
    #[cachier(backend = "memory", key = |self, n| (self.0.clone().into(), n), next_time, stale_after = "0s")]
    fn plus(&self, n: u64) -> (T, u64) {
        (self.0.clone(), self.0.clone().into() + n)
    }

    #[cachier(backend = "memory", skip(self), next_time, stale_after = "0s")]
    async fn later(&self, text: &str) -> Result<T, String> {
        if text.is_empty() {
            Err("empty".to_owned())
        } else {
            Ok(self.0.clone())
        }
    }
}

impl<'a> Wrapper<&'a str> {
    #[cachier(backend = "memory", key = |self| self.0.to_owned())]
    fn length(&self, _again: &'a str) -> usize {
        self.0.len()
    }
}

#[tokio::test]
async fn generic_impls() {
    in_folder_async(async |_| {
        assert_eq!(Wrapper(1_u8).plus(2), (1, 3));
        assert_eq!(Wrapper(1_u16).plus(2), (1, 3));
        assert_eq!(Wrapper(1_u16).plus(2), (1, 3));
        assert_eq!(Wrapper(1_u8).later("a").await, Ok(1));
        assert_eq!(Wrapper(1_u8).later("a").await, Ok(1));
        assert!(Wrapper(1_u8).later("").await.is_err());
        cachier::flush_async().await;
        assert_eq!(
            Wrapper::<u32>::plus_cache().peek(&Wrapper(1), 2).unwrap(),
            None
        );
        assert_eq!(
            Wrapper::<u16>::plus_cache().peek(&Wrapper(1), 2).unwrap(),
            Some((1, 3))
        );
        assert_eq!(Wrapper("abc").length("x"), 3);
    })
    .await;
}

trait Lookup {
    type Found;
    fn lookup(&self, id: u64) -> Option<Self::Found>;
    fn count(ids: &[u64], times: usize) -> usize;
    fn fetch(&self, id: u64) -> impl Future<Output = Result<Self::Found, String>> + Send;
    fn remote(id: u64) -> impl Future<Output = u64> + Send;
}

impl Lookup for Shop {
    type Found = String;

    #[cachier(
        backend = "memory",
        companion = false,
        skip(self),
        enable_metrics,
        name = "shop-lookup"
    )]
    fn lookup(&self, mut id: u64) -> Option<Self::Found> {
        if id == 0 {
            return None;
        }
        id += self.asked.fetch_add(1, Ordering::Relaxed);
        Some(id.to_string())
    }

    #[cachier(backend = "memory", companion = false, next_time, stale_after = "0s")]
    fn count(ids: &[u64], times: usize) -> usize {
        ids.len() * times
    }

    #[cachier(backend = "file", companion = false, key = |self, id| self.tenant + id)]
    async fn fetch(&self, id: u64) -> Result<String, String> {
        let found = self.lookup(id).ok_or_else(|| "unknown".to_owned())?;
        tokio::task::yield_now().await;
        Ok(found)
    }

    #[cachier(backend = "memory", companion = false, next_time, stale_after = "0s")]
    async fn remote(id: u64) -> u64 {
        tokio::task::yield_now().await;
        id
    }
}

#[tokio::test]
async fn methods_of_a_trait_impl() {
    in_folder_async(async |_| {
        let shop = Shop::default();
        assert_eq!(shop.lookup(0), None);
        assert_eq!(
            (shop.lookup(5), shop.lookup(5)),
            (Some("5".to_owned()), Some("5".to_owned()))
        );
        let known = cachier::function("shop-lookup").unwrap();
        assert_eq!(known.metrics().unwrap().stats().hits, 1);
        assert_eq!((Shop::count(&[1, 2], 3), Shop::count(&[1, 2], 3)), (6, 6));
        assert_eq!(shop.fetch(5).await, Ok("5".to_owned()));
        assert_eq!(shop.fetch(0).await, Err("unknown".to_owned()));
        assert_eq!((Shop::remote(7).await, Shop::remote(7).await), (7, 7));
        cachier::flush_async().await;
    })
    .await;
}

trait Till {
    fn ring(&mut self, id: u64) -> u64;
    fn close(self, id: u64) -> u64;
    fn tally(id: u64, runs: &mut u64) -> u64;
    fn settle(&mut self, id: u64) -> impl Future<Output = u64> + Send;
    fn shut(self, id: u64) -> impl Future<Output = u64> + Send;
}

impl Till for Shop {
    #[cachier(backend = "memory", companion = false, skip(self))]
    fn ring(&mut self, id: u64) -> u64 {
        self.tenant += 1;
        id
    }

    #[cachier(backend = "memory", companion = false, skip(self))]
    fn close(mut self, id: u64) -> u64 {
        self.tenant += id;
        self.tenant
    }

    #[cachier(backend = "memory", companion = false, skip(runs))]
    fn tally(id: u64, runs: &mut u64) -> u64 {
        *runs += 1;
        id
    }

    #[cachier(backend = "memory", companion = false, skip(self))]
    async fn settle(&mut self, id: u64) -> u64 {
        self.tenant += 1;
        id
    }

    #[cachier(backend = "memory", companion = false, skip(self))]
    async fn shut(mut self, id: u64) -> u64 {
        self.tenant += id;
        self.tenant
    }
}

#[tokio::test]
async fn trait_methods_may_write_to_their_arguments() {
    in_folder_async(async |_| {
        let (mut shop, mut runs) = (Shop::default(), 0);
        assert_eq!((shop.ring(1), shop.ring(1), shop.tenant), (1, 1, 1));
        let counted = [1, 1, 2].map(|id| Shop::tally(id, &mut runs));
        assert_eq!((counted, runs), ([1, 1, 2], 2));
        assert_eq!((shop.settle(1).await, shop.settle(1).await), (1, 1));
        assert_eq!(shop.tenant, 2);
        assert_eq!((shop.close(5), Shop::default().close(5)), (7, 7));
        assert_eq!(Shop::default().shut(5).await, 5);
    })
    .await;
}

trait Size {
    fn size(&self) -> u64;
}

impl<T: Into<u64> + Clone> Size for T {
    #[cachier(backend = "memory", companion = false, enable_metrics, key = |self| (self.clone().into(), std::mem::size_of::<T>()))]
    fn size(&self) -> u64 {
        self.clone().into() * std::mem::size_of::<T>() as u64
    }
}

#[test]
fn a_blanket_impl() {
    in_folder(|_| {
        assert_eq!((2_u8.size(), 2_u8.size(), 2_u32.size()), (2, 2, 8));
        let known: Vec<_> = cachier::functions()
            .into_iter()
            .filter(|function| function.name().ends_with("::size"))
            .collect();
        assert_eq!(known.len(), 2);
        for function in known {
            let name = function.metrics().unwrap().name();
            assert_eq!(name, "<_ as shapes::methods::Size>::size");
        }
    });
}

mod elsewhere {
    use cachier::cachier;

    #[derive(Default)]
    pub(super) struct Ship<T>(pub(super) T);

    #[derive(Default)]
    pub(super) struct Cart;

    mod service {
        use super::*;

        impl<T> Ship<T> {
            #[cachier(backend = "memory", skip(self), enable_metrics)]
            pub(in super::super) fn weight(&self, id: u64) -> u64 {
                id
            }
        }

        impl Cart {
            #[cachier(backend = "memory", skip(self), enable_metrics)]
            pub(in super::super) fn weight(&self, id: u64) -> u64 {
                id
            }
        }
    }
}

#[test]
fn methods_in_distant_impls_have_their_own_caches() {
    use elsewhere::{Cart, Ship};

    in_folder(|_| {
        let (small, large) = (Ship(1_u8), Ship(1_u16));
        assert_eq!(
            (small.weight(1), large.weight(1), Cart.weight(1)),
            (1, 1, 1)
        );
        let name = |of: &str| {
            format!(
                "shapes::methods::elsewhere::service::<impl shapes::methods::elsewhere::{of}>::weight"
            )
        };
        assert_eq!(Ship::<u8>::weight_cache().metrics().name(), name("Ship"));
        assert_eq!(Cart::weight_cache().metrics().name(), name("Cart"));
        assert_eq!(Ship::<u8>::weight_cache().clear_cache().unwrap(), Some(2));
        assert_eq!(Cart::weight_cache().peek(&Cart, 1).unwrap(), Some(1));
        cachier::disable(&name("Ship"));
        assert_eq!((small.weight(1), Cart.weight(1)), (1, 1));
        assert_eq!(Ship::<u8>::weight_cache().metrics().stats().bypassed, 1);
        assert_eq!(Cart::weight_cache().metrics().stats().hits, 1);
    });
}

//! Cached methods, associated functions, generics and methods of a trait: `cargo run --release --bin methods`.
#![expect(clippy::print_stdout, reason = "a program that tells what it does")]

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::hash::Hash;

use cachier::{CallOptions, cachier};

/// A shop whose prices depend on the country only.
struct Shop {
    country: &'static str,
    visitors: u64,
}

impl Shop {
    /// The result depends on a part of `self`, which is the key.
    #[cachier(backend = "memory", key = |self, item| (self.country, item.to_owned()), enable_metrics)]
    fn price(&self, item: &str) -> usize {
        item.len() * self.country.len()
    }

    /// The result does not depend on `self`.
    #[cachier(backend = "memory", skip(self))]
    async fn stock(&self, item: &str) -> Option<usize> {
        (item != "sand").then_some(item.len() * 100)
    }

    /// Without `self` or `Self`, the attribute cannot tell that this is in an impl: hence `in_impl`.
    #[cachier(backend = "memory", in_impl)]
    fn tax(country: &str) -> f64 {
        country.len() as f64 / 100.0
    }
}

/// A table of any two types: each pair has its own entries, and all share their metrics.
struct Table<K, V>(BTreeMap<K, V>);

impl<K, V> Table<K, V>
where
    K: Clone + Ord + Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    #[cachier(backend = "memory", skip(self), enable_metrics)]
    fn last_before(&self, key: K) -> Option<V> {
        self.0
            .range(..key)
            .next_back()
            .map(|(_, value)| value.clone())
    }
}

/// A generic function.
#[cachier(backend = "memory", enable_metrics)]
fn described<T: Debug + Clone + Hash + Eq + Send + Sync + 'static>(value: T) -> String {
    format!("{value:?}")
}

trait Greeter {
    fn greeting(&self, name: &str) -> String;
}

/// The attribute on the impl gives the methods of a trait their companions.
#[cachier::methods]
impl Greeter for Shop {
    #[cachier(backend = "memory", skip(self), name = "greeting")]
    fn greeting(&self, name: &str) -> String {
        format!("Welcome, {name}")
    }
}

/// A type of another crate has them in an extension trait.
#[cachier::methods(trait TextCaches)]
impl Greeter for str {
    #[cachier(backend = "memory", key = |self, name| (self.to_owned(), name.to_owned()))]
    fn greeting(&self, name: &str) -> String {
        format!("{self}, {name}")
    }
}

fn main() -> Result<(), cachier::Error> {
    let (oslo, bergen, lima) = shops();
    println!(
        "price of tea: {} {} {}",
        oslo.price("tea"),
        bergen.price("tea"),
        lima.price("tea")
    );
    let stats = Shop::price_cache().metrics().stats();
    println!(
        "two shops of one country share it: {} hit, {} misses",
        stats.hits, stats.misses
    );

    let call = Shop::price_cache().call_detailed(CallOptions::new(), &lima, "tea");
    println!("one call in detail: {call}");
    let forgotten = Shop::price_cache().invalidate(&lima, "tea")?;
    println!(
        "forgotten: {forgotten}; {} visitors do not matter",
        lima.visitors
    );

    futures_lite::future::block_on(stock(&oslo))?;
    println!("tax: {} {}", Shop::tax("Norway"), Shop::tax("Peru"));
    generics();
    in_a_trait(&oslo)
}

fn shops() -> (Shop, Shop, Shop) {
    let shop = |country, visitors| Shop { country, visitors };
    (shop("Norway", 3), shop("Norway", 12), shop("Peru", 7))
}

/// The companion of an async method is async.
async fn stock(shop: &Shop) -> Result<(), cachier::Error> {
    println!(
        "in stock: tea {:?}, sand {:?}",
        shop.stock("tea").await,
        shop.stock("sand").await
    );
    let cache = Shop::stock_cache();
    let (tea, sand) = (
        cache.peek(shop, "tea").await?,
        cache.peek(shop, "sand").await?,
    );
    println!("stored: tea {tea:?}, sand {sand:?}, since `None` is not cached without `allow_none`");
    Ok(())
}

fn generics() {
    let years = Table(BTreeMap::from([(1969, "Moon"), (1989, "Web")]));
    println!(
        "before 1980: {:?}, before 1960: {:?}",
        years.last_before(1980),
        years.last_before(1960)
    );
    let metrics = Table::<i32, &str>::last_before_cache().metrics();
    println!("{}: {} misses", metrics.name(), metrics.stats().misses);

    println!(
        "{} {} {}",
        described(1_u8),
        described(1_i64),
        described("one")
    );
    println!(
        "described: {} misses, one for each type",
        described::metrics().stats().misses
    );
}

fn in_a_trait(shop: &Shop) -> Result<(), cachier::Error> {
    // Found by name before the first call, since it is expected.
    cachier::expect([Shop::greeting_cache().handle()]);
    let greeting = cachier::function("greeting").expect("it is expected");
    println!("{} {}", shop.greeting("Ada"), shop.greeting("Ada"));
    println!(
        "greeting: {:?} entry, of Ada {:?}, cleared {:?}",
        greeting.usage()?.entries,
        Shop::greeting_cache().peek(shop, "Ada")?,
        greeting.clear_cache()?
    );
    println!(
        "{}: stored {:?}",
        "Hello".greeting("Bob"),
        str::greeting_cache().peek("Hello", "Bob")?
    );
    Ok(())
}

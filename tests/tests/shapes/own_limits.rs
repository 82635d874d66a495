//! Values that say how old they may get, of functions of all shapes.

use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cachier::cachier;
use cachier::testing::Clock;
use cachier_tests::callers::runtime;
use cachier_tests::sandbox::in_folder;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// For how many seconds it is fresh, and in which run it was computed.
type Dated = (u64, u64);

/// An alias that hides what is stored.
type Fallible<T> = Result<T, String>;

static RUNS: AtomicU64 = AtomicU64::new(0);

fn dated(seconds: u64) -> Dated {
    (seconds, RUNS.fetch_add(1, Ordering::Relaxed))
}

fn age_of(dated: &Dated) -> Duration {
    Duration::from_secs(dated.0)
}

/// Asserts that a function keeps each value for its own time.
fn have_limits_of_their_own<T: PartialEq>(call: impl Fn(u64) -> T) {
    in_folder(|_| {
        let (short, long) = (call(1), call(60));
        assert!(call(1) == short, "it is kept");
        Clock::advance(Duration::from_secs(2));
        assert!(call(1) != short, "it is stale");
        assert!(call(60) == long, "it is fresh");
    });
}

struct Shop;

impl Shop {
    #[cachier(backend = "memory", skip(self), stale_after = |dated| age_of(dated))]
    fn method(&self, id: u64) -> Dated {
        dated(id)
    }

    #[cachier(skip(self), stale_after = |dated| Some(age_of(dated)))]
    async fn method_async(&self, id: u64) -> Fallible<Dated> {
        Ok(dated(id))
    }

    #[cachier(backend = "memory", in_impl, companion = false, stale_after = |dated| age_of(dated))]
    fn alone(id: u64) -> Option<Dated> {
        Some(dated(id))
    }

    #[cachier(skip(self), companion = false, stale_after = |(seconds, _)| Duration::from_secs(*seconds))]
    async fn alone_async(&self, id: u64) -> Fallible<Dated> {
        Ok(dated(id))
    }
}

#[test]
fn values_of_methods_have_limits() {
    have_limits_of_their_own(|id| Shop.method(id));
    have_limits_of_their_own(|id| runtime().block_on(Shop.method_async(id)));
    have_limits_of_their_own(Shop::alone);
    have_limits_of_their_own(|id| runtime().block_on(Shop.alone_async(id)));
}

#[cachier(backend = "memory", stale_after = |dated| age_of(dated), jitter = "0%")]
fn generic<T: Into<u64> + Hash + Eq + Clone + Send + Sync + 'static>(id: T) -> Dated {
    dated(id.into())
}

#[cachier(near_cache = 100, allow_none, stale_after = |found| found.as_ref().map(|(_, dated)| age_of(dated)))]
async fn generic_async<T>(id: T) -> Option<(T, Dated)>
where
    T: Into<u64> + Clone + Serialize + DeserializeOwned + Hash + Eq + Send + Sync + 'static,
{
    Some((id.clone(), dated(id.into())))
}

#[test]
fn values_of_generic_functions_have_limits() {
    have_limits_of_their_own(generic::<u64>);
    have_limits_of_their_own(|id| generic(id as u32));
    have_limits_of_their_own(|id| runtime().block_on(generic_async(id)));
}

trait Lookup {
    type Found;
    fn lookup(&self, id: u64) -> Fallible<Self::Found>;
    async fn fetch(id: u64) -> Self::Found;
}

#[cachier::methods]
impl Lookup for Shop {
    type Found = Dated;

    #[cachier(backend = "memory", skip(self), stale_after = |dated| age_of(dated))]
    fn lookup(&self, id: u64) -> Fallible<Self::Found> {
        Ok(dated(id))
    }

    #[cachier(stale_after = |dated| age_of(dated))]
    async fn fetch(id: u64) -> Self::Found {
        dated(id)
    }
}

#[test]
fn values_of_annotated_impls_have_limits() {
    have_limits_of_their_own(|id| Shop.lookup(id));
    have_limits_of_their_own(|id| runtime().block_on(Shop::fetch(id)));
}

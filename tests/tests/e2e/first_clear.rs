//! `clear_cache` of a function that this process has not called yet, while it is called for the first time.

use std::sync::Arc;

use cachier::testing::isolated;
use cachier::{
    Backend, BoxFuture, CallOptions, Key, Loaded, Outcome, Scope, StoreReply, StoreRequest, Tier,
    cachier, register_backend,
};
use cachier_tests::backend::MapBackend;
use cachier_tests::callers::Callers;
use cachier_tests::gate::Gate;
use cachier_tests::sandbox::in_another_process;

static CLEARING: Gate = Gate::new();

/// A store that takes its time to clear.
struct SlowToClear(MapBackend);

impl Backend for SlowToClear {
    fn kind(&self) -> &str {
        "slow"
    }

    fn store_name(&self) -> String {
        self.0.store_name()
    }

    fn load<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Option<Loaded>> {
        self.0.load(key)
    }

    fn store<'a>(&'a self, key: &'a Key, request: StoreRequest<'a>) -> BoxFuture<'a, StoreReply> {
        self.0.store(key, request)
    }

    fn remove<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, bool> {
        self.0.remove(key)
    }

    fn clear<'a>(&'a self, scope: &'a Arc<Scope>) -> BoxFuture<'a, Option<u64>> {
        Box::pin(async move {
            CLEARING.wait_async().await;
            self.0.clear(scope).await
        })
    }
}

struct Shop;

impl Shop {
    #[cachier(backend = registered("slow"), near_cache = 10, near_stale_after = "1d", in_impl)]
    fn price(number: u64) -> u64 {
        number * 2
    }
}

#[test]
fn a_clear_reaches_what_is_first_called_meanwhile() {
    let map = MapBackend::default();
    let register = || register_backend("slow", SlowToClear(map.clone())).unwrap();
    isolated(|| {
        register();
        in_another_process(|| {
            register();
            assert_eq!(Shop::price(1), 2);
        });
        let clearing = Callers::new().on_threads(1, || Shop::price_cache().clear_cache());
        CLEARING.until_arrived(1);
        let price = || {
            let call = Shop::price_cache().call_detailed(CallOptions::new(), 1);
            (call.outcome, call.tier)
        };
        assert_eq!(price(), (Outcome::Hit, Some(Tier::Backend)));
        assert_eq!(price(), (Outcome::Hit, Some(Tier::Near)));
        CLEARING.open();
        assert!(matches!(clearing.values()[..], [Ok(Some(1))]));
        assert_eq!(price(), (Outcome::Miss, None));
    });
}

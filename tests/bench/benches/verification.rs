//! What an optimized build finds of values and arguments that serde does not show: the same as any other. Measures nothing.
#![allow(missing_docs)]

use cachier::{Call, CallOptions, ErrorKind, Outcome, cachier};
use serde::{Deserialize, Serialize};

fn main() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let params = cachier::global_params().cache_dir(folder.path());
    cachier::set_global_params(params);
    an_unfaithful_value_is_told_and_not_kept();
    colliding_arguments_are_told_and_not_served();
}

/// Of which the second comes back as the first.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Price {
    Cents(u32),
    Euros(u32),
}

#[cachier(backend = "file")]
fn price(item: u32) -> Price {
    match item {
        0 => Price::Cents(5),
        _ => Price::Euros(item),
    }
}

#[cachier(backend = "file")]
async fn price_later(item: u32) -> Price {
    price::call_with(CallOptions::new().skip_cache(), item)
}

fn an_unfaithful_value_is_told_and_not_kept() {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let runtime = runtime.expect("a runtime");
    let in_task = |item| runtime.block_on(price_later::call_detailed(CallOptions::new(), item));
    let on_thread = |item| price::call_detailed(CallOptions::new(), item);
    let calls: [&dyn Fn(u32) -> Call<Price>; 2] = [&on_thread, &in_task];
    for call in calls {
        let outcomes = [Outcome::Miss, Outcome::Hit];
        assert_eq!([0, 0].map(|item| call(item).outcome), outcomes);
        for _ in 0..2 {
            let call = call(5);
            assert_eq!((call.value, call.outcome), (Price::Euros(5), Outcome::Miss));
            assert_eq!(told(&call), Some(ErrorKind::Unfaithful));
        }
    }
    assert_eq!(price::peek(5).expect("the folder works"), None);
}

#[derive(Clone, PartialEq, Eq, Hash, Serialize)]
struct Request {
    item: u32,
    #[serde(skip)]
    tenant: &'static str,
}

#[cachier(backend = "file")]
fn balance(request: Request) -> String {
    request.tenant.to_owned()
}

fn colliding_arguments_are_told_and_not_served() {
    let call = |tenant| balance::call_detailed(CallOptions::new(), Request { item: 1, tenant });
    assert_eq!(call("a").outcome, Outcome::Miss);
    let call = call("b");
    assert_eq!((&*call.value, call.outcome), ("b", Outcome::Bypass));
    assert_eq!(told(&call), Some(ErrorKind::Unfaithful));
}

fn told<R>(call: &Call<R>) -> Option<ErrorKind> {
    call.backend_error.as_ref().map(cachier::Error::kind)
}

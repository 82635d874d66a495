//! Differences that serde hides in arguments and values are noticed, in any store: nobody gets another's value, and a value that
//! does not come back is reported, not stored again and again.

use std::fmt;

use cachier::metrics::{ErrorLabel, Operation};
use cachier::testing::IsolatedContext;
use cachier::{Call, CallOptions, ErrorKind, Outcome, cachier};
use cachier_tests::callers::{in_context, runtime};
use cachier_tests::sandbox::in_another_process;
use serde::de::{Error as _, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::store::Subject;

crate::on_every_store! {
    tenants_behind_skipped_fields_share_nothing
    untagged_variants_share_nothing
    arguments_that_a_redaction_makes_alike_share_nothing
    async_tenants_share_nothing
    tenants_share_nothing_behind_a_near_tier
    tenants_share_nothing_after_a_restart
    an_entry_of_unknown_arguments_is_removed
    an_unfaithful_value_is_not_stored
    an_unfaithful_async_value_is_not_stored
    unfaithful_values_enter_neither_tier
    wide_numbers_in_tagged_types_are_reported
    raw_json_is_said_not_to_come_back
    borrowed_bytes_are_said_not_to_come_back
    async_values_that_do_not_come_back_are_reported
}

/// A field with the tenant, which is not serialized.
#[derive(Clone, PartialEq, Eq, Hash, Serialize)]
struct Request {
    item: u32,
    #[serde(skip)]
    tenant: &'static str,
}

fn of(tenant: &'static str) -> Request {
    Request { item: 1, tenant }
}

fn plain<R>(call: Call<R>) -> (R, Outcome) {
    assert!(
        call.backend_error.is_none(),
        "{:?}",
        call.backend_error.map(|error| error.to_string())
    );
    (call.value, call.outcome)
}

#[track_caller]
fn unfaithful<R>(call: Call<R>) -> (R, Outcome) {
    let error = call.backend_error.expect("something is found");
    assert_eq!(error.kind(), ErrorKind::Unfaithful, "{error:#}");
    assert!(!error.is_transient());
    (call.value, call.outcome)
}

#[cachier(backend = registered("store"), enable_metrics)]
fn balance(request: Request) -> String {
    request.tenant.to_owned()
}

fn balance_of(tenant: &'static str) -> Call<String> {
    balance::call_detailed(CallOptions::new(), of(tenant))
}

fn tenants_behind_skipped_fields_share_nothing(_: &Subject) {
    assert_eq!(plain(balance_of("a")), ("a".to_owned(), Outcome::Miss));
    assert_eq!(plain(balance_of("a")), ("a".to_owned(), Outcome::Hit));
    assert_eq!(
        unfaithful(balance_of("b")),
        ("b".to_owned(), Outcome::Bypass)
    );
    // The entry's owner is no longer known.
    assert_eq!(
        unfaithful(balance_of("a")),
        ("a".to_owned(), Outcome::Bypass)
    );
    assert_eq!(
        unfaithful(balance_of("b")),
        ("b".to_owned(), Outcome::Bypass)
    );
    let counted = balance::metrics().snapshot().backend_errors;
    assert_eq!(counted[Operation::Load][ErrorLabel::Unfaithful], 3);
    assert_eq!(balance::metrics().stats().backend_errors, 3);
    for health in cachier::check() {
        assert!(!health.to_string().contains("breaker"), "{health}");
    }
}

#[derive(Hash, Serialize)]
#[serde(untagged)]
enum Amount {
    Euros(u32),
    Cents(u32),
}

#[cachier(backend = registered("store"))]
fn in_cents(amount: &Amount) -> u32 {
    match amount {
        Amount::Euros(euros) => euros * 100,
        Amount::Cents(cents) => *cents,
    }
}

fn untagged_variants_share_nothing(_: &Subject) {
    assert_eq!(in_cents(&Amount::Euros(5)), 500);
    assert_eq!(in_cents(&Amount::Cents(5)), 5);
    assert_eq!(in_cents(&Amount::Euros(5)), 500);
    let call = |amount| in_cents::call_detailed(CallOptions::new(), &amount);
    unfaithful(call(Amount::Cents(5)));
    assert_eq!(plain(call(Amount::Cents(6))), (6, Outcome::Miss));
    assert_eq!(plain(call(Amount::Cents(6))), (6, Outcome::Hit));
}

#[derive(Hash)]
struct Secret(&'static str);

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("***")
    }
}

#[cachier(backend = registered("store"))]
fn user_of(token: &Secret, ratio: f64) -> String {
    format!("{} {ratio}", token.0)
}

fn arguments_that_a_redaction_makes_alike_share_nothing(_: &Subject) {
    let call = |token, ratio| user_of::call_detailed(CallOptions::new(), &Secret(token), ratio);
    assert_eq!(plain(call("x", 0.5)).0, "x 0.5");
    assert_eq!(unfaithful(call("y", 0.5)).0, "y 0.5");
    assert_eq!(plain(call("y", 1.5)), ("y 1.5".to_owned(), Outcome::Miss));
}

#[cachier(backend = registered("store"))]
async fn balance_async(request: &Request) -> String {
    request.tenant.to_owned()
}

fn async_tenants_share_nothing(_: &Subject) {
    runtime().block_on(in_context(IsolatedContext::current(), async {
        let call =
            async |tenant| balance_async::call_detailed(CallOptions::new(), &of(tenant)).await;
        assert_eq!(plain(call("a").await), ("a".to_owned(), Outcome::Miss));
        assert_eq!(plain(call("a").await), ("a".to_owned(), Outcome::Hit));
        let bypassed = ("b".to_owned(), Outcome::Bypass);
        assert_eq!(unfaithful(call("b").await), bypassed);
        let error = balance_async::peek(&of("b")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unfaithful);
    }));
}

#[cachier(backend = registered("store"), near_cache = 100, near_stale_after = "1d")]
fn balance_nearby(request: Request) -> String {
    request.tenant.to_owned()
}

fn tenants_share_nothing_behind_a_near_tier(_: &Subject) {
    let call = |tenant| balance_nearby::call_detailed(CallOptions::new(), of(tenant));
    assert_eq!(plain(call("a")), ("a".to_owned(), Outcome::Miss));
    assert_eq!(plain(call("a")), ("a".to_owned(), Outcome::Hit));
    assert_eq!(unfaithful(call("b")), ("b".to_owned(), Outcome::Bypass));
    assert_eq!(
        unfaithful(call("a")),
        ("a".to_owned(), Outcome::Bypass),
        "it is near no longer"
    );
}

fn tenants_share_nothing_after_a_restart(subject: &Subject) {
    assert_eq!(plain(balance_of("a")), ("a".to_owned(), Outcome::Miss));
    in_another_process(|| {
        subject.register();
        assert_eq!(plain(balance_of("a")), ("a".to_owned(), Outcome::Hit));
        assert_eq!(
            unfaithful(balance_of("b")),
            ("b".to_owned(), Outcome::Bypass)
        );
    });
}

fn an_entry_of_unknown_arguments_is_removed(subject: &Subject) {
    let runtime = runtime();
    for tenant in ["a", "b"] {
        balance(of(tenant));
        balance_nearby(of(tenant));
        runtime.block_on(balance_async(&of(tenant)));
    }
    cachier::flush();
    in_another_process(|| {
        subject.register();
        assert_eq!(balance::peek(of("a")).unwrap(), None);
        assert_eq!(balance_nearby::peek(of("a")).unwrap(), None);
        let peeked = runtime.block_on(async { balance_async::peek(&of("a")).await });
        assert_eq!(peeked.unwrap(), None);
    });
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Price {
    Cents(u32),
    Euros(u32),
}

#[cachier(backend = registered("store"), enable_metrics)]
fn price(euros: u32) -> Price {
    Price::Euros(euros)
}

fn an_unfaithful_value_is_not_stored(_: &Subject) {
    for _ in 0..3 {
        let call = price::call_detailed(CallOptions::new(), 5);
        assert_eq!(unfaithful(call), (Price::Euros(5), Outcome::Miss));
    }
    assert_eq!(price::peek(5).unwrap(), None);
    let error = price::precache_value(5, Price::Euros(5)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unfaithful);
    assert_eq!(price::peek(5).unwrap(), None);
    let counted = price::metrics().snapshot().backend_errors;
    assert_eq!(counted[Operation::Store][ErrorLabel::Unfaithful], 4);
    assert_eq!(price::metrics().stats().backend_errors, 4);
    // A value that comes back is kept.
    price::precache_value(5, Price::Cents(5)).unwrap();
    let call = price::call_detailed(CallOptions::new(), 5);
    assert_eq!(plain(call), (Price::Cents(5), Outcome::Hit));
}

#[cachier(backend = registered("store"))]
async fn price_async(euros: u32) -> Result<Price, String> {
    Ok(Price::Euros(euros))
}

fn an_unfaithful_async_value_is_not_stored(_: &Subject) {
    runtime().block_on(in_context(IsolatedContext::current(), async {
        for _ in 0..2 {
            let call = price_async::call_detailed(CallOptions::new(), 5).await;
            assert_eq!(unfaithful(call), (Ok(Price::Euros(5)), Outcome::Miss));
        }
        assert_eq!(price_async::peek(5).await.unwrap(), None);
        let stored = price_async::precache_value(5, Price::Euros(5)).await;
        assert_eq!(stored.unwrap_err().kind(), ErrorKind::Unfaithful);
    }));
}

#[cachier(backend = registered("store"), near_cache = 100, near_stale_after = "1d")]
fn price_nearby(euros: u32) -> Option<Price> {
    Some(Price::Euros(euros))
}

fn unfaithful_values_enter_neither_tier(_: &Subject) {
    for _ in 0..2 {
        let call = price_nearby::call_detailed(CallOptions::new(), 5);
        assert_eq!(unfaithful(call), (Some(Price::Euros(5)), Outcome::Miss));
    }
    assert_eq!(price_nearby::peek(5).unwrap(), None);
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind")]
enum Reading {
    Signed { number: i128 },
    Unsigned { number: u128 },
}

#[cachier(backend = registered("store"))]
fn signed(number: i128) -> Reading {
    Reading::Signed { number }
}

#[cachier(backend = registered("store"))]
fn unsigned(number: u128) -> Reading {
    Reading::Unsigned { number }
}

/// However small.
fn wide_numbers_in_tagged_types_are_reported(_: &Subject) {
    for _ in 0..2 {
        for number in [7, i128::MIN, i128::MAX] {
            let call = signed::call_detailed(CallOptions::new(), number);
            assert_eq!(
                unfaithful(call),
                (Reading::Signed { number }, Outcome::Miss)
            );
        }
        for number in [7, u128::MAX] {
            let call = unsigned::call_detailed(CallOptions::new(), number);
            assert_eq!(
                unfaithful(call),
                (Reading::Unsigned { number }, Outcome::Miss)
            );
        }
    }
}

#[cachier(backend = registered("store"))]
fn document(number: u32) -> Box<RawValue> {
    RawValue::from_string(format!("[{number}]")).unwrap()
}

fn raw_json_is_said_not_to_come_back(_: &Subject) {
    for _ in 0..2 {
        let call = document::call_detailed(CallOptions::new(), 1);
        // It is refused before it could come back.
        let error = call.backend_error.expect("something is found");
        assert_eq!(error.kind(), ErrorKind::Codec, "{error:#}");
        assert_eq!((call.value.get(), call.outcome), ("[1]", Outcome::Miss));
    }
    assert!(document::peek(1).unwrap().is_none());
}

/// Written as a sequence, and read from borrowed bytes only.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Lent(Vec<u8>);

impl<'de> Deserialize<'de> for Lent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;

        impl<'de> Visitor<'de> for Bytes {
            type Value = Lent;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("borrowed bytes")
            }

            fn visit_borrowed_bytes<E>(self, bytes: &'de [u8]) -> Result<Lent, E> {
                Ok(Lent(bytes.to_vec()))
            }

            fn visit_bytes<E: serde::de::Error>(self, _: &[u8]) -> Result<Lent, E> {
                Err(E::custom("the bytes are not borrowed"))
            }
        }

        deserializer
            .deserialize_bytes(Bytes)
            .map_err(D::Error::custom)
    }
}

#[cachier(backend = registered("store"))]
fn lent(number: u8) -> Lent {
    Lent(vec![number])
}

fn borrowed_bytes_are_said_not_to_come_back(_: &Subject) {
    for _ in 0..2 {
        let call = lent::call_detailed(CallOptions::new(), 7);
        assert_eq!(unfaithful(call), (Lent(vec![7]), Outcome::Miss));
    }
    assert_eq!(lent::peek(7).unwrap(), None);
}

#[cachier(backend = registered("store"))]
async fn signed_async(number: i128) -> Reading {
    Reading::Signed { number }
}

#[cachier(backend = registered("store"))]
async fn document_async(number: u32) -> Box<RawValue> {
    RawValue::from_string(format!("[{number}]")).unwrap()
}

#[cachier(backend = registered("store"))]
async fn lent_async(number: u8) -> Lent {
    Lent(vec![number])
}

fn async_values_that_do_not_come_back_are_reported(_: &Subject) {
    runtime().block_on(in_context(IsolatedContext::current(), async {
        for _ in 0..2 {
            for number in [7, i128::MIN, i128::MAX] {
                let call = signed_async::call_detailed(CallOptions::new(), number).await;
                assert_eq!(
                    unfaithful(call),
                    (Reading::Signed { number }, Outcome::Miss)
                );
            }
            let call = document_async::call_detailed(CallOptions::new(), 1).await;
            let error = call.backend_error.expect("something is found");
            assert_eq!(error.kind(), ErrorKind::Codec, "{error:#}");
            assert_eq!((call.value.get(), call.outcome), ("[1]", Outcome::Miss));
            let call = lent_async::call_detailed(CallOptions::new(), 7).await;
            assert_eq!(unfaithful(call), (Lent(vec![7]), Outcome::Miss));
        }
        assert_eq!(signed_async::peek(7).await.unwrap(), None);
        assert!(document_async::peek(1).await.unwrap().is_none());
        assert_eq!(lent_async::peek(7).await.unwrap(), None);
    }));
}

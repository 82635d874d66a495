//! Verification of arguments and values in a store: its scope, and how to turn it off.

use cachier::metrics::{ErrorLabel, Operation, RemovalCause};
use cachier::{Call, CallOptions, ErrorKind, Outcome, cachier, global_params, set_global_params};
use cachier_tests::callers::one_thread;
use cachier_tests::outcome;
use cachier_tests::process::{Process, part};
use cachier_tests::sandbox::{in_another_process, in_folder, in_folder_async};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

#[derive(Clone, PartialEq, Eq, Hash, Serialize)]
struct Request {
    item: u32,
    #[serde(skip)]
    tenant: &'static str,
}

fn of(tenant: &'static str) -> Request {
    Request { item: 1, tenant }
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Price {
    Cents(u32),
    Euros(u32),
}

fn found<R>(call: &Call<R>) -> Option<ErrorKind> {
    call.backend_error.as_ref().map(cachier::Error::kind)
}

const UNFAITHFUL: Option<ErrorKind> = Some(ErrorKind::Unfaithful);

#[test]
fn colliding_arguments_are_never_served_or_stored() {
    #[cachier(backend = "file", enable_metrics)]
    fn balance(request: Request) -> String {
        request.tenant.to_owned()
    }

    let is_unfaithful = |error: cachier::Error| error.kind() == ErrorKind::Unfaithful;
    in_folder(|_| {
        balance(of("a"));
        assert!(balance::peek(of("b")).is_err_and(is_unfaithful));
        let errors = || balance::metrics().stats().backend_errors;
        assert_eq!(errors(), 0, "to peek touches no metrics");
        let stored = balance::precache_value(of("b"), "b".to_owned());
        assert!(stored.is_err_and(is_unfaithful));
        assert_eq!(errors(), 1);
        let overwrite = CallOptions::new().overwrite_cache();
        let call = balance::call_detailed(overwrite, of("b"));
        assert_eq!((call.value.as_str(), call.outcome), ("b", Outcome::Bypass));
        assert_eq!(found(&call), UNFAITHFUL);
        assert_eq!(errors(), 2);
        cachier::flush();
        let gone = balance::metrics().snapshot().removals[RemovalCause::Gone];
        assert_eq!(gone, 1, "nobody knows any more whose it was");
        in_another_process(|| {
            assert_eq!(balance::peek(of("a")).unwrap(), None);
            balance(of("a"));
        });
        let skip = CallOptions::new().skip_cache();
        assert_eq!(found(&balance::call_detailed(skip, of("b"))), None);
        assert!(
            balance::invalidate(of("b")).unwrap(),
            "to forget is no risk"
        );
    });
}

#[test]
fn what_is_found_concerns_its_key_alone() {
    #[cachier(backend = "file")]
    fn balance(request: &Request) -> String {
        format!("{} {}", request.tenant, request.item)
    }

    in_folder(|_| {
        balance(&of("a"));
        let outcome = |item, tenant| {
            let call = balance::call_detailed(CallOptions::new(), &Request { item, tenant });
            assert_eq!(call.value, format!("{tenant} {item}"));
            call.outcome
        };
        assert_eq!(outcome(1, "b"), Outcome::Bypass);
        assert_eq!(outcome(2, "b"), Outcome::Miss);
        assert_eq!(outcome(2, "b"), Outcome::Hit);
    });
}

#[test]
fn at_most_1024_keys_are_remembered() {
    #[cachier(backend = registered("map"))]
    fn balance(request: &Request) -> String {
        request.tenant.to_owned()
    }

    in_folder(|_| {
        cachier::register_backend("map", cachier_tests::backend::MapBackend::default()).unwrap();
        let call = |item, tenant| {
            let request = Request { item, tenant };
            balance::call_detailed(CallOptions::new(), &request)
        };
        call(0, "a");
        assert_eq!(found(&call(0, "b")), UNFAITHFUL);
        (1..1_100).for_each(|item| assert_eq!(found(&call(item, "a")), None));
        assert_eq!(found(&call(1_023, "b")), UNFAITHFUL);
        let beyond = call(1_024, "b");
        assert_eq!((beyond.outcome, found(&beyond)), (Outcome::Hit, None));
    });
}

#[test]
fn the_users_own_key_is_what_is_compared() {
    #[cachier(backend = "file", key = |request| request.item)]
    fn shared(request: &Request) -> String {
        request.tenant.to_owned()
    }
    #[cachier(backend = "file", key = |request| request.clone())]
    fn separate(request: &Request) -> String {
        request.tenant.to_owned()
    }

    in_folder(|_| {
        assert_eq!([shared(&of("a")), shared(&of("b"))], ["a", "a"]);
        assert_eq!([separate(&of("a")), separate(&of("b"))], ["a", "b"]);
    });
}

#[test]
fn methods_are_checked_with_and_without_a_companion() {
    struct Bank;

    impl Bank {
        #[cachier(backend = "file", skip(self))]
        fn balance(&self, request: &Request) -> String {
            request.tenant.to_owned()
        }

        #[cachier(backend = "file", skip(self), companion = false)]
        async fn price(&self, request: &Request) -> (String, Price) {
            (request.tenant.to_owned(), Price::Euros(5))
        }
    }

    in_folder(|_| {
        assert_eq!([Bank.balance(&of("a")), Bank.balance(&of("b"))], ["a", "b"]);
        let price =
            |tenant| futures_lite::future::block_on(async move { Bank.price(&of(tenant)).await });
        for tenant in ["a", "b", "a"] {
            assert_eq!(price(tenant), (tenant.to_owned(), Price::Euros(5)));
        }
    });
}

#[test]
fn verify_false_turns_it_off() {
    #[cachier(backend = "file", verify = false)]
    fn balance(request: Request) -> String {
        request.tenant.to_owned()
    }
    #[cachier(backend = "file", verify = false)]
    fn price(euros: u32) -> Price {
        Price::Euros(euros)
    }

    in_folder(|_| {
        assert_eq!([balance(of("a")), balance(of("b"))], ["a", "a"]);
        assert_eq!([price(5), price(5)], [Price::Euros(5), Price::Cents(5)]);
        let call = price::call_detailed(CallOptions::new(), 5);
        assert_eq!((call.outcome, found(&call)), (Outcome::Hit, None));
    });
}

#[test]
fn the_program_can_turn_it_off() {
    #[cachier(backend = "file")]
    fn price(euros: u32) -> Price {
        Price::Euros(euros)
    }
    #[cachier(backend = "file", verify)]
    fn verified(euros: u32) -> Price {
        Price::Euros(euros)
    }

    in_folder(|_| {
        set_global_params(global_params().verify(false));
        assert_eq!([price(5), price(5)], [Price::Euros(5), Price::Cents(5)]);
        assert_eq!([verified(5), verified(5)], [Price::Euros(5); 2]);
        set_global_params(global_params().verify(true));
        assert_eq!([price(6), price(6)], [Price::Euros(6); 2]);
    });
}

#[test]
fn where_nobody_listens_a_person_is_told_once() {
    #[cachier(backend = "file", name = "shop::price")]
    fn price(euros: u32) -> Price {
        Price::Euros(euros)
    }
    #[cachier(backend = "file", name = "shop::discount")]
    fn discount(euros: u32) -> Vec<Option<Option<u32>>> {
        vec![Some(Some(euros)), Some(None)]
    }

    if part().is_some() {
        return in_folder(|_| (1..4).for_each(|euros| _ = (price(euros), discount(euros))));
    }
    let errors = tempfile::NamedTempFile::new().unwrap();
    let test = "verify::where_nobody_listens_a_person_is_told_once";
    Process::start(test, "call", |command| {
        command.stderr(errors.reopen().unwrap());
    })
    .finish();
    let said = std::fs::read_to_string(errors.path()).unwrap();
    let told: Vec<_> = said.lines().filter(|l| l.contains("cachier: ")).collect();
    assert_eq!(told.len(), 2, "{said}");
    for part in ["`shop::price`: a value comes back", "`verify = false`"] {
        assert!(told[0].contains(part), "{said}");
    }
    let refused = "`shop::discount`: the value cannot be serialized";
    assert!(told[1].contains(refused), "{said}");
}

#[test]
fn what_does_not_equal_itself_is_kept() {
    #[cachier(backend = "file")]
    fn mean(numbers: &[u8]) -> (f64, Vec<f64>) {
        (f64::from(numbers[0]) / 0.0 * 0.0, vec![f64::NAN, 1.0])
    }

    in_folder(|_| {
        for outcome in [Outcome::Miss, Outcome::Hit] {
            let call = mean::call_detailed(CallOptions::new(), &[1]);
            assert_eq!((call.outcome, found(&call)), (outcome, None));
            assert!(call.value.0.is_nan() && call.value.1[0].is_nan());
        }
    });
}

#[test]
fn incomparable_values_must_at_least_decode() {
    #[derive(Serialize, Deserialize)]
    struct Incomparable(Price);
    #[derive(Serialize, Deserialize)]
    #[serde(tag = "kind")]
    enum Lost {
        Number { number: i128 },
    }

    #[cachier(backend = "file")]
    fn price(euros: u32) -> Incomparable {
        Incomparable(Price::Euros(euros))
    }
    #[cachier(backend = "file")]
    fn lost(number: i128) -> Lost {
        Lost::Number { number }
    }

    in_folder(|_| {
        assert_eq!([price(5).0, price(5).0], [Price::Euros(5), Price::Cents(5)]);
        let call = lost::call_detailed(CallOptions::new(), i128::MAX);
        let Lost::Number { number } = call.value;
        assert_eq!((number, call.outcome), (i128::MAX, Outcome::Miss));
        assert_eq!(call.backend_error.unwrap().kind(), ErrorKind::Unfaithful);
    });
}

#[test]
fn where_bounds_are_open_nothing_is_compared() {
    #[cachier(backend = "file", skip(make))]
    fn open<A: Serialize, V: Serialize + DeserializeOwned>(
        argument: &A,
        make: fn() -> V,
    ) -> (u8, V) {
        let _ = argument;
        (0, make())
    }
    #[cachier(backend = "file", skip(make))]
    fn bounded<A, V>(argument: &A, make: fn() -> V) -> (u8, V)
    where
        A: Serialize + std::hash::Hash,
        V: Serialize + DeserializeOwned + PartialEq,
    {
        let _ = argument;
        (0, make())
    }

    in_folder(|_| {
        let euros = || Price::Euros(5);
        let outcomes = |tenant| outcome!(bounded(&of(tenant), || 1_u8));
        assert_eq!(
            [outcomes("a"), outcomes("b")],
            [Outcome::Miss, Outcome::Bypass]
        );
        assert_eq!([(); 2].map(|()| bounded(&1, euros).1), [Price::Euros(5); 2]);
        let text = |tenant| open(&of(tenant), || 1_u8);
        assert_eq!([text("a"), text("b")], [(0, 1); 2]);
        assert_eq!(
            [(); 2].map(|()| open(&1, euros).1),
            [Price::Euros(5), Price::Cents(5)]
        );
    });
}

#[test]
fn tenants_who_wait_for_one_another_share_nothing() {
    #[cachier(backend = "file")]
    async fn balance(request: &Request) -> String {
        tokio::task::yield_now().await;
        request.tenant.to_owned()
    }

    one_thread().block_on(in_folder_async(async |_| {
        let (a, b) = (of("a"), of("b"));
        let (first, second) = tokio::join!(balance(&a), balance(&b));
        assert_eq!([first, second], ["a", "b"]);
    }));
}

#[test]
fn waiters_of_unfaithful_values_compute_their_own() {
    #[cachier(backend = "file", enable_metrics)]
    async fn price(euros: u32) -> Price {
        tokio::task::yield_now().await;
        Price::Euros(euros)
    }

    one_thread().block_on(in_folder_async(async |_| {
        let (first, second) = tokio::join!(price(5), price(5));
        assert_eq!([first, second], [Price::Euros(5); 2]);
        let counted = price::metrics().snapshot().backend_errors;
        assert!(counted[Operation::Store][ErrorLabel::Unfaithful] >= 1);
    }));
}

#[test]
fn in_memory_there_is_nothing_to_check() {
    #[cachier(backend = "memory", verify)]
    fn balance(request: Request) -> (&'static str, Price) {
        (request.tenant, Price::Euros(5))
    }

    in_folder(|_| {
        for outcome in [Outcome::Miss, Outcome::Hit] {
            for tenant in ["a", "b"] {
                let call = balance::call_detailed(CallOptions::new(), of(tenant));
                assert_eq!(
                    (call.value, call.outcome),
                    ((tenant, Price::Euros(5)), outcome)
                );
            }
        }
    });
}

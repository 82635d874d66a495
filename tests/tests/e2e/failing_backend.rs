//! A backend that is down, slow or broken never fails a call on its own account.

use std::time::Duration;

use cachier::testing::{Clock, isolated};
use cachier::{CallOptions, Error, ErrorKind, Outcome, cachier};
use cachier_metrics::{ComputeFailure, ComputePlace, ErrorLabel, Operation, Reason};
use cachier_tests::backend::{Fault, MapBackend, with_map};
use cachier_tests::callers::Callers;
use cachier_tests::gate::Counter;
use cachier_tests::sandbox::in_folder;
use cachier_tests::wait::until;
use cachier_tests::{double, outcome};

#[test]
fn the_function_runs_without_its_backend() {
    double!(backend = registered("map"), enable_metrics);

    with_map(|map| {
        map.set(Fault::Fails(ErrorKind::Connect));
        let call = double::call_detailed(CallOptions::new(), 21);
        assert_eq!((call.value, call.outcome), (42, Outcome::Unavailable));
        assert_eq!(call.backend_error.unwrap().kind(), ErrorKind::Connect);
        let snapshot = double::metrics().snapshot();
        assert_eq!(snapshot.calls[Outcome::Unavailable], 1);
        assert_eq!(snapshot.recalculations[Reason::Unavailable], 1);
        assert_eq!(
            snapshot.backend_errors[Operation::Load][ErrorLabel::Connect],
            1
        );
        assert_eq!(
            double::metrics().stats().backend_errors,
            1,
            "each failure counts once"
        );

        map.set(Fault::None);
        double(21);
        let call = double::call_detailed(CallOptions::new(), 21);
        assert_eq!(call.outcome, Outcome::Hit, "it recovers by itself");
    });
}

#[test]
fn the_error_is_returned_on_request() {
    static RUNS: Counter = Counter::new();

    #[derive(Debug)]
    enum Failure {
        OfTheCache(Error),
    }

    impl From<Error> for Failure {
        fn from(error: Error) -> Self {
            Self::OfTheCache(error)
        }
    }

    #[cachier(backend = registered("map"), on_backend_error = "propagate", enable_metrics)]
    fn double(number: u64) -> Result<u64, Failure> {
        RUNS.next();
        Ok(number * 2)
    }

    with_map(|map| {
        map.set(Fault::Fails(ErrorKind::Denied));
        let call = double::call_detailed(CallOptions::new(), 21);
        let Err(Failure::OfTheCache(error)) = call.value else {
            panic!("{:?}", call.value);
        };
        assert_eq!(
            (error.kind(), call.outcome),
            (ErrorKind::Denied, Outcome::Unavailable)
        );
        assert_eq!(RUNS.get(), 0);
        map.set(Fault::None);
        assert_eq!(double(21).unwrap(), 42);
    });
}

#[test]
fn an_unstorable_value_is_returned() {
    double!(backend = registered("map"), enable_metrics);

    with_map(|map| {
        map.set(Fault::FailsToStore(ErrorKind::Full));
        let call = double::call_detailed(CallOptions::new(), 21);
        assert_eq!((call.value, call.outcome), (42, Outcome::Miss));
        assert_eq!(call.backend_error.unwrap().kind(), ErrorKind::Full);
        let errors = double::metrics().snapshot().backend_errors;
        assert_eq!(errors[Operation::Store][ErrorLabel::Full], 1);
    });
}

#[test]
fn the_operation_timeout_bounds_a_hanging_backend() {
    double!(
        backend = registered("map"),
        operation_timeout = "2s",
        enable_metrics
    );

    with_map(|map| {
        map.set(Fault::Hangs);
        let caller = Callers::new().on_threads(1, || double::call_detailed(CallOptions::new(), 21));
        until("it is asked", || map.asked() > 0);
        Clock::advance(Duration::from_secs(2));
        let call = caller.values().remove(0);
        assert_eq!((call.value, call.outcome), (42, Outcome::Unavailable));
        assert_eq!(call.elapsed, Duration::from_secs(2));
        assert_eq!(call.backend_error.unwrap().kind(), ErrorKind::Timeout);
        assert_eq!(map.asked(), 1, "it is not asked again");
    });
}

#[test]
fn all_operations_of_a_call_share_a_budget() {
    double!(
        backend = registered("map"),
        operation_timeout = "2s",
        enable_metrics
    );

    with_map(|map| {
        let [slow, rest] = [1500, 500].map(Duration::from_millis);
        map.set(Fault::LoadsSlowly(slow));
        let caller = Callers::new().on_threads(1, || double::call_detailed(CallOptions::new(), 21));
        until("it is asked to store", || map.asked() == 2);
        Clock::advance(rest);
        let call = caller.values().remove(0);
        assert_eq!((call.value, call.outcome), (42, Outcome::Miss));
        assert_eq!(call.elapsed, slow + rest);
    });
}

#[test]
fn garbage_is_counted_and_replaced() {
    double!(backend = registered("map"), enable_metrics);

    with_map(|map| {
        map.set(Fault::LoadsGarbage);
        let call = double::call_detailed(CallOptions::new(), 21);
        assert_eq!((call.value, call.outcome), (42, Outcome::Miss));
        assert_eq!(call.backend_error.unwrap().kind(), ErrorKind::Corrupt);
        let errors = double::metrics().snapshot().backend_errors;
        assert_eq!(errors[Operation::Load][ErrorLabel::Corrupt], 1);
        map.set(Fault::None);
        let call = double::call_detailed(CallOptions::new(), 21);
        assert_eq!(call.outcome, Outcome::Hit);
    });
}

#[test]
fn only_connection_failures_are_retried() {
    double!(backend = registered("map"), enable_metrics);

    with_map(|map| {
        let call = || double::call_detailed(CallOptions::new(), 21);
        map.set(Fault::FailsOnce(ErrorKind::Connect));
        let served = call();
        assert_eq!((served.value, served.outcome), (42, Outcome::Miss));
        assert!(served.backend_error.is_none(), "{served}");
        assert_eq!(map.asked(), 3, "load, load, store");
        map.set(Fault::FailsOnce(ErrorKind::Connect));
        assert_eq!(call().outcome, Outcome::Hit);

        for (kind, attempts) in [(ErrorKind::Connect, 2), (ErrorKind::Io, 1)] {
            map.set(Fault::Fails(kind));
            let before = map.asked();
            assert_eq!(call().outcome, Outcome::Unavailable);
            assert_eq!(map.asked() - before, attempts, "{kind:?}");
        }
        assert_eq!(double::metrics().stats().backend_errors, 2);
    });
}

#[test]
fn a_read_only_store_is_still_read() {
    double!(backend = registered("map"));

    with_map(|map| {
        double(0);
        let failures = u64::from(2 * cachier::global_params().breaker_threshold);
        for kind in [ErrorKind::Denied, ErrorKind::Full] {
            map.set(Fault::FailsToStore(kind));
            for number in 0..failures {
                double::precache_value(number, 0).unwrap_err();
            }
            let call = double::call_detailed(CallOptions::new(), 0);
            assert_eq!((call.value, call.outcome), (0, Outcome::Hit), "{kind:?}");
        }
    });
}

#[test]
fn a_missing_backend_can_be_registered_later() {
    double!(backend = registered("later"), enable_metrics);

    isolated(|| {
        let call = double::call_detailed(CallOptions::new(), 21);
        assert_eq!((call.value, call.outcome), (42, Outcome::Unavailable));
        assert_eq!(call.backend_error.unwrap().kind(), ErrorKind::NotRegistered);
        cachier::register_backend("later", MapBackend::default()).unwrap();
        assert_eq!(outcome!(double(21)), Outcome::Miss);
        assert_eq!(outcome!(double(21)), Outcome::Hit);
    });
}

#[test]
fn the_companion_reports_what_a_call_would_forgive() {
    double!(backend = registered("map"));

    with_map(|map| {
        map.set(Fault::Fails(ErrorKind::Denied));
        let kinds = [
            double::peek(1).unwrap_err().kind(),
            double::invalidate(1).unwrap_err().kind(),
            double::precache_value(1, 2).unwrap_err().kind(),
            double::clear_cache().unwrap_err().kind(),
        ];
        assert_eq!(kinds, [ErrorKind::Denied; 4]);
    });
}

#[test]
fn a_peek_that_fails_is_not_counted() {
    double!(backend = registered("map"), enable_metrics);

    with_map(|map| {
        map.set(Fault::Fails(ErrorKind::Denied));
        assert_eq!(double::peek(1).unwrap_err().kind(), ErrorKind::Denied);
        double::invalidate(1).unwrap_err();
        let errors = double::metrics().snapshot().backend_errors;
        assert_eq!(errors[Operation::Load][ErrorLabel::Denied], 0);
        assert_eq!(errors[Operation::Remove][ErrorLabel::Denied], 1);
    });
}

#[test]
fn an_overtaken_precached_value_is_reported() {
    double!(backend = registered("map"));

    with_map(|map| {
        map.set(Fault::Refuses);
        let error = double::precache_value(1, 2).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Io);
        assert!(error.to_string().contains("at the same time"), "{error}");
        assert_eq!(double::peek(1).unwrap(), None);
    });
}

#[test]
fn a_lost_lease_is_counted() {
    double!(backend = registered("map"), enable_metrics);

    with_map(|map| {
        map.set(Fault::Refuses);
        assert_eq!(double(1), 2);
        assert_eq!(double::metrics().stats().leases_lost, 1);
        map.set(Fault::None);
        assert_eq!(double(2), 4);
        assert_eq!(double::metrics().stats().leases_lost, 1);
    });
}

#[test]
fn readiness_probes_learn_which_backend_does_not_work() {
    with_map(|_| {
        let health = cachier::check();
        assert_eq!((health.len(), health[0].name.as_str()), (1, "map"));
        assert!(health[0].is_healthy());
    });
}

#[test]
fn unserializable_arguments_bypass_the_cache() {
    /// Fails to serialize.
    struct Unserializable;

    impl serde::Serialize for Unserializable {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("on purpose"))
        }
    }

    #[cachier(backend = registered("map"), enable_metrics)]
    fn one(_key: &Unserializable) -> u64 {
        1
    }

    with_map(|map| {
        let call = one::call_detailed(CallOptions::new(), &Unserializable);
        assert_eq!((call.value, call.outcome), (1, Outcome::Bypass));
        let error = call.backend_error.unwrap();
        assert_eq!(error.kind(), ErrorKind::Codec);
        assert!(error.to_string().contains("the argument `_key`"), "{error}");
        assert_eq!((one::metrics().stats().backend_errors, map.asked()), (1, 0));
        let call = one::call_detailed(CallOptions::new().skip_cache(), &Unserializable);
        assert!(
            call.backend_error.is_none(),
            "a call without a cache needs no key"
        );
        assert_eq!(one::metrics().stats().backend_errors, 1);
    });
}

#[test]
fn a_failed_bypass_counts_as_failed_computation() {
    #[cachier(backend = "memory", enable_metrics)]
    fn fail(number: u64) -> Result<u64, String> {
        Err(format!("not {number}"))
    }

    #[cachier(backend = "memory", enable_metrics)]
    async fn fail_later(number: u64) -> Result<u64, String> {
        Err(format!("not {number}"))
    }

    isolated(|| {
        let skip = || CallOptions::new().skip_cache();
        assert_eq!(fail::call_with(skip(), 1), Err("not 1".to_owned()));
        let later = fail_later::call_with(skip(), 1);
        assert_eq!(
            futures_lite::future::block_on(later),
            Err("not 1".to_owned())
        );
        for metrics in [fail::metrics(), fail_later::metrics()] {
            let snapshot = metrics.snapshot();
            assert_eq!(snapshot.calls[Outcome::Bypass], 1);
            let errors = &snapshot.recalculation_failures[ComputeFailure::Error];
            assert_eq!(errors[ComputePlace::Foreground], 1);
        }
    });
}

#[test]
fn a_replaced_backend_is_not_checked() {
    double!(backend = "file");

    in_folder(|_| {
        double(21);
        let stores = || cachier::check().into_iter().map(|health| health.store);
        assert_eq!(stores().count(), 1);
        cachier::register_backend("file", MapBackend::default()).unwrap();
        double(21);
        assert!(stores().eq(["a map of the test"]));
    });
}

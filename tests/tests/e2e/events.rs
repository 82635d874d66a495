//! Events for `tracing`.

use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use cachier::testing::{Clock, isolated};
use cachier::{CallOptions, ErrorKind, cachier};
use cachier_tests::backend::{Fault, MapBackend};
use cachier_tests::callers::one_thread;
use cachier_tests::double;
use cachier_tests::listener::Listener;
use tracing::{Dispatch, Level, Metadata};

#[test]
fn each_call_is_explained() {
    double!(
        backend = "memory",
        name = "explained",
        stale_after = "1h",
        next_time
    );

    isolated(|| {
        let events = listening(|| {
            double(1);
            double(1);
            double::call_with(CallOptions::new().skip_cache(), 1);
            Clock::advance(Duration::from_secs(7200));
            double(1);
        });
        let expected = ["miss", "hit", "bypass", "stale"];
        assert_eq!(events.len(), expected.len(), "{events:?}");
        for ((level, text), outcome) in events.iter().zip(expected) {
            assert_eq!(*level, Level::DEBUG);
            assert!(text.contains("function=\"explained\""), "{text}");
            assert!(text.contains(&format!("outcome=\"{outcome}\"")), "{text}");
        }
        let (_, stale) = &events[3];
        assert!(
            stale.contains("stale from the backend, 7200.0s old"),
            "{stale}"
        );
    });
}

#[test]
fn a_failing_backend_is_reported_once_per_interval() {
    double!(backend = registered("map"), name = "failing");

    let warnings = |calls: u64| {
        let events = listening(|| (0..calls).for_each(|number| _ = double(number)));
        let warnings = events
            .into_iter()
            .filter(|(level, _)| *level == Level::WARN);
        warnings.map(|(_, text)| text).collect::<Vec<_>>()
    };
    isolated(|| {
        let map = MapBackend::default();
        map.set(Fault::Fails(ErrorKind::Denied));
        cachier::register_backend("map", map).unwrap();
        let first = warnings(5);
        assert_eq!(first.len(), 1, "{first:?}");
        assert!(
            first[0].contains("function=\"failing\" kind=Denied"),
            "{first:?}"
        );
        Clock::advance(Duration::from_secs(9));
        assert!(warnings(5).is_empty());
        Clock::advance(Duration::from_secs(1));
        assert_eq!(warnings(5).len(), 1);
    });
}

#[test]
fn unstorable_values_are_reported_once_per_cause() {
    #[derive(Hash, serde::Serialize)]
    struct Request {
        #[serde(skip)]
        tenant: u8,
    }
    #[derive(PartialEq, serde::Serialize, serde::Deserialize)]
    struct Answer(u8, #[serde(skip)] u8);

    #[cachier(backend = registered("map"), name = "unfaithful", key = |request, _number| (request, 0))]
    fn answer(request: Request, _number: u8) -> Answer {
        Answer(1, request.tenant)
    }

    isolated(|| {
        cachier::register_backend("map", MapBackend::default()).unwrap();
        let events = listening(|| {
            for tenant in [1, 1, 2, 2, 1] {
                answer(Request { tenant }, tenant);
            }
        });
        let mut warnings = events
            .into_iter()
            .filter_map(|(level, text)| (level == Level::WARN).then_some(text));
        let value = warnings.next().unwrap();
        assert!(
            value.contains("function=\"unfaithful\" kind=Unfaithful")
                && value.contains("comes back from its stored form as another one"),
            "{value}"
        );
        let arguments = warnings.next().unwrap();
        assert!(
            arguments.contains("have one key") && arguments.contains("`verify = false`"),
            "{arguments}"
        );
        assert_eq!(warnings.next(), None);
    });
}

#[test]
fn a_failed_background_recomputation_is_reported() {
    #[cachier(backend = "memory", name = "refreshed", stale_after = "1h", next_time)]
    async fn fails_later(is_first: bool) -> Result<u64, String> {
        static RUNS: cachier_tests::gate::Counter = cachier_tests::gate::Counter::new();
        match (is_first, RUNS.next()) {
            (true, 1) => Ok(1),
            _ => Err("later".to_owned()),
        }
    }

    reports_a_failed_refresh(async || fails_later(true).await.unwrap());
}

#[test]
fn a_panicked_background_recomputation_is_reported() {
    #[cachier(
        backend = "memory",
        name = "panics later",
        stale_after = "1h",
        next_time
    )]
    async fn panics_later(is_first: bool) -> u64 {
        static RUNS: cachier_tests::gate::Counter = cachier_tests::gate::Counter::new();
        assert!(is_first && RUNS.next() == 1, "on purpose");
        1
    }

    reports_a_failed_refresh(async || panics_later(true).await);
}

/// Calls twice, so that a recomputation fails in between.
fn reports_a_failed_refresh(call: impl AsyncFn() -> u64) {
    isolated(|| {
        let events = listening(|| {
            one_thread().block_on(async {
                call().await;
                Clock::advance(Duration::from_secs(7200));
                assert_eq!(call().await, 1);
                cachier::flush_async().await;
            });
        });
        let is_warning = |(level, text): &&(Level, String)| {
            *level == Level::WARN && text.contains("the old value stays")
        };
        assert_eq!(events.iter().filter(is_warning).count(), 1, "{events:?}");
    });
}

/// The events of cachier on this thread.
fn listening(run: impl FnOnce()) -> Vec<(Level, String)> {
    // With a single subscriber, tracing asks only the first thread whether it is interested, and caches the answer for
    // all.
    static ANOTHER: OnceLock<Dispatch> = OnceLock::new();
    let log = || {
        let events = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&events);
        let hear = move |metadata: Option<&'static Metadata<'static>>, text| {
            let level = *metadata.unwrap().level();
            heard.lock().unwrap().push((level, text));
        };
        let listens =
            |metadata: &Metadata<'_>| metadata.is_event() && metadata.target() == "cachier";
        (events, Listener::new(listens, hear))
    };
    ANOTHER.get_or_init(|| Dispatch::new(log().1));
    let (events, listener) = log();
    tracing::subscriber::with_default(listener, run);
    let mut events = events.lock().unwrap();
    std::mem::take(&mut *events)
}

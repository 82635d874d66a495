//! The near tier: a bounded memory in front of a persistent backend.

use std::fs;
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cachier::testing::Clock;
use cachier::{
    CallOptions, ErrorKind, Outcome, Tier, cachier, global_params, register_backend,
    set_global_params,
};
use cachier_metrics::{NearResult, RemovalCause};
use cachier_tests::backend::{Fault, MapBackend, with_map};
use cachier_tests::gate::Counter;
use cachier_tests::sandbox::{entries, in_another_process, in_folder};
use cachier_tests::{count, double, triple};
use futures_lite::future::{block_on, poll_once};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn near_copies_expire() {
    double!(
        backend = "file",
        near_cache = 10,
        near_stale_after = "10s",
        enable_metrics
    );

    in_folder(|_| {
        let served = || {
            let call = double::call_detailed(CallOptions::new(), 21);
            assert_eq!(call.value, 42);
            (call.outcome, call.tier)
        };
        assert_eq!(served(), (Outcome::Miss, None));
        assert_eq!(served(), (Outcome::Hit, Some(Tier::Near)));
        Clock::advance(11 * SECOND);
        assert_eq!(served(), (Outcome::Hit, Some(Tier::Backend)));
        assert_eq!(served(), (Outcome::Hit, Some(Tier::Near)));
        let call = double::call_detailed(CallOptions::new(), 21);
        assert_eq!(call.age, Some(11 * SECOND), "the age is that of the value");
        double(21);
        let snapshot = double::metrics().snapshot();
        assert_eq!(snapshot.calls[Outcome::Hit], 5);
        assert_eq!(snapshot.near_lookups[NearResult::Hit], 4);
        assert_eq!(snapshot.near_lookups[NearResult::Miss], 2);
    });
}

#[test]
fn a_stale_value_is_not_served_near() {
    count!(
        RUNS,
        backend = "file",
        near_cache = 10,
        near_stale_after = "1h",
        stale_after = "10s"
    );

    in_folder(|_| {
        count(1);
        Clock::advance(11 * SECOND);
        assert_eq!(count(1), 2);
    });
}

#[test]
fn it_is_bounded_while_the_backend_is_not() {
    double!(backend = "file", near_cache = 5, enable_metrics);

    in_folder(|_| {
        for number in 0..20 {
            double(number);
        }
        double::usage().unwrap();
        let snapshot = double::metrics().snapshot();
        assert_eq!(snapshot.gauges.near.entries, Some(5));
        assert_eq!(snapshot.gauges.backend().entries, Some(20));
        assert_eq!(snapshot.gauges.capacity_entries, Some(5));
        assert_eq!(snapshot.removals[RemovalCause::Evicted], 15);
        (0..20).for_each(|number| assert_eq!(double(number), number * 2));
        assert_eq!(double::metrics().stats().recalculations, 20);
    });
}

#[test]
fn invalidating_and_clearing_reach_both_tiers() {
    count!(RUNS, backend = "file", near_cache = 10);

    in_folder(|folder| {
        assert_eq!(count(1), 1);
        assert!(count::invalidate(1).unwrap());
        assert_eq!(entries(folder).len(), 0);
        assert_eq!(count(1), 2);
        assert_eq!(count::clear_cache().unwrap(), Some(1));
        assert_eq!(entries(folder).len(), 0);
        assert_eq!(count(1), 3);
        count::precache_value(1, 100).unwrap();
        assert_eq!(count(1), 100);
    });
}

#[test]
fn it_serves_entries_lost_by_the_backend() {
    double!(backend = "file", near_cache = 10);

    in_folder(|folder| {
        double(21);
        entries(folder)
            .iter()
            .for_each(|entry| fs::remove_file(entry).unwrap());
        let call = double::call_detailed(CallOptions::new(), 21);
        assert_eq!((call.outcome, call.tier), (Outcome::Hit, Some(Tier::Near)));
    });
}

#[test]
fn it_is_empty_once_the_entries_go_elsewhere() {
    count!(RUNS, backend = "file", near_cache = 10);

    in_folder(|_| {
        assert_eq!([count(1), count(1)], [1, 1]);
        cachier::set_global_params(cachier::global_params().namespace("another"));
        assert_eq!([count(1), count(1)], [2, 2]);
        cachier::register_backend("file", MapBackend::default()).unwrap();
        assert_eq!([count(1), count(1)], [3, 3]);
    });
}

#[test]
fn its_time_starts_with_the_load() {
    double!(
        backend = registered("map"),
        near_cache = 10,
        near_stale_after = "10s",
        operation_timeout = "60s"
    );
    triple!(
        backend = registered("map"),
        near_cache = 10,
        near_stale_after = "10s",
        operation_timeout = "60s"
    );

    with_map(|map| {
        let tiers: [fn() -> Option<Tier>; 2] = [
            || double::call_detailed(CallOptions::new(), 21).tier,
            || block_on(triple::call_detailed(CallOptions::new(), 21)).tier,
        ];
        for tier in tiers {
            assert_eq!(tier(), None);
            Clock::advance(11 * SECOND);
            map.set(Fault::LoadsSlowly(8 * SECOND));
            assert_eq!(tier(), Some(Tier::Backend));
            map.set(Fault::None);
            Clock::advance(2 * SECOND);
            assert_eq!(tier(), Some(Tier::Near));
            Clock::advance(SECOND);
            assert_eq!(tier(), Some(Tier::Backend), "it was fetched 11 s ago");
        }
    });
}

/// One that comes during the load, whose answer is slow, is seen within one `near_stale_after`.
#[test]
fn invalidations_elsewhere_are_seen_in_time() {
    count!(
        RUNS,
        backend = registered("map"),
        near_cache = 10,
        near_stale_after = "10s",
        operation_timeout = "60s"
    );
    static ASYNC_RUNS: Counter = Counter::new();

    #[cachier(
        backend = registered("map"),
        near_cache = 10,
        near_stale_after = "10s",
        operation_timeout = "60s"
    )]
    async fn count_async(_key: u8) -> u64 {
        ASYNC_RUNS.next()
    }

    with_map(|map| {
        type Function = (fn() -> u64, fn() -> bool);
        let of_threads: Function = (|| count(1), || count::invalidate(1).unwrap());
        let of_tasks: Function = (
            || block_on(count_async(1)),
            || block_on(count_async::invalidate(1)).unwrap(),
        );
        for (value, invalidate) in [of_threads, of_tasks] {
            assert_eq!(value(), 1);
            Clock::advance(11 * SECOND);
            map.set(Fault::LoadsSlowly(8 * SECOND));
            assert_eq!(value(), 1);
            map.set(Fault::None);
            in_another_process(|| {
                register_backend("map", map.clone()).unwrap();
                assert!(invalidate());
            });
            assert_eq!(value(), 1, "it is near");
            Clock::advance(3 * SECOND);
            assert_eq!(value(), 2);
        }
    });
}

/// The value that a computation gives now.
static NEWEST: AtomicU64 = AtomicU64::new(0);

#[cachier(backend = registered("map"), near_cache = 10, near_stale_after = "1d")]
fn newest(_key: u8) -> u64 {
    NEWEST.load(Ordering::SeqCst)
}

#[cachier(backend = registered("map"), near_cache = 10, near_stale_after = "1d")]
async fn newest_async(_key: u8) -> u64 {
    NEWEST.load(Ordering::SeqCst)
}

#[test]
fn failed_changes_leave_nothing_near() {
    with_map(|map| {
        let tier = || newest::call_detailed(CallOptions::new(), 1).tier;
        let fail: [fn(); 3] = [
            || _ = newest::call_with(CallOptions::new().overwrite_cache(), 1),
            || assert!(newest::precache_value(1, 9).is_err()),
            || assert!(newest::invalidate(1).is_err()),
        ];
        for (fault, fail) in [
            (Fault::FailsToStore(ErrorKind::Full), fail[0]),
            (Fault::FailsToStore(ErrorKind::Full), fail[1]),
            (Fault::Fails(ErrorKind::Denied), fail[2]),
        ] {
            newest(1);
            assert_eq!(tier(), Some(Tier::Near));
            map.set(fault);
            fail();
            map.set(Fault::None);
            assert_eq!(tier(), Some(Tier::Backend));
        }
    });
}

#[test]
fn cancelled_changes_leave_nothing_near() {
    with_map(|map| {
        let tier = || block_on(newest_async::call_detailed(CallOptions::new(), 1)).tier;
        let operations: [fn() -> BoxedFuture; 3] = [
            || Box::pin(async { drop(newest_async::invalidate(1).await) }),
            || Box::pin(async { drop(newest_async::precache_value(1, 9).await) }),
            || {
                let overwrite = CallOptions::new().overwrite_cache();
                Box::pin(async { _ = newest_async::call_with(overwrite, 1).await })
            },
        ];
        for operation in operations {
            block_on(newest_async(1));
            assert_eq!(tier(), Some(Tier::Near));
            map.set(Fault::Hangs);
            assert!(block_on(poll_once(operation())).is_none());
            map.set(Fault::None);
            assert_eq!(tier(), Some(Tier::Backend));
        }
    });
}

/// The first of its types is waited for.
#[test]
fn a_hung_clear_leaves_no_types_near() {
    #[cachier(backend = registered("map"), near_cache = 10, name = "near::of_types")]
    async fn of_types<T>(number: T) -> u64
    where
        T: Copy + Into<u64> + std::hash::Hash + Eq + serde::Serialize + Send + Sync + 'static,
    {
        number.into()
    }

    let clears: [fn() -> BoxedFuture; 2] = [
        || Box::pin(async { drop(of_types::clear_cache().await) }),
        || {
            let known = cachier::function("near::of_types").unwrap();
            Box::pin(async move { drop(known.clear_cache_async().await) })
        },
    ];
    let tiers = || {
        let tier = async |number: u8| {
            let options = CallOptions::new;
            let one = of_types::call_detailed(options(), number).await.tier;
            let other = of_types::call_detailed(options(), u16::from(number)).await;
            [one, other.tier]
        };
        block_on(tier(1))
    };
    for clear in clears {
        with_map(|map| {
            tiers();
            assert_eq!(tiers(), [Some(Tier::Near); 2]);
            map.set(Fault::Hangs);
            assert!(block_on(poll_once(clear())).is_none());
            map.set(Fault::None);
            assert_eq!(tiers(), [Some(Tier::Backend); 2]);
        });
    }
}

/// A load during the store of an overwriting call gets the old value, and must not keep it.
#[test]
fn an_overwritten_value_is_not_served_near() {
    with_map(|map| {
        for is_async in [false, true] {
            let value = || match is_async {
                false => newest(2),
                true => block_on(newest_async(2)),
            };
            value();
            let newer = NEWEST.fetch_add(1, Ordering::SeqCst) + 1;
            map.before_storing(match is_async {
                false => || _ = newest(2),
                true => || _ = block_on(newest_async(2)),
            });
            let overwrite = CallOptions::new().overwrite_cache();
            match is_async {
                false => newest::call_with(overwrite, 2),
                true => block_on(newest_async::call_with(overwrite, 2)),
            };
            assert_eq!(value(), newer);
        }
    });
}

#[test]
fn a_large_value_replaces_its_near_copy() {
    static LETTER: AtomicU8 = AtomicU8::new(b'a');

    #[cachier(backend = registered("map"), near_cache = 10, near_stale_after = "1d")]
    fn large(_key: u8) -> String {
        let letter = char::from(LETTER.load(Ordering::SeqCst));
        letter.to_string().repeat(2 << 20)
    }

    with_map(|map| {
        large(1);
        cachier::flush();
        LETTER.store(b'b', Ordering::SeqCst);
        map.before_storing(|| _ = large(1));
        Clock::advance(2 * SECOND);
        large::call_with(CallOptions::new().max_age(SECOND), 1);
        cachier::flush();
        assert!(large(1).starts_with('b'));
    });
}

/// A change whose answer nobody waits for may happen all the same, after others have loaded the old value.
#[test]
fn loads_during_a_cancelled_change_are_forgotten() {
    with_map(|map| {
        let tier = || block_on(newest_async::call_detailed(CallOptions::new(), 3)).tier;
        let operations: [fn() -> BoxedFuture; 2] = [
            || Box::pin(async { drop(newest_async::invalidate(3).await) }),
            || Box::pin(async { drop(newest_async::clear_cache().await) }),
        ];
        for operation in operations {
            block_on(newest_async(3));
            map.set(Fault::Hangs);
            let mut change = operation();
            assert!(block_on(poll_once(change.as_mut())).is_none());
            map.set(Fault::None);
            assert_eq!(tier(), Some(Tier::Backend));
            drop(change);
            assert_eq!(tier(), Some(Tier::Backend));
        }
    });
}

type BoxedFuture = Pin<Box<dyn Future<Output = ()>>>;

#[test]
fn near_copies_follow_a_lower_stale_after() {
    double!(backend = "file", near_cache = 10, near_stale_after = "1d");

    in_folder(|_| {
        double(1);
        Clock::advance(60 * SECOND);
        set_global_params(global_params().stale_after(3600 * SECOND));
        let call = || double::call_detailed(CallOptions::new(), 1);
        assert_eq!(
            call().tier,
            Some(Tier::Backend),
            "what is near was kept without a limit"
        );
        assert_eq!(call().tier, Some(Tier::Near));
        set_global_params(global_params().stale_after(59 * SECOND));
        assert_eq!(call().outcome, Outcome::Miss);
    });
}

/// On the system's clocks, of which the coarse one lags behind.
#[test]
fn a_short_near_stale_after_costs_no_hits() {
    double!(
        backend = registered("near-short"),
        near_cache = 10,
        near_stale_after = "900ms"
    );

    let map = MapBackend::default();
    register_backend("near-short", map.clone()).unwrap();
    double(1);
    let (asked, started) = (map.asked(), Instant::now());
    while started.elapsed() < Duration::from_millis(800) {
        double(1);
    }
    let asked = map.asked() - asked;
    // Nothing else happens but that its time may be over, on a machine that is busy.
    assert!(asked <= 3, "asked {asked} times");
}

#[cachier(backend = registered("map"), near_cache = 20_000)]
fn sum_to(number: u64) -> u64 {
    match number {
        0 => (1..=4_200).map(sum_to).sum(),
        number => number,
    }
}

#[test]
fn many_stores_leave_an_earlier_call_near() {
    with_map(|_| {
        let sum = sum_to(0);
        for number in [0, 1, 4_200] {
            let call = sum_to::call_detailed(CallOptions::new(), number);
            let expected = if number == 0 { sum } else { number };
            assert_eq!((call.value, call.tier), (expected, Some(Tier::Near)));
        }
    });
}

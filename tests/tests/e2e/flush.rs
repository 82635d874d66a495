//! The work that `flush` waits for.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cachier::cachier;
use cachier::testing::{Clock, isolated};
use cachier_tests::backend::with_map;
use cachier_tests::callers::Callers;
use cachier_tests::gate::{Counter, Gate};
use cachier_tests::wait::until;

static RUNS: Counter = Counter::new();
static IS_OVER: AtomicBool = AtomicBool::new(false);
const LINKS: u64 = 8;

/// Each refresh ends once another has begun, so that one is always under way.
#[cachier(backend = "memory", stale_after = "1m", next_time)]
fn link(number: u64) -> u64 {
    let run = RUNS.next();
    until("another refresh begins", || {
        IS_OVER.load(Ordering::SeqCst) || RUNS.get() > run
    });
    number
}

#[test]
fn a_flush_waits_for_no_later_refreshes() {
    isolated(|| {
        for number in 0..LINKS {
            link::precache_value(number, number).unwrap();
        }
        let calling = Callers::new().on_threads(1, || {
            for number in (0..LINKS).cycle() {
                if IS_OVER.load(Ordering::SeqCst) {
                    return;
                }
                Clock::advance(Duration::from_secs(120));
                assert_eq!(link(number), number);
            }
        });
        until("refreshes begin", || RUNS.get() > 3);
        for _ in 0..3 {
            let flushing = Callers::new().on_threads(1, cachier::flush);
            assert_eq!(flushing.values(), [()]);
        }
        let under_way = RUNS.get();
        until("more refreshes begin", || RUNS.get() > under_way + 3);
        IS_OVER.store(true, Ordering::SeqCst);
        assert_eq!(calling.values(), [()]);
        cachier::flush();
        let last = RUNS.get();
        cachier::flush();
        assert_eq!(RUNS.get(), last, "there is none any more");
    });
}

static STORING: Gate = Gate::new();

/// Its result is stored in the background.
#[cachier(backend = registered("map"), stale_after = "1m", next_time)]
fn data(_number: u64) -> Vec<u8> {
    vec![RUNS_OF_DATA.next() as u8; 2 << 20]
}

static RUNS_OF_DATA: Counter = Counter::new();

#[cachier(backend = "memory", stale_after = "1m", next_time)]
fn report(number: u64) -> u8 {
    data(number)[0]
}

#[test]
fn a_flush_waits_for_a_whole_chain() {
    with_map(|map| {
        assert_eq!(report(1), 1);
        cachier::flush();
        Clock::advance(Duration::from_secs(120));
        map.before_storing(|| STORING.wait());
        assert_eq!(report(1), 1, "a refresh of a refresh stores a large value");
        let flushing = Callers::new().on_threads(1, cachier::flush);
        STORING.until_arrived(1);
        STORING.open();
        assert_eq!(flushing.values(), [()]);
        assert_eq!(
            data::peek(1).unwrap().map(|data| data[0]),
            Some(2),
            "it is stored"
        );
    });
}

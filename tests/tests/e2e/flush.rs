//! The work that `flush` waits for.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cachier::cachier;
use cachier::testing::{Clock, isolated};
use cachier_tests::callers::Callers;
use cachier_tests::gate::Counter;
use cachier_tests::wait::until;

static RUNS: Counter = Counter::new();
static IS_OVER: AtomicBool = AtomicBool::new(false);
const LINKS: u64 = 8;

/// Each refresh ends once it has begun another, so that one is always under way.
#[cachier(backend = "memory", stale_after = "1m", next_time)]
fn link(number: u64) -> u64 {
    let run = RUNS.next();
    let mut others = (0..LINKS).cycle().skip(number as usize + 1);
    until("another refresh begins", || {
        let is_over = IS_OVER.load(Ordering::SeqCst);
        if !is_over {
            Clock::advance(Duration::from_secs(120));
            // One that has just ended may not be over yet.
            others.next().map(link);
        }
        is_over || RUNS.get() > run
    });
    number
}

#[test]
fn a_flush_waits_for_no_later_refreshes() {
    isolated(|| {
        for number in 0..LINKS {
            link::precache_value(number, number).unwrap();
        }
        Clock::advance(Duration::from_secs(120));
        assert_eq!(link(0), 0);
        until("refreshes begin", || RUNS.get() > 3);
        for _ in 0..3 {
            let flushing = Callers::new().on_threads(1, cachier::flush);
            assert_eq!(flushing.values(), [()]);
        }
        let under_way = RUNS.get();
        until("more refreshes begin", || RUNS.get() > under_way + 3);
        IS_OVER.store(true, Ordering::SeqCst);
        cachier::flush();
        let last = RUNS.get();
        cachier::flush();
        assert_eq!(RUNS.get(), last, "there is none any more");
    });
}

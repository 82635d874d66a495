//! Removals that do not reach their store: they say so, and leave nothing near.

use std::time::{Duration, Instant};

use cachier::{Call, CallOptions, Error, Outcome, Tier, cachier};
use cachier_servers::free_port;
use cachier_tests::callers::runtime;
use cachier_tests::wait::until;

use crate::store::{Subject, runs_in_a_process};

crate::on_stores!([redis: Redis, postgres: Postgres, mariadb: MariaDb, mongo: Mongo, s3: S3, moto: Moto] {
    if runs_in_a_process:
    removals_without_a_server_say_so
    a_removal_that_hangs_leaves_nothing_near
});

#[cachier(backend = registered("store"), near_cache = 10, near_stale_after = "1d")]
fn near(number: u64) -> u64 {
    number
}

#[cachier(backend = registered("store"), near_cache = 10, near_stale_after = "1d")]
async fn near_async(number: u64) -> u64 {
    number
}

/// A cached function, sync or async.
struct Function {
    call: fn() -> Call<u64>,
    invalidate: fn() -> Result<bool, Error>,
    clear: fn() -> Result<Option<u64>, Error>,
}

const FUNCTIONS: [Function; 2] = [
    Function {
        call: || near::call_detailed(CallOptions::new(), 1),
        invalidate: || near::invalidate(1),
        clear: near::clear_cache,
    },
    Function {
        call: || runtime().block_on(near_async::call_detailed(CallOptions::new(), 1)),
        invalidate: || runtime().block_on(near_async::invalidate(1)),
        clear: || runtime().block_on(near_async::clear_cache()),
    },
];

fn removals_without_a_server_say_so(subject: &Subject) {
    subject.register_at(&subject.at(free_port()));
    for function in FUNCTIONS {
        says_so(&(function.invalidate)().unwrap_err());
        says_so(&(function.clear)().unwrap_err());
    }
}

fn a_removal_that_hangs_leaves_nothing_near(subject: &Subject) {
    /// The companion's time for one key, and slack for a loaded machine.
    const BOUND: Duration = Duration::from_secs(5 + 2);
    for function in FUNCTIONS {
        let proxy = subject.behind_a_proxy();
        until("it is near", || (function.call)().tier == Some(Tier::Near));
        proxy.hang(true);
        assert_eq!(
            (function.call)().tier,
            Some(Tier::Near),
            "without the store"
        );
        let began = Instant::now();
        says_so(&(function.invalidate)().unwrap_err());
        assert!(began.elapsed() < BOUND, "{:?}", began.elapsed());
        let call = (function.call)();
        assert_eq!(
            (call.outcome, call.tier),
            (Outcome::Unavailable, None),
            "{call}"
        );
    }
}

/// A removal that has failed.
pub(crate) fn says_so(error: &Error) {
    let says = error.to_string();
    assert!(says.contains("the store was not reached"), "{says}");
    assert!(says.contains("may be served again"), "{says}");
}

//! Near tiers are notified of what other processes do.

use std::time::{Duration, Instant};

use cachier::testing::Clock;
use cachier::{CallOptions, Tier};
use cachier_tests::double;
use cachier_tests::sandbox::in_another_process;
use cachier_tests::wait::until;

use crate::store::Subject;

crate::on_stores!([redis: Redis, postgres: Postgres] {
    invalidations_reach_other_near_tiers_within_seconds
    new_values_reach_other_near_tiers_quickly
    clears_reach_other_near_tiers_quickly
    what_this_process_stores_stays_near
});
crate::on_stores!([file: File, sqlite: Sqlite, pgbouncer: PgBouncer, mariadb: MariaDb, mongo: Mongo, s3: S3] {
    expired_near_copies_show_others_changes
});

double!(
    backend = registered("store"),
    near_cache = 100,
    near_stale_after = "1d",
    enable_metrics
);

/// Where a value comes from; `None` if computed.
fn tier(number: u64) -> Option<Tier> {
    double::call_detailed(CallOptions::new(), number).tier
}

fn near(number: u64) {
    double(number);
    until("it is near", || tier(number) == Some(Tier::Near));
}

/// Does something as another process; returns when.
fn elsewhere(subject: &Subject, act: impl Fn()) -> Instant {
    in_another_process(|| {
        subject.register();
        let acted = Instant::now();
        act();
        acted
    })
}

/// Waits until notifications arrive. The subscription itself is notified as a change.
fn listens(subject: &Subject) {
    const SENTINEL: u64 = u64::MAX >> 1;
    until("changes are heard of", || {
        near(SENTINEL);
        let acted = elsewhere(subject, || drop(double::invalidate(SENTINEL)));
        while acted.elapsed() < Duration::from_secs(1) {
            if tier(SENTINEL) != Some(Tier::Near) {
                return true;
            }
        }
        false
    });
}

/// Repeats an action as another process, and waits each time until the value is no longer near.
#[track_caller]
fn reaches_us(subject: &Subject, number: u64, act: impl Fn()) {
    listens(subject);
    let mut waited = [(); 5].map(|()| {
        near(number);
        let acted = elsewhere(subject, &act);
        until("it is heard of", || tier(number) != Some(Tier::Near));
        acted.elapsed()
    });
    waited.sort_unstable();
    // A busy machine may be late at times.
    assert!(waited[2] < Duration::from_secs(1), "{waited:?}");
}

fn invalidations_reach_other_near_tiers_within_seconds(subject: &Subject) {
    reaches_us(subject, 1, || {
        double::invalidate(1).unwrap();
    });
}

fn new_values_reach_other_near_tiers_quickly(subject: &Subject) {
    reaches_us(subject, 1, || double::precache_value(1, 20).unwrap());
    assert_eq!(double(1), 20);
}

fn clears_reach_other_near_tiers_quickly(subject: &Subject) {
    reaches_us(subject, 1, || {
        double::clear_cache().unwrap();
    });
}

fn what_this_process_stores_stays_near(subject: &Subject) {
    // From now on changes are notified, own ones included.
    listens(subject);
    for number in 0..20 {
        double(number);
    }
    for number in 0..20 {
        assert_eq!(tier(number), Some(Tier::Near), "{number}");
    }
}

fn expired_near_copies_show_others_changes(subject: &Subject) {
    assert_eq!((double(1), double(2)), (2, 4));
    in_another_process(|| {
        subject.register();
        double::precache_value(1, 20).unwrap();
        assert!(double::invalidate(2).unwrap());
    });
    assert_eq!([1, 2].map(tier), [Some(Tier::Near); 2]);
    Clock::advance(Duration::from_secs(25 * 60 * 60));
    assert_eq!(double(1), 20);
    assert_eq!(tier(2), None, "it is computed again");
}

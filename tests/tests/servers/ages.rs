//! Age limits of values, on every store: from the value, shortened by jitter, and refreshed before their end.

use std::time::Duration;

use cachier::testing::Clock;

use crate::gated::{functions, number};
use crate::store::Subject;

crate::on_every_store! {
    values_have_limits_of_their_own
    jitter_shortens_limits
    hits_refresh_what_is_due
    an_own_limit_has_its_own_share
}

/// Redis and MongoDB drop what has expired by their own clock, and the test's is long past.
mod expiring {
    use super::a_limit_is_bounded_by_max_stale;

    crate::on_stores!([
        file: File, sqlite: Sqlite, postgres: Postgres, mariadb: MariaDb, s3: S3, moto: Moto
    ] { a_limit_is_bounded_by_max_stale });
}

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

fn hours(run: &u64) -> Duration {
    HOUR * u32::try_from(*run).unwrap_or(u32::MAX)
}

fn values_have_limits_of_their_own(subject: &Subject) {
    for count in functions!(subject, [stale_after = |run| hours(run)] 0, number => u64) {
        assert_eq!(count.value(), 1);
        Clock::advance(HOUR - SECOND);
        assert_eq!(count.value(), 1);
        Clock::advance(2 * SECOND);
        assert_eq!(count.value(), 2);
        Clock::advance(2 * HOUR - SECOND);
        assert_eq!(count.value(), 2);
        Clock::advance(2 * SECOND);
        assert_eq!(count.value(), 3);
    }
}

fn a_limit_is_bounded_by_max_stale(subject: &Subject) {
    for count in functions!(
        subject, [stale_after = |_| None::<Duration>, max_stale = "5h"] 0, number => u64
    ) {
        assert_eq!(count.value(), 1);
        Clock::advance(5 * HOUR - SECOND);
        assert_eq!(count.value(), 1);
        Clock::advance(2 * SECOND);
        assert_eq!(count.value(), 2);
    }
}

fn jitter_shortens_limits(subject: &Subject) {
    for count in functions!(subject, [stale_after = "1h", jitter = "50%"] 0, number => u64) {
        for value in 1..5 {
            assert_eq!(count.value(), value);
            Clock::advance(HOUR / 2 - SECOND);
            assert_eq!(count.value(), value);
            Clock::advance(HOUR / 2 + 2 * SECOND);
        }
    }
}

fn hits_refresh_what_is_due(subject: &Subject) {
    for count in functions!(subject, [stale_after = "1h", refresh_after = "50%"] 0, number => u64) {
        assert_eq!(count.value(), 1);
        Clock::advance(HOUR / 2 - SECOND);
        assert_eq!(count.value(), 1);
        cachier::flush();
        assert_eq!(count.runs.get(), 1);
        Clock::advance(2 * SECOND);
        assert_eq!(count.value(), 1);
        cachier::flush();
        assert_eq!((count.value(), count.runs.get()), (2, 2));
    }
}

fn an_own_limit_has_its_own_share(subject: &Subject) {
    for count in functions!(
        subject, [stale_after = |run| hours(run), refresh_after = "50%"] 0, number => u64
    ) {
        assert_eq!(count.value(), 1);
        Clock::advance(HOUR / 2 + SECOND);
        assert_eq!(count.value(), 1);
        cachier::flush();
        assert_eq!(count.value(), 2);
        Clock::advance(HOUR - SECOND);
        assert_eq!(count.value(), 2);
        cachier::flush();
        assert_eq!(count.runs.get(), 2);
    }
}

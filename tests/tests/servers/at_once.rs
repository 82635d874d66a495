//! Where the store notifies, whoever calls after an invalidation or a clear by others computes anew at once, whatever the
//! computation does that it would have joined.

use std::time::Duration;

use cachier::testing::Clock;
use cachier_tests::wait::{until, until_waiting};
use futures_lite::future::block_on;

use crate::gated::{Function, finds_nothing_then, forgotten, large, number};
use crate::store::Subject;

crate::on_stores!([redis: Redis, postgres: Postgres] {
    an_invalidated_computation_is_left
    a_cleared_computation_is_left
    an_invalidated_refresh_is_left
    a_cleared_refresh_is_left
    an_invalidated_overwrite_is_left
    a_cleared_overwrite_is_left
    an_invalidated_removal_is_left
    a_cleared_removal_is_left
    an_invalidated_computation_under_anothers_lease_is_left
    a_cleared_computation_under_anothers_lease_is_left
    an_invalidated_background_store_is_left
    a_cleared_background_store_is_left
    an_invalidated_large_overwrite_is_left
    a_cleared_large_overwrite_is_left
});

forgotten! {
    an_invalidated_computation_is_left a_cleared_computation_is_left:
        leave_computation([] 1, number => u64);
    an_invalidated_refresh_is_left a_cleared_refresh_is_left:
        leave_refresh([stale_after = "1m", next_time] 2, number => u64);
    an_invalidated_overwrite_is_left a_cleared_overwrite_is_left:
        leave_overwrite([] 2, number => u64);
    an_invalidated_removal_is_left a_cleared_removal_is_left:
        leave_removal([stale_after = "1m"] 2, finds_nothing_then => Option<u64>);
    an_invalidated_computation_under_anothers_lease_is_left a_cleared_computation_under_anothers_lease_is_left:
        leave_computation_under_anothers_lease([stale_after = "1m", wait_for_calc_timeout = "5s"] 2, number => u64);
    an_invalidated_background_store_is_left a_cleared_background_store_is_left:
        leave_background_store([] 0, large => String);
    an_invalidated_large_overwrite_is_left a_cleared_large_overwrite_is_left:
        leave_large_overwrite([] 0, large => String);
}

type Forget = fn(&Subject);

impl<R: Send + 'static, S> Function<R, S> {
    /// Others forget the entry, and callers come, until one of them begins the next run while this one goes on; their values.
    fn leave(
        &self,
        run: u64,
        subject: &Subject,
        forget: impl Fn(&Subject),
    ) -> impl FnOnce() -> Vec<R> {
        let mut later = Vec::new();
        // It is notified only once it listens.
        until("a caller computes anew", || {
            forget(subject);
            later.push(self.begin());
            std::thread::sleep(Duration::from_millis(20));
            self.runs.get() > run
        });
        || later.into_iter().flat_map(|call| call.values()).collect()
    }
}

fn leave_computation(subject: &Subject, functions: [Function<u64, u64>; 2], forget: Forget) {
    for count in functions {
        let first = count.begin();
        count.gate.until_arrived(1);
        let later = count.leave(1, subject, forget);
        count.gate.open();
        assert_eq!(first.values(), [1]);
        assert!(later().into_iter().all(|run| run > 1));
    }
}

fn leave_refresh(subject: &Subject, functions: [Function<u64, u64>; 2], forget: Forget) {
    for count in functions {
        assert_eq!(count.value(), 1);
        Clock::advance(Duration::from_secs(120));
        assert_eq!(count.value(), 1, "refreshed in the background");
        count.gate.until_arrived(1);
        let later = count.leave(2, subject, forget);
        count.gate.open();
        assert!(later().into_iter().all(|run| run > 2));
        cachier::flush();
    }
}

fn leave_overwrite(subject: &Subject, functions: [Function<u64, u64>; 2], forget: Forget) {
    for count in functions {
        assert_eq!(count.value(), 1);
        let overwriting = count.begin_to_overwrite();
        count.gate.until_arrived(1);
        let later = count.leave(2, subject, forget);
        count.gate.open();
        assert_eq!(overwriting.values(), [2]);
        assert!(later().into_iter().all(|run| run > 2));
    }
}

fn leave_removal(subject: &Subject, functions: [Function<Option<u64>, u64>; 2], forget: Forget) {
    for count in functions {
        assert_eq!(count.value(), Some(1));
        Clock::advance(Duration::from_secs(120));
        let removing = count.begin();
        count.gate.until_arrived(1);
        let later = count.leave(2, subject, forget);
        count.gate.open();
        assert_eq!(removing.values(), [None]);
        assert!(later().into_iter().all(|run| run > Some(2)));
    }
}

/// The first caller has waited too long for the owner of the lease.
fn leave_computation_under_anothers_lease(
    subject: &Subject,
    functions: [Function<u64, u64>; 2],
    forget: Forget,
) {
    for count in functions {
        assert_eq!(count.value(), 1);
        Clock::advance(Duration::from_secs(120));
        let (other, key) = (subject.bare(), subject.last_key());
        let owner = block_on(other.take_over(&key, Duration::from_secs(600))).unwrap();
        let first = count.begin();
        until_waiting(count.metrics, 1);
        Clock::advance(Duration::from_secs(6));
        count.gate.until_arrived(1);
        // Nobody checks another's lease, and PostgreSQL notifies only of what was there.
        let forget = |subject: &Subject| {
            subject.overwrite(b"of others");
            forget(subject);
        };
        let later = count.leave(2, subject, forget);
        count.gate.open();
        assert_eq!(first.values(), [2]);
        assert!(later().into_iter().all(|run| run > 2));
        drop(owner);
    }
}

fn leave_background_store(
    subject: &Subject,
    functions: [Function<String, String>; 2],
    forget: Forget,
) {
    for count in functions {
        let gate = subject.hold_next_store();
        assert!(count.value().starts_with('1'));
        gate.until_arrived(1);
        let later = count.leave(1, subject, forget);
        gate.open();
        assert!(later().iter().all(|value| !value.starts_with('1')));
        cachier::flush();
    }
}

fn leave_large_overwrite(
    subject: &Subject,
    functions: [Function<String, String>; 2],
    forget: Forget,
) {
    for count in functions {
        assert!(count.value().starts_with('1'));
        cachier::flush();
        let gate = subject.hold_next_store();
        assert!(count.begin_to_overwrite().values()[0].starts_with('2'));
        gate.until_arrived(1);
        let later = count.leave(2, subject, forget);
        gate.open();
        assert!(later().iter().all(|value| value.as_str() > "3"));
        cachier::flush();
    }
}

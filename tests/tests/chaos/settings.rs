//! The limits and options of the test.

use std::env;
use std::time::Duration;

/// How long near tiers serve an entry.
pub(crate) const NEAR_STALE_AFTER: Duration = Duration::from_millis(300);
/// Each call's budget, `operation_timeout`.
pub(crate) const BUDGET: Duration = Duration::from_secs(1);
/// The longest run of a function.
pub(crate) const MAX_BODY_TIME: Duration = Duration::from_millis(100);
/// The lease period.
pub(crate) const LEASE_PERIOD: Duration = Duration::from_secs(1);
/// The longest stop of a process, and duration of most faults.
pub(crate) const MAX_FAULT_TIME: Duration = Duration::from_millis(800);
/// The duration of rare, long hangs: longer than any call.
pub(crate) const LONG_HANG: Duration = Duration::from_millis(4500);
/// Tolerance for scheduling, in addition to the machine's measured stalls.
pub(crate) const SCHEDULING: Duration = Duration::from_secs(1);
/// The time after the last fault until everything works.
pub(crate) const RECOVERY: Duration = Duration::from_secs(5);
/// The time for processes to finish when told to, before they count as hung.
pub(crate) const LAST_CALLS: Duration = Duration::from_secs(10);

/// Whether exceeding a time limit is a failure, or only reported.
pub(crate) const TIMES_KEPT: Judgement = Judgement::Fails;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Judgement {
    Fails,
    #[allow(dead_code, reason = "for who looks for other faults")]
    IsTold,
}

/// The duration of faults per store: `CACHIER_CHAOS_SECONDS`.
pub(crate) fn duration() -> Duration {
    Duration::from_secs(number("CACHIER_CHAOS_SECONDS").unwrap_or(10))
}

/// The seed: `CACHIER_CHAOS_SEED`, or else random.
pub(crate) fn seed() -> u64 {
    number("CACHIER_CHAOS_SEED").unwrap_or_else(|| fastrand::u64(..1 << 32))
}

pub(crate) fn number(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{variable} is no number: {text}")),
    )
}

//! What bounds the test, and what is chosen by whom starts it.

use std::env;
use std::time::Duration;

/// How long an entry of a near tier is served.
pub(crate) const NEAR_STALE_AFTER: Duration = Duration::from_millis(300);
/// The budget of each call, `operation_timeout`.
pub(crate) const BUDGET: Duration = Duration::from_secs(1);
/// The longest run of a function.
pub(crate) const MAX_BODY_TIME: Duration = Duration::from_millis(100);
/// How long a lease lasts without a heartbeat.
pub(crate) const LEASE_PERIOD: Duration = Duration::from_secs(1);
/// The longest that a process is stopped, and that most faults last.
pub(crate) const MAX_FAULT_TIME: Duration = Duration::from_millis(800);
/// How long a server hangs once in a while: longer than any call may take.
pub(crate) const LONG_HANG: Duration = Duration::from_millis(4500);
/// How much longer than it may a call may take for want of a processor, beside what the machine's own stalls come to.
pub(crate) const SCHEDULING: Duration = Duration::from_secs(1);
/// How long after the last fault all is well.
pub(crate) const RECOVERY: Duration = Duration::from_secs(5);
/// How long processes may take to end what they do when they are told to, before they count as hung.
pub(crate) const LAST_CALLS: Duration = Duration::from_secs(10);

/// Whether a time that is not kept fails the test, or is only told.
pub(crate) const TIMES_KEPT: Judgement = Judgement::Fails;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Judgement {
    Fails,
    #[allow(dead_code, reason = "for who looks for other faults")]
    IsTold,
}

/// How long there are faults on each store: `CACHIER_CHAOS_SECONDS`.
pub(crate) fn duration() -> Duration {
    Duration::from_secs(number("CACHIER_CHAOS_SECONDS").unwrap_or(10))
}

/// What the choices of a run begin with: `CACHIER_CHAOS_SEED`, else by chance.
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

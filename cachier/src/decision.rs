//! What to do with a call: the one place where it is decided.
//!
//! Everything here is a pure function of what is stored, what is running, the options and the age of the value. The
//! driver asks, and carries out the answer; it never decides.

use std::time::Duration;

use cachier_metrics::Reason;

/// The rules of a function that bear on a decision, defaults filled in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rules {
    /// Age from which a value is stale; `None` means never.
    pub(crate) stale_after: Option<Duration>,
    /// Oldest value that may be served although it is stale; `None` means any.
    pub(crate) max_stale: Option<Duration>,
    /// How far past `stale_after` a value may stand in for a failed computation; `None` means not at all.
    pub(crate) stale_on_error: Option<Duration>,
    /// What happens with a stale value.
    pub(crate) on_stale: OnStale,
    /// For how long a stale value is served without another attempt after one has failed.
    pub(crate) retry_after: Duration,
}

/// What a call does when the stored value is stale.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum OnStale {
    /// Compute, and return the new value.
    #[default]
    Recompute,
    /// Return the stale value, and compute in the background (`next_time`).
    ServeAndRefresh,
}

/// How a call that consults the cache wants it to be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Intent {
    /// Read and write.
    #[default]
    Use,
    /// Write without reading.
    Overwrite,
}

/// What the storage said about the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stored {
    /// No value.
    Absent,
    /// A value of this age.
    Aged(Duration),
    /// Whatever it is: nobody has looked.
    Unseen,
    /// The storage failed to answer.
    Unknown,
}

/// Why nobody is to recompute the stored value for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backoff {
    /// The last attempt failed.
    Failed,
    /// Another process had the lease when it was asked for.
    Held,
}

/// Who is computing the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClaimState {
    /// Nobody has been asked yet.
    Unclaimed,
    /// This call holds the claim to compute.
    Own,
    /// Another caller or process holds it.
    Other,
    /// Another holds it, and this call has waited as long as it may.
    WaitedTooLong,
    /// Another holds it, and waits for this call: waiting would never end.
    Reentrant,
    /// Another held it, and its result cannot be shared.
    NotShared,
}

/// What the driver must do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Return the stored value, of this age, which is fresh.
    Serve(Duration),
    /// Return the stored value, of this age, which is stale; start a recomputation unless one is running.
    ServeStaleAndRefresh(Duration),
    /// Return the stored value, of this age, which is stale, and leave it at that for this reason.
    ServeStale(Duration, Backoff),
    /// Become the one that computes this key, or learn who is.
    Claim,
    /// Become the one that computes this key, whoever does now: that began too early.
    TakeOver,
    /// Wait for the one that computes this key.
    Wait,
    /// Call the function for this reason.
    Compute(Reason),
    /// The same beside the one that computes this key. What is stored gives way to what others do to the entry.
    ComputeUnshared(Reason),
}

/// Decides the next step of a call. A pause is one of the recomputation of what is stored.
pub(crate) fn decide(
    stored: Stored,
    backoff: Option<Backoff>,
    claim_state: ClaimState,
    rules: &Rules,
    max_age: Option<Duration>,
    intent: Intent,
) -> Action {
    if intent == Intent::Overwrite {
        return match (claim_state, stored) {
            (ClaimState::Own, Stored::Unknown) => Action::Compute(Reason::Unavailable),
            (ClaimState::Own, _) => Action::Compute(Reason::Overwrite),
            _ => Action::TakeOver,
        };
    }
    let reason = match stored {
        Stored::Unknown => Reason::Unavailable,
        Stored::Absent | Stored::Unseen => Reason::Absent,
        Stored::Aged(age) => match accept(age, Source::Storage, rules, max_age) {
            Some(Freshness::Fresh) => return Action::Serve(age),
            Some(Freshness::Stale) => {
                return match backoff {
                    Some(backoff) => Action::ServeStale(age, backoff),
                    None => Action::ServeStaleAndRefresh(age),
                };
            }
            None if backoff == Some(Backoff::Failed) && may_stand_in(age, rules, max_age) => {
                return Action::ServeStale(age, Backoff::Failed);
            }
            None => Reason::Stale,
        },
    };
    match claim_state {
        ClaimState::Unclaimed => Action::Claim,
        ClaimState::Own => Action::Compute(reason),
        // What another caller is computing may have begun before this call, so it would not be recent enough.
        ClaimState::Other if max_age == Some(Duration::ZERO) => Action::ComputeUnshared(reason),
        ClaimState::Other => Action::Wait,
        ClaimState::WaitedTooLong => Action::ComputeUnshared(Reason::WaitTimeout),
        ClaimState::Reentrant => Action::ComputeUnshared(Reason::Reentrant),
        ClaimState::NotShared => Action::ComputeUnshared(Reason::Uncacheable),
    }
}

/// By which way a value reaches a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// It is stored, in whatever tier.
    Storage,
    /// Another caller of this process has computed it, or found it, while this call waited. Bounds of zero let nothing be
    /// stored, but do not forbid to share.
    Flight,
    /// It is stored, and computing a new one has failed.
    Failure,
}

/// What a value is to the call that is given it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// Younger than all bounds.
    Fresh,
    /// Served although it is stale.
    Stale,
}

/// What a value of this age is to a call; `None` if the call must not be given it.
///
/// Every value that reaches a caller has passed here, whatever way it comes.
pub(crate) fn accept(
    age: Duration,
    source: Source,
    rules: &Rules,
    max_age: Option<Duration>,
) -> Option<Freshness> {
    let unless_zero = |bound: Option<Duration>| bound.filter(|bound| !bound.is_zero());
    let (stale_after, max_age) = match source {
        Source::Flight => (unless_zero(rules.stale_after), unless_zero(max_age)),
        Source::Storage | Source::Failure => (rules.stale_after, max_age),
    };
    // What stands in for a failure is not served as if it were fresh.
    if source != Source::Failure && is_fresh(age, stale_after, max_age) {
        return Some(Freshness::Fresh);
    }
    let may_be_stale = match source {
        Source::Storage | Source::Flight => rules.on_stale == OnStale::ServeAndRefresh,
        Source::Failure => rules.stale_on_error.is_some_and(|grace| {
            let stale_after = rules.stale_after.unwrap_or(Duration::ZERO);
            age <= stale_after.saturating_add(grace)
        }),
    };
    let is_accepted =
        is_fresh(age, None, max_age) && rules.max_stale.is_none_or(|max_stale| age <= max_stale);
    (may_be_stale && is_accepted).then_some(Freshness::Stale)
}

/// Whether a value of this age may be served in place of a failure.
fn may_stand_in(age: Duration, rules: &Rules, max_age: Option<Duration>) -> bool {
    accept(age, Source::Failure, rules, max_age).is_some()
}

/// How long the recomputation of a stored value is not tried again after it has failed; `None` where no stale value is served
/// meanwhile anyway.
pub(crate) fn backoff_after_failure(rules: &Rules) -> Option<Duration> {
    let serves_stale = rules.on_stale == OnStale::ServeAndRefresh || rules.stale_on_error.is_some();
    (serves_stale && !rules.retry_after.is_zero()).then_some(rules.retry_after)
}

/// What a call does with a value that another caller of this process has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sharing {
    /// It is the result.
    Take(Freshness),
    /// It is too old: look for a newer one.
    LookAgain,
    /// It is too old, though it was new while this call waited for it: another one would be, too.
    ComputeUnshared,
}

/// Decides what to do with a value of this age that was waited for.
pub(crate) fn share(
    age: Duration,
    waited: Duration,
    rules: &Rules,
    max_age: Option<Duration>,
) -> Sharing {
    match accept(age, Source::Flight, rules, max_age) {
        Some(freshness) => Sharing::Take(freshness),
        None if age < waited => Sharing::ComputeUnshared,
        None => Sharing::LookAgain,
    }
}

/// Whether a value of this age is fresh: younger than every bound that is set.
pub(crate) fn is_fresh(
    age: Duration,
    stale_after: Option<Duration>,
    max_age: Option<Duration>,
) -> bool {
    let bound = match (stale_after, max_age) {
        (Some(stale_after), Some(max_age)) => stale_after.min(max_age),
        (Some(bound), None) | (None, Some(bound)) => bound,
        (None, None) => return true,
    };
    !bound.is_zero() && age <= bound
}

/// How the function ended, as far as storing and serving care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResultKind {
    /// A value that may be stored.
    Storable,
    /// A value that must not be stored (`None`, `cache_if`), but may be shared with waiters.
    Unstorable,
    /// An `Err`.
    Failed,
}

/// What becomes of a computed result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ResultAction {
    /// Store it, share it, return it.
    Store,
    /// Share it and return it.
    Share,
    /// Remove what was stored before, which it was to replace; share it and return it.
    Remove,
    /// Return the stale value that is still stored instead.
    ServeStale,
}

/// Decides what becomes of a computed result, given the value that was stored before.
pub(crate) fn decide_result(
    kind: ResultKind,
    stored: Stored,
    rules: &Rules,
    max_age: Option<Duration>,
) -> ResultAction {
    match kind {
        ResultKind::Storable => ResultAction::Store,
        // It is gone at its source, or no value any more.
        ResultKind::Unstorable => match stored {
            Stored::Aged(_) | Stored::Unseen => ResultAction::Remove,
            Stored::Absent | Stored::Unknown => ResultAction::Share,
        },
        ResultKind::Failed => match stored {
            Stored::Aged(age) if may_stand_in(age, rules, max_age) => ResultAction::ServeStale,
            _ => ResultAction::Share,
        },
    }
}

#[cfg(test)]
#[path = "decision_tests.rs"]
mod tests;

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
    /// The storage failed to answer.
    Unknown,
}

/// Who is computing the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Running {
    /// Nobody has been asked yet.
    Unclaimed,
    /// This call holds the claim to compute.
    Mine,
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
    /// Become the one that computes this key, or learn who is.
    Claim,
    /// Wait for the one that computes this key.
    Wait,
    /// Call the function for this reason.
    Compute(Reason),
}

/// Decides the next step of a call.
pub(crate) fn decide(
    stored: Stored,
    running: Running,
    rules: &Rules,
    max_age: Option<Duration>,
    intent: Intent,
) -> Action {
    if intent == Intent::Overwrite {
        return Action::Compute(Reason::Overwrite);
    }
    let reason = match stored {
        Stored::Unknown => Reason::Unavailable,
        Stored::Absent => Reason::Absent,
        Stored::Aged(age) if is_fresh(age, rules.stale_after, max_age) => {
            return Action::Serve(age);
        }
        Stored::Aged(age) if may_serve_stale(age, rules, max_age) => {
            return Action::ServeStaleAndRefresh(age);
        }
        Stored::Aged(_) => Reason::Stale,
    };
    if max_age == Some(Duration::ZERO) && running == Running::Unclaimed {
        // What another caller is computing now may have begun before this call, so it would not be recent enough.
        return Action::Compute(reason);
    }
    match running {
        Running::Unclaimed => Action::Claim,
        Running::Mine => Action::Compute(reason),
        Running::Other => Action::Wait,
        Running::WaitedTooLong => Action::Compute(Reason::WaitTimeout),
        Running::Reentrant => Action::Compute(Reason::Reentrant),
        Running::NotShared => Action::Compute(Reason::Uncacheable),
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
pub enum Computed {
    /// A value that may be stored.
    Storable,
    /// A value that must not be stored (`None`, `cache_if`), but may be shared with waiters.
    Unstorable,
    /// An `Err`.
    Failed,
}

/// What becomes of a computed result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Settlement {
    /// Store it, share it, return it.
    Store,
    /// Share it and return it.
    Share,
    /// Return the stale value that is still stored instead.
    ServeStale,
}

/// Decides what becomes of a computed result, given the value that was stored before.
pub(crate) fn settle(
    computed: Computed,
    stored: Stored,
    rules: &Rules,
    max_age: Option<Duration>,
) -> Settlement {
    match computed {
        Computed::Storable => Settlement::Store,
        Computed::Unstorable => Settlement::Share,
        Computed::Failed => match stored {
            Stored::Aged(age) if may_stand_in(age, rules, max_age) => Settlement::ServeStale,
            _ => Settlement::Share,
        },
    }
}

fn may_serve_stale(age: Duration, rules: &Rules, max_age: Option<Duration>) -> bool {
    rules.on_stale == OnStale::ServeAndRefresh && is_accepted(age, rules, max_age)
}

fn may_stand_in(age: Duration, rules: &Rules, max_age: Option<Duration>) -> bool {
    let Some(grace) = rules.stale_on_error else {
        return false;
    };
    let limit = rules
        .stale_after
        .unwrap_or(Duration::ZERO)
        .saturating_add(grace);
    age <= limit && is_accepted(age, rules, max_age)
}

/// Whether a stale value of this age is within what the call and the function accept at most.
fn is_accepted(age: Duration, rules: &Rules, max_age: Option<Duration>) -> bool {
    is_fresh(age, None, max_age) && rules.max_stale.is_none_or(|max_stale| age <= max_stale)
}

#[cfg(test)]
#[path = "decision_tests.rs"]
mod tests;

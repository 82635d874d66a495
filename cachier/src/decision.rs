//! Decides what to do with a call; nothing else does.
//!
//! Everything here is a pure function of what is stored, what is running, the options and the value's age. The driver
//! carries out the decisions.

use std::borrow::Cow;
use std::time::Duration;

use cachier_backends::entry::AgeLimit;
use cachier_metrics::Reason;

use crate::refresh_after::RefreshAfter;
use crate::stamp::Ageing;

/// The rules of a function that decisions need, with defaults filled in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rules {
    /// Age from which a value without a limit of its own is stale; `None` means never.
    pub(crate) stale_after: Option<Duration>,
    /// Bounds the limits that values have of their own.
    pub(crate) longest_own_limit: Option<Duration>,
    /// Oldest stale value that may be served; `None` means any.
    pub(crate) max_stale: Option<Duration>,
    /// How far past `stale_after` a value may replace a failure; `None` means not at all.
    pub(crate) stale_on_error: Option<Duration>,
    /// Age from which a fresh value is recomputed in the background; `None` means not at all.
    pub(crate) refresh_after: Option<RefreshAfter>,
    /// How long before its age limit this call refreshes a value, where that is drawn.
    pub(crate) early_lead: Duration,
    /// The treatment of stale values.
    pub(crate) on_stale: OnStale,
    /// How long a stale value is served after a failed attempt without another one.
    pub(crate) retry_after: Duration,
}

impl Rules {
    /// The rules for one value: those of its function, with the age from which this value is stale.
    pub(crate) fn for_value(&self, ageing: Ageing) -> Cow<'_, Self> {
        if ageing == Ageing::default() {
            return Cow::Borrowed(self);
        }
        let limit = match ageing.limit {
            None => self.stale_after,
            Some(own) => [own_limit(own), self.longest_own_limit]
                .into_iter()
                .flatten()
                .min(),
        };
        Cow::Owned(Self {
            stale_after: limit.map(|limit| limit.saturating_sub(share_of(limit, ageing.jitter.0))),
            ..self.clone()
        })
    }

    /// The age from which a fresh value is recomputed in the background.
    pub(crate) fn refresh_age(&self) -> Option<Duration> {
        let limit = self.stale_after;
        match self.refresh_after? {
            RefreshAfter::Age(age) => Some(age),
            RefreshAfter::Share(share) => limit.map(|limit| share.of_duration(limit)),
            RefreshAfter::Early => limit.map(|limit| limit.saturating_sub(self.early_lead)),
        }
    }

    /// Whether a value of this age is due to be recomputed in the background, were it fresh.
    pub(crate) fn is_due(&self, age: Duration) -> bool {
        self.refresh_age().is_some_and(|from| age >= from)
    }

    /// The age up to which a value that took at most so long to compute is fresh and not due, whatever is drawn; `None` means any.
    pub(crate) fn undecided_until(&self, compute_nanos: u64) -> Option<Duration> {
        let of_all_draws = Self {
            early_lead: longest_lead(compute_nanos),
            ..self.clone()
        };
        // Up to, but not at it.
        let before = of_all_draws
            .refresh_age()
            .map(|age| age.saturating_sub(Duration::from_nanos(1)));
        self.stale_after.into_iter().chain(before).min()
    }
}

/// How long before its age limit a call refreshes a value that took so long to compute, with 32 bits drawn at random: XFetch
/// ([`RefreshAfter::Early`]), as far as the longest lead.
pub(crate) fn early_lead(compute_nanos: u64, drawn: u32) -> Duration {
    // Above 0 and at most 1.
    let evenly = (f64::from(drawn) + 1.0) / 2_f64.powi(32);
    let nanos = compute_nanos as f64 * -evenly.ln();
    // Negative zero is none; too much for the type is its maximum.
    Duration::from_nanos(nanos as u64).min(longest_lead(compute_nanos))
}

/// The longest lead that can be drawn for a value that took so long to compute. XFetch has none, but so long before the limit one
/// hit in eleven hundred would refresh it, while every hit had to leave the fast path and the near tier for the draw.
fn longest_lead(compute_nanos: u64) -> Duration {
    Duration::from_nanos(compute_nanos.saturating_mul(7))
}

fn own_limit(limit: AgeLimit) -> Option<Duration> {
    match limit {
        AgeLimit::Of(limit) => Some(limit),
        AgeLimit::Never => None,
    }
}

/// This share of a duration, in units of 2⁻³².
fn share_of(duration: Duration, share: u32) -> Duration {
    // A factor below 1, so only the rounding could exceed the duration.
    duration.mul_f64(f64::from(share) / 2_f64.powi(32))
}

/// The treatment of a stale value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum OnStale {
    /// Compute, and return the new value.
    #[default]
    Recompute,
    /// Return the stale value, and compute in the background (`next_time`).
    ServeAndRefresh,
}

/// How a call uses the cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Intent {
    /// Read and write.
    #[default]
    Use,
    /// Write without reading.
    Overwrite,
}

/// The state of a key in its store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stored {
    /// No value.
    Absent,
    /// A value of this age.
    Aged(Duration),
    /// Not loaded.
    Unseen,
    /// The store failed to answer.
    Unknown,
}

/// Why the stored value is not recomputed for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backoff {
    /// The last attempt failed.
    Failed,
    /// Another process held the lease.
    Held,
}

/// The claim on a key: who computes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClaimState {
    /// Nobody has been asked yet.
    Unclaimed,
    /// This call has the claim.
    Own,
    /// Another caller or process has it.
    Other,
    /// Another has it, and this call has waited as long as it may.
    WaitedTooLong,
    /// Another has it and waits for this call: waiting would never end.
    Reentrant,
    /// Another had it, and its result cannot be shared.
    NotShared,
}

/// The driver's next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Serve the stored value of this age, which is fresh.
    Serve(Duration),
    /// Serve the stored value of this age; start a recomputation unless one is running.
    ServeAndRefresh(Freshness, Duration),
    /// Serve the stored value of this age, which is stale; do not recompute it, for this reason.
    ServeStale(Duration, Backoff),
    /// Claim the key, or find out who has it.
    Claim,
    /// Take the key from its owner: that computation began too early.
    TakeOver,
    /// Wait for the owner of the key.
    Wait,
    /// Run the function, for this reason.
    Compute(Reason),
    /// Run the function although another computes the key. The result is not stored if others change the entry meanwhile.
    ComputeUnshared(Reason),
}

/// Decides the next step of a call. `backoff` is that of the stored value.
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
            Some(Freshness::Fresh) => {
                return match (rules.is_due(age), backoff) {
                    (true, None) => Action::ServeAndRefresh(Freshness::Fresh, age),
                    _ => Action::Serve(age),
                };
            }
            Some(Freshness::Stale) => {
                return match backoff {
                    Some(backoff) => Action::ServeStale(age, backoff),
                    None => Action::ServeAndRefresh(Freshness::Stale, age),
                };
            }
            None if backoff == Some(Backoff::Failed) && may_serve_stale(age, rules, max_age) => {
                return Action::ServeStale(age, Backoff::Failed);
            }
            None => Reason::Stale,
        },
    };
    match claim_state {
        ClaimState::Unclaimed => Action::Claim,
        ClaimState::Own => Action::Compute(reason),
        // A running computation may have begun before this call, so it would not be recent enough.
        ClaimState::Other if max_age == Some(Duration::ZERO) => Action::ComputeUnshared(reason),
        ClaimState::Other => Action::Wait,
        ClaimState::WaitedTooLong => Action::ComputeUnshared(Reason::WaitTimeout),
        ClaimState::Reentrant => Action::ComputeUnshared(Reason::Reentrant),
        ClaimState::NotShared => Action::ComputeUnshared(Reason::Uncacheable),
    }
}

/// How a value reaches a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// From a store, in any tier.
    Storage,
    /// From another caller of this process that this call waited for. Bounds of zero forbid storing, not sharing.
    Flight,
    /// From a store, as computing a new one has failed.
    Failure,
}

/// How fresh a value is for a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// Younger than all bounds.
    Fresh,
    /// Stale, and served all the same.
    Stale,
}

/// How fresh a value of this age is for a call; `None` if the call must not be given it.
///
/// Every value that the driver hands out passes here; the age up to which hits ask nobody lies within these bounds.
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
    // A fallback is never served as fresh.
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
fn may_serve_stale(age: Duration, rules: &Rules, max_age: Option<Duration>) -> bool {
    accept(age, Source::Failure, rules, max_age).is_some()
}

/// How long a failed recomputation is not retried; `None` if no other value could be served meanwhile.
pub(crate) fn backoff_after_failure(rules: &Rules) -> Option<Duration> {
    let serves_stale = rules.on_stale == OnStale::ServeAndRefresh || rules.stale_on_error.is_some();
    let serves_another = serves_stale || rules.refresh_after.is_some();
    (serves_another && !rules.retry_after.is_zero()).then_some(rules.retry_after)
}

/// The treatment of another caller's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sharing {
    /// Take it as the result.
    Take(Freshness),
    /// Too old: look for a newer one.
    LookAgain,
    /// Too old, although computed while this call waited: another shared one would be, too.
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

/// Whether a value of this age is younger than every bound that is set.
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

/// The kind of result that the function returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResultKind {
    /// A value that may be stored.
    Storable,
    /// A value that must not be stored (`None`, `cache_if`), but may be shared.
    Unstorable,
    /// An `Err`.
    Failed,
}

/// The treatment of a computed result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ResultAction {
    /// Store, share and return it.
    Store,
    /// Share and return it.
    Share,
    /// Share and return it, and remove the entry that it replaces.
    Remove,
    /// Return the stored stale value instead.
    ServeStale,
}

/// Decides what to do with a computed result, given the stored value.
pub(crate) fn decide_result(
    kind: ResultKind,
    stored: Stored,
    rules: &Rules,
    max_age: Option<Duration>,
) -> ResultAction {
    match kind {
        ResultKind::Storable => ResultAction::Store,
        // The value is gone at its source, or is no longer one.
        ResultKind::Unstorable => match stored {
            Stored::Aged(_) | Stored::Unseen => ResultAction::Remove,
            Stored::Absent | Stored::Unknown => ResultAction::Share,
        },
        ResultKind::Failed => match stored {
            Stored::Aged(age) if may_serve_stale(age, rules, max_age) => ResultAction::ServeStale,
            _ => ResultAction::Share,
        },
    }
}

#[cfg(test)]
#[path = "decision_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "decision_model_tests.rs"]
mod model_tests;
#[cfg(test)]
#[path = "decision_refresh_tests.rs"]
mod refresh_tests;

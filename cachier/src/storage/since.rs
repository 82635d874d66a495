//! How values in memory remember their age limits, without room for more than one moment: that from which they count as fresh.
//!
//! A hit compares this moment alone. Where each value has a limit of its own, the moment lies one age of the fast path before
//! the end of the limit. Else it is the creation, less a millisecond or so that tells the share of jitter: between the shortest
//! limit that jitter leaves and the value's own, the decision is asked, which reads the share from it.

use std::time::Duration;

use cachier_backends::entry::{AgeLimit, Jitter};

use crate::function::{Function, OWN_LIMITS_AGE};
use crate::options::AgeLimits;
use crate::stamp::{Ageing, Stamp};
use crate::timer::nanos;

/// What a store of machine words keeps of a creation, in nanoseconds.
const MICROSECOND: u64 = 1000;

/// The bits of a share that are kept.
const SHARE_BITS: u32 = 20;

/// When a value was created, and since when it counts as fresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Times {
    pub(super) created: u64,
    pub(super) since: u64,
}

impl Times {
    /// Those of a value that is about to be kept.
    pub(super) fn new(function: &Function, stamp: Stamp) -> Self {
        let Stamp {
            created, ageing, ..
        } = stamp;
        function.note_compute(stamp.compute_nanos);
        match function.options.age_limits {
            AgeLimits::OfValues => {
                let policy = function.policy();
                Self::of_limit(created, policy.rules.for_value(ageing).stale_after)
            }
            AgeLimits::OfFunction if ageing.jitter != Jitter::default() => {
                Self::of_jitter(created, ageing.jitter)
            }
            AgeLimits::OfFunction => Self {
                created,
                since: match function.fresh_nanos() {
                    // Exact only where ages have a limit: the other values take less memory.
                    u64::MAX => created - created % MICROSECOND,
                    _ => created,
                },
            },
        }
    }

    /// How the value ages.
    pub(super) fn ageing(self, limits: AgeLimits) -> Ageing {
        match limits {
            AgeLimits::OfValues => Ageing {
                limit: Some(self.limit()),
                jitter: Jitter::default(),
            },
            AgeLimits::OfFunction => Ageing {
                limit: None,
                jitter: self.jitter(),
            },
        }
    }

    fn of_limit(created: u64, limit: Option<Duration>) -> Self {
        let since = match limit {
            None => u64::MAX,
            // Not even at the moment of its creation.
            Some(Duration::ZERO) => created.saturating_sub(2),
            Some(limit) => created.saturating_add(nanos(limit.saturating_sub(OWN_LIMITS_AGE))),
        };
        Self { created, since }
    }

    fn limit(self) -> AgeLimit {
        match self.since.checked_sub(self.created) {
            _ if self.since == u64::MAX => AgeLimit::Never,
            None => AgeLimit::Of(Duration::ZERO),
            Some(rest) => AgeLimit::Of(Duration::from_nanos(rest) + OWN_LIMITS_AGE),
        }
    }

    fn of_jitter(created: u64, jitter: Jitter) -> Self {
        let created = created - created % MICROSECOND;
        let share = u64::from(jitter.0 >> (u32::BITS - SHARE_BITS));
        // More than what a creation is rounded by, so that this is no share.
        let since = created.saturating_sub(MICROSECOND + share);
        Self { created, since }
    }

    fn jitter(self) -> Jitter {
        let share = self
            .created
            .saturating_sub(self.since)
            .saturating_sub(MICROSECOND);
        // With this many bits.
        Jitter((share << (u32::BITS - SHARE_BITS)) as u32)
    }
}

/// The moment from which a near copy's age counts, so that one comparison covers all bounds: the value must be younger
/// than its age limit and than where a hit may refresh it, unless that rests until later, and its last confirmation by the store
/// younger than `near_stale_after`.
///
/// `None` if that is over, or too soon after the start of the clock for a moment before it.
#[cfg(feature = "persistent")]
pub(super) fn near_moment(
    function: &Function,
    stamp: Stamp,
    rests_until: Option<u64>,
) -> Option<u64> {
    let (near_for, policy) = (function.fresh_nanos(), function.policy());
    let after = |moment: u64, time: Option<Duration>| {
        time.map_or(u64::MAX, |time| moment.saturating_add(nanos(time)))
    };
    let rules = policy.rules.for_value(stamp.ageing);
    if rules.stale_after == Some(Duration::ZERO) || near_for == 0 {
        return None;
    }
    let undecided_until = after(stamp.created, rules.undecided_until(stamp.compute_nanos));
    // Until, but not at the end of the pause.
    let resting_until = rests_until.map_or(0, |end| end.saturating_sub(1));
    let usable_until = undecided_until
        .max(resting_until)
        .min(after(stamp.created, rules.stale_after))
        .min(after(stamp.confirmed, policy.near_stale_after));
    if usable_until < function.context.clock.now() {
        return None;
    }
    // Fresh while now - moment <= near_for, that is until moment + near_for.
    usable_until.checked_sub(near_for)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CREATED: u64 = 7_123_456_789;

    #[test]
    fn own_limits_are_told_from_the_moment() {
        for limit in [0, 1, 2, 1_000, 3_600_000_000_000].map(Duration::from_nanos) {
            let times = Times::of_limit(CREATED, Some(limit));
            assert_eq!(times.limit(), AgeLimit::Of(limit));
            let is_fresh = |now: u64| now.saturating_sub(times.since) <= nanos(OWN_LIMITS_AGE);
            let last = CREATED + nanos(limit);
            assert_eq!(
                (is_fresh(last), is_fresh(last + 1)),
                (!limit.is_zero(), false)
            );
        }
        for limit in [None, Some(Duration::MAX)] {
            assert_eq!(Times::of_limit(CREATED, limit).limit(), AgeLimit::Never);
        }
    }

    #[test]
    fn shares_are_told_from_the_moment() {
        for share in [0, 1, 1 << 19, (1 << 20) - 1] {
            let jitter = Jitter(share << 12);
            let times = Times::of_jitter(CREATED, jitter);
            assert_eq!(times.jitter(), jitter);
            assert!(CREATED - times.since < 2_000 + (1 << 20));
        }
    }

    #[test]
    fn a_rounded_creation_has_no_share() {
        let exact = Times {
            created: CREATED,
            since: CREATED,
        };
        let rounded = Times {
            since: CREATED - CREATED % MICROSECOND,
            ..exact
        };
        assert_eq!([exact, rounded].map(Times::jitter), [Jitter(0); 2]);
    }
}

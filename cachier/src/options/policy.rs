//! What a call goes by: the arguments of its function, and what the program has set in place of those left out.

use std::path::PathBuf;
use std::time::Duration;

use cachier_backends::entry::{AgeLimit, Jitter};

use super::{AgeLimits, Options, Params};
use crate::decision::{OnStale, Rules};
use crate::environment;
use crate::random::Random;
use crate::share::Share;
use crate::stamp::{Ageing, Stamp};
use crate::timer::nanos;

/// The options of a function with the program's parameters filled in, for a call that starts now.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    pub(crate) rules: Rules,
    pub(crate) age_limits: AgeLimits,
    /// The limit of a value that the function's closure cannot see: a `None` that the parameters allow, not the attribute.
    unseen_limit: Option<AgeLimit>,
    pub(crate) jitter: Share,
    pub(crate) wait_for_calc_timeout: Option<Duration>,
    pub(crate) allow_none: bool,
    pub(crate) entry_size_limit: Option<u64>,
    pub(crate) verify: bool,
    pub(crate) cleanup_interval: Option<Duration>,
    /// `None` without a near tier.
    pub(crate) near_stale_after: Option<Duration>,
    pub(crate) operation_timeout: Duration,
    pub(crate) lease_period: Duration,
    pub(crate) cache_dir: Option<PathBuf>,
    /// `None` if nobody has named one.
    pub(crate) namespace: Option<String>,
}

impl Policy {
    /// The namespace of the function's keys.
    pub(crate) fn namespace(&self) -> &str {
        self.namespace.as_deref().unwrap_or("default")
    }

    /// The age from which the store itself may drop a value; `None` if it may be served forever.
    fn expiry_age(&self, ageing: Ageing) -> Option<Duration> {
        let rules = self.rules.for_value(ageing);
        let (stale_after, max_stale) = rules.stale_after.zip(rules.max_stale)?;
        Some(stale_after.max(max_stale))
    }

    /// The stamp of a value that was created at this time, and computed until this moment of the monotonic clock.
    pub(crate) fn stamp(
        &self,
        created: u64,
        compute_nanos: u64,
        ended: u64,
        ageing: Ageing,
    ) -> Stamp {
        let age = self.expiry_age(ageing);
        Stamp {
            created,
            compute_nanos,
            expires: age.map(|age| created.saturating_add(nanos(age))),
            confirmed: ended,
            ageing,
        }
    }

    /// How a value ages that is about to be stored, and has this limit of its own.
    pub(crate) fn ageing(&self, limit: Option<AgeLimit>, random: &Random) -> Ageing {
        let limit = limit.or(self.unseen_limit);
        let jitter = match self.jitter {
            Share::NOTHING => Jitter::default(),
            share => Jitter(share.of(random.bits().into()) as u32),
        };
        Ageing { limit, jitter }
    }

    /// The shortest age limit that this jitter leaves to a value without one of its own; `None` means never.
    pub(crate) fn shortest_limit(&self, jitter: Share) -> Option<Duration> {
        let longest = nanos(self.rules.stale_after?);
        Some(Duration::from_nanos(longest - jitter.of(longest)))
    }

    /// The age up to which no value in memory needs a decision: with this much jitter, and where computing took so long at most;
    /// `None` means any.
    pub(crate) fn undecided_until(&self, jitter: Share, slowest_nanos: u64) -> Option<Duration> {
        let shortest = Rules {
            stale_after: self.shortest_limit(jitter),
            ..self.rules.clone()
        };
        shortest.undecided_until(slowest_nanos)
    }

    /// The age from which a clean-up removes a value: it is stale, and past every stated bound up to which it may still be
    /// served. `next_time` without `max_stale` states none, so that its stale values are removed too. For values with limits of
    /// their own, the time since they got stale.
    pub(crate) fn cleanup_age(&self) -> Option<Duration> {
        let Rules {
            stale_after,
            max_stale,
            stale_on_error,
            on_stale,
            longest_own_limit: _,
            refresh_after: _,
            early_lead: _,
            retry_after: _,
        } = self.rules;
        let stale_after = stale_after?;
        let grace = stale_after.saturating_add(stale_on_error.unwrap_or_default());
        Some(match (on_stale, max_stale) {
            (_, None) => grace,
            (OnStale::ServeAndRefresh, Some(max_stale)) => stale_after.max(max_stale),
            (OnStale::Recompute, Some(max_stale)) => grace.min(stale_after.max(max_stale)),
        })
    }

    /// Resolves each argument: the attribute's, else that of the policy which the attribute names, else the program's. What no
    /// attribute has is the program's.
    pub(crate) fn resolve(options: &Options, of_all: &Params) -> Self {
        let (params, program) = (of_all.of(options), &of_all.program);
        let cleanup_stale = options.cleanup_stale.unwrap_or(params.cleanup_stale);
        let stale_after = options.stale_after.or(params.stale_after);
        Self {
            rules: Rules {
                stale_after: match options.age_limits {
                    AgeLimits::OfFunction => stale_after,
                    // One without a limit was stored before the function gave them any.
                    AgeLimits::OfValues => Some(Duration::ZERO),
                },
                longest_own_limit: match options.age_limits {
                    // One with a limit was stored while the function gave them some.
                    AgeLimits::OfFunction => {
                        [options.max_stale, stale_after].into_iter().flatten().min()
                    }
                    AgeLimits::OfValues => options.max_stale,
                },
                max_stale: options.max_stale.or(params.max_stale),
                stale_on_error: options.stale_on_error.or(params.stale_on_error),
                refresh_after: options.refresh_after.or(params.refresh_after),
                early_lead: Duration::ZERO,
                on_stale: match options.next_time.is_on(params.next_time) {
                    true => OnStale::ServeAndRefresh,
                    false => OnStale::Recompute,
                },
                retry_after: options.retry_after.unwrap_or(params.retry_after),
            },
            age_limits: options.age_limits,
            unseen_limit: match options.age_limits {
                AgeLimits::OfFunction => None,
                AgeLimits::OfValues => Some(stale_after.map_or(AgeLimit::Never, AgeLimit::Of)),
            },
            jitter: options.jitter.unwrap_or(params.jitter),
            wait_for_calc_timeout: options
                .wait_for_calc_timeout
                .or(params.wait_for_calc_timeout),
            allow_none: options.allow_none.unwrap_or(params.allow_none),
            entry_size_limit: options.entry_size_limit.or(params.entry_size_limit),
            verify: options.verify.unwrap_or(params.verify),
            cleanup_interval: cleanup_stale
                .then(|| options.cleanup_interval.unwrap_or(params.cleanup_interval)),
            near_stale_after: options
                .near_cache
                .map(|_| options.near_stale_after.unwrap_or(params.near_stale_after)),
            operation_timeout: options
                .operation_timeout
                .unwrap_or(params.operation_timeout),
            lease_period: program.lease_period,
            cache_dir: options
                .cache_dir
                .clone()
                .or_else(|| params.cache_dir.clone())
                .or_else(|| program.cache_dir.clone()),
            namespace: program.namespace.clone().or_else(environment_namespace),
        }
    }
}

/// One that cannot be used is none here, and an error where the store is looked for.
fn environment_namespace() -> Option<String> {
    let name = environment::NAMESPACE.get().ok().flatten()?;
    Some(str::to_owned(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::{EarlyRefresh, GlobalParams};
    use crate::refresh_after::RefreshAfter;

    const HOUR: Duration = Duration::from_secs(3600);

    fn policy(rules: Rules) -> Policy {
        let params = Params::new(GlobalParams::new());
        let mut policy = Policy::resolve(&Options::new(), &params);
        policy.rules = rules;
        policy
    }

    #[test]
    fn expiry_and_cleanup_ages_follow_the_bounds() {
        use OnStale::{Recompute, ServeAndRefresh};
        let hours = |hours: u32| Some(HOUR * hours);
        // stale_after, max_stale, stale_on_error, next_time; expiry, clean-up
        let table = [
            (None, None, None, Recompute, None, None),
            (None, hours(9), None, ServeAndRefresh, None, None),
            (hours(1), None, None, Recompute, None, hours(1)),
            (hours(1), None, hours(2), Recompute, None, hours(3)),
            (hours(1), None, None, ServeAndRefresh, None, hours(1)),
            (
                hours(1),
                hours(5),
                None,
                ServeAndRefresh,
                hours(5),
                hours(5),
            ),
            (
                hours(1),
                hours(5),
                hours(2),
                ServeAndRefresh,
                hours(5),
                hours(5),
            ),
            (hours(1), hours(5), hours(2), Recompute, hours(5), hours(3)),
            (hours(1), hours(2), hours(9), Recompute, hours(2), hours(2)),
            (hours(4), hours(2), hours(9), Recompute, hours(4), hours(4)),
        ];
        for (stale_after, max_stale, stale_on_error, on_stale, expiry, cleanup) in table {
            let policy = policy(Rules {
                stale_after,
                max_stale,
                stale_on_error,
                on_stale,
                ..Rules::default()
            });
            assert_eq!(policy.expiry_age(Ageing::default()), expiry, "{policy:?}");
            assert_eq!(policy.cleanup_age(), cleanup, "{policy:?}");
        }
    }

    #[test]
    fn own_limits_decide_when_entries_expire() {
        let expiry = |limit, max_stale: Option<Duration>| {
            let policy = policy(Rules {
                stale_after: Some(Duration::ZERO),
                max_stale,
                ..Rules::default()
            });
            let limit = Some(limit);
            policy.expiry_age(Ageing {
                limit,
                ..Ageing::default()
            })
        };
        assert_eq!(expiry(AgeLimit::Of(HOUR), None), None);
        assert_eq!(expiry(AgeLimit::Of(HOUR), Some(HOUR * 2)), Some(HOUR * 2));
        assert_eq!(
            expiry(AgeLimit::Of(HOUR * 3), Some(HOUR * 2)),
            Some(HOUR * 3)
        );
        assert_eq!(expiry(AgeLimit::Never, Some(HOUR * 2)), None);
    }

    #[test]
    fn jitter_takes_at_most_its_share() {
        let params = GlobalParams::new()
            .stale_after(HOUR)
            .jitter(Share::percent(25.0));
        let policy = Policy::resolve(&Options::new(), &Params::new(params));
        assert_eq!(policy.shortest_limit(policy.jitter), Some(HOUR * 3 / 4));
        let random = Random::seeded(7);
        let drawn = [(); 1000].map(|()| policy.ageing(None, &random).jitter);
        assert!(drawn.iter().all(|share| share.0 < 1 << 30));
        assert!(drawn.iter().any(|share| share.0 > (1 << 30) / 10 * 9));
    }

    /// So that no hit misses the refresh of a value with a shortened limit.
    #[test]
    fn hits_are_undecided_by_the_shortest_limit() {
        let until = |refresh_after, slowest_nanos| {
            let params = GlobalParams::new()
                .stale_after(HOUR)
                .jitter(Share::percent(50.0))
                .refresh_after(refresh_after);
            let auto = Options {
                refresh_after: EarlyRefresh::Auto,
                ..Options::new()
            };
            let policy = Policy::resolve(&auto, &Params::new(params));
            let until = policy.undecided_until(policy.jitter, slowest_nanos);
            until.map(|until| until + Duration::from_nanos(1))
        };
        let minutes = |minutes: u32| Some(HOUR / 60 * minutes);
        let share = RefreshAfter::Share(Share::percent(80.0));
        assert_eq!(until(share, 0), minutes(24));
        assert_eq!(until(RefreshAfter::Age(HOUR / 3), 0), minutes(20));
        let minute = nanos(HOUR / 60);
        assert_eq!(until(RefreshAfter::Early, minute), minutes(30 - 7));
    }

    #[test]
    fn without_jitter_no_random_number_is_drawn() {
        let policy = policy(Rules::default());
        let random = Random::seeded(7);
        assert_eq!(policy.ageing(None, &random), Ageing::default());
        assert_eq!(random.bits(), Random::seeded(7).bits());
    }
}

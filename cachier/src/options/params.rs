//! The parameters of the program, and its policies.

use std::collections::BTreeMap;

use cachier_backends::{Error, ErrorKind, Operation};

use super::{EarlyRefresh, GlobalParams, Options, Switch};

/// What functions take in place of the arguments that their attributes leave out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Params {
    pub(crate) program: GlobalParams,
    /// By name, for functions whose attributes name one.
    pub(crate) policies: BTreeMap<String, GlobalParams>,
}

impl Params {
    pub(crate) fn new(program: GlobalParams) -> Self {
        let policies = BTreeMap::new();
        Self { program, policies }
    }

    /// Those of a function: of the policy that its attribute names, else the program's.
    pub(super) fn of(&self, options: &Options) -> &GlobalParams {
        let named = options.policy.and_then(|name| self.policies.get(name));
        named.unwrap_or(&self.program)
    }

    /// What of a function's policy cannot count for it: the name of the policy, and why.
    pub(crate) fn problem_of(
        &self,
        function: &str,
        options: &Options,
    ) -> Option<(&'static str, Error)> {
        let name = options.policy?;
        let problem = match self.policies.get(name) {
            None => format!(
                "`{function}` has the policy `{name}`, which nobody has registered; call \
                 `cachier::register_policy(\"{name}\", ..)` at the start of the program"
            ),
            Some(policy) => {
                let left_out = set_without_code(policy, options);
                let each = |rest: &str| {
                    left_out
                        .iter()
                        .map(|name| format!("`{name}{rest}`"))
                        .collect::<Vec<_>>()
                };
                if left_out.is_empty() {
                    return None;
                }
                format!(
                    "the policy `{name}` sets {}, for which `{function}` has no code; write {} in its attribute, or {} where \
                     it is not to count",
                    each("").join(" and "),
                    each(" = auto").join(" and "),
                    each(" = false").join(" and "),
                )
            }
        };
        let error = Error::new(ErrorKind::NotRegistered, Operation::Load, problem);
        Some((name, error))
    }

    /// Everything that decides how long near copies may be served, and whose they are.
    pub(crate) fn of_near(&self) -> impl PartialEq + use<> {
        let place = (
            self.program.namespace.clone(),
            self.program.cache_dir.clone(),
        );
        let of_policies = self
            .policies
            .iter()
            .map(|(name, policy)| (name.clone(), ages(policy)));
        let policies: Vec<_> = of_policies.collect();
        (place, ages(&self.program), policies)
    }
}

/// What the policy sets and the attribute leaves out that asks something of types. What the attribute says is no mistake: it
/// outranks the policy.
fn set_without_code(policy: &GlobalParams, options: &Options) -> Vec<&'static str> {
    let next_time = policy.next_time && options.next_time == Switch::Off;
    let refresh_after =
        policy.refresh_after.is_some() && options.refresh_after == EarlyRefresh::Off;
    let all = [("next_time", next_time), ("refresh_after", refresh_after)];
    let left_out = all.into_iter().filter(|(_, is_left_out)| *is_left_out);
    left_out.map(|(argument, _)| argument).collect()
}

fn ages(params: &GlobalParams) -> impl PartialEq + use<> {
    let place = params.cache_dir.clone();
    let freshness = (params.stale_after, params.jitter, params.refresh_after);
    (place, freshness, params.near_stale_after)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::time::Duration;

    use super::*;
    use crate::refresh_after::RefreshAfter;

    fn told(
        policy: GlobalParams,
        next_time: Switch,
        refresh_after: EarlyRefresh,
    ) -> Option<String> {
        let mut params = Params::new(GlobalParams::new());
        params.policies.insert("fast".to_owned(), policy);
        let options = Options {
            policy: Some("fast"),
            next_time,
            refresh_after,
            ..Options::new()
        };
        let problem = params.problem_of("user", &options);
        problem.map(|(_, error)| error.to_string())
    }

    #[test]
    fn what_an_attribute_says_is_no_mistake() {
        let policy = || {
            GlobalParams::new()
                .next_time(true)
                .refresh_after(RefreshAfter::Early)
        };
        let minute = EarlyRefresh::After(RefreshAfter::from(Duration::from_secs(60)));
        for next_time in [Switch::Never, Switch::On, Switch::Auto] {
            for refresh_after in [EarlyRefresh::Never, minute, EarlyRefresh::Auto] {
                assert_eq!(told(policy(), next_time, refresh_after), None);
            }
        }
        assert_eq!(
            told(GlobalParams::new(), Switch::Off, EarlyRefresh::Off),
            None
        );
    }

    #[test]
    fn all_that_is_left_out_is_told() {
        let policy = || GlobalParams::new().next_time(true);
        let of_one = told(policy(), Switch::Off, EarlyRefresh::Off).unwrap();
        assert!(
            of_one.contains("sets `next_time`, for which `user`"),
            "{of_one}"
        );
        let both = policy().refresh_after(RefreshAfter::Early);
        let of_both = told(both, Switch::Off, EarlyRefresh::Off).unwrap();
        let answers = "write `next_time = auto` and `refresh_after = auto` in its attribute";
        assert!(of_both.contains(answers), "{of_both}");
    }
}

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
        let not_compiled_in = |argument: &str| {
            format!(
                "the policy `{name}` sets `{argument}`, for which `{function}` has no code; write `{argument} = auto` in its \
                 attribute"
            )
        };
        let problem = match self.policies.get(name) {
            None => format!(
                "`{function}` has the policy `{name}`, which nobody has registered; call \
                 `cachier::register_policy(\"{name}\", ..)` at the start of the program"
            ),
            Some(policy) if policy.next_time && options.next_time == Switch::Off => {
                not_compiled_in("next_time")
            }
            Some(policy)
                if policy.refresh_after.is_some() && options.refresh_after == EarlyRefresh::Off =>
            {
                not_compiled_in("refresh_after")
            }
            Some(_) => return None,
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

fn ages(params: &GlobalParams) -> impl PartialEq + use<> {
    let place = params.cache_dir.clone();
    let freshness = (params.stale_after, params.jitter, params.refresh_after);
    (place, freshness, params.near_stale_after)
}

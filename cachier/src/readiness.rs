//! Whether calls can count on their stores, for readiness probes of the metrics' endpoint. Asks no store: its circuit breaker
//! knows, from the calls.

use cachier_backends::Error;
use cachier_metrics::{StoreFigures, StoreReadiness, StoreState};

#[cfg(feature = "persistent")]
use crate::backends::Backends;
use crate::environment::{self, Concern};
use crate::handle::StoreConfig;
use crate::labels;
#[cfg(not(feature = "persistent"))]
use crate::no_backends::Backends;
use crate::options::{OnBackendError, Params, Policy};
use crate::registry::Registry;

/// The stores in use, and what of the configuration can never work.
pub(crate) fn readiness(
    backends: &Backends,
    registry: &Registry,
    params: &Params,
) -> Vec<StoreReadiness> {
    let configs = registry.store_configs();
    let counting = configs
        .iter()
        .filter(|config| config.options.on_backend_error == OnBackendError::Propagate);
    let counting: Vec<String> = counting
        .map(|config| backends.label(&config.options.backend))
        .collect();
    let stores = backends.figures().into_iter();
    let stores = stores.map(|figures| StoreReadiness {
        state: state(&figures, counting.contains(&figures.backend)),
        name: figures.backend,
        store: figures.store,
    });
    stores
        .chain(impossible(backends, params, &configs))
        .collect()
}

/// Settings that can never work: variables that concern every function, and stores that functions cannot have.
fn impossible(
    backends: &Backends,
    params: &Params,
    configs: &[StoreConfig],
) -> Vec<StoreReadiness> {
    let stops_all = environment::unusable(|concern| concern == Concern::EveryFunction);
    let mut all: Vec<_> = stops_all
        .map(|unusable| misconfigured("environment", unusable.variable, &unusable.error))
        .collect();
    for config in configs {
        let policy = Policy::resolve(&config.options, params);
        let Err(error) = backends.can_be_had(&config.options.backend, &policy, config.package)
        else {
            continue;
        };
        let text = error.to_string();
        let mut variables = environment::unusable(|_| true);
        let variable = variables.find(|unusable| unusable.error.to_string() == text);
        let line = match variable {
            Some(unusable) => misconfigured("environment", unusable.variable, &error),
            None => misconfigured(&backends.label(&config.options.backend), "", &error),
        };
        if !all.contains(&line) {
            all.push(line);
        }
    }
    all
}

/// Calls of functions that propagate errors fail while the store does.
fn state(figures: &StoreFigures, fails_calls: bool) -> StoreState {
    const BREAKER_OPEN: &str = "breaker_open";
    match (figures.breaker_open, fails_calls) {
        (false, _) => StoreState::Works,
        (true, false) => StoreState::Degraded(BREAKER_OPEN),
        (true, true) => StoreState::Fails(BREAKER_OPEN),
    }
}

/// A setting that can never work: a variable of the environment, or a store.
fn misconfigured(name: &str, store: &str, error: &Error) -> StoreReadiness {
    StoreReadiness {
        name: name.to_owned(),
        store: store.to_owned(),
        state: StoreState::Fails(labels::error(error.kind()).label()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_fails_only_calls_needing_it() {
        let mut figures = StoreFigures::new("redis", "redis.internal:6379");
        let states = |figures: &_| [false, true].map(|fails_calls| state(figures, fails_calls));
        assert_eq!(states(&figures), [StoreState::Works; 2]);
        figures.breaker_open = true;
        let open = "breaker_open";
        let expected = [StoreState::Degraded(open), StoreState::Fails(open)];
        assert_eq!(states(&figures), expected);
    }

    #[test]
    fn an_unusable_variable_is_named() {
        let error = Error::new(
            cachier_backends::ErrorKind::NotRegistered,
            cachier_backends::Operation::Load,
            "unusable",
        );
        let known = misconfigured("environment", "CACHIER_BACKEND", &error);
        assert_eq!(
            (&*known.name, &*known.store),
            ("environment", "CACHIER_BACKEND")
        );
        assert_eq!(known.state, StoreState::Fails("not_registered"));
    }
}

//! Whether calls can count on their stores, for readiness probes of the metrics' endpoint. Asks no store: its circuit breaker
//! knows, from the calls.

use cachier_backends::Error;
use cachier_metrics::{StoreFigures, StoreReadiness, StoreState};

#[cfg(feature = "persistent")]
use crate::backends::Backends;
use crate::environment::{self, Concern};
use crate::labels;
#[cfg(not(feature = "persistent"))]
use crate::no_backends::Backends;
use crate::options::{BackendName, OnBackendError};
use crate::registry::Registry;

/// The stores in use, and what of the configuration can never work.
pub(crate) fn readiness(backends: &Backends, registry: &Registry) -> Vec<StoreReadiness> {
    let places = registry.places();
    let counting = places
        .iter()
        .filter(|place| place.options.on_backend_error == OnBackendError::Propagate);
    let counting: Vec<String> = counting
        .map(|place| backends.label(&place.options.backend))
        .collect();
    let stores = backends.figures().into_iter();
    let mut all: Vec<_> = stores
        .map(|figures| StoreReadiness {
            state: state(&figures, counting.contains(&figures.backend)),
            name: figures.backend,
            store: figures.store,
        })
        .collect();
    let stops_all = environment::unusable(|concern| concern == Concern::EveryFunction);
    all.extend(stops_all.map(|unusable| misconfigured(unusable.variable, &unusable.error)));
    let uses_default = |name: &BackendName| *name == BackendName::Default;
    if places
        .iter()
        .any(|place| uses_default(&place.options.backend))
        && let Err(error) = backends.default_name()
    {
        all.push(misconfigured(environment::BACKEND.name, &error));
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

/// A variable of the environment.
fn misconfigured(variable: &str, error: &Error) -> StoreReadiness {
    StoreReadiness {
        name: "environment".to_owned(),
        store: variable.to_owned(),
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
        let known = misconfigured("CACHIER_BACKEND", &error);
        assert_eq!(
            (&*known.name, &*known.store),
            ("environment", "CACHIER_BACKEND")
        );
        assert_eq!(known.state, StoreState::Fails("not_registered"));
    }
}

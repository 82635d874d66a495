//! Whether calls can count on the stores, as the readiness probe reports it.

use once_cell::race::OnceBox;

#[cfg(feature = "prometheus")]
use crate::stores::stores;

/// A store, and whether calls can count on it.
#[doc(hidden)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreReadiness {
    /// The name that attributes use.
    pub name: String,
    /// Its path or address, without credentials.
    pub store: String,
    /// Whether it works.
    pub state: StoreState,
}

/// Whether a store works.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreState {
    /// It works.
    Works,
    /// It fails, and calls are answered without it.
    Degraded(&'static str),
    /// It fails, and calls fail with it, or it can never work.
    Fails(&'static str),
}

static PROBE: OnceBox<fn() -> Vec<StoreReadiness>> = OnceBox::new();

/// Has `probe` tell about the stores of the process. It may block for a while.
#[doc(hidden)]
pub fn set_readiness_probe(probe: fn() -> Vec<StoreReadiness>) {
    PROBE.get_or_init(|| Box::new(probe));
}

/// Asks about the stores; without a probe, the circuit breakers.
#[cfg(feature = "prometheus")]
pub(crate) fn readiness() -> Vec<StoreReadiness> {
    PROBE.get().map_or_else(breakers, |probe| probe())
}

#[cfg(feature = "prometheus")]
fn breakers() -> Vec<StoreReadiness> {
    let stores = stores().into_iter();
    stores
        .map(|figures| StoreReadiness {
            name: figures.backend,
            store: figures.store,
            state: match figures.breaker_open {
                true => StoreState::Degraded("breaker_open"),
                false => StoreState::Works,
            },
        })
        .collect()
}

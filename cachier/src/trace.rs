//! Events that explain what happens; with the feature `tracing` only, else nothing at all, but for what a person has to see.

use std::io::{Write as _, stderr};

use cachier_backends::Error;

use crate::call::Call;

/// A hit on the fast path.
#[inline]
pub(crate) fn hit(function: &str) {
    #[cfg(feature = "tracing")]
    tracing::debug!(target: "cachier", function, outcome = "hit");
    #[cfg(not(feature = "tracing"))]
    let _ = function;
}

/// A call that the driver carried to its end.
pub(crate) fn call(function: &str, call: &Call<()>) {
    #[cfg(feature = "tracing")]
    tracing::debug!(
        target: "cachier",
        function,
        outcome = call.outcome.label(),
        age = call.age.map(tracing::field::debug),
        elapsed = ?call.elapsed,
        "{call}"
    );
    #[cfg(not(feature = "tracing"))]
    let _ = (function, call);
}

/// A failure of a backend; the caller limits how often.
pub(crate) fn backend_failed(function: &str, error: &Error) {
    #[cfg(feature = "tracing")]
    tracing::warn!(target: "cachier", function, kind = ?error.kind(), "{error:#}");
    #[cfg(not(feature = "tracing"))]
    let _ = (function, error);
}

/// Shows a person what only a person can mend, where nobody listens who would be told of it. The caller sees to it that it is
/// shown once.
pub(crate) fn show(error: &Error) {
    #[cfg(feature = "tracing")]
    if tracing::event_enabled!(target: "cachier", tracing::Level::WARN) {
        return;
    }
    // Who has closed it does not want to see it.
    let _ = writeln!(stderr(), "cachier: {error:#}");
}

/// A background recomputation that gave no value; the old one stays.
pub(crate) fn refresh_failed(function: &str) {
    #[cfg(feature = "tracing")]
    tracing::warn!(target: "cachier", function, "a background recomputation failed; the old value stays");
    #[cfg(not(feature = "tracing"))]
    let _ = function;
}

/// An unbounded cache in memory that has grown large.
#[cfg(feature = "memory")]
pub(crate) fn memory_is_large(function: &str, entries: u64) {
    #[cfg(feature = "tracing")]
    tracing::warn!(target: "cachier", function, entries, "a cache without bounds has grown large; set `capacity`");
    #[cfg(not(feature = "tracing"))]
    let _ = (function, entries);
}

/// A backend whose address nobody has given.
#[cfg(any(feature = "redis", feature = "sqlite", feature = "mongo"))]
pub(crate) fn address_assumed(variable: &str, address: &str) {
    #[cfg(feature = "tracing")]
    tracing::warn!(target: "cachier", variable, address, "no address of the store is set, the usual one is tried");
    #[cfg(not(feature = "tracing"))]
    let _ = (variable, address);
}

/// Default folders that nobody uses any more, and that could not be removed.
#[cfg(any(feature = "file", feature = "sqlite"))]
pub(crate) fn unused_folders_stay(error: &std::io::Error) {
    #[cfg(feature = "tracing")]
    tracing::warn!(target: "cachier", %error, "cache folders that nobody uses any more could not be removed");
    #[cfg(not(feature = "tracing"))]
    let _ = error;
}

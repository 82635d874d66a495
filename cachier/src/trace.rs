//! Events for `tracing`, and problems, which are told without it too.

use std::sync::atomic::{AtomicBool, Ordering};

use cachier_backends::{Error, ErrorKind};

use crate::call::Call;
use crate::environment;
use crate::problems::tell;

/// A hit on the fast path.
#[inline]
pub(crate) fn hit(function: &str) {
    #[cfg(feature = "tracing")]
    tracing::debug!(target: "cachier", function, outcome = "hit");
    #[cfg(not(feature = "tracing"))]
    let _ = function;
}

/// A call that the driver completed.
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

/// A failure of a backend; the caller limits the rate.
pub(crate) fn backend_failed(function: &str, error: &Error) {
    #[cfg(feature = "tracing")]
    tracing::warn!(target: "cachier", function, kind = ?error.kind(), "{error:#}");
    #[cfg(not(feature = "tracing"))]
    let _ = (function, error);
}

/// A function's problem with its store.
pub(crate) fn store_problem(function: &str, store: &str, error: &Error) {
    use ErrorKind::{BreakerOpen, Codec, Identity, NotRegistered, Unfaithful};
    let cause = match error.kind() {
        // A consequence of problems that were told.
        BreakerOpen => return,
        NotRegistered => error.to_string(),
        Codec | Identity | Unfaithful => format!("{} {function}", error.kind().as_str()),
        _ => format!("{} {store}", error.kind().as_str()),
    };
    let problem = match error.kind() {
        // Serde's messages may contain arguments and values.
        Codec | Unfaithful => format!("`{function}`: {error}"),
        Identity | NotRegistered => format!("`{function}`: {error:#}"),
        // Not every error names its store.
        _ => format!("`{function}` on `{store}`: {error:#}"),
    };
    tell(&cause, &problem);
}

/// A problem that only a person can mend.
pub(crate) fn found(error: &Error) {
    let problem = error.to_string();
    tell(&problem, &problem);
}

/// Tells of unusable environment variables, once.
#[inline]
pub(crate) fn check_environment() {
    static CHECKED: AtomicBool = AtomicBool::new(false);
    if !CHECKED.load(Ordering::Relaxed) && !CHECKED.swap(true, Ordering::Relaxed) {
        for (_, error) in environment::unusable() {
            #[cfg(feature = "tracing")]
            tracing::warn!(target: "cachier", "{error}");
            found(&error);
        }
    }
}

/// A background recomputation that failed; the old value stays.
pub(crate) fn refresh_failed(function: &str) {
    #[cfg(feature = "tracing")]
    tracing::warn!(target: "cachier", function, "a background recomputation failed; the old value stays");
    let problem = format!("`{function}`: a background recomputation failed; the old value stays");
    tell(&problem, &problem);
}

/// An unbounded cache in memory that has grown large.
#[cfg(feature = "memory")]
pub(crate) fn memory_is_large(function: &str, entries: u64) {
    #[cfg(feature = "tracing")]
    tracing::warn!(target: "cachier", function, entries, "a cache without bounds has grown large; set `capacity`");
    let problem =
        format!("`{function}`: a cache without bounds has {entries} entries; set `capacity`");
    tell(&problem, &problem);
}

/// A backend without a configured address.
#[cfg(any(feature = "redis", feature = "sqlite", feature = "mongo"))]
pub(crate) fn address_assumed(variable: &str, address: &str) {
    #[cfg(feature = "tracing")]
    tracing::warn!(target: "cachier", variable, address, "no address of the store is set, the usual one is tried");
    #[cfg(not(feature = "tracing"))]
    let _ = (variable, address);
}

/// Unused default folders that could not be removed.
#[cfg(any(feature = "file", feature = "sqlite"))]
pub(crate) fn unused_folders_stay(error: &std::io::Error) {
    #[cfg(feature = "tracing")]
    tracing::warn!(target: "cachier", %error, "cache folders that nobody uses any more could not be removed");
    let problem = format!("cache folders that nobody uses any more could not be removed: {error}");
    tell("unused folders", &problem);
}

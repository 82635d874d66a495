//! Events for `tracing`, and problems, which are told without it too.

use std::io;
use std::iter;
use std::sync::atomic::{AtomicBool, Ordering};

use cachier_backends::{Error, ErrorKind};

use crate::call::Call;
use crate::environment::{self, Concern, Unusable};
use crate::problems::report_traced;

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

/// The store of a function.
pub(crate) struct Store {
    /// The name that attributes use.
    pub(crate) backend: String,
    /// Its path or address; `None` for one that could not be opened.
    pub(crate) name: Option<String>,
}

/// A function's problem with its store.
pub(crate) fn store_problem(function: &str, store: impl FnOnce() -> Store, error: &Error) {
    use ErrorKind::{BreakerOpen, Codec, Identity, NotRegistered, Unfaithful};
    // A consequence of problems that were told.
    if error.kind() == BreakerOpen {
        return;
    }
    let store = store();
    let cause = match error.kind() {
        NotRegistered => error.to_string(),
        Codec | Identity | Unfaithful => format!("{} {function}", error.kind().as_str()),
        _ => cause(&store, error),
    };
    let problem = match error.kind() {
        // Serde's messages may contain arguments and values.
        Codec | Unfaithful => format!("`{function}`: {error}"),
        Identity | NotRegistered => format!("`{function}`: {error:#}"),
        _ => {
            let (backend, error) = (&store.backend, format!("{error:#}"));
            match store.name {
                // Not every error names its store.
                Some(name) if !error.contains(&name) => {
                    format!("`{function}` on `{backend}` ({name}): {error}")
                }
                _ => format!("`{function}` on `{backend}`: {error}"),
            }
        }
    };
    report_traced(&cause, &problem);
}

/// Identifies the cause of a store's failure, the same for all operations and entries.
fn cause(store: &Store, error: &Error) -> String {
    use ErrorKind::{Connect, Full, Timeout};
    let kind = error.kind().as_str();
    let Some(name) = &store.name else {
        return format!("{kind} {error}");
    };
    match error.kind() {
        Connect | Full | Timeout => format!("{kind} {name}"),
        _ => match os_error(error) {
            Some(code) => format!("{kind} {name} {code}"),
            None => format!("{kind} {name} {}", error.message()),
        },
    }
}

/// The operating system's code of an error, or of one that caused it.
fn os_error(error: &Error) -> Option<i32> {
    let first: &(dyn std::error::Error + 'static) = error;
    let causes = iter::successors(Some(first), |error| error.source());
    let mut codes = causes.filter_map(|cause| cause.downcast_ref::<io::Error>()?.raw_os_error());
    codes.next()
}

/// A problem that only a person can mend, beside its event.
pub(crate) fn found(error: &Error) {
    let problem = error.to_string();
    report_traced(&problem, &problem);
}

/// Tells of unusable environment variables, once.
#[inline]
pub(crate) fn check_environment() {
    static CHECKED: AtomicBool = AtomicBool::new(false);
    if !CHECKED.load(Ordering::Relaxed) && !CHECKED.swap(true, Ordering::Relaxed) {
        let concerns_all = |concern| concern == Concern::EveryFunction;
        for Unusable { error, .. } in environment::unusable(concerns_all) {
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
    report_traced(&problem, &problem);
}

/// An unbounded cache in memory that has grown large.
#[cfg(feature = "memory")]
pub(crate) fn memory_is_large(function: &str, entries: u64) {
    #[cfg(feature = "tracing")]
    tracing::warn!(target: "cachier", function, entries, "a cache without bounds has grown large; set `capacity`");
    let problem =
        format!("`{function}`: a cache without bounds has {entries} entries; set `capacity`");
    report_traced(&problem, &problem);
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
#[cfg(feature = "_folders")]
pub(crate) fn unused_folders_stay(error: &std::io::Error) {
    #[cfg(feature = "tracing")]
    tracing::warn!(target: "cachier", %error, "cache folders that nobody uses any more could not be removed");
    let problem = format!("cache folders that nobody uses any more could not be removed: {error}");
    report_traced("unused folders", &problem);
}

//! The right to compute an entry.

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::version::EntryVersion;
use crate::key::Key;

/// The right of one owner to compute and store an entry.
///
/// Storing consumes it; an owner that has nothing to store gives it back. One that is dropped ends
/// by itself, at the latest when its period is over.
///
/// ```
/// # use std::sync::Arc;
/// # use cachier_backends::{Key, KeyHash, Scope, Version};
/// # let scope = Arc::new(Scope::new("default", "forecast"));
/// # let key = Key::new(scope, Version::Number(1), KeyHash::from_bytes([7; 32]));
/// use std::time::Duration;
/// use cachier_backends::Lease;
///
/// /// By which the store recognises the owner.
/// struct Token(u64);
///
/// let lease = Lease::new(key, None, Token(42)).expiring_after(Duration::from_secs(10));
/// assert_eq!(lease.state::<Token>().map(|token| token.0), Some(42));
/// assert!(lease.seen().is_none(), "there was no entry");
/// ```
pub struct Lease {
    key: Key,
    seen: Option<EntryVersion>,
    period: Option<Duration>,
    state: Arc<dyn Any + Send + Sync>,
}

/// The answer to a request for a lease.
///
/// ```
/// # use std::sync::Arc;
/// # use cachier_backends::{Key, KeyHash, Scope, Version};
/// # let scope = Arc::new(Scope::new("default", "forecast"));
/// # let key = Key::new(scope, Version::Number(1), KeyHash::from_bytes([7; 32]));
/// use cachier_backends::{Lease, LeaseReply};
///
/// fn to_do(reply: &LeaseReply) -> &'static str {
///     match reply {
///         LeaseReply::Granted(_) => "compute",
///         LeaseReply::Held(_) => "wait",
///         LeaseReply::Changed => "load again",
///     }
/// }
///
/// assert_eq!(to_do(&LeaseReply::Granted(Lease::new(key, None, ()))), "compute");
/// ```
///
/// Exhaustive: who asks for a lease handles each answer, so that another one is a breaking change.
#[derive(Debug)]
pub enum LeaseReply {
    /// The caller is now the owner.
    Granted(Lease),
    /// Somebody else holds the lease. With it, others may store but neither renew nor release; `None` if the owner
    /// changed at this moment.
    Held(Option<Lease>),
    /// The entry has changed since the caller saw it: load it again.
    Changed,
}

/// The answer to the removal of an entry under a lease.
///
/// ```
/// # use std::sync::Arc;
/// # use cachier_backends::{Key, KeyHash, Scope, Version};
/// # let scope = Arc::new(Scope::new("default", "forecast"));
/// # let key = Key::new(scope, Version::Number(1), KeyHash::from_bytes([7; 32]));
/// use cachier_backends::{Lease, Vacated};
///
/// let lease = Lease::new(key, None, ());
/// let vacated = Vacated::Done { lease, removed: true };
/// assert!(matches!(vacated, Vacated::Done { removed: true, .. }));
/// ```
///
/// Exhaustive: what is done next depends on it, so that another one is a breaking change.
#[derive(Debug)]
pub enum Vacated {
    /// The entry is gone; the lease continues for its absence.
    Done {
        /// The lease on the absent entry.
        lease: Lease,
        /// Whether there was an entry.
        removed: bool,
    },
    /// Nothing is removed: the lease has ended, or the entry has changed since it was granted.
    Superseded,
}

/// The answer to a renewal.
///
/// ```
/// use cachier_backends::Renewal;
///
/// fn goes_on(renewal: Renewal) -> bool {
///     renewal == Renewal::Renewed
/// }
///
/// assert!(!goes_on(Renewal::Lost));
/// ```
///
/// Exhaustive: an owner goes on or does not, and there is no third.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// The lease is valid for another period.
    Renewed,
    /// The lease has ended: its owner's result will not be stored.
    Lost,
}

impl Lease {
    /// A lease on `key` for the entry that was `seen`. `state` is whatever the backend needs to recognise it: an owner
    /// token, a lock.
    ///
    /// It is valid as long as its owner lives; see [`expiring_after`](Self::expiring_after).
    pub fn new(key: Key, seen: Option<EntryVersion>, state: impl Any + Send + Sync) -> Self {
        Self {
            key,
            seen,
            period: None,
            state: Arc::new(state),
        }
    }

    /// The same lease, valid for `period` from when it was granted or last renewed.
    #[must_use]
    pub fn expiring_after(mut self, period: Duration) -> Self {
        self.period = Some(period);
        self
    }

    /// The same lease, for another `seen` entry.
    #[must_use]
    pub fn seeing(mut self, seen: Option<EntryVersion>) -> Self {
        self.seen = seen;
        self
    }

    /// The key whose entry the owner may compute.
    #[must_use]
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// The entry it was granted for; `None` if there was none.
    #[must_use]
    pub fn seen(&self) -> Option<&EntryVersion> {
        self.seen.as_ref()
    }

    /// How long it is valid without renewal; `None` if it needs none.
    #[must_use]
    pub fn period(&self) -> Option<Duration> {
        self.period
    }

    /// The backend's state, if it is a `T`.
    #[must_use]
    pub fn state<T: Any>(&self) -> Option<&T> {
        self.state.downcast_ref()
    }

    /// Another handle to the lease, for renewing it or retrying a store under it.
    #[must_use]
    pub fn share(&self) -> Self {
        Self {
            key: self.key.clone(),
            seen: self.seen.clone(),
            period: self.period,
            state: Arc::clone(&self.state),
        }
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease")
            .field("key", &format_args!("{}", self.key))
            .field("seen", &self.seen)
            .field("period", &self.period)
            .finish_non_exhaustive()
    }
}

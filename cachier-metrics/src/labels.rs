//! The labels of the catalogue as types, with their texts.

use std::fmt;

/// A closed set of label values; implemented by the enums of this module only.
///
/// ```
/// use cachier_metrics::{Label, Outcome};
///
/// fn texts<L: Label>() -> Vec<&'static str> {
///     L::ALL.iter().map(|value| value.label()).collect()
/// }
///
/// assert_eq!(Outcome::KEY, "outcome");
/// assert!(texts::<Outcome>().contains(&"hit"));
/// ```
pub trait Label: Copy + fmt::Debug + Eq + sealed::Sealed + 'static {
    /// The name of the label, such as `outcome`.
    const KEY: &'static str;
    /// All values, in the order of the catalogue.
    const ALL: &'static [Self];

    /// The value's text, such as `hit`.
    fn label(self) -> &'static str;
    /// The value's index in [`ALL`](Self::ALL).
    fn index(self) -> usize;
}

mod sealed {
    pub trait Sealed {}
}

// The example of a label that indexes a map of counts in `Snapshot` reads one of them.
macro_rules! labels {
    ($($(#[$doc:meta])* $name:ident($key:literal$(, $counts:ident[$example:ident])?) {
        $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)*
    })*) => {$(
        $(#[$doc])*
        $(#[doc = concat!(
            "\n```\nuse cachier_metrics::{Snapshot, ", stringify!($name), "};\n\n",
            "fn count(snapshot: &Snapshot) -> u64 {\n    snapshot.", stringify!($counts), "[", stringify!($name), "::",
            stringify!($example), "]\n}\n\nassert_eq!(count(&Snapshot::default()), 0);\n```",
        )])?
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
        }

        impl $name {
            /// All values, in the order of the catalogue.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The value's text in the metric catalogue.
            pub const fn label(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }
        }

        impl Label for $name {
            const KEY: &'static str = $key;
            const ALL: &'static [Self] = Self::ALL;

            fn label(self) -> &'static str {
                self.label()
            }

            fn index(self) -> usize {
                self as usize
            }
        }

        impl sealed::Sealed for $name {}

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.label())
            }
        }
    )*};
}

labels! {
    /// The result of a finished call for its caller; outcomes are disjoint.
    ///
    /// ```
    /// use cachier_metrics::{Outcome, Snapshot};
    ///
    /// let mut snapshot = Snapshot::default();
    /// snapshot.calls[Outcome::Hit] = 3;
    /// snapshot.calls[Outcome::Miss] = 1;
    /// for (outcome, calls) in snapshot.calls.iter() {
    ///     println!("{calls} times {outcome}"); // 3 times hit
    /// }
    /// ```
    Outcome("outcome") {
        /// A fresh stored value.
        Hit = "hit",
        /// A stale stored value.
        Stale = "stale",
        /// The result of a computation that another caller was running.
        Coalesced = "coalesced",
        /// The result of its own computation.
        Miss = "miss",
        /// The function's own result, without consulting the cache.
        Bypass = "bypass",
        /// The function's own result, or the error, because the backend failed.
        Unavailable = "unavailable",
    }

    /// How a call ended without a value.
    AbandonReason("reason", abandoned[Panic]) {
        /// It panicked.
        Panic = "panic",
        /// Its future was dropped.
        Cancelled = "cancelled",
    }

    /// Whether a stale entry found by a lookup was served.
    StaleUse("served", stale_hits[Served]) {
        /// The caller got the stale value.
        Served = "true",
        /// The value was too old, or stale values are not wanted.
        NotServed = "false",
    }

    /// Why the function's body was run.
    Reason("reason", recalculations[Refresh]) {
        /// Nothing was stored.
        Absent = "absent",
        /// The stored value was stale.
        Stale = "stale",
        /// The call asked to overwrite the stored value.
        Overwrite = "overwrite",
        /// A stale value is replaced in the background.
        Refresh = "refresh",
        /// The wait for another caller's computation took too long.
        WaitTimeout = "wait_timeout",
        /// Waiting would have been a deadlock.
        Reentrant = "reentrant",
        /// The call bypasses the cache, or another's result could not be shared.
        Uncacheable = "uncacheable",
        /// The backend failed.
        Unavailable = "unavailable",
    }

    /// Why a computation gave no storable value.
    ComputeFailure("result") {
        /// It returned an error.
        Error = "error",
        /// It panicked.
        Panic = "panic",
        /// Its future was dropped.
        Cancelled = "cancelled",
    }

    /// Where a computation ran.
    ComputePlace("where") {
        /// For a caller that waits.
        Foreground = "foreground",
        /// For later callers: a refresh.
        Background = "background",
    }

    /// Why an entry was removed.
    RemovalCause("cause", removals[Evicted]) {
        /// To make room.
        Evicted = "evicted",
        /// By age, in the store.
        Expired = "expired",
        /// One entry, by the program.
        Invalidated = "invalidated",
        /// All entries, by the program.
        Cleared = "cleared",
        /// By the background removal of stale entries.
        Cleanup = "cleanup",
        /// A recomputation gave nothing to store instead.
        Gone = "gone",
    }

    /// A backend's operation.
    ///
    /// ```
    /// use cachier_metrics::{Operation, Snapshot};
    ///
    /// fn failures(snapshot: &Snapshot, operation: Operation) -> u64 {
    ///     snapshot.backend_errors[operation].values().sum()
    /// }
    ///
    /// assert_eq!(failures(&Snapshot::default(), Operation::Load), 0);
    /// ```
    Operation("operation") {
        /// Read an entry.
        Load = "load",
        /// Write an entry.
        Store = "store",
        /// Remove an entry.
        Remove = "remove",
        /// Remove all entries of a function.
        Clear = "clear",
        /// Take, renew or release a lease.
        Lease = "lease",
    }

    /// The kind of a backend's failure.
    ///
    /// ```
    /// use cachier_metrics::{ErrorLabel, Operation, Snapshot};
    ///
    /// fn timeouts(snapshot: &Snapshot) -> u64 {
    ///     snapshot.backend_errors[Operation::Load][ErrorLabel::Timeout]
    /// }
    ///
    /// assert_eq!(timeouts(&Snapshot::default()), 0);
    /// ```
    ErrorLabel("kind") {
        /// No connection.
        Connect = "connect",
        /// No answer in time.
        Timeout = "timeout",
        /// Reading or writing failed.
        Io = "io",
        /// An unexpected answer from the server.
        Protocol = "protocol",
        /// A value could not be encoded or decoded.
        Codec = "codec",
        /// An entry failed its checksum.
        Corrupt = "corrupt",
        /// No space left.
        Full = "full",
        /// No permission.
        Denied = "denied",
        /// The circuit breaker answered for the backend.
        BreakerOpen = "breaker_open",
        /// Two functions have the same identity.
        Identity = "identity",
        /// No backend of this name was registered.
        NotRegistered = "not_registered",
        /// A value did not come back equal, or unequal arguments had the same key.
        Unfaithful = "unfaithful",
    }

    /// The owner of the computation that a call waits for.
    ///
    /// ```
    /// use cachier_metrics::{Snapshot, WaitScope};
    ///
    /// fn waits(snapshot: &Snapshot) -> u64 {
    ///     snapshot.wait_duration[WaitScope::Lease].count()
    /// }
    ///
    /// assert_eq!(waits(&Snapshot::default()), 0);
    /// ```
    WaitScope("scope") {
        /// Another caller in this process.
        Process = "process",
        /// The owner of a lease, in any process.
        Lease = "lease",
    }

    /// Where an entry is held.
    ///
    /// ```
    /// use cachier_metrics::Tier;
    ///
    /// let names: Vec<_> = Tier::ALL.iter().map(|tier| tier.label()).collect();
    /// assert_eq!(names, ["near", "backend"]);
    /// ```
    Tier("tier") {
        /// In the process, in front of a backend.
        Near = "near",
        /// In the backend.
        Backend = "backend",
    }

    /// The result of a lookup in the near tier.
    NearResult("result", near_lookups[Hit]) {
        /// A fresh entry.
        Hit = "hit",
        /// None.
        Miss = "miss",
    }
}

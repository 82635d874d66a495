//! The attribute's description of its function's values.

use std::time::Duration;

use cachier_backends::Error;
use cachier_backends::entry::AgeLimit;
use serde::Serialize;

use super::equality::RoundTrip;
use super::return_type::ReturnType;
use super::value_codec::{Measure, ValueSize};

/// The attribute's description of its function's values.
pub struct ValueSpec<S: ReturnType> {
    pub return_type: S,
    /// Which values to cache.
    pub cache_if: Option<fn(&S::Stored) -> bool>,
    /// The age limit of a value, where that is not the function's.
    age_limit: Option<fn(&S::Stored) -> OwnLimit>,
    /// How to measure values.
    pub measure: Measure<S::Value>,
    /// How to compare a value with its round trip, where that is checked.
    pub round_trips: RoundTrip<S::Value>,
    /// How to return a backend's failure.
    pub propagate: Option<fn(Error) -> S::Return>,
}

impl<S: ReturnType> Clone for ValueSpec<S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S: ReturnType> Copy for ValueSpec<S> {}

impl<S: ReturnType> ValueSpec<S> {
    /// A spec that caches every value.
    pub fn new(return_type: S) -> Self {
        Self {
            return_type,
            cache_if: None,
            age_limit: None,
            measure: None,
            round_trips: None,
            propagate: None,
        }
    }

    /// Caches only values for which this holds.
    pub fn cache_if(mut self, holds: fn(&S::Stored) -> bool) -> Self {
        self.cache_if = Some(holds);
        self
    }

    /// Gives each value an age limit of its own.
    pub fn stale_after(mut self, limit: fn(&S::Stored) -> OwnLimit) -> Self {
        self.age_limit = Some(limit);
        self
    }

    /// The age limit that a value has of its own.
    pub(super) fn age_limit_of(&self, value: &S::Value) -> Option<AgeLimit> {
        let (limit, stored) = (self.age_limit?, self.return_type.stored_ref(value)?);
        Some(limit(stored).0)
    }

    /// Measures values, which the attribute bounds in bytes.
    pub fn measured(mut self) -> Self
    where
        S::Value: Serialize,
    {
        self.measure = Some(ValueSize::of);
        self
    }

    /// Returns the failure of a backend, for `on_backend_error = "propagate"`.
    pub fn propagating(mut self, propagated: fn(Error) -> S::Return) -> Self {
        self.propagate = Some(propagated);
        self
    }
}

/// The age limit that a value has of its own: what [`own_limit`] makes of the closure of `stale_after`.
///
/// ```
/// use std::time::Duration;
/// use cachier::types::{OwnLimit, own_limit};
///
/// let _: OwnLimit = own_limit(&3_u32, |hours| Duration::from_secs(3600) * *hours);
/// ```
pub struct OwnLimit(AgeLimit);

/// The age limit that the closure of `stale_after` gives a value.
///
/// ```
/// use cachier::cachier;
/// use std::time::Duration;
///
/// #[cachier(backend = "memory", stale_after = |days| Duration::from_secs(86_400) * *days)]
/// fn half(days: u32) -> u32 {
///     days / 2
/// }
///
/// assert_eq!(half(8), 4);
/// ```
#[inline]
pub fn own_limit<V: ?Sized, L: LimitsAge>(value: &V, limit: impl FnOnce(&V) -> L) -> OwnLimit {
    OwnLimit(match limit(value).longest() {
        Some(limit) => AgeLimit::Of(limit),
        None => AgeLimit::Never,
    })
}

/// What the closure of `stale_after` returns: a [`Duration`], or an `Option` of it, where `None` is "never stale".
///
/// ```
/// use cachier::cachier;
/// use std::time::Duration;
///
/// /// A page that says how long it is valid, or is valid for ever.
/// #[cachier(backend = "memory", stale_after = |page| page.1)]
/// fn page(number: u64) -> (String, Option<Duration>) {
///     (format!("page {number}"), (number > 0).then_some(Duration::from_secs(60)))
/// }
/// # page(1);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no age limit",
    label = "returns neither `Duration` nor `Option<Duration>`",
    note = "the closure of `stale_after` returns a `Duration`, or an `Option<Duration>` in which `None` is \"never stale\""
)]
pub trait LimitsAge {
    /// The longest age of a value that is fresh.
    #[doc(hidden)]
    fn longest(self) -> Option<Duration>;
}

#[diagnostic::do_not_recommend]
impl LimitsAge for Duration {
    fn longest(self) -> Option<Duration> {
        Some(self)
    }
}

#[diagnostic::do_not_recommend]
impl LimitsAge for Option<Duration> {
    fn longest(self) -> Option<Duration> {
        self
    }
}

/// A return type that can carry a backend's failure: a `Result` whose error is `From<cachier::Error>`.
///
/// ```no_run
/// use cachier::cachier;
///
/// #[derive(Debug)]
/// enum Failed {
///     Cache(cachier::Error),
/// }
///
/// impl From<cachier::Error> for Failed {
///     fn from(error: cachier::Error) -> Self {
///         Self::Cache(error)
///     }
/// }
///
/// #[cachier(backend = "file", on_backend_error = "propagate")]
/// fn expensive(id: u64) -> Result<u64, Failed> {
///     Ok(id)
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot hold a backend's failure, which `propagate` returns as an error of the function",
    label = "the function returns no `Result` whose error is `From<cachier::Error>`",
    note = "implement `From<cachier::Error>` for its error, or leave `on_backend_error` out"
)]
pub trait TakesFailures {
    /// The failure as such a result.
    #[doc(hidden)]
    fn of_failure(failure: Error) -> Self;
}

#[diagnostic::do_not_recommend]
impl<T, E: From<Error>> TakesFailures for Result<T, E> {
    fn of_failure(failure: Error) -> Self {
        Err(failure.into())
    }
}

/// The failure of a backend as what a function with `on_backend_error = "propagate"` returns.
///
/// ```
/// use cachier::cachier;
///
/// #[cachier(backend = "memory", on_backend_error = "propagate")]
/// fn half(n: u64) -> Result<u64, cachier::Error> {
///     Ok(n / 2)
/// }
///
/// assert_eq!(half(8)?, 4);
/// # Ok::<(), cachier::Error>(())
/// ```
pub fn propagated<R: TakesFailures>(failure: Error) -> R {
    R::of_failure(failure)
}

/// The spec for values that are measured if they can be.
#[doc(hidden)]
#[macro_export]
macro_rules! __measuring {
    ($return_type:expr) => {{
        #[allow(unused_imports)]
        use $crate::__private::Unmeasured as _;
        let return_type = $return_type.unchecked();
        let mut spec = $crate::__private::ValueSpec::new(return_type);
        spec.measure = $crate::__private::SizeProbe(return_type).measure();
        spec
    }};
}

/// The spec for values whose round trip is checked.
#[doc(hidden)]
#[macro_export]
macro_rules! __verifying {
    ($return_type:expr) => {{
        #[allow(unused_imports)]
        use $crate::__private::Incomparable as _;
        let return_type = $return_type.unchecked();
        let mut spec = $crate::__private::ValueSpec::new(return_type);
        spec.round_trips = $crate::__private::EqualityProbe(return_type).round_trips();
        spec
    }};
}

//! The attribute's description of its function's values.

use cachier_backends::Error;
use serde::Serialize;

use super::equality::RoundTrip;
use super::return_type::ReturnType;
use super::value_codec::{Measure, ValueSize};

/// The attribute's description of its function's values.
pub struct ValueSpec<S: ReturnType> {
    pub return_type: S,
    /// Which values to cache.
    pub cache_if: Option<fn(&S::Stored) -> bool>,
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

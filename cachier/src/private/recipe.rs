//! What the attribute says about the values of its function.

use cachier_backends::Error;
use serde::Serialize;

use super::equality::ComesBack;
use super::form::{Measure, ValueSize};
use super::shape::Shape;

/// What the attribute says about the values of its function.
pub struct Recipe<S: Shape> {
    pub shape: S,
    /// Which values to cache.
    pub cache_if: Option<fn(&S::Stored) -> bool>,
    /// How to measure values.
    pub measure: Measure<S::Value>,
    /// How to tell whether a value has come back from its kept form, where that is checked.
    pub comes_back: ComesBack<S::Value>,
    /// How to return a backend's failure.
    pub propagate: Option<fn(Error) -> S::Return>,
}

impl<S: Shape> Clone for Recipe<S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S: Shape> Copy for Recipe<S> {}

impl<S: Shape> Recipe<S> {
    /// A recipe that caches every value of the shape.
    pub fn new(shape: S) -> Self {
        Self {
            shape,
            cache_if: None,
            measure: None,
            comes_back: None,
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
    pub fn propagating<T, E>(mut self) -> Self
    where
        S: Shape<Return = Result<T, E>>,
        E: From<Error>,
    {
        self.propagate = Some(|error| Err(E::from(error)));
        self
    }
}

/// The recipe for values of a shape that are measured if they can be.
#[doc(hidden)]
#[macro_export]
macro_rules! __measuring {
    ($shape:expr) => {{
        #[allow(unused_imports)]
        use $crate::__private::Unmeasured as _;
        let shape = $shape;
        let mut recipe = $crate::__private::Recipe::new(shape);
        recipe.measure = $crate::__private::SizeProbe(shape).measure();
        recipe
    }};
}

/// The recipe for values of a shape that are to come back from their kept form.
#[doc(hidden)]
#[macro_export]
macro_rules! __verifying {
    ($shape:expr) => {{
        #[allow(unused_imports)]
        use $crate::__private::Incomparable as _;
        let shape = $shape;
        let mut recipe = $crate::__private::Recipe::new(shape);
        recipe.comes_back = $crate::__private::EqualityProbe(shape).comes_back();
        recipe
    }};
}

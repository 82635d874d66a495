//! Whether a value has come back from its kept form as it was.

use super::shape::Shape;

/// Tells whether a value has come back, where that is checked.
pub type ComesBack<V> = Option<fn(&V, &V) -> bool>;

/// Asks the compiler whether the values of a shape can be compared.
pub struct EqualityProbe<S>(pub S);

impl<S: Shape<Value: PartialEq>> EqualityProbe<S> {
    /// Values that can be compared have come back if they are equal, or if they do not even equal themselves.
    pub fn comes_back(&self) -> ComesBack<S::Value> {
        Some(|value, back| {
            let itself = value;
            value == back || value != itself
        })
    }
}

/// The answer for values that cannot be compared: they have come back if there is something that has.
pub trait Incomparable {
    type Value;
    fn comes_back(&self) -> ComesBack<Self::Value>;
}

impl<S: Shape> Incomparable for EqualityProbe<S> {
    type Value = S::Value;

    fn comes_back(&self) -> ComesBack<S::Value> {
        Some(|_, _| true)
    }
}

//! Whether a value has come back from its kept form as it was.

use super::return_type::ReturnType;

/// Tells whether a value has come back, where that is checked.
pub type RoundTrip<V> = Option<fn(&V, &V) -> bool>;

/// Asks the compiler whether the values of a shape can be compared.
pub struct EqualityProbe<S>(pub S);

impl<S: ReturnType<Value: PartialEq>> EqualityProbe<S> {
    /// Values that can be compared have come back if they are equal, or if they do not even equal themselves.
    pub fn round_trips(&self) -> RoundTrip<S::Value> {
        Some(|value, back| {
            let itself = value;
            value == back || value != itself
        })
    }
}

/// The answer for values that cannot be compared: they have come back if there is something that has.
pub trait Incomparable {
    type Value;
    fn round_trips(&self) -> RoundTrip<Self::Value>;
}

impl<S: ReturnType> Incomparable for EqualityProbe<S> {
    type Value = S::Value;

    fn round_trips(&self) -> RoundTrip<S::Value> {
        Some(|_, _| true)
    }
}

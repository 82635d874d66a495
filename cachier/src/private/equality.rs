//! Whether values survive the round trip through their encoding.

use super::return_type::ReturnType;

/// Compares a value with its round trip, where that is checked.
pub type RoundTrip<V> = Option<fn(&V, &V) -> bool>;

/// Asks the compiler whether values can be compared.
pub struct EqualityProbe<S>(pub S);

impl<S: ReturnType<Value: PartialEq>> EqualityProbe<S> {
    /// Comparable values must be equal, unless a value does not even equal itself.
    pub fn round_trips(&self) -> RoundTrip<S::Value> {
        Some(|value, back| {
            let itself = value;
            value == back || value != itself
        })
    }
}

/// For incomparable values: whatever decodes is accepted.
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

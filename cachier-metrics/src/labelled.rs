//! Values by label.

#[cfg(feature = "serde")]
mod serialized;

use std::fmt;
use std::marker::PhantomData;
use std::ops::{Index, IndexMut};

use crate::labels::Label;

/// A `V` for each value of the label `L`; for serde, a map from label text to value.
///
/// On deserialization unknown labels are ignored, and missing ones are `V::default()`.
///
/// ```
/// use cachier_metrics::{Labelled, Outcome};
///
/// let mut calls = Labelled::<Outcome, u64>::default();
/// calls[Outcome::Hit] += 2;
/// assert_eq!(calls.values().sum::<u64>(), 2);
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Labelled<L, V> {
    values: Box<[V]>,
    label: PhantomData<L>,
}

impl<L: Label, V> Labelled<L, V> {
    /// One value per label, made by `make`.
    pub fn from_fn(make: impl FnMut(L) -> V) -> Self {
        let values = L::ALL.iter().copied().map(make).collect();
        Self {
            values,
            label: PhantomData,
        }
    }

    /// Labels and values, in the order of the catalogue.
    pub fn iter(&self) -> impl Iterator<Item = (L, &V)> {
        L::ALL.iter().copied().zip(&self.values)
    }

    /// The values, in the order of the catalogue.
    pub fn values(&self) -> std::slice::Iter<'_, V> {
        self.values.iter()
    }

    /// The values, by the places of their labels.
    pub(crate) fn as_slice(&self) -> &[V] {
        &self.values
    }

    pub(crate) fn as_mut_slice(&mut self) -> &mut [V] {
        &mut self.values
    }
}

impl<L: Label, V> Index<L> for Labelled<L, V> {
    type Output = V;

    #[inline]
    fn index(&self, label: L) -> &V {
        &self.values[label.index()]
    }
}

impl<L: Label, V> IndexMut<L> for Labelled<L, V> {
    fn index_mut(&mut self, label: L) -> &mut V {
        &mut self.values[label.index()]
    }
}

impl<L: Label, V: Default> Default for Labelled<L, V> {
    fn default() -> Self {
        Self::from_fn(|_| V::default())
    }
}

impl<L: Label, V: fmt::Debug> fmt::Debug for Labelled<L, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

//! Arguments as parts of a stored key.
//!
//! Most arguments are serialized as they are. Sets are sorted, as their order means nothing, and paths and times have a
//! [custom encoding](super::custom_encoding). The compiler is asked which of these an argument is, in
//! [`argument`](super::argument), and whether it has a `Hash`, which tells arguments apart that serde does not.

use std::hash::{Hash, Hasher};

use cachier_backends::canonical::Unordered;
use serde::{Serialize, Serializer};

use super::custom_encoding::Custom;
use super::tuples::for_each_tuple;

/// Tells unequal arguments apart where serde does not.
pub trait Fingerprint {
    /// Whether there is a fingerprint.
    const EXISTS: bool;
    /// Feeds it to the hasher.
    fn add_to<H: Hasher>(&self, hasher: &mut H);
}

/// An argument that has a `Hash`.
pub struct Hashed<'a, T: ?Sized>(pub(super) &'a T);

impl<T: Serialize + ?Sized> Serialize for Hashed<'_, T> {
    #[inline]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<T: Hash + ?Sized> Fingerprint for Hashed<'_, T> {
    const EXISTS: bool = true;

    fn add_to<H: Hasher>(&self, hasher: &mut H) {
        self.0.hash(hasher);
    }
}

/// Arguments without a `Hash`.
macro_rules! without_hash {
    ($($part:ty),*) => {$(
        impl<T: ?Sized> Fingerprint for $part {
            const EXISTS: bool = false;

            fn add_to<H: Hasher>(&self, _: &mut H) {}
        }
    )*};
}

without_hash!(&T, Unordered<'_, T>);

/// A custom encoding already shows all of the value.
impl<T: ?Sized> Fingerprint for Custom<'_, T> {
    const EXISTS: bool = false;

    fn add_to<H: Hasher>(&self, _: &mut H) {}
}

/// Stands for an argument that cannot be part of a key, which is an error elsewhere.
pub struct NoPart;

impl Serialize for NoPart {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_unit()
    }
}

impl Fingerprint for NoPart {
    const EXISTS: bool = false;

    fn add_to<H: Hasher>(&self, _: &mut H) {}
}

macro_rules! tuples {
    ($(($($part:ident $index:tt),*))*) => {$(
        impl<$($part: Fingerprint),*> Fingerprint for ($($part,)*) {
            const EXISTS: bool = false $(|| $part::EXISTS)*;

            #[allow(unused_variables)]
            fn add_to<HH: Hasher>(&self, hasher: &mut HH) {
                $(self.$index.add_to(hasher);)*
            }
        }
    )*};
}

tuples! { () }
for_each_tuple!(tuples);

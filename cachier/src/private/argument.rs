//! Asks the compiler what an argument is as part of a key.
//!
//! Each of the types below answers for some arguments and dereferences to the next, so that the first one counts which has a
//! method for the argument at hand. The last has one for all.

use std::collections::HashSet;
use std::hash::Hash;
use std::ops::Deref;

use cachier_backends::canonical::Unordered;
use serde::Serialize;

use super::custom_encoding::{Custom, CustomEncoding};
use super::fit::{Answer, Fit, Unfit};
#[cfg(feature = "memory")]
use super::key_part::{Bits, ByBits, ByEncoding, ByRef, KeyPart, OptionPart};
use super::stored_key_part::{Hashed, NoPart};

/// An argument: in memory by its bits, if it is made of floats.
pub struct Argument<'a, T: ?Sized>(WithHash<'a, T>);

/// An argument: in memory by its own `Hash` and `Eq`.
pub struct WithHash<'a, T: ?Sized>(Encoded<'a, T>);

/// An argument by its encoding: its custom one.
pub struct Encoded<'a, T: ?Sized>(WithoutOrder<'a, T>);

/// An argument by its encoding: that of a set, whose order means nothing.
pub struct WithoutOrder<'a, T: ?Sized>(Distinct<'a, T>);

/// An argument by its encoding: that of serde, with a `Hash` that tells apart what serde does not. No set has one.
pub struct Distinct<'a, T: ?Sized>(Serialized<'a, T>);

/// An argument by its encoding: that of serde.
pub struct Serialized<'a, T: ?Sized>(Any<'a, T>);

/// An argument of any other type.
pub struct Any<'a, T: ?Sized>(&'a T);

/// An argument.
#[inline]
pub fn key<T: ?Sized>(argument: &T) -> Argument<'_, T> {
    Argument(WithHash(encoded(argument)))
}

/// An argument that borrows, so that memory cannot own it: there, too, by its encoding.
#[inline]
pub fn encoded<T: ?Sized>(argument: &T) -> Encoded<'_, T> {
    Encoded(WithoutOrder(Distinct(Serialized(Any(argument)))))
}

/// An `Option<&T>` in memory, owned as an `Option` of the owned value.
#[cfg(feature = "memory")]
#[inline]
pub fn optional<T: ?Sized, F, P: KeyPart>(
    argument: Option<Answer<T, F, P>>,
) -> Answer<T, F, OptionPart<P>> {
    Answer::new(OptionPart(argument.map(Answer::unchecked)))
}

macro_rules! ladder {
    ($($step:ident -> $next:ident;)*) => {$(
        impl<'a, T: ?Sized> Deref for $step<'a, T> {
            type Target = $next<'a, T>;

            #[inline]
            fn deref(&self) -> &$next<'a, T> {
                &self.0
            }
        }
    )*};
}

ladder! {
    Argument -> WithHash;
    WithHash -> Encoded;
    Encoded -> WithoutOrder;
    WithoutOrder -> Distinct;
    Distinct -> Serialized;
    Serialized -> Any;
}

#[cfg(feature = "memory")]
impl<'a, T: Bits + ?Sized> Argument<'a, T> {
    #[inline]
    pub fn in_memory(&self) -> Answer<T, Fit, ByBits<'a, T>> {
        Answer::new(ByBits(self.value()))
    }
}

#[cfg(feature = "memory")]
impl<'a, T> WithHash<'a, T>
where
    T: ToOwned<Owned: Hash + Eq + Send + Sync + Clone + 'static> + Hash + Eq + ?Sized,
{
    #[inline]
    pub fn in_memory(&self) -> Answer<T, Fit, ByRef<'a, T>> {
        Answer::new(ByRef(self.value()))
    }
}

impl<'a, T: CustomEncoding + ?Sized> Encoded<'a, T> {
    #[inline]
    pub fn in_store(&self) -> Answer<T, Fit, Custom<'a, T>> {
        Answer::new(Custom(self.value()))
    }

    #[cfg(feature = "memory")]
    pub fn in_memory(&self) -> Answer<T, Fit, ByEncoding> {
        self.in_store().map(|part| ByEncoding::of(&part))
    }
}

impl<'a, T, S> WithoutOrder<'a, HashSet<T, S>>
where
    HashSet<T, S>: Serialize,
{
    #[inline]
    pub fn in_store(&self) -> Answer<HashSet<T, S>, Fit, Unordered<'a, HashSet<T, S>>> {
        Answer::new(Unordered(self.value()))
    }

    #[cfg(feature = "memory")]
    pub fn in_memory(&self) -> Answer<HashSet<T, S>, Fit, ByEncoding> {
        self.in_store().map(|part| ByEncoding::of(&part))
    }
}

impl<'a, T: Serialize + Hash + ?Sized> Distinct<'a, T> {
    #[inline]
    pub fn in_store(&self) -> Answer<T, Fit, Hashed<'a, T>> {
        Answer::new(Hashed(self.value()))
    }

    #[cfg(feature = "memory")]
    pub fn in_memory(&self) -> Answer<T, Fit, ByEncoding> {
        self.in_store().map(|part| ByEncoding::of(&part))
    }
}

impl<'a, T: Serialize + ?Sized> Serialized<'a, T> {
    #[inline]
    pub fn in_store(&self) -> Answer<T, Fit, &'a T> {
        Answer::new(self.value())
    }

    #[cfg(feature = "memory")]
    pub fn in_memory(&self) -> Answer<T, Fit, ByEncoding> {
        self.in_store().map(|part| ByEncoding::of(&part))
    }
}

impl<'a, T: ?Sized> Any<'a, T> {
    #[inline]
    fn value(&self) -> &'a T {
        self.0
    }

    pub fn in_store(&self) -> Answer<T, Unfit, NoPart> {
        Answer::new(NoPart)
    }

    #[cfg(feature = "memory")]
    pub fn in_memory(&self) -> Answer<T, Unfit, NoPart> {
        Answer::new(NoPart)
    }
}

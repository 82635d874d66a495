//! Asks the compiler what a return type is, and whether its value can be kept.
//!
//! Each of the types below answers for some return types and dereferences to the next, so that the first one counts which has
//! a method for the type at hand.

use std::marker::PhantomData;
use std::ops::Deref;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::fit::{Answer, Fit, Unfit};
use super::return_type::{Fallible, Optional, OptionalWithNone, Plain, ReturnType, Unkept};

/// A return type: a `Result` whose error can be shared.
pub struct Returned<R>(Unshared<R>);

/// A return type: another `Result`, or an `Option`.
pub struct Unshared<R>(Other<R>);

/// Any other return type.
pub struct Other<R>(PhantomData<fn() -> R>);

/// A return type whose kind is known, if its value can be kept.
pub struct Kept<S>(Whatever<S>);

/// A return type whose kind is known, whatever its value.
pub struct Whatever<S>(S);

/// A return type.
#[inline]
pub fn returned<R>() -> Returned<R> {
    Returned(Unshared(Other(PhantomData)))
}

impl<R> Deref for Returned<R> {
    type Target = Unshared<R>;

    #[inline]
    fn deref(&self) -> &Unshared<R> {
        &self.0
    }
}

impl<R> Deref for Unshared<R> {
    type Target = Other<R>;

    #[inline]
    fn deref(&self) -> &Other<R> {
        &self.0
    }
}

impl<S> Deref for Kept<S> {
    type Target = Whatever<S>;

    #[inline]
    fn deref(&self) -> &Whatever<S> {
        &self.0
    }
}

impl<S> Kept<S> {
    #[inline]
    fn new(return_type: S) -> Self {
        Self(Whatever(return_type))
    }
}

impl<T, E: Clone + Send + Sync + 'static> Returned<Result<T, E>> {
    #[inline]
    pub fn kind(&self) -> Kept<Fallible<T, E>> {
        Kept::new(Fallible::SHARING)
    }
}

impl<T, E> Unshared<Result<T, E>> {
    #[inline]
    pub fn kind(&self) -> Kept<Fallible<T, E>> {
        Kept::new(Fallible::NEW)
    }
}

impl<T> Unshared<Option<T>> {
    #[inline]
    pub fn kind(&self) -> Kept<Optional<T>> {
        Kept::new(Optional::NEW)
    }
}

impl<R> Other<R> {
    #[inline]
    pub fn kind(&self) -> Kept<Plain<R>> {
        Kept::new(Plain::NEW)
    }
}

impl<T> Kept<Optional<T>> {
    /// The return type with `allow_none`.
    #[inline]
    pub fn with_none(&self) -> Kept<OptionalWithNone<T>> {
        Kept::new(OptionalWithNone::NEW)
    }
}

impl<S: Copy> Whatever<S> {
    /// `allow_none` on a function that returns no `Option`: nothing changes.
    #[inline]
    pub fn with_none(&self) -> Kept<S> {
        Kept::new(self.0)
    }
}

/// Where a value is kept, and what that asks of it.
macro_rules! places {
    ($($place:ident [$($bound:tt)*])*) => {$(
        impl<S: ReturnType<Value: $($bound)*>> Kept<S> {
            #[inline]
            pub fn $place(&self) -> Answer<S::Value, Fit, S> {
                Answer::new(self.0.0)
            }
        }

        impl<S: ReturnType> Whatever<S> {
            #[inline]
            pub fn $place(&self) -> Answer<S::Value, Unfit, Unkept<S>> {
                Answer::new(Unkept::NEW)
            }
        }
    )*};
}

places! {
    in_memory [Clone + Send + Sync + 'static]
    in_bounded_memory [Serialize + Clone + Send + Sync + 'static]
    in_store [Serialize + DeserializeOwned]
    in_both [Serialize + DeserializeOwned + Clone + Send + Sync + 'static]
}

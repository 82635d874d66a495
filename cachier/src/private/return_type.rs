//! Return types: what is stored of them.
//!
//! A `Result` is stored if it is `Ok`, a `None` only on request, everything else always. Tokens do not
//! tell which of them a type is (`io::Result<T>`, an alias, an associated type), so the compiler is asked, in
//! [`returned`](super::returned).

use std::marker::PhantomData;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, Error as _};
use serde::ser::{Serialize, Serializer};

use crate::flight::SharedError;

/// Converts between a return type and what is stored of it.
pub trait ReturnType: Copy {
    /// The function's return type.
    type Return;
    /// The type that the cache keeps.
    type Value;
    /// The type that users store and read by hand.
    type Stored;

    /// Splits off the value; an `Err` is returned to the caller and never stored.
    fn split(self, returned: Self::Return) -> Result<Self::Value, Self::Return>;
    /// The result for a cached value.
    fn join(self, value: Self::Value) -> Self::Return;
    /// The value to keep for what a user stores.
    fn wrap_stored(self, stored: Self::Stored) -> Self::Value;
    /// The value as users read it; `None` if nothing is stored.
    fn unwrap_stored(self, value: Self::Value) -> Option<Self::Stored>;
    /// The value as `cache_if` sees it; `None` for a `None` that only `allow_none` stores.
    fn stored_ref(self, value: &Self::Value) -> Option<&Self::Stored>;
    /// The error, if waiters can share it.
    fn share_error(self, returned: &Self::Return) -> Option<SharedError>;
    /// The result for a shared error.
    fn join_error(self, error: &SharedError) -> Option<Self::Return>;
}

/// A value that is stored as it is.
pub struct Plain<T>(PhantomData<fn() -> T>);

/// A `Result` whose `Ok` is stored.
pub struct Fallible<T, E> {
    sharing: Option<ErrorSharing<E>>,
    types: PhantomData<fn() -> T>,
}

/// Shares an error with waiters.
struct ErrorSharing<E> {
    share: fn(&E) -> SharedError,
    join: fn(&SharedError) -> Option<E>,
}

/// An `Option` whose `None` is a result, but not one that users store by hand.
pub struct Optional<T>(PhantomData<fn() -> T>);

/// An `Option` whose `None` is stored like any other value (`allow_none`).
pub struct OptionalWithNone<T>(PhantomData<fn() -> T>);

macro_rules! copy {
    ($($return_type:ident<$($parameter:ident),*>),*) => {$(
        impl<$($parameter),*> Clone for $return_type<$($parameter),*> {
            fn clone(&self) -> Self {
                *self
            }
        }
        impl<$($parameter),*> Copy for $return_type<$($parameter),*> {}
    )*};
}

copy!(ErrorSharing<E>, Plain<T>, Fallible<T, E>, Optional<T>, OptionalWithNone<T>);

impl<T> Plain<T> {
    pub(super) const NEW: Self = Self(PhantomData);
}

impl<T> Optional<T> {
    pub(super) const NEW: Self = Self(PhantomData);
}

impl<T> OptionalWithNone<T> {
    pub(super) const NEW: Self = Self(PhantomData);
}

impl<T, E> Fallible<T, E> {
    pub(super) const NEW: Self = Self {
        sharing: None,
        types: PhantomData,
    };
}

impl<T, E: Clone + Send + Sync + 'static> Fallible<T, E> {
    /// Errors are shared with waiters.
    pub(super) const SHARING: Self = Self {
        sharing: Some(ErrorSharing {
            share: |error: &E| Arc::new(error.clone()),
            join: |shared| shared.downcast_ref::<E>().cloned(),
        }),
        types: PhantomData,
    };
}

impl<T> ReturnType for Plain<T> {
    type Return = T;
    type Value = T;
    type Stored = T;

    fn split(self, returned: T) -> Result<T, T> {
        Ok(returned)
    }

    fn join(self, value: T) -> T {
        value
    }

    fn wrap_stored(self, stored: T) -> T {
        stored
    }

    fn unwrap_stored(self, value: T) -> Option<T> {
        Some(value)
    }

    fn stored_ref(self, value: &T) -> Option<&T> {
        Some(value)
    }

    fn share_error(self, _: &T) -> Option<SharedError> {
        None
    }

    fn join_error(self, _: &SharedError) -> Option<T> {
        None
    }
}

impl<T, E> ReturnType for Fallible<T, E> {
    type Return = Result<T, E>;
    type Value = T;
    type Stored = T;

    fn split(self, returned: Result<T, E>) -> Result<T, Result<T, E>> {
        returned.map_err(Err)
    }

    fn join(self, value: T) -> Result<T, E> {
        Ok(value)
    }

    fn wrap_stored(self, stored: T) -> T {
        stored
    }

    fn unwrap_stored(self, value: T) -> Option<T> {
        Some(value)
    }

    fn stored_ref(self, value: &T) -> Option<&T> {
        Some(value)
    }

    fn share_error(self, returned: &Result<T, E>) -> Option<SharedError> {
        let error = returned.as_ref().err()?;
        self.sharing.map(|sharing| (sharing.share)(error))
    }

    fn join_error(self, error: &SharedError) -> Option<Result<T, E>> {
        (self.sharing?.join)(error).map(Err)
    }
}

/// The two kinds of `Option` differ only in what users see.
macro_rules! optional {
    ($return_type:ident, $stored:ty, $wrap_stored:expr, $unwrap_stored:expr, $stored_ref:expr) => {
        impl<T> ReturnType for $return_type<T> {
            type Return = Option<T>;
            type Value = Option<T>;
            type Stored = $stored;

            fn split(self, returned: Option<T>) -> Result<Option<T>, Option<T>> {
                Ok(returned)
            }

            fn join(self, value: Option<T>) -> Option<T> {
                value
            }

            fn wrap_stored(self, stored: $stored) -> Option<T> {
                $wrap_stored(stored)
            }

            fn unwrap_stored(self, value: Option<T>) -> Option<$stored> {
                $unwrap_stored(value)
            }

            fn stored_ref(self, value: &Option<T>) -> Option<&$stored> {
                $stored_ref(value)
            }

            fn share_error(self, _: &Option<T>) -> Option<SharedError> {
                None
            }

            fn join_error(self, _: &SharedError) -> Option<Option<T>> {
                None
            }
        }
    };
}

optional!(Optional, T, Some, std::convert::identity, Option::as_ref);
optional!(
    OptionalWithNone,
    Option<T>,
    std::convert::identity,
    Some,
    Some
);

/// Stands for a return type whose value cannot be kept, or whose stored type is another than this one, which is an error
/// elsewhere.
pub struct Unkept<S: ReturnType, Stored = <S as ReturnType>::Stored>(
    PhantomData<fn() -> (S, Stored)>,
);

impl<S: ReturnType, Stored> Unkept<S, Stored> {
    pub(super) const NEW: Self = Self(PhantomData);
}

impl<S: ReturnType, Stored> Clone for Unkept<S, Stored> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S: ReturnType, Stored> Copy for Unkept<S, Stored> {}

impl<S: ReturnType, Stored> ReturnType for Unkept<S, Stored> {
    type Return = S::Return;
    type Value = Never;
    type Stored = Stored;

    fn split(self, returned: S::Return) -> Result<Never, S::Return> {
        Err(returned)
    }

    fn join(self, value: Never) -> S::Return {
        match value {}
    }

    fn wrap_stored(self, _: Stored) -> Never {
        unreachable!("it does not compile")
    }

    fn unwrap_stored(self, value: Never) -> Option<Stored> {
        match value {}
    }

    fn stored_ref(self, value: &Never) -> Option<&Stored> {
        match *value {}
    }

    fn share_error(self, _: &S::Return) -> Option<SharedError> {
        None
    }

    fn join_error(self, _: &SharedError) -> Option<S::Return> {
        None
    }
}

/// The value of what is not kept.
#[derive(Clone, Copy, PartialEq)]
pub enum Never {}

impl Serialize for Never {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        match *self {}
    }
}

impl<'de> Deserialize<'de> for Never {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(D::Error::custom("there is no such value"))
    }
}

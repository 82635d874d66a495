//! Return types: what is stored of them.
//!
//! Of a `Result` only the `Ok` is stored, of an `Option` a `None` only on request, of everything else all. Tokens do not
//! tell which of them a type is (`io::Result<T>`, an alias, an associated type), so the compiler is asked: it prefers an
//! inherent item of `ReturnTypeProbe<Result<T, E>>` to a trait's item on every `ReturnTypeProbe`.

use std::marker::PhantomData;
use std::sync::Arc;

use crate::flight::SharedError;

/// Converts between a return type and what is stored of it.
pub trait ReturnType: Copy {
    /// The function's return type.
    type Return;
    /// What the cache keeps.
    type Value;
    /// What users store and read by hand.
    type Stored;

    /// Splits off the value; an `Err` is returned to the caller and never stored.
    fn split(self, returned: Self::Return) -> Result<Self::Value, Self::Return>;
    /// The result for a cached value.
    fn join(self, value: Self::Value) -> Self::Return;
    /// The value to keep for what a user stores.
    fn wrap_stored(self, stored: Self::Stored) -> Self::Value;
    /// What a user reads of a value; `None` if nothing is stored.
    fn unwrap_stored(self, value: Self::Value) -> Option<Self::Stored>;
    /// What `cache_if` sees; `None` for a `None` that only `allow_none` stores.
    fn stored_ref(self, value: &Self::Value) -> Option<&Self::Stored>;
    /// The error, if waiters can share it.
    fn share_error(self, returned: &Self::Return) -> Option<SharedError>;
    /// The result for a shared error.
    fn join_error(self, error: &SharedError) -> Option<Self::Return>;
}

/// Asks the compiler what kind a return type is.
pub struct ReturnTypeProbe<R>(PhantomData<fn() -> R>);

impl<R> ReturnTypeProbe<R> {
    #[expect(clippy::new_without_default, reason = "made by the attribute only")]
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

/// The answer as a number, for places where no value exists yet.
pub mod return_kind {
    pub const PLAIN: u8 = 0;
    pub const FALLIBLE: u8 = 1;
    pub const OPTIONAL: u8 = 2;
}

impl<T, E> ReturnTypeProbe<Result<T, E>> {
    pub const KIND: u8 = return_kind::FALLIBLE;

    pub fn return_type(&self) -> Fallible<T, E> {
        Fallible {
            sharing: None,
            types: PhantomData,
        }
    }
}

impl<T> ReturnTypeProbe<Option<T>> {
    pub const KIND: u8 = return_kind::OPTIONAL;

    pub fn return_type(&self) -> Optional<T> {
        Optional(PhantomData)
    }
}

/// The answer for every type that is neither a `Result` nor an `Option`.
pub trait PlainProbe {
    type Plain;
    const KIND: u8 = return_kind::PLAIN;
    fn return_type(&self) -> Self::Plain;
}

impl<R> PlainProbe for ReturnTypeProbe<R> {
    type Plain = Plain<R>;

    fn return_type(&self) -> Plain<R> {
        Plain(PhantomData)
    }
}

/// The types of each kind.
pub trait ReturnTypeOf<const KIND: u8> {
    type Value;
    type Stored;
}

impl<T> ReturnTypeOf<{ return_kind::PLAIN }> for T {
    type Value = T;
    type Stored = T;
}

impl<T, E> ReturnTypeOf<{ return_kind::FALLIBLE }> for Result<T, E> {
    type Value = T;
    type Stored = T;
}

impl<T> ReturnTypeOf<{ return_kind::OPTIONAL }> for Option<T> {
    type Value = Option<T>;
    type Stored = T;
}

/// The type of a value in memory, for places where no value exists yet.
///
/// Values that cannot be kept in memory have none, so that there is one error, not one for each use.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be kept in memory",
    label = "not `Clone + Send + Sync + 'static`",
    note = "return it in an `Arc`, or use a persistent backend"
)]
pub trait MemoryValue<const FITS: bool> {
    type Value;
}

impl<T> MemoryValue<true> for T {
    type Value = T;
}

/// Asks the compiler whether a value can be kept in memory.
pub struct MemoryValueProbe<T>(PhantomData<T>);

impl<T: Clone + Send + Sync + 'static> MemoryValueProbe<T> {
    pub const FITS: bool = true;
}

/// The answer for everything else.
pub trait NotMemoryValue {
    const FITS: bool = false;
}

impl<T> NotMemoryValue for MemoryValueProbe<T> {}

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

impl<T> Optional<T> {
    /// The return type with `allow_none`.
    pub fn with_none(self) -> OptionalWithNone<T> {
        OptionalWithNone(PhantomData)
    }
}

/// `allow_none` on a function that returns no `Option`: nothing changes.
pub trait WithNone: Sized {
    fn with_none(self) -> Self {
        self
    }
}

impl<T> WithNone for Plain<T> {}
impl<T, E> WithNone for Fallible<T, E> {}

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

/// Asks the compiler whether errors can be shared.
pub struct ErrorProbe<S>(pub S);

impl<T, E: Clone + Send + Sync + 'static> ErrorProbe<Fallible<T, E>> {
    /// The return type, its errors shared.
    pub fn sharing(self) -> Fallible<T, E> {
        let sharing = ErrorSharing {
            share: |error: &E| Arc::new(error.clone()),
            join: |shared| shared.downcast_ref::<E>().cloned(),
        };
        Fallible {
            sharing: Some(sharing),
            types: PhantomData,
        }
    }
}

/// The answer for return types without errors, and for errors that cannot be shared.
pub trait UnsharedError {
    type ReturnType;
    fn sharing(self) -> Self::ReturnType;
}

impl<S> UnsharedError for ErrorProbe<S> {
    type ReturnType = S;

    fn sharing(self) -> S {
        self.0
    }
}

/// A return type whose stored type is the one that the attribute read off the tokens.
#[diagnostic::on_unimplemented(
    message = "the attribute takes this return type for something else than it is",
    label = "an alias of a `Result` or an `Option`",
    note = "beside a type parameter, an alias cannot be seen through; write the `Result<..>` or `Option<..>` that it stands for"
)]
pub trait StoredAs<Stored> {
    /// The return type itself. One that does not agree has none, so that there is one error.
    type Agreed;
    fn agreed(self) -> Self::Agreed;
}

macro_rules! stored_as {
    ($($return_type:ident<$($parameter:ident),*> as $stored:ty),* $(,)?) => {$(
        impl<$($parameter),*> StoredAs<$stored> for $return_type<$($parameter),*> {
            type Agreed = Self;

            fn agreed(self) -> Self {
                self
            }
        }
    )*};
}

stored_as!(Plain<T> as T, Fallible<T, E> as T, Optional<T> as T, OptionalWithNone<T> as Option<T>);

/// The [`ReturnType`] of a type; `; allow_none` where the attribute has it.
#[doc(hidden)]
#[macro_export]
macro_rules! __return_type {
    ($returned:ty) => {{
        #[allow(unused_imports)]
        use $crate::__private::{PlainProbe as _, UnsharedError as _};
        $crate::__private::ErrorProbe(
            $crate::__private::ReturnTypeProbe::<$returned>::new().return_type(),
        )
        .sharing()
    }};
    ($returned:ty; allow_none) => {{
        #[allow(unused_imports)]
        use $crate::__private::WithNone as _;
        $crate::__return_type!($returned).with_none()
    }};
}

/// The value of a return type.
#[doc(hidden)]
#[macro_export]
macro_rules! __value {
    ($returned:ty) => {
        <$returned as $crate::__private::ReturnTypeOf<
            {
                #[allow(unused_imports)]
                use $crate::__private::PlainProbe as _;
                $crate::__private::ReturnTypeProbe::<$returned>::KIND
            },
        >>::Value
    };
}

/// The value of a return type in memory.
#[doc(hidden)]
#[macro_export]
macro_rules! __memory_value {
    ($returned:ty) => {
        <$crate::__value!($returned) as $crate::__private::MemoryValue<
            {
                #[allow(unused_imports)]
                use $crate::__private::NotMemoryValue as _;
                $crate::__private::MemoryValueProbe::<$crate::__value!($returned)>::FITS
            },
        >>::Value
    };
}

/// What users store and read of a return type; with `allow_none` all of it.
#[doc(hidden)]
#[macro_export]
macro_rules! __stored {
    ($returned:ty) => {
        <$returned as $crate::__private::ReturnTypeOf<
            {
                #[allow(unused_imports)]
                use $crate::__private::PlainProbe as _;
                $crate::__private::ReturnTypeProbe::<$returned>::KIND
            },
        >>::Stored
    };
    ($returned:ty; allow_none) => {
        // For an `Option` the value is all of it, for a `Result` it is what users store.
        $crate::__value!($returned)
    };
}

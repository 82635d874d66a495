//! The types of values, for places where no result exists yet.
//!
//! They agree with what [`returned`](super::returned) finds for a result.

use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::return_type::Never;

/// Asks the compiler what kind a return type is.
pub struct ReturnTypeProbe<R>(PhantomData<fn() -> R>);

/// The answer as a number, for places where no value exists yet.
pub mod return_kind {
    pub const PLAIN: u8 = 0;
    pub const FALLIBLE: u8 = 1;
    pub const OPTIONAL: u8 = 2;
}

impl<T, E> ReturnTypeProbe<Result<T, E>> {
    pub const KIND: u8 = return_kind::FALLIBLE;
}

impl<T> ReturnTypeProbe<Option<T>> {
    pub const KIND: u8 = return_kind::OPTIONAL;
}

/// The answer for every type that is neither a `Result` nor an `Option`.
pub trait PlainProbe {
    const KIND: u8 = return_kind::PLAIN;
}

impl<R> PlainProbe for ReturnTypeProbe<R> {}

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

/// The type of a value in memory. A value that cannot be kept there has one as well, so that its error is the only one.
pub trait MemoryValue<const FITS: bool> {
    type Value;
}

impl<T> MemoryValue<true> for T {
    type Value = T;
}

impl<T> MemoryValue<false> for T {
    type Value = Never;
}

/// Asks the compiler whether a value can be kept in memory.
pub struct ValueProbe<T>(PhantomData<T>);

impl<T: Clone + Send + Sync + 'static> ValueProbe<T> {
    pub const IN_MEMORY: bool = true;
}

impl<T: Serialize + Clone + Send + Sync + 'static> ValueProbe<T> {
    pub const IN_BOUNDED_MEMORY: bool = true;
}

impl<T: Serialize + DeserializeOwned + Clone + Send + Sync + 'static> ValueProbe<T> {
    pub const IN_BOTH: bool = true;
}

/// The answers for everything else.
pub trait UnfitValue {
    const IN_MEMORY: bool = false;
    const IN_BOUNDED_MEMORY: bool = false;
    const IN_BOTH: bool = false;
}

impl<T> UnfitValue for ValueProbe<T> {}

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

/// The value of a return type in memory; `; IN_BOUNDED_MEMORY` or `; IN_BOTH` where more is asked of it.
#[doc(hidden)]
#[macro_export]
macro_rules! __memory_value {
    ($returned:ty) => {
        $crate::__memory_value!($returned; IN_MEMORY)
    };
    ($returned:ty; $place:ident) => {
        <$crate::__value!($returned) as $crate::__private::MemoryValue<
            {
                #[allow(unused_imports)]
                use $crate::__private::UnfitValue as _;
                $crate::__private::ValueProbe::<$crate::__value!($returned)>::$place
            },
        >>::Value
    };
}

/// The part of a return type that users store and read; with `allow_none` all of it.
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

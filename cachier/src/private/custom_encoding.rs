//! Encodings of arguments that serde refuses, wholly or for some values.
//!
//! A path is encoded by its bytes, UTF-8 or not, and a time by its distance from 1970, in either direction. The compiler
//! finds such arguments, in [`stored_key_part`](super::stored_key_part), also behind references and in options, lists and
//! tuples of the types listed here, but not in the program's own types.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use cachier_backends::canonical::Unordered;
use serde::ser::{Serialize, SerializeTuple as _, Serializer};

/// A type with a custom encoding in stored keys.
pub trait CustomEncoding {
    /// Serializes the custom encoding.
    fn serialize_custom<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error>;
}

/// An element of a tuple with a custom encoding: has one itself, or is plain.
pub trait TupleElement {
    /// Serializes the element.
    fn serialize_in_tuple<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error>;
}

/// An argument in its custom encoding.
pub struct Custom<'a, T: ?Sized>(pub(super) &'a T);

impl<T: CustomEncoding + ?Sized> Serialize for Custom<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize_custom(serializer)
    }
}

/// An element of a tuple.
struct InTuple<'a, T: ?Sized>(&'a T);

impl<T: TupleElement + ?Sized> Serialize for InTuple<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize_in_tuple(serializer)
    }
}

/// Encoded as its bytes.
impl CustomEncoding for OsStr {
    fn serialize_custom<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.as_encoded_bytes())
    }
}

/// Encoded as its distance from 1970, in nanoseconds.
impl CustomEncoding for SystemTime {
    fn serialize_custom<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // At most 2^64 seconds, which are fewer than 2^94 nanoseconds.
        let nanos = |distance: Duration| distance.as_nanos() as i128;
        let distance = match self.duration_since(Self::UNIX_EPOCH) {
            Ok(since) => nanos(since),
            Err(before) => -nanos(before.duration()),
        };
        serializer.serialize_i128(distance)
    }
}

/// Types encoded like the value inside.
macro_rules! as_inner {
    ($([$($generics:tt)*] $outer:ty => $inner:ty, |$value:ident| $convert:expr;)*) => {$(
        impl<$($generics)*> CustomEncoding for $outer {
            fn serialize_custom<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let $value = self;
                <$inner as CustomEncoding>::serialize_custom($convert, serializer)
            }
        }
    )*};
}

as_inner! {
    [] Path => OsStr, |path| path.as_os_str();
    [] PathBuf => OsStr, |path| path.as_os_str();
    [] OsString => OsStr, |text| text.as_os_str();
    [] Cow<'_, Path> => OsStr, |path| path.as_os_str();
    [] Cow<'_, OsStr> => OsStr, |text| text;
    [T: CustomEncoding + ?Sized] &T => T, |value| value;
    [T: CustomEncoding + ?Sized] &mut T => T, |value| value;
    [T: CustomEncoding + ?Sized] Box<T> => T, |value| value;
    [T: CustomEncoding + ?Sized] Rc<T> => T, |value| value;
    [T: CustomEncoding + ?Sized] Arc<T> => T, |value| value;
    [T: CustomEncoding] Vec<T> => [T], |list| list;
    [T: CustomEncoding, const N: usize] [T; N] => [T], |list| list;
}

impl<T: CustomEncoding> CustomEncoding for Option<T> {
    fn serialize_custom<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.as_ref().map(Custom).serialize(serializer)
    }
}

impl<T: CustomEncoding> CustomEncoding for [T] {
    fn serialize_custom<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().map(Custom))
    }
}

impl<T: CustomEncoding> CustomEncoding for BTreeSet<T> {
    fn serialize_custom<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().map(Custom))
    }
}

impl<T: CustomEncoding, H> CustomEncoding for HashSet<T, H> {
    fn serialize_custom<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let elements: Vec<_> = self.iter().map(Custom).collect();
        Unordered(&elements).serialize(serializer)
    }
}

impl<T: CustomEncoding> TupleElement for T {
    fn serialize_in_tuple<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.serialize_custom(serializer)
    }
}

/// Types that serde encodes and that may stand in such tuples, as values or as references, which the closure of a `key`
/// gets.
macro_rules! plain {
    ($($type:ty),* $(,)?) => {$(
        plain!(@ $type);
        plain!(@ &$type);
    )*};
    (@ $type:ty) => {
        impl TupleElement for $type {
            fn serialize_in_tuple<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.serialize(serializer)
            }
        }
    };
}

plain! {
    bool, char, i8, i16, i32, i64, i128, isize, u8, u16, u32, u64, u128, usize, f32, f64, (), &str, String, Duration,
}

/// Tuples of two to four. A tuple of plain types alone is encoded by serde.
macro_rules! tuples {
    ($(($length:literal: $($element:ident $index:tt),*))*) => {$(
        impl<$($element: TupleElement),*> CustomEncoding for ($($element,)*) {
            fn serialize_custom<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut tuple = serializer.serialize_tuple($length)?;
                $(tuple.serialize_element(&InTuple(&self.$index))?;)*
                tuple.end()
            }
        }
    )*};
}

tuples! {
    (2: A 0, B 1)
    (3: A 0, B 1, C 2)
    (4: A 0, B 1, C 2, D 3)
}

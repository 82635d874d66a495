//! Arguments that have a form of their own in stored keys, as serde refuses some of their values.
//!
//! A path counts by its bytes, whether they are UTF-8 or not, and a time by its distance from 1970, in either direction.
//! Which arguments these are is asked of the compiler, in [`stored_part`](super::stored_part): it sees such a type, also
//! behind references, in options, lists and tuples of what is listed here, and not in a type of the program's own.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use cachier_backends::canonical::Unordered;
use serde::ser::{Serialize, SerializeTuple as _, Serializer};

/// A type with a form of its own in stored keys.
pub trait OwnForm {
    /// Gives the form to the serializer.
    fn serialize_own<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error>;
}

/// What may stand in a tuple beside a type with a form of its own: such a type, or a plain one.
pub trait Element {
    /// Gives the form to the serializer.
    fn serialize_inside<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error>;
}

/// An argument in its own form.
pub struct Own<'a, T: ?Sized>(pub(super) &'a T);

impl<T: OwnForm + ?Sized> Serialize for Own<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize_own(serializer)
    }
}

/// An element of a tuple in its form.
struct InTuple<'a, T: ?Sized>(&'a T);

impl<T: Element + ?Sized> Serialize for InTuple<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize_inside(serializer)
    }
}

/// By its bytes.
impl OwnForm for OsStr {
    fn serialize_own<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.as_encoded_bytes())
    }
}

/// By its distance from 1970, in nanoseconds.
impl OwnForm for SystemTime {
    fn serialize_own<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // At most 2^64 seconds, which are fewer than 2^94 nanoseconds.
        let nanos = |distance: Duration| distance.as_nanos() as i128;
        let distance = match self.duration_since(Self::UNIX_EPOCH) {
            Ok(since) => nanos(since),
            Err(before) => -nanos(before.duration()),
        };
        serializer.serialize_i128(distance)
    }
}

/// What has the form of something in it.
macro_rules! as_what_is_inside {
    ($([$($generics:tt)*] $outer:ty => $inner:ty, |$value:ident| $convert:expr;)*) => {$(
        impl<$($generics)*> OwnForm for $outer {
            fn serialize_own<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let $value = self;
                <$inner as OwnForm>::serialize_own($convert, serializer)
            }
        }
    )*};
}

as_what_is_inside! {
    [] Path => OsStr, |path| path.as_os_str();
    [] PathBuf => OsStr, |path| path.as_os_str();
    [] OsString => OsStr, |text| text.as_os_str();
    [] Cow<'_, Path> => OsStr, |path| path.as_os_str();
    [] Cow<'_, OsStr> => OsStr, |text| text;
    [T: OwnForm + ?Sized] &T => T, |value| value;
    [T: OwnForm + ?Sized] &mut T => T, |value| value;
    [T: OwnForm + ?Sized] Box<T> => T, |value| value;
    [T: OwnForm + ?Sized] Rc<T> => T, |value| value;
    [T: OwnForm + ?Sized] Arc<T> => T, |value| value;
    [T: OwnForm] Vec<T> => [T], |list| list;
    [T: OwnForm, const N: usize] [T; N] => [T], |list| list;
}

impl<T: OwnForm> OwnForm for Option<T> {
    fn serialize_own<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.as_ref().map(Own).serialize(serializer)
    }
}

impl<T: OwnForm> OwnForm for [T] {
    fn serialize_own<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().map(Own))
    }
}

impl<T: OwnForm> OwnForm for BTreeSet<T> {
    fn serialize_own<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().map(Own))
    }
}

impl<T: OwnForm, H> OwnForm for HashSet<T, H> {
    fn serialize_own<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let elements: Vec<_> = self.iter().map(Own).collect();
        Unordered(&elements).serialize(serializer)
    }
}

impl<T: OwnForm> Element for T {
    fn serialize_inside<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.serialize_own(serializer)
    }
}

/// Types whose form is that of serde, and that may stand beside others, themselves or as references: as such the closure of
/// a `key` has its arguments.
macro_rules! plain {
    ($($type:ty),* $(,)?) => {$(
        plain!(@ $type);
        plain!(@ &$type);
    )*};
    (@ $type:ty) => {
        impl Element for $type {
            fn serialize_inside<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.serialize(serializer)
            }
        }
    };
}

plain! {
    bool, char, i8, i16, i32, i64, i128, isize, u8, u16, u32, u64, u128, usize, f32, f64, (), &str, String, Duration,
}

/// Tuples of two to four. One of plain types alone has the form that serde gives it.
macro_rules! tuples {
    ($(($length:literal: $($element:ident $index:tt),*))*) => {$(
        impl<$($element: Element),*> OwnForm for ($($element,)*) {
            fn serialize_own<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
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

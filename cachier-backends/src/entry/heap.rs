//! Estimates the heap memory of a value from what it serializes.

use std::fmt::{self, Display};

use serde::ser::{self, Serialize, Serializer};

use super::lossless::Lossless;
use crate::error::{Error, ErrorKind, Operation};

/// About how many heap bytes a value owns besides its `size_of`: texts, lists, maps and boxes.
///
/// Exact for texts and lists of numbers without spare capacity, an estimate otherwise.
///
/// # Errors
/// [`ErrorKind::Codec`] for a value that refuses to be serialized, and for one that is nested more than 128 levels deep.
///
/// ```
/// use cachier_backends::entry::heap;
///
/// assert!((1000..1100).contains(&heap(&"x".repeat(1000)).unwrap()));
/// assert_eq!(heap(&[1_u64; 32]).unwrap(), 0);
/// ```
pub fn heap<V: Serialize>(value: &V) -> Result<u64, Error> {
    let taken = Lossless::unread(value)
        .serialize(Sizer)
        .map_err(|Refused(reason)| {
            let message = "the value cannot be serialized, so its size is not known";
            Error::new(ErrorKind::Codec, Operation::Store, message).with_source(Refused(reason))
        })?;
    // What exceeds the value's own size is boxed.
    let boxed = taken.inline.saturating_sub(size_of::<V>() as u64);
    Ok(taken.heap + boxed)
}

/// The overhead of an allocation.
pub(crate) const ALLOCATION: u64 = 8;

/// The header of a text, list or map: pointer, length and capacity.
pub(crate) const HEADER: u64 = 24;

/// Inline, and in the heap.
#[derive(Clone, Copy, Default)]
struct Taken {
    inline: u64,
    heap: u64,
}

#[derive(Debug)]
struct Refused(String);

struct Sizer;

/// The parts of a value so far.
struct Parts {
    holder: Holder,
    sum: Taken,
    count: u64,
}

/// The container of the parts.
#[derive(Clone, Copy)]
enum Holder {
    List,
    Map,
    /// A tuple, an array, or a struct: where it stands.
    InPlace,
}

impl Taken {
    fn inline(inline: usize) -> Self {
        let inline = inline as u64;
        Self { inline, heap: 0 }
    }

    /// A header, and so many bytes elsewhere.
    fn behind_header(bytes: u64) -> Self {
        let allocation = if bytes > 0 { ALLOCATION } else { 0 };
        Self {
            inline: HEADER,
            heap: bytes + allocation,
        }
    }
}

impl Parts {
    fn of(holder: Holder) -> Self {
        Self {
            holder,
            sum: Taken::default(),
            count: 0,
        }
    }

    fn add<T: Serialize + ?Sized>(&mut self, part: &T) -> Result<(), Refused> {
        let taken = part.serialize(Sizer)?;
        self.sum.inline += taken.inline;
        self.sum.heap += taken.heap;
        self.count += 1;
        Ok(())
    }

    fn taken(self) -> Taken {
        let Taken { inline, heap } = self.sum;
        let held = |bytes| {
            let mut taken = Taken::behind_header(bytes);
            taken.heap += heap;
            taken
        };
        match self.holder {
            Holder::List => held(inline),
            // Tables are between half full and full, and know a byte of each hash.
            Holder::Map => held(inline * 3 / 2 + self.count / 2),
            Holder::InPlace => Taken { inline, heap },
        }
    }
}

macro_rules! inline {
    ($($method:ident: $type:ty),* $(,)?) => {$(
        fn $method(self, _: $type) -> Result<Taken, Refused> {
            Ok(Taken::inline(size_of::<$type>()))
        }
    )*};
}

impl Serializer for Sizer {
    type Ok = Taken;
    type Error = Refused;
    type SerializeSeq = Parts;
    type SerializeTuple = Parts;
    type SerializeTupleStruct = Parts;
    type SerializeTupleVariant = Parts;
    type SerializeMap = Parts;
    type SerializeStruct = Parts;
    type SerializeStructVariant = Parts;

    inline! {
        serialize_bool: bool, serialize_char: char,
        serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64, serialize_i128: i128,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64, serialize_u128: u128,
        serialize_f32: f32, serialize_f64: f64,
    }

    fn serialize_str(self, value: &str) -> Result<Taken, Refused> {
        Ok(Taken::behind_header(value.len() as u64))
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<Taken, Refused> {
        Ok(Taken::behind_header(value.len() as u64))
    }

    fn serialize_none(self) -> Result<Taken, Refused> {
        Ok(Taken::inline(size_of::<Option<usize>>()))
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Taken, Refused> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<Taken, Refused> {
        Ok(Taken::default())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<Taken, Refused> {
        Ok(Taken::default())
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
    ) -> Result<Taken, Refused> {
        Ok(Taken::inline(1))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<Taken, Refused> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        value: &T,
    ) -> Result<Taken, Refused> {
        value.serialize(self)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Parts, Refused> {
        Ok(Parts::of(Holder::List))
    }

    fn serialize_tuple(self, _: usize) -> Result<Parts, Refused> {
        Ok(Parts::of(Holder::InPlace))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Parts, Refused> {
        Ok(Parts::of(Holder::InPlace))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Parts, Refused> {
        Ok(Parts::of(Holder::InPlace))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Parts, Refused> {
        Ok(Parts::of(Holder::Map))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Parts, Refused> {
        Ok(Parts::of(Holder::InPlace))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Parts, Refused> {
        Ok(Parts::of(Holder::InPlace))
    }

    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Result<Taken, Refused> {
        self.serialize_str(&value.to_string())
    }
}

macro_rules! compound {
    ($($trait:ident: $method:ident),* $(,)?) => {$(
        impl ser::$trait for Parts {
            type Ok = Taken;
            type Error = Refused;

            fn $method<T: Serialize + ?Sized>(&mut self, part: &T) -> Result<(), Refused> {
                self.add(part)
            }

            fn end(self) -> Result<Taken, Refused> {
                Ok(self.taken())
            }
        }
    )*};
}

compound! {
    SerializeSeq: serialize_element, SerializeTuple: serialize_element,
    SerializeTupleStruct: serialize_field, SerializeTupleVariant: serialize_field,
}

macro_rules! named {
    ($($trait:ident),*) => {$(
        impl ser::$trait for Parts {
            type Ok = Taken;
            type Error = Refused;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                _: &'static str,
                part: &T,
            ) -> Result<(), Refused> {
                self.add(part)
            }

            fn end(self) -> Result<Taken, Refused> {
                Ok(self.taken())
            }
        }
    )*};
}

named! { SerializeStruct, SerializeStructVariant }

impl ser::SerializeMap for Parts {
    type Ok = Taken;
    type Error = Refused;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Refused> {
        self.add(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refused> {
        self.add(value)
    }

    fn end(self) -> Result<Taken, Refused> {
        Ok(self.taken())
    }
}

impl Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

impl ser::Error for Refused {
    fn custom<T: Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

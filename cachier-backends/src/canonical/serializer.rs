//! The serializer behind [`canonical`](super).

use serde::ser::{self, Serialize};

use super::error::SerializeError;
use super::sink::Sink;
use crate::depth::Depth;

/// The newtype name that identifies [`Unordered`](super::Unordered).
pub(super) const UNORDERED: &str = "$cachier::Unordered";

/// Writes the canonical serialization of a value of at most this depth.
pub(super) fn write<T: Serialize + ?Sized, S: Sink>(
    value: &T,
    sink: &mut S,
    depth: Depth,
) -> Result<(), SerializeError> {
    value.serialize(Canonical {
        sink,
        order: Order::Insertion,
        depth,
    })
}

/// The tag that begins each piece. Part of every key: never change one.
mod tag {
    pub(super) const END: u8 = 0;
    pub(super) const UNIT: u8 = 1;
    pub(super) const FALSE: u8 = 2;
    pub(super) const TRUE: u8 = 3;
    /// A non-negative integer below 2^64: 8 bytes, big-endian like all integers.
    pub(super) const NATURAL: u8 = 4;
    /// A non-negative integer from 2^64 on: 16 bytes.
    pub(super) const LARGE_NATURAL: u8 = 5;
    /// A negative integer from -2^63 on: 8 bytes.
    pub(super) const NEGATIVE: u8 = 6;
    /// A negative integer below -2^63: 16 bytes.
    pub(super) const LARGE_NEGATIVE: u8 = 7;
    pub(super) const FLOAT: u8 = 8;
    pub(super) const CHAR: u8 = 9;
    /// The length in 8 bytes, then the text; bytes likewise.
    pub(super) const TEXT: u8 = 10;
    pub(super) const BYTES: u8 = 11;
    pub(super) const NONE: u8 = 12;
    pub(super) const SOME: u8 = 13;
    /// The elements, then END.
    pub(super) const SEQUENCE: u8 = 14;
    pub(super) const UNORDERED: u8 = 15;
    pub(super) const TUPLE: u8 = 16;
    /// Key, value, key, value, then END.
    pub(super) const MAP: u8 = 17;
    /// The name of the type, then its content.
    pub(super) const UNIT_STRUCT: u8 = 18;
    pub(super) const NEWTYPE: u8 = 19;
    pub(super) const TUPLE_STRUCT: u8 = 20;
    pub(super) const STRUCT: u8 = 21;
    /// The name of the enum, index and name of the variant, then its content.
    pub(super) const UNIT_VARIANT: u8 = 22;
    pub(super) const NEWTYPE_VARIANT: u8 = 23;
    pub(super) const TUPLE_VARIANT: u8 = 24;
    pub(super) const STRUCT_VARIANT: u8 = 25;
}

/// Whether the order of the next sequence matters.
#[derive(Clone, Copy)]
enum Order {
    Insertion,
    Sorted,
}

struct Canonical<'s, S> {
    sink: &'s mut S,
    order: Order,
    depth: Depth,
}

impl<'s, S: Sink> Canonical<'s, S> {
    fn tag(&mut self, tag: u8) {
        self.sink.put(&[tag]);
    }

    fn sized(&mut self, tag: u8, bytes: &[u8]) {
        self.tag(tag);
        self.sink.put(&(bytes.len() as u64).to_be_bytes());
        self.sink.put(bytes);
    }

    fn natural(mut self, value: u64) -> Result<(), SerializeError> {
        self.tag(tag::NATURAL);
        self.sink.put(&value.to_be_bytes());
        Ok(())
    }

    fn variant(&mut self, tag: u8, name: &str, index: u32, variant: &str) {
        self.sized(tag, name.as_bytes());
        self.sink.put(&index.to_be_bytes());
        self.sized(tag::TEXT, variant.as_bytes());
    }

    fn in_order(mut self, tag: u8) -> Result<Compound<'s, S>, SerializeError> {
        let depth = self.depth.inside(1)?;
        self.tag(tag);
        Ok(Compound {
            sink: self.sink,
            sorted: None,
            elements: 0,
            depth,
        })
    }

    fn sorted(mut self, tag: u8) -> Result<Compound<'s, S>, SerializeError> {
        let depth = self.depth.inside(1)?;
        self.tag(tag);
        Ok(Compound {
            sink: self.sink,
            sorted: Some(Vec::new()),
            elements: 0,
            depth,
        })
    }
}

/// Numbers are written as those of the widest type.
macro_rules! widened {
    ($($($method:ident($number:ty)),* => $widest:ident;)*) => {$($(
        fn $method(self, value: $number) -> Result<(), SerializeError> {
            self.$widest(value.into())
        }
    )*)*};
}

impl<'s, S: Sink> ser::Serializer for Canonical<'s, S> {
    type Ok = ();
    type Error = SerializeError;
    type SerializeSeq = Compound<'s, S>;
    type SerializeTuple = Compound<'s, S>;
    type SerializeTupleStruct = Compound<'s, S>;
    type SerializeTupleVariant = Compound<'s, S>;
    type SerializeMap = Compound<'s, S>;
    type SerializeStruct = Compound<'s, S>;
    type SerializeStructVariant = Compound<'s, S>;

    fn is_human_readable(&self) -> bool {
        false
    }

    fn serialize_bool(mut self, value: bool) -> Result<(), SerializeError> {
        self.tag(if value { tag::TRUE } else { tag::FALSE });
        Ok(())
    }

    widened! {
        serialize_u8(u8), serialize_u16(u16), serialize_u32(u32) => serialize_u64;
        serialize_i8(i8), serialize_i16(i16), serialize_i32(i32) => serialize_i64;
        serialize_f32(f32) => serialize_f64;
    }

    fn serialize_u64(self, value: u64) -> Result<(), SerializeError> {
        self.natural(value)
    }

    fn serialize_u128(mut self, value: u128) -> Result<(), SerializeError> {
        match u64::try_from(value) {
            Ok(small) => self.natural(small),
            Err(_) => {
                self.tag(tag::LARGE_NATURAL);
                self.sink.put(&value.to_be_bytes());
                Ok(())
            }
        }
    }

    fn serialize_i64(mut self, value: i64) -> Result<(), SerializeError> {
        match u64::try_from(value) {
            Ok(natural) => self.natural(natural),
            Err(_) => {
                self.tag(tag::NEGATIVE);
                self.sink.put(&value.to_be_bytes());
                Ok(())
            }
        }
    }

    fn serialize_i128(mut self, value: i128) -> Result<(), SerializeError> {
        if let Ok(natural) = u128::try_from(value) {
            return self.serialize_u128(natural);
        }
        match i64::try_from(value) {
            Ok(small) => self.serialize_i64(small),
            Err(_) => {
                self.tag(tag::LARGE_NEGATIVE);
                self.sink.put(&value.to_be_bytes());
                Ok(())
            }
        }
    }

    fn serialize_f64(mut self, value: f64) -> Result<(), SerializeError> {
        // Not the bits of `f64::NAN`, which Rust leaves unspecified.
        let bits = if value.is_nan() {
            0x7ff8_0000_0000_0000
        } else {
            value.to_bits()
        };
        self.tag(tag::FLOAT);
        self.sink.put(&bits.to_be_bytes());
        Ok(())
    }

    fn serialize_char(mut self, value: char) -> Result<(), SerializeError> {
        self.tag(tag::CHAR);
        self.sink.put(&u32::from(value).to_be_bytes());
        Ok(())
    }

    fn serialize_str(mut self, value: &str) -> Result<(), SerializeError> {
        self.sized(tag::TEXT, value.as_bytes());
        Ok(())
    }

    fn serialize_bytes(mut self, value: &[u8]) -> Result<(), SerializeError> {
        self.sized(tag::BYTES, value);
        Ok(())
    }

    fn serialize_none(mut self) -> Result<(), SerializeError> {
        self.tag(tag::NONE);
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(mut self, value: &T) -> Result<(), SerializeError> {
        self.depth = self.depth.unwrapped()?;
        self.tag(tag::SOME);
        value.serialize(self)
    }

    fn serialize_unit(mut self) -> Result<(), SerializeError> {
        self.tag(tag::UNIT);
        Ok(())
    }

    fn serialize_unit_struct(mut self, name: &'static str) -> Result<(), SerializeError> {
        self.sized(tag::UNIT_STRUCT, name.as_bytes());
        Ok(())
    }

    fn serialize_unit_variant(
        mut self,
        name: &'static str,
        index: u32,
        variant: &'static str,
    ) -> Result<(), SerializeError> {
        self.variant(tag::UNIT_VARIANT, name, index, variant);
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), SerializeError> {
        self.depth = self.depth.unwrapped()?;
        if name == UNORDERED {
            self.order = Order::Sorted;
        } else {
            self.sized(tag::NEWTYPE, name.as_bytes());
        }
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        mut self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), SerializeError> {
        let depth = self.depth.inside(1)?;
        self.variant(tag::NEWTYPE_VARIANT, name, index, variant);
        write(value, self.sink, depth)
    }

    fn serialize_seq(self, _len: Option<usize>) -> Result<Compound<'s, S>, SerializeError> {
        match self.order {
            Order::Insertion => self.in_order(tag::SEQUENCE),
            Order::Sorted => self.sorted(tag::UNORDERED),
        }
    }

    fn serialize_tuple(self, _len: usize) -> Result<Compound<'s, S>, SerializeError> {
        // Arrays look like tuples to serde.
        match self.order {
            Order::Insertion => self.in_order(tag::TUPLE),
            Order::Sorted => self.sorted(tag::UNORDERED),
        }
    }

    fn serialize_tuple_struct(
        mut self,
        name: &'static str,
        _len: usize,
    ) -> Result<Compound<'s, S>, SerializeError> {
        self.sized(tag::TUPLE_STRUCT, name.as_bytes());
        self.in_order(tag::TUPLE)
    }

    fn serialize_tuple_variant(
        mut self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        _len: usize,
    ) -> Result<Compound<'s, S>, SerializeError> {
        self.variant(tag::TUPLE_VARIANT, name, index, variant);
        self.in_order(tag::TUPLE)
    }

    fn serialize_map(self, _len: Option<usize>) -> Result<Compound<'s, S>, SerializeError> {
        self.sorted(tag::MAP)
    }

    fn serialize_struct(
        mut self,
        name: &'static str,
        _len: usize,
    ) -> Result<Compound<'s, S>, SerializeError> {
        self.sized(tag::STRUCT, name.as_bytes());
        self.in_order(tag::MAP)
    }

    fn serialize_struct_variant(
        mut self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        _len: usize,
    ) -> Result<Compound<'s, S>, SerializeError> {
        self.variant(tag::STRUCT_VARIANT, name, index, variant);
        self.in_order(tag::MAP)
    }
}

/// The inside of a sequence, tuple, struct or map: elements, then END.
struct Compound<'s, S> {
    sink: &'s mut S,
    /// Items to be sorted by their bytes: elements, or keys with their values. Keys decide the order alone, as no
    /// canonical key is a prefix of another.
    sorted: Option<Vec<Vec<u8>>>,
    /// The number of elements so far.
    elements: usize,
    /// Their maximum depth.
    depth: Depth,
}

impl<S: Sink> Compound<'_, S> {
    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), SerializeError> {
        let written = match &mut self.sorted {
            None => write(value, self.sink, self.depth),
            Some(items) => {
                let mut item = Vec::new();
                let written = write(value, &mut item, self.depth);
                items.push(item);
                written
            }
        };
        let element = self.elements;
        self.elements += 1;
        written.map_err(|error| error.inside(element))
    }

    fn field<T: Serialize + ?Sized>(
        &mut self,
        name: &str,
        value: &T,
    ) -> Result<(), SerializeError> {
        write(name, self.sink, self.depth)?;
        write(value, self.sink, self.depth)
    }

    fn end(self) -> Result<(), SerializeError> {
        if let Some(mut items) = self.sorted {
            items.sort_unstable();
            for item in items {
                self.sink.put(&item);
            }
        }
        self.sink.put(&[tag::END]);
        Ok(())
    }
}

impl<S: Sink> ser::SerializeMap for Compound<'_, S> {
    type Ok = ();
    type Error = SerializeError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), SerializeError> {
        self.element(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), SerializeError> {
        let item = self.sorted.as_mut().and_then(|items| items.last_mut());
        match item {
            Some(item) => write(value, item, self.depth),
            None => Err(ser::Error::custom("a map gave a value before its key")),
        }
    }

    fn end(self) -> Result<(), SerializeError> {
        self.end()
    }
}

/// The elements of sequences and tuples.
macro_rules! elements {
    ($($trait:ident :: $method:ident),*) => {$(
        impl<S: Sink> ser::$trait for Compound<'_, S> {
            type Ok = ();
            type Error = SerializeError;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), SerializeError> {
                self.element(value)
            }

            fn end(self) -> Result<(), SerializeError> {
                self.end()
            }
        }
    )*};
}

elements!(
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field
);

/// The fields of structs, in the order of declaration.
macro_rules! fields {
    ($($trait:ident),*) => {$(
        impl<S: Sink> ser::$trait for Compound<'_, S> {
            type Ok = ();
            type Error = SerializeError;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), SerializeError> {
                self.field(name, value)
            }

            fn end(self) -> Result<(), SerializeError> {
                self.end()
            }
        }
    )*};
}

fields!(SerializeStruct, SerializeStructVariant);

//! Serializes values in serde's human-readable form, and fails for those that would not roundtrip.
//!
//! CBOR writes `None` and `()` as null and `Some(x)` as `x`, so that `Some(None)` and `Some(())` would be read as
//! `None`; deep nesting is not read; and raw JSON can be read by `serde_json` only. This wraps any serializer and
//! rejects all of these.
//!
//! The human-readable form is the one in which serde reads what it buffers: tagged, untagged and flattened types, in
//! any format.

use serde::ser::{self, Error as _, Serialize, Serializer};

use crate::depth::Depth;

/// A value whose serialization fails rather than losing something.
pub(super) struct Lossless<'a, T: ?Sized> {
    value: &'a T,
    position: Position,
}

/// The position of a value.
#[derive(Clone, Copy)]
struct Position {
    depth: Depth,
    null: Null,
}

/// The meaning of a null when it is read.
#[derive(Clone, Copy)]
enum Null {
    Itself,
    /// The absence of the `Some` around it.
    NoneAround,
    /// None: the output is only measured, never read.
    Unread,
}

/// The type name by which `serde_json` recognises raw JSON, which nothing else can read.
const RAW_JSON: &str = "$serde_json::private::RawValue";

impl<'a, T: ?Sized> Lossless<'a, T> {
    /// A value that may be nested as deep as a reader follows.
    #[cfg(feature = "persistent")]
    pub(super) fn new(value: &'a T) -> Self {
        let (depth, null) = (Depth::VALUE, Null::Itself);
        let position = Position { depth, null };
        Self { value, position }
    }

    /// A value that is never read: only excessive depth is rejected.
    pub(super) fn unread(value: &'a T) -> Self {
        let (depth, null) = (Depth::VALUE, Null::Unread);
        let position = Position { depth, null };
        Self { value, position }
    }
}

impl<T: Serialize + ?Sized> Serialize for Lossless<'_, T> {
    fn serialize<S: Serializer>(&self, inner: S) -> Result<S::Ok, S::Error> {
        let position = self.position;
        self.value.serialize(LosslessSerializer { inner, position })
    }
}

struct LosslessSerializer<S> {
    inner: S,
    position: Position,
}

impl<S: Serializer> LosslessSerializer<S> {
    /// The inner serializer, for a value written as null.
    fn for_null(self) -> Result<S, S::Error> {
        match self.position.null {
            Null::Itself | Null::Unread => Ok(self.inner),
            Null::NoneAround => Err(S::Error::custom(
                "`Some(None)` and `Some(())` would come back as `None`",
            )),
        }
    }

    /// The inner serializer, for a value that adds levels of nesting, and the position inside.
    fn entering(self, levels: usize) -> Result<(S, Position), S::Error> {
        let null = match self.position.null {
            Null::Unread => Null::Unread,
            _ => Null::Itself,
        };
        let depth = self
            .position
            .depth
            .inside(levels)
            .map_err(S::Error::custom)?;
        Ok((self.inner, Position { depth, null }))
    }

    /// The inner serializer, for a wrapper that is not written itself, and the depth inside.
    fn unwrapping(self) -> Result<(S, Depth), S::Error> {
        let depth = self.position.depth.unwrapped().map_err(S::Error::custom)?;
        Ok((self.inner, depth))
    }
}

/// Forwards values that are never null.
macro_rules! plain {
    ($($method:ident: $type:ty),* $(,)?) => {$(
        fn $method(self, value: $type) -> Result<S::Ok, S::Error> {
            self.inner.$method(value)
        }
    )*};
}

impl<S: Serializer> Serializer for LosslessSerializer<S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = LosslessCompound<S::SerializeSeq>;
    type SerializeTuple = LosslessCompound<S::SerializeTuple>;
    type SerializeTupleStruct = LosslessCompound<S::SerializeTupleStruct>;
    type SerializeTupleVariant = LosslessCompound<S::SerializeTupleVariant>;
    type SerializeMap = LosslessCompound<S::SerializeMap>;
    type SerializeStruct = LosslessCompound<S::SerializeStruct>;
    type SerializeStructVariant = LosslessCompound<S::SerializeStructVariant>;

    plain! {
        serialize_bool: bool,
        serialize_i8: i8,
        serialize_i16: i16,
        serialize_i32: i32,
        serialize_i64: i64,
        serialize_i128: i128,
        serialize_u8: u8,
        serialize_u16: u16,
        serialize_u32: u32,
        serialize_u64: u64,
        serialize_u128: u128,
        serialize_f32: f32,
        serialize_f64: f64,
        serialize_char: char,
        serialize_str: &str,
        serialize_bytes: &[u8],
    }

    fn is_human_readable(&self) -> bool {
        true
    }

    fn serialize_none(self) -> Result<S::Ok, S::Error> {
        self.for_null()?.serialize_none()
    }

    fn serialize_unit(self) -> Result<S::Ok, S::Error> {
        self.for_null()?.serialize_unit()
    }

    fn serialize_unit_struct(self, name: &'static str) -> Result<S::Ok, S::Error> {
        self.for_null()?.serialize_unit_struct(name)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        let null = match self.position.null {
            Null::Unread => Null::Unread,
            _ => Null::NoneAround,
        };
        let (inner, depth) = self.unwrapping()?;
        let position = Position { depth, null };
        inner.serialize_some(&Lossless { value, position })
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        // CBOR does not represent newtypes: the content takes their position.
        let null = self.position.null;
        let (inner, depth) = self.unwrapping()?;
        let position = Position { depth, null };
        inner.serialize_newtype_struct(name, &Lossless { value, position })
    }

    fn serialize_unit_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
    ) -> Result<S::Ok, S::Error> {
        let (inner, _) = self.entering(1)?;
        inner.serialize_unit_variant(name, index, variant)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        let (inner, inside) = self.entering(1)?;
        inner.serialize_newtype_variant(
            name,
            index,
            variant,
            &Lossless {
                value,
                position: inside,
            },
        )
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Self::SerializeSeq, S::Error> {
        let (inner, inside) = self.entering(1)?;
        Ok(LosslessCompound(inner.serialize_seq(len)?, inside))
    }

    fn serialize_tuple(self, len: usize) -> Result<Self::SerializeTuple, S::Error> {
        let (inner, inside) = self.entering(1)?;
        Ok(LosslessCompound(inner.serialize_tuple(len)?, inside))
    }

    fn serialize_tuple_struct(
        self,
        name: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleStruct, S::Error> {
        let (inner, inside) = self.entering(1)?;
        let compound = inner.serialize_tuple_struct(name, len)?;
        Ok(LosslessCompound(compound, inside))
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleVariant, S::Error> {
        // The variant, and its array.
        let (inner, inside) = self.entering(2)?;
        let compound = inner.serialize_tuple_variant(name, index, variant, len)?;
        Ok(LosslessCompound(compound, inside))
    }

    fn serialize_map(self, len: Option<usize>) -> Result<Self::SerializeMap, S::Error> {
        let (inner, inside) = self.entering(1)?;
        Ok(LosslessCompound(inner.serialize_map(len)?, inside))
    }

    fn serialize_struct(
        self,
        name: &'static str,
        len: usize,
    ) -> Result<Self::SerializeStruct, S::Error> {
        if name == RAW_JSON && !matches!(self.position.null, Null::Unread) {
            let message = "raw JSON can be read again by `serde_json` alone; keep it as `serde_json::Value` or as text";
            return Err(S::Error::custom(message));
        }
        let (inner, inside) = self.entering(1)?;
        Ok(LosslessCompound(inner.serialize_struct(name, len)?, inside))
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeStructVariant, S::Error> {
        // The variant, and its map.
        let (inner, inside) = self.entering(2)?;
        let compound = inner.serialize_struct_variant(name, index, variant, len)?;
        Ok(LosslessCompound(compound, inside))
    }
}

/// The inside of a sequence, tuple, struct or map, and its position.
struct LosslessCompound<C>(C, Position);

macro_rules! elements {
    ($($trait:ident { $($method:ident),* })*) => {$(
        impl<C: ser::$trait> ser::$trait for LosslessCompound<C> {
            type Ok = C::Ok;
            type Error = C::Error;

            $(fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
                self.0.$method(&Lossless { value, position: self.1 })
            })*

            fn end(self) -> Result<C::Ok, C::Error> {
                self.0.end()
            }
        }
    )*};
}

elements! {
    SerializeSeq { serialize_element }
    SerializeTuple { serialize_element }
    SerializeTupleStruct { serialize_field }
    SerializeTupleVariant { serialize_field }
    SerializeMap { serialize_key, serialize_value }
}

macro_rules! fields {
    ($($trait:ident),*) => {$(
        impl<C: ser::$trait> ser::$trait for LosslessCompound<C> {
            type Ok = C::Ok;
            type Error = C::Error;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), C::Error> {
                self.0.serialize_field(name, &Lossless { value, position: self.1 })
            }

            fn skip_field(&mut self, name: &'static str) -> Result<(), C::Error> {
                self.0.skip_field(name)
            }

            fn end(self) -> Result<C::Ok, C::Error> {
                self.0.end()
            }
        }
    )*};
}

fields!(SerializeStruct, SerializeStructVariant);

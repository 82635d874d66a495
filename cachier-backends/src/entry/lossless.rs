//! Refuses the options that CBOR would lose.
//!
//! CBOR writes `None` and `()` as null and `Some(x)` as `x`, so that `Some(None)` and `Some(())`
//! would come back as `None`. This wraps any serializer and refuses them wherever they stand.

use serde::ser::{self, Error as _, Serialize, Serializer};

/// A value whose serialization fails rather than lose something.
pub(super) struct Lossless<'a, T: ?Sized> {
    value: &'a T,
    place: Place,
}

/// Where a value stands: null is ambiguous directly inside `Some`.
#[derive(Clone, Copy)]
enum Place {
    InsideSome,
    Elsewhere,
}

impl<'a, T: ?Sized> Lossless<'a, T> {
    pub(super) fn new(value: &'a T) -> Self {
        let place = Place::Elsewhere;
        Self { value, place }
    }
}

impl<T: Serialize + ?Sized> Serialize for Lossless<'_, T> {
    fn serialize<S: Serializer>(&self, inner: S) -> Result<S::Ok, S::Error> {
        let place = self.place;
        self.value.serialize(Checked { inner, place })
    }
}

struct Checked<S> {
    inner: S,
    place: Place,
}

impl<S: Serializer> Checked<S> {
    /// The inner serializer, for something that is written as null.
    fn for_null(self) -> Result<S, S::Error> {
        match self.place {
            Place::Elsewhere => Ok(self.inner),
            Place::InsideSome => Err(S::Error::custom(
                "`Some(None)` and `Some(())` would come back as `None`",
            )),
        }
    }
}

/// Hands a value on that cannot be null.
macro_rules! plain {
    ($($method:ident: $type:ty),* $(,)?) => {$(
        fn $method(self, value: $type) -> Result<S::Ok, S::Error> {
            self.inner.$method(value)
        }
    )*};
}

impl<S: Serializer> Serializer for Checked<S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = CheckedCompound<S::SerializeSeq>;
    type SerializeTuple = CheckedCompound<S::SerializeTuple>;
    type SerializeTupleStruct = CheckedCompound<S::SerializeTupleStruct>;
    type SerializeTupleVariant = CheckedCompound<S::SerializeTupleVariant>;
    type SerializeMap = CheckedCompound<S::SerializeMap>;
    type SerializeStruct = CheckedCompound<S::SerializeStruct>;
    type SerializeStructVariant = CheckedCompound<S::SerializeStructVariant>;

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
        self.inner.is_human_readable()
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
        let place = Place::InsideSome;
        self.inner.serialize_some(&Lossless { value, place })
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        // CBOR does not show a newtype: what it holds stands where it stands.
        let place = self.place;
        let value = &Lossless { value, place };
        self.inner.serialize_newtype_struct(name, value)
    }

    fn serialize_unit_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
    ) -> Result<S::Ok, S::Error> {
        self.inner.serialize_unit_variant(name, index, variant)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        let value = &Lossless::new(value);
        self.inner
            .serialize_newtype_variant(name, index, variant, value)
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Self::SerializeSeq, S::Error> {
        self.inner.serialize_seq(len).map(CheckedCompound)
    }

    fn serialize_tuple(self, len: usize) -> Result<Self::SerializeTuple, S::Error> {
        self.inner.serialize_tuple(len).map(CheckedCompound)
    }

    fn serialize_tuple_struct(
        self,
        name: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleStruct, S::Error> {
        let compound = self.inner.serialize_tuple_struct(name, len);
        compound.map(CheckedCompound)
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleVariant, S::Error> {
        let compound = self
            .inner
            .serialize_tuple_variant(name, index, variant, len);
        compound.map(CheckedCompound)
    }

    fn serialize_map(self, len: Option<usize>) -> Result<Self::SerializeMap, S::Error> {
        self.inner.serialize_map(len).map(CheckedCompound)
    }

    fn serialize_struct(
        self,
        name: &'static str,
        len: usize,
    ) -> Result<Self::SerializeStruct, S::Error> {
        self.inner.serialize_struct(name, len).map(CheckedCompound)
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeStructVariant, S::Error> {
        let compound = self
            .inner
            .serialize_struct_variant(name, index, variant, len);
        compound.map(CheckedCompound)
    }
}

/// The inside of a sequence, tuple, struct or map.
struct CheckedCompound<C>(C);

macro_rules! elements {
    ($($trait:ident { $($method:ident),* })*) => {$(
        impl<C: ser::$trait> ser::$trait for CheckedCompound<C> {
            type Ok = C::Ok;
            type Error = C::Error;

            $(fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
                self.0.$method(&Lossless::new(value))
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
        impl<C: ser::$trait> ser::$trait for CheckedCompound<C> {
            type Ok = C::Ok;
            type Error = C::Error;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), C::Error> {
                self.0.serialize_field(name, &Lossless::new(value))
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

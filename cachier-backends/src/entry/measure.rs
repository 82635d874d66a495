//! The size of a value as CBOR, without encoding it: values in memory are measured where nothing else needs CBOR.

use std::fmt::{self, Display};

use serde::ser::{self, Serialize, Serializer};

use super::lossless::Lossless;
use crate::error::{Error, ErrorKind, Operation};

/// The size in bytes of the value as `encode_value` encodes it, without encoding it.
///
/// ```
/// use cachier_backends::entry::{encode_value, measure};
///
/// let value = ("Oslo", 3);
/// assert_eq!(measure(&value)?, encode_value(&value)?.len() as u64);
/// # Ok::<(), cachier_backends::Error>(())
/// ```
///
/// # Errors
/// [`ErrorKind::Codec`] for a value that fails to serialize, or is nested more than 128 levels deep.
pub fn measure<V: Serialize + ?Sized>(value: &V) -> Result<u64, Error> {
    Lossless::unread(value)
        .serialize(Measurer)
        .map_err(NotMeasurable::into_error)
}

/// Why a value has no size.
#[derive(Debug)]
pub(super) struct NotMeasurable(String);

impl NotMeasurable {
    pub(super) fn into_error(self) -> Error {
        let message = "the value cannot be serialized, so its size is not known";
        Error::new(ErrorKind::Codec, Operation::Store, message).with_source(self)
    }
}

struct Measurer;

/// The bytes of a value's parts so far, and of what is around them.
struct Measured(u64);

/// The bytes of a number, or of the length before a text or a list.
fn head(number: u64) -> u64 {
    match number {
        0..=23 => 1,
        24..=0xff => 2,
        0x100..=0xffff => 3,
        0x1_0000..=0xffff_ffff => 5,
        _ => 9,
    }
}

fn text(length: usize) -> u64 {
    head(length as u64) + length as u64
}

/// A number of up to 128 bits: one of more than 64 is a tag and its bytes.
fn integer(number: u128) -> u64 {
    match u64::try_from(number) {
        Ok(number) => head(number),
        Err(_) => 1 + text(16 - number.leading_zeros() as usize / 8),
    }
}

/// A negative number is stored by its distance from -1.
fn signed(number: i128) -> u64 {
    integer((number ^ (number >> 127)).cast_unsigned())
}

/// The shortest float that is the same.
fn float(number: f64) -> u64 {
    match number {
        _ if is_half(number) => 3,
        _ if f64::from(number as f32).to_bits() == number.to_bits() => 5,
        _ => 9,
    }
}

/// Whether there is such a float of 16 bits.
fn is_half(number: f64) -> bool {
    let bits = number.to_bits();
    let exponent = ((bits >> 52) & 0x7ff) as i64 - 1023;
    let kept_bits = match exponent {
        -1023 => return number == 0.0,
        // Below the smallest normal one, each power of two takes a bit.
        -24..=-15 => 24 + exponent,
        -14..=15 => 10,
        // Not a number is always a quiet one.
        1024 if number.is_nan() && bits & (1 << 51) == 0 => return false,
        1024 => 10,
        _ => return false,
    };
    bits & ((1 << (52 - kept_bits)) - 1) == 0
}

/// A list or a map of this many; of unknown length, it has an end.
fn bounds(length: Option<usize>) -> u64 {
    length.map_or(2, |length| head(length as u64))
}

/// A variant with content: a map of one, and the variant's name.
fn variant(name: &str) -> u64 {
    1 + text(name.len())
}

macro_rules! fixed {
    ($($method:ident($value:ident: $type:ty) = $size:expr;)*) => {$(
        fn $method(self, $value: $type) -> Result<u64, NotMeasurable> {
            Ok($size)
        }
    )*};
}

impl Serializer for Measurer {
    type Ok = u64;
    type Error = NotMeasurable;
    type SerializeSeq = Measured;
    type SerializeTuple = Measured;
    type SerializeTupleStruct = Measured;
    type SerializeTupleVariant = Measured;
    type SerializeMap = Measured;
    type SerializeStruct = Measured;
    type SerializeStructVariant = Measured;

    fixed! {
        serialize_bool(_value: bool) = 1;
        serialize_i8(value: i8) = signed(value.into());
        serialize_i16(value: i16) = signed(value.into());
        serialize_i32(value: i32) = signed(value.into());
        serialize_i64(value: i64) = signed(value.into());
        serialize_i128(value: i128) = signed(value);
        serialize_u8(value: u8) = head(value.into());
        serialize_u16(value: u16) = head(value.into());
        serialize_u32(value: u32) = head(value.into());
        serialize_u64(value: u64) = head(value);
        serialize_u128(value: u128) = integer(value);
        serialize_f32(value: f32) = float(value.into());
        serialize_f64(value: f64) = float(value);
        serialize_char(value: char) = text(value.len_utf8());
        serialize_str(value: &str) = text(value.len());
        serialize_bytes(value: &[u8]) = text(value.len());
        serialize_unit_struct(_name: &'static str) = 1;
    }

    fn serialize_none(self) -> Result<u64, NotMeasurable> {
        Ok(1)
    }

    fn serialize_unit(self) -> Result<u64, NotMeasurable> {
        Ok(1)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<u64, NotMeasurable> {
        value.serialize(self)
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
    ) -> Result<u64, NotMeasurable> {
        Ok(text(name.len()))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<u64, NotMeasurable> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        value: &T,
    ) -> Result<u64, NotMeasurable> {
        Ok(variant(name) + value.serialize(self)?)
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<Measured, NotMeasurable> {
        Ok(Measured(bounds(length)))
    }

    fn serialize_tuple(self, length: usize) -> Result<Measured, NotMeasurable> {
        Ok(Measured(bounds(Some(length))))
    }

    fn serialize_tuple_struct(
        self,
        _: &'static str,
        length: usize,
    ) -> Result<Measured, NotMeasurable> {
        Ok(Measured(bounds(Some(length))))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        length: usize,
    ) -> Result<Measured, NotMeasurable> {
        Ok(Measured(variant(name) + bounds(Some(length))))
    }

    fn serialize_map(self, length: Option<usize>) -> Result<Measured, NotMeasurable> {
        Ok(Measured(bounds(length)))
    }

    fn serialize_struct(self, _: &'static str, length: usize) -> Result<Measured, NotMeasurable> {
        Ok(Measured(bounds(Some(length))))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        length: usize,
    ) -> Result<Measured, NotMeasurable> {
        Ok(Measured(variant(name) + bounds(Some(length))))
    }
}

impl Measured {
    fn add<T: Serialize + ?Sized>(&mut self, part: &T) -> Result<(), NotMeasurable> {
        self.0 += part.serialize(Measurer)?;
        Ok(())
    }
}

macro_rules! elements {
    ($($trait:ident: $($method:ident),*;)*) => {$(
        impl ser::$trait for Measured {
            type Ok = u64;
            type Error = NotMeasurable;

            $(fn $method<T: Serialize + ?Sized>(&mut self, part: &T) -> Result<(), NotMeasurable> {
                self.add(part)
            })*

            fn end(self) -> Result<u64, NotMeasurable> {
                Ok(self.0)
            }
        }
    )*};
}

elements! {
    SerializeSeq: serialize_element;
    SerializeTuple: serialize_element;
    SerializeTupleStruct: serialize_field;
    SerializeTupleVariant: serialize_field;
    SerializeMap: serialize_key, serialize_value;
}

macro_rules! fields {
    ($($trait:ident),*) => {$(
        impl ser::$trait for Measured {
            type Ok = u64;
            type Error = NotMeasurable;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                part: &T,
            ) -> Result<(), NotMeasurable> {
                self.0 += text(name.len());
                self.add(part)
            }

            fn end(self) -> Result<u64, NotMeasurable> {
                Ok(self.0)
            }
        }
    )*};
}

fields! { SerializeStruct, SerializeStructVariant }

impl Display for NotMeasurable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NotMeasurable {}

impl ser::Error for NotMeasurable {
    fn custom<T: Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

#[cfg(all(test, feature = "persistent"))]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::entry::encode_value;

    fn is_measured<V: Serialize + std::fmt::Debug>(value: V) {
        let encoded = encode_value(&value).expect("it can be encoded").len() as u64;
        assert_eq!(measure(&value).ok(), Some(encoded), "{value:?}");
    }

    /// Each float of 16 bits, and its neighbours.
    #[test]
    fn the_shortest_floats_are_measured() {
        for sign in [0, 1 << 63] {
            for exponent in 1023 - 27..=1023 + 18 {
                for mantissa in (0_u64..1 << 10).step_by(11) {
                    let bits = sign | exponent << 52 | mantissa << 42;
                    for bits in [bits, bits | 1 << 41, bits | 1 << 29, bits | 1] {
                        is_measured(f64::from_bits(bits));
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_no_number_is_measured() {
        for exponent in [0_u64, 0x7ff] {
            for mantissa in [0, 1, 1 << 28, 1 << 29, 1 << 41, 1 << 42, 1 << 51, 3 << 50] {
                for sign in [0, 1 << 63] {
                    is_measured(f64::from_bits(sign | exponent << 52 | mantissa));
                }
            }
        }
    }

    #[test]
    fn numbers_are_measured_at_each_length() {
        for bits in 0..128 {
            for number in [1_u128 << bits, (1 << bits) - 1] {
                is_measured(number);
                is_measured(number.cast_signed());
                is_measured(!number.cast_signed());
                is_measured((number as u64, number as i64, !number as i64, number as i8));
            }
        }
    }

    proptest! {
        #[test]
        fn any_float_and_text_is_measured(number: f64, small: f32, word: String, length in 0_usize..70_000) {
            is_measured((number, small, word.as_str(), word.chars().next()));
            is_measured("x".repeat(length));
            is_measured(vec![0_u8; length % 400]);
        }
    }
}

//! Reads values quickly, and only what is common.
//!
//! The CBOR of ciborium comes from any stream, byte by byte and through a buffer: that is most of what a hit on a store
//! computes. This takes it from a slice. It reads what it knows as ciborium does; at anything else, be it rare (tags, big
//! numbers, text in segments), of another type, or hostile, it gives up, and ciborium has the last word.

use std::fmt;

use serde::de::{self, DeserializeOwned, DeserializeSeed, Deserializer, Visitor};

/// The value that all of `bytes` are, nested so many levels deep at most; `None` leaves it to ciborium.
pub(super) fn read<V: DeserializeOwned>(bytes: &[u8], levels: usize) -> Option<V> {
    let rest = bytes;
    let mut reader = Reader { rest, levels };
    let value = V::deserialize(&mut reader).ok()?;
    reader.rest.is_empty().then_some(value)
}

struct Reader<'a> {
    rest: &'a [u8],
    levels: usize,
}

/// What an item begins with.
enum Head {
    Positive(u64),
    /// All bits inverted.
    Negative(u64),
    Bytes(usize),
    Text(usize),
    /// So many elements, or those up to a break.
    Array(Option<usize>),
    Map(Option<usize>),
    Bool(bool),
    Null,
    Float(f64),
}

const NULL: u8 = 0xf6;
const UNDEFINED: u8 = 0xf7;
const BREAK: u8 = 0xff;

/// Ciborium's name for an enum that is no enum, but a tag and what it is on.
const TAG: &str = "@@TAG@@";

/// It gives up, and nobody asks why.
#[derive(Debug)]
struct GivenUp;

type Read<T> = Result<T, GivenUp>;

impl<'a> Reader<'a> {
    #[inline]
    fn head(&mut self) -> Read<Head> {
        let [first] = self.take_chunk()?;
        let (major, minor) = (first >> 5, first & 31);
        Ok(match major {
            0 => Head::Positive(self.argument(minor)?),
            1 => Head::Negative(self.argument(minor)?),
            2 => Head::Bytes(self.length(minor)?),
            3 => Head::Text(self.length(minor)?),
            4 => Head::Array(self.count(minor)?),
            5 => Head::Map(self.count(minor)?),
            7 => match minor {
                20 => Head::Bool(false),
                21 => Head::Bool(true),
                22 | 23 => Head::Null,
                25 => Head::Float(of_half(u16::from_be_bytes(self.take_chunk()?))),
                26 => Head::Float(f32::from_be_bytes(self.take_chunk()?).into()),
                27 => Head::Float(f64::from_be_bytes(self.take_chunk()?)),
                _ => return Err(GivenUp),
            },
            _ => return Err(GivenUp),
        })
    }

    #[inline]
    fn argument(&mut self, minor: u8) -> Read<u64> {
        Ok(match minor {
            0..24 => minor.into(),
            24 => u8::from_be_bytes(self.take_chunk()?).into(),
            25 => u16::from_be_bytes(self.take_chunk()?).into(),
            26 => u32::from_be_bytes(self.take_chunk()?).into(),
            27 => u64::from_be_bytes(self.take_chunk()?),
            _ => return Err(GivenUp),
        })
    }

    fn length(&mut self, minor: u8) -> Read<usize> {
        usize::try_from(self.argument(minor)?).map_err(|_| GivenUp)
    }

    fn count(&mut self, minor: u8) -> Read<Option<usize>> {
        match minor {
            31 => Ok(None),
            _ => self.length(minor).map(Some),
        }
    }

    #[inline]
    fn take_chunk<const N: usize>(&mut self) -> Read<[u8; N]> {
        let (chunk, rest) = self.rest.split_first_chunk().ok_or(GivenUp)?;
        self.rest = rest;
        Ok(*chunk)
    }

    fn take(&mut self, length: usize) -> Read<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(GivenUp)?;
        self.rest = rest;
        Ok(taken)
    }

    fn take_text(&mut self, length: usize) -> Read<&'a str> {
        std::str::from_utf8(self.take(length)?).map_err(|_| GivenUp)
    }

    /// Passes over the next byte, if it is one of these.
    #[inline]
    fn passes(&mut self, bytes: &[u8]) -> bool {
        match self.rest {
            [first, rest @ ..] if bytes.contains(first) => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    fn text(&mut self) -> Read<&'a str> {
        match self.head()? {
            Head::Text(length) => self.take_text(length),
            _ => Err(GivenUp),
        }
    }

    fn bytes(&mut self) -> Read<&'a [u8]> {
        match self.head()? {
            Head::Bytes(length) => self.take(length),
            _ => Err(GivenUp),
        }
    }

    #[inline]
    fn number<T: TryFrom<i128>>(&mut self) -> Read<T> {
        let number = match self.head()? {
            Head::Positive(number) => number.into(),
            Head::Negative(inverted) => !i128::from(inverted),
            _ => return Err(GivenUp),
        };
        T::try_from(number).map_err(|_| GivenUp)
    }

    /// Reads what is one level deeper.
    #[inline]
    fn inside<T>(&mut self, read: impl FnOnce(&mut Self) -> Read<T>) -> Read<T> {
        self.levels = self.levels.checked_sub(1).ok_or(GivenUp)?;
        let done = read(self);
        self.levels += 1;
        done
    }
}

/// Numbers of one kind, whatever their width.
macro_rules! numbers {
    ($($method:ident => $visit:ident),* $(,)?) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
            visitor.$visit(self.number()?)
        }
    )*};
}

impl<'de> Deserializer<'de> for &mut Reader<'de> {
    type Error = GivenUp;

    numbers! {
        deserialize_u8 => visit_u64,
        deserialize_u16 => visit_u64,
        deserialize_u32 => visit_u64,
        deserialize_u64 => visit_u64,
        deserialize_u128 => visit_u128,
        deserialize_i8 => visit_i64,
        deserialize_i16 => visit_i64,
        deserialize_i32 => visit_i64,
        deserialize_i64 => visit_i64,
        deserialize_i128 => visit_i128,
    }

    fn is_human_readable(&self) -> bool {
        false
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        match self.head()? {
            Head::Positive(number) => visitor.visit_u64(number),
            Head::Negative(inverted) => match i64::try_from(inverted) {
                Ok(inverted) => visitor.visit_i64(!inverted),
                Err(_) => visitor.visit_i128(!i128::from(inverted)),
            },
            Head::Bytes(length) => visitor.visit_bytes(self.take(length)?),
            Head::Text(length) => visitor.visit_str(self.take_text(length)?),
            Head::Array(left) => self.inside(|reader| visitor.visit_seq(Inside { reader, left })),
            Head::Map(left) => self.inside(|reader| visitor.visit_map(Inside { reader, left })),
            Head::Bool(value) => visitor.visit_bool(value),
            Head::Null => visitor.visit_none(),
            Head::Float(value) => visitor.visit_f64(value),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.deserialize_any(visitor)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        match self.head()? {
            Head::Bool(value) => visitor.visit_bool(value),
            _ => Err(GivenUp),
        }
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        match self.head()? {
            Head::Float(value) => visitor.visit_f64(value),
            _ => Err(GivenUp),
        }
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        let mut characters = self.text()?.chars();
        match (characters.next(), characters.next()) {
            (Some(character), None) => visitor.visit_char(character),
            _ => Err(GivenUp),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        visitor.visit_str(self.text()?)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        visitor.visit_string(self.text()?.to_owned())
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        visitor.visit_str(self.text()?)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        visitor.visit_bytes(self.bytes()?)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        visitor.visit_byte_buf(self.bytes()?.to_owned())
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        if self.passes(&[NULL, UNDEFINED]) {
            visitor.visit_none()
        } else {
            visitor.visit_some(self)
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        match self.head()? {
            Head::Null => visitor.visit_unit(),
            _ => Err(GivenUp),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Read<V::Value> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Read<V::Value> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        match self.head()? {
            Head::Array(left) => self.inside(|reader| visitor.visit_seq(Inside { reader, left })),
            _ => Err(GivenUp),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Read<V::Value> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Read<V::Value> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        match self.head()? {
            Head::Map(left) => self.inside(|reader| visitor.visit_map(Inside { reader, left })),
            _ => Err(GivenUp),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Read<V::Value> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Read<V::Value> {
        // A map of the variant to what it holds, or the variant alone.
        const MAP_OF_ONE: u8 = 0xa1;
        let is_text = |first: &u8| first >> 5 == 3;
        if name == TAG || !(self.passes(&[MAP_OF_ONE]) || self.rest.first().is_some_and(is_text)) {
            return Err(GivenUp);
        }
        self.inside(|reader| {
            let left = Some(0);
            visitor.visit_enum(Inside { reader, left })
        })
    }
}

/// The elements of an array or a map, or the content of a variant.
struct Inside<'r, 'a> {
    reader: &'r mut Reader<'a>,
    /// How many elements are left, if not those up to a break.
    left: Option<usize>,
}

impl Inside<'_, '_> {
    #[inline]
    fn is_over(&mut self) -> bool {
        match &mut self.left {
            Some(0) => true,
            Some(left) => {
                *left -= 1;
                false
            }
            None => self.reader.passes(&[BREAK]),
        }
    }
}

impl<'de> de::SeqAccess<'de> for Inside<'_, 'de> {
    type Error = GivenUp;

    #[inline]
    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Read<Option<S::Value>> {
        if self.is_over() {
            return Ok(None);
        }
        seed.deserialize(&mut *self.reader).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        self.left
    }
}

impl<'de> de::MapAccess<'de> for Inside<'_, 'de> {
    type Error = GivenUp;

    #[inline]
    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Read<Option<S::Value>> {
        de::SeqAccess::next_element_seed(self, seed)
    }

    #[inline]
    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Read<S::Value> {
        seed.deserialize(&mut *self.reader)
    }

    fn size_hint(&self) -> Option<usize> {
        self.left
    }
}

impl<'de> de::EnumAccess<'de> for Inside<'_, 'de> {
    type Error = GivenUp;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Read<(S::Value, Self)> {
        Ok((seed.deserialize(&mut *self.reader)?, self))
    }
}

impl<'de> de::VariantAccess<'de> for Inside<'_, 'de> {
    type Error = GivenUp;

    fn unit_variant(self) -> Read<()> {
        Ok(())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Read<S::Value> {
        seed.deserialize(self.reader)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Read<V::Value> {
        self.reader.deserialize_any(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Read<V::Value> {
        self.reader.deserialize_any(visitor)
    }
}

/// RFC 8949, appendix D.
fn of_half(bits: u16) -> f64 {
    let (exponent, mantissa) = (i32::from(bits >> 10 & 31), f64::from(bits & 0x3ff));
    let value = match exponent {
        0 => mantissa * 2f64.powi(-24),
        31 if mantissa == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (mantissa + 1024.0) * 2f64.powi(exponent - 25),
    };
    if bits >> 15 == 1 { -value } else { value }
}

impl fmt::Display for GivenUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it is left to ciborium")
    }
}

impl std::error::Error for GivenUp {}

impl de::Error for GivenUp {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

#[cfg(test)]
#[path = "quick_tests.rs"]
mod tests;

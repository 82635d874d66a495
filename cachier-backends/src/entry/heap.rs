//! Estimates the heap memory of a value from what it serializes.

use std::fmt::Display;

use serde::ser::{self, Serialize, Serializer};

use super::lossless::Lossless;
use super::measure::NotMeasurable;
use crate::error::Error;

/// About how many heap bytes a value owns besides its `size_of`: texts, lists, maps and boxes.
///
/// Exact for texts and lists of numbers without spare capacity and for hash maps of numbers that have grown to their size, an
/// estimate otherwise. Types that serialize alike count alike: a set as a list, which takes several times less, and a B-tree as a hash
/// map.
///
/// # Errors
/// [`ErrorKind::Codec`](crate::ErrorKind::Codec) for a value that refuses to be serialized, and for one that is nested more than 128 levels deep.
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
        .map_err(NotMeasurable::into_error)?;
    // Anything beyond the value's own size is boxed.
    let known = taken.inline.saturating_sub(taken.guessed);
    let boxed = known.saturating_sub(size_of::<V>() as u64);
    Ok(taken.heap + boxed)
}

/// The overhead of an allocation.
pub(crate) const ALLOCATION: u64 = 8;

const WORD: u64 = 8;

/// The header of a text, list or map: pointer, length and capacity.
pub(crate) const HEADER: u64 = 24;

/// The size of a value inline, as the compiler lays it out, and in the heap.
#[derive(Clone, Copy)]
struct HeapSize {
    inline: u64,
    align: u64,
    /// Whether an `Option` of it takes no more than it does, since it leaves some bits unused.
    has_niche: bool,
    /// How much of `inline` is a guess, for each `None`: nothing says what it would be of.
    guessed: u64,
    heap: u64,
}

struct Sizer;

/// The parts of a value so far.
struct Parts {
    holder: Holder,
    /// The sum of parts next to each other.
    sum: HeapSize,
    /// The largest of a list's items, or of a map's keys and values, as all of a type have one size.
    kinds: [HeapSize; 2],
    count: u64,
}

/// The container of the parts.
#[derive(Clone, Copy)]
enum Holder {
    List,
    Map,
    /// A tuple, an array, or a struct: where it stands.
    InPlace,
    /// A variant with several fields.
    Variant,
}

impl Default for HeapSize {
    /// Nothing.
    fn default() -> Self {
        Self {
            inline: 0,
            align: 1,
            has_niche: false,
            guessed: 0,
            heap: 0,
        }
    }
}

impl HeapSize {
    /// A number, aligned to its size.
    fn number(size: usize) -> Self {
        let size = size as u64;
        Self {
            inline: size,
            align: size,
            ..Self::default()
        }
    }

    /// An inline header, and this many bytes on the heap.
    fn behind_header(bytes: u64) -> Self {
        let allocation = if bytes > 0 { ALLOCATION } else { 0 };
        Self {
            inline: HEADER,
            align: WORD,
            has_niche: true,
            guessed: 0,
            heap: bytes + allocation,
        }
    }

    fn with_niche(self) -> Self {
        Self {
            has_niche: true,
            ..self
        }
    }

    /// Both next to each other, before padding. Fields are in the order of their alignment, so that none stands between.
    fn plus(self, other: Self) -> Self {
        Self {
            inline: self.inline + other.inline,
            align: self.align.max(other.align),
            has_niche: self.has_niche || other.has_niche,
            guessed: self.guessed + other.guessed,
            heap: self.heap + other.heap,
        }
    }

    fn padded(self) -> Self {
        Self {
            inline: self.inline.next_multiple_of(self.align),
            ..self
        }
    }

    /// Adds one of the same type, whose size is that of the largest known.
    fn add(&mut self, one: Self) {
        let is_better = match (self.guessed > 0, one.guessed > 0) {
            (false, true) => self.inline == 0,
            (true, false) => true,
            _ => one.inline > self.inline,
        };
        let better = if is_better { one } else { *self };
        *self = Self {
            align: self.align.max(one.align),
            heap: self.heap + one.heap,
            ..better
        };
    }

    /// The size in an enum or an `Option`: with a discriminant, unless there are unused bits.
    fn tagged(self) -> Self {
        match self.has_niche {
            true => self,
            false => self.plus(Self::number(1)).padded().with_niche(),
        }
    }
}

impl Parts {
    fn of(holder: Holder) -> Self {
        Self {
            holder,
            sum: HeapSize::default(),
            kinds: [HeapSize::default(); 2],
            count: 0,
        }
    }

    fn add<T: Serialize + ?Sized>(&mut self, part: &T) -> Result<(), NotMeasurable> {
        let taken = part.serialize(Sizer)?;
        match self.holder {
            Holder::List => self.kinds[0].add(taken),
            // Keys and values take turns.
            Holder::Map => self.kinds[(self.count % 2) as usize].add(taken),
            Holder::InPlace | Holder::Variant => self.sum = self.sum.plus(taken),
        }
        self.count += 1;
        Ok(())
    }

    fn taken(self) -> HeapSize {
        let [one, other] = self.kinds;
        let item = one.plus(other).padded();
        let held = |bytes| {
            let mut taken = HeapSize::behind_header(bytes);
            taken.heap += item.heap;
            taken
        };
        match self.holder {
            Holder::List => held(item.inline * self.count),
            Holder::Map => held(table(item.inline, self.count / 2)),
            Holder::InPlace => self.sum.padded(),
            Holder::Variant => self.sum.padded().tagged(),
        }
    }
}

/// The size of a `HashMap`'s table that has grown to so many items: a power of two of buckets, of which it fills seven in
/// eight, and for each of them, and for one group more, a byte of a hash.
fn table(item: u64, items: u64) -> u64 {
    const GROUP: u64 = 16;
    let buckets = match items {
        0 => return 0,
        1..=3 => 4,
        4..=7 => 8,
        _ => (items.saturating_mul(8) / 7).next_power_of_two(),
    };
    (item * buckets).next_multiple_of(GROUP) + buckets + GROUP
}

macro_rules! inline {
    ($($method:ident: $type:ty),* $(,)?) => {$(
        fn $method(self, _: $type) -> Result<HeapSize, NotMeasurable> {
            Ok(HeapSize::number(size_of::<$type>()))
        }
    )*};
}

impl Serializer for Sizer {
    type Ok = HeapSize;
    type Error = NotMeasurable;
    type SerializeSeq = Parts;
    type SerializeTuple = Parts;
    type SerializeTupleStruct = Parts;
    type SerializeTupleVariant = Parts;
    type SerializeMap = Parts;
    type SerializeStruct = Parts;
    type SerializeStructVariant = Parts;

    inline! {
        serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64, serialize_i128: i128,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64, serialize_u128: u128,
        serialize_f32: f32, serialize_f64: f64,
    }

    fn serialize_bool(self, _: bool) -> Result<HeapSize, NotMeasurable> {
        Ok(HeapSize::number(size_of::<bool>()).with_niche())
    }

    fn serialize_char(self, _: char) -> Result<HeapSize, NotMeasurable> {
        Ok(HeapSize::number(size_of::<char>()).with_niche())
    }

    fn serialize_str(self, value: &str) -> Result<HeapSize, NotMeasurable> {
        Ok(HeapSize::behind_header(value.len() as u64))
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<HeapSize, NotMeasurable> {
        Ok(HeapSize::behind_header(value.len() as u64))
    }

    fn serialize_none(self) -> Result<HeapSize, NotMeasurable> {
        let guess = HeapSize::number(size_of::<u64>()).tagged();
        Ok(HeapSize {
            align: 1,
            guessed: guess.inline,
            ..guess
        })
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<HeapSize, NotMeasurable> {
        value.serialize(self).map(HeapSize::tagged)
    }

    fn serialize_unit(self) -> Result<HeapSize, NotMeasurable> {
        Ok(HeapSize::default())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<HeapSize, NotMeasurable> {
        Ok(HeapSize::default())
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
    ) -> Result<HeapSize, NotMeasurable> {
        Ok(HeapSize::number(1).with_niche())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<HeapSize, NotMeasurable> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        value: &T,
    ) -> Result<HeapSize, NotMeasurable> {
        value.serialize(self).map(HeapSize::tagged)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Parts, NotMeasurable> {
        Ok(Parts::of(Holder::List))
    }

    fn serialize_tuple(self, _: usize) -> Result<Parts, NotMeasurable> {
        Ok(Parts::of(Holder::InPlace))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Parts, NotMeasurable> {
        Ok(Parts::of(Holder::InPlace))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Parts, NotMeasurable> {
        Ok(Parts::of(Holder::Variant))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Parts, NotMeasurable> {
        Ok(Parts::of(Holder::Map))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Parts, NotMeasurable> {
        Ok(Parts::of(Holder::InPlace))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Parts, NotMeasurable> {
        Ok(Parts::of(Holder::Variant))
    }

    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Result<HeapSize, NotMeasurable> {
        self.serialize_str(&value.to_string())
    }
}

macro_rules! compound {
    ($($trait:ident: $method:ident),* $(,)?) => {$(
        impl ser::$trait for Parts {
            type Ok = HeapSize;
            type Error = NotMeasurable;

            fn $method<T: Serialize + ?Sized>(&mut self, part: &T) -> Result<(), NotMeasurable> {
                self.add(part)
            }

            fn end(self) -> Result<HeapSize, NotMeasurable> {
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
            type Ok = HeapSize;
            type Error = NotMeasurable;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                _: &'static str,
                part: &T,
            ) -> Result<(), NotMeasurable> {
                self.add(part)
            }

            fn end(self) -> Result<HeapSize, NotMeasurable> {
                Ok(self.taken())
            }
        }
    )*};
}

named! { SerializeStruct, SerializeStructVariant }

impl ser::SerializeMap for Parts {
    type Ok = HeapSize;
    type Error = NotMeasurable;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), NotMeasurable> {
        self.add(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), NotMeasurable> {
        self.add(value)
    }

    fn end(self) -> Result<HeapSize, NotMeasurable> {
        Ok(self.taken())
    }
}

#[cfg(test)]
#[path = "heap_tests.rs"]
mod tests;

//! Arbitrary serde data, and a model of their equality.

use proptest::prelude::*;
use serde::ser::{
    Serialize, SerializeMap, SerializeStruct, SerializeStructVariant, SerializeTuple, Serializer,
};

use super::random::Random;
use cachier_backends::canonical::Unordered;

#[derive(Clone, Debug)]
pub enum Data {
    Unit,
    Bool(bool),
    Integer(i128, Width),
    Natural(u128),
    Double(f64),
    Single(f32),
    Char(char),
    Text(&'static str),
    Bytes(&'static [u8]),
    None,
    Some(Box<Data>),
    Sequence(Vec<Data>),
    Unordered(Vec<Data>),
    Tuple(Vec<Data>),
    Map(Vec<(Data, Data)>),
    Newtype(&'static str, Box<Data>),
    Struct(&'static str, Vec<(&'static str, Data)>),
    UnitVariant(u32),
    NewtypeVariant(u32, Box<Data>),
    StructVariant(u32, Vec<(&'static str, Data)>),
}

/// The integer type to write it as, if it fits.
#[derive(Clone, Copy, Debug)]
pub enum Width {
    I8,
    U8,
    I16,
    I32,
    U32,
    I64,
    U64,
    I128,
}

/// Canonical data: what equality is about.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Normal {
    Leaf(&'static str, Vec<u8>),
    Integer(i128),
    Natural(u128),
    Float(u64),
    List(&'static str, Vec<Normal>),
    Named(&'static str, &'static str, Vec<(&'static str, Normal)>),
    Variant(u32, Vec<(&'static str, Normal)>),
}

impl Data {
    pub fn normal(&self) -> Normal {
        let all = |data: &[Self]| data.iter().map(Self::normal).collect::<Vec<_>>();
        let fields = |data: &[(&'static str, Self)]| {
            let normal = data.iter().map(|(name, data)| (*name, data.normal()));
            normal.collect::<Vec<_>>()
        };
        let sorted = |mut data: Vec<Normal>| {
            data.sort();
            data
        };
        match self {
            Self::Unit => Normal::Leaf("unit", vec![]),
            Self::Bool(data) => Normal::Leaf("bool", vec![u8::from(*data)]),
            Self::Integer(data, _) => Normal::Integer(*data),
            Self::Natural(data) => {
                i128::try_from(*data).map_or(Normal::Natural(*data), Normal::Integer)
            }
            Self::Double(data) => Normal::Float(bits(*data)),
            Self::Single(data) => Normal::Float(bits(f64::from(*data))),
            Self::Char(data) => Normal::Leaf("char", data.to_string().into_bytes()),
            Self::Text(data) => Normal::Leaf("text", data.as_bytes().to_vec()),
            Self::Bytes(data) => Normal::Leaf("bytes", data.to_vec()),
            Self::None => Normal::Leaf("none", vec![]),
            Self::Some(data) => Normal::List("some", vec![data.normal()]),
            Self::Sequence(data) => Normal::List("sequence", all(data)),
            Self::Unordered(data) => Normal::List("unordered", sorted(all(data))),
            Self::Tuple(data) => Normal::List("tuple", all(data)),
            Self::Map(data) => {
                let pair = |(key, value): &(Self, Self)| {
                    Normal::List("pair", vec![key.normal(), value.normal()])
                };
                Normal::List("map", sorted(data.iter().map(pair).collect()))
            }
            Self::Newtype(name, data) => Normal::Named("newtype", name, vec![("", data.normal())]),
            Self::Struct(name, data) => Normal::Named("struct", name, fields(data)),
            Self::UnitVariant(index) => Normal::Variant(*index, vec![]),
            Self::NewtypeVariant(index, data) => {
                Normal::Variant(100 + *index, vec![("", data.normal())])
            }
            Self::StructVariant(index, data) => Normal::Variant(200 + *index, fields(data)),
        }
    }
}

fn bits(float: f64) -> u64 {
    if float.is_nan() { 1 } else { float.to_bits() }
}

const VARIANTS: [&str; 3] = ["A", "B", "C"];

impl Serialize for Data {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Unit => s.serialize_unit(),
            Self::Bool(data) => s.serialize_bool(*data),
            Self::Integer(data, width) => integer(*data, *width, s),
            Self::Natural(data) => s.serialize_u128(*data),
            Self::Double(data) => s.serialize_f64(*data),
            Self::Single(data) => s.serialize_f32(*data),
            Self::Char(data) => s.serialize_char(*data),
            Self::Text(data) => s.serialize_str(data),
            Self::Bytes(data) => s.serialize_bytes(data),
            Self::None => s.serialize_none(),
            Self::Some(data) => s.serialize_some(data),
            Self::Sequence(data) => data.serialize(s),
            Self::Unordered(data) => Unordered(data).serialize(s),
            Self::Tuple(data) => {
                let mut tuple = s.serialize_tuple(data.len())?;
                for element in data {
                    tuple.serialize_element(element)?;
                }
                tuple.end()
            }
            Self::Map(data) => {
                let mut map = s.serialize_map(None)?;
                for (key, value) in data {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
            Self::Newtype(name, data) => s.serialize_newtype_struct(name, data),
            Self::Struct(name, data) => {
                let mut fields = s.serialize_struct(name, data.len())?;
                for (name, value) in data {
                    fields.serialize_field(name, value)?;
                }
                fields.end()
            }
            Self::UnitVariant(index) => {
                s.serialize_unit_variant("E", *index, VARIANTS[*index as usize])
            }
            Self::NewtypeVariant(index, data) => {
                s.serialize_newtype_variant("E", *index, VARIANTS[*index as usize], data)
            }
            Self::StructVariant(index, data) => {
                let name = VARIANTS[*index as usize];
                let mut fields = s.serialize_struct_variant("E", *index, name, data.len())?;
                for (name, value) in data {
                    fields.serialize_field(name, value)?;
                }
                fields.end()
            }
        }
    }
}

fn integer<S: Serializer>(data: i128, width: Width, s: S) -> Result<S::Ok, S::Error> {
    macro_rules! as_wide {
        ($($width:ident => $type:ty),*) => {
            match width {
                $(Width::$width => match <$type>::try_from(data) {
                    Ok(data) => data.serialize(s),
                    Err(_) => s.serialize_i128(data),
                })*
                Width::I128 => s.serialize_i128(data),
            }
        };
    }
    as_wide!(I8 => i8, U8 => u8, I16 => i16, I32 => i32, U32 => u32, I64 => i64, U64 => u64)
}

const WIDTHS: [Width; 8] = [
    Width::I8,
    Width::U8,
    Width::I16,
    Width::I32,
    Width::U32,
    Width::I64,
    Width::U64,
    Width::I128,
];

/// Small data, so that two are often equal or nearly so.
pub fn any_data() -> impl Strategy<Value = Data> {
    let integers = prop_oneof![
        -2..3i128,
        Just(i128::from(u64::MAX)),
        Just(i128::from(i64::MIN)),
        Just(i128::from(i64::MIN) - 1),
        Just(i128::MAX),
    ];
    let leaf = prop_oneof![
        Just(Data::Unit),
        Just(Data::None),
        any::<bool>().prop_map(Data::Bool),
        (integers, prop::sample::select(&WIDTHS[..])).prop_map(|(i, w)| Data::Integer(i, w)),
        prop::sample::select(vec![0, 1, 1 << 64, u128::MAX]).prop_map(Data::Natural),
        prop::sample::select(vec![0.0, -0.0, 1.0, f64::NAN, -f64::NAN]).prop_map(Data::Double),
        prop::sample::select(vec![0.0, -0.0, 1.0, f32::NAN]).prop_map(Data::Single),
        prop::sample::select(vec!['\0', 'a']).prop_map(Data::Char),
        prop::sample::select(vec!["", "\0", "a", "ab", "b"]).prop_map(Data::Text),
        prop::sample::select(vec![&b""[..], b"\0", b"a"]).prop_map(Data::Bytes),
        (0..3u32).prop_map(Data::UnitVariant),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        let some = prop::collection::vec(inner.clone(), 0..3);
        let pairs = prop::collection::vec((inner.clone(), inner.clone()), 0..3);
        let name = prop::sample::select(vec!["", "a", "b"]);
        let fields = prop::collection::vec((name.clone(), inner.clone()), 0..3);
        let boxed = inner.prop_map(Box::new);
        prop_oneof![
            boxed.clone().prop_map(Data::Some),
            some.clone().prop_map(Data::Sequence),
            some.clone().prop_map(Data::Unordered),
            some.prop_map(Data::Tuple),
            pairs.prop_map(Data::Map),
            (name.clone(), boxed.clone()).prop_map(|(n, d)| Data::Newtype(n, d)),
            (name, fields.clone()).prop_map(|(n, d)| Data::Struct(n, d)),
            (0..3u32, boxed).prop_map(|(i, d)| Data::NewtypeVariant(i, d)),
            (0..3u32, fields).prop_map(|(i, d)| Data::StructVariant(i, d)),
        ]
    })
}

/// The same data in other integer widths and orders.
pub fn rewritten(data: &Data, seed: u64) -> Data {
    Rewriter(Random(seed)).rewrite(data)
}

struct Rewriter(Random);

impl Rewriter {
    fn rewrite(&mut self, data: &Data) -> Data {
        match data {
            Data::Integer(data, _) => Data::Integer(*data, WIDTHS[self.0.below(WIDTHS.len())]),
            Data::Natural(data) => match i128::try_from(*data) {
                Ok(data) => Data::Integer(data, WIDTHS[self.0.below(WIDTHS.len())]),
                Err(_) => Data::Natural(*data),
            },
            Data::Double(data) if data.is_nan() => Data::Single(f32::NAN),
            Data::Single(data) => Data::Double(f64::from(*data)),
            Data::Some(data) => Data::Some(self.boxed(data)),
            Data::Sequence(data) => Data::Sequence(self.all(data)),
            Data::Tuple(data) => Data::Tuple(self.all(data)),
            Data::Unordered(data) => {
                let mut data = self.all(data);
                self.0.shuffle(&mut data);
                Data::Unordered(data)
            }
            Data::Map(data) => {
                let pair = |(key, value): &(Data, Data)| (self.rewrite(key), self.rewrite(value));
                let mut data: Vec<_> = data.iter().map(pair).collect();
                self.0.shuffle(&mut data);
                Data::Map(data)
            }
            Data::Newtype(name, data) => Data::Newtype(name, self.boxed(data)),
            Data::NewtypeVariant(index, data) => Data::NewtypeVariant(*index, self.boxed(data)),
            Data::Struct(name, data) => Data::Struct(name, self.fields(data)),
            Data::StructVariant(index, data) => Data::StructVariant(*index, self.fields(data)),
            same => same.clone(),
        }
    }

    fn boxed(&mut self, data: &Data) -> Box<Data> {
        Box::new(self.rewrite(data))
    }

    fn all(&mut self, data: &[Data]) -> Vec<Data> {
        data.iter().map(|data| self.rewrite(data)).collect()
    }

    fn fields(&mut self, data: &[(&'static str, Data)]) -> Vec<(&'static str, Data)> {
        let fields = data.iter().map(|(name, data)| (*name, self.rewrite(data)));
        fields.collect()
    }
}

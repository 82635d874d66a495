//! Values round-trip, or are an error.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, SystemTime};

use crate::ErrorKind;
use crate::entry::{decode_value, encode_value, measure};
use crate::support::random::Random;
use proptest::prelude::*;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Forecast {
    city: String,
    days: Vec<f64>,
    wind: Option<Wind>,
    notes: BTreeMap<String, Option<i128>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Wind {
    Calm,
    Breeze(u8),
    Storm { force: u64, from: (char, bool) },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Wrapper<T>(T);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Nothing;

#[track_caller]
fn comes_back<V: Serialize + DeserializeOwned + PartialEq + Debug>(value: V) {
    let bytes = encode_value(&value).unwrap();
    assert_eq!(decode_value::<V>(&bytes).unwrap(), value);
    assert_eq!(measure(&value).unwrap(), bytes.len() as u64);
}

#[track_caller]
fn is_refused<V: Serialize>(value: V) {
    let error = encode_value(&value).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Codec);
    assert!(format!("{error:#}").contains("Some(None)"), "{error:#}");
}

#[track_caller]
fn does_not_decode<V: DeserializeOwned + Debug>(bytes: &[u8]) {
    let error = decode_value::<V>(bytes).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Codec);
}

#[test]
fn values_of_many_kinds_come_back() {
    comes_back(());
    comes_back(Nothing);
    comes_back(u64::MAX);
    comes_back((i128::MIN, u128::MAX));
    comes_back((1.5f32, f64::MIN_POSITIVE, f64::INFINITY));
    comes_back("é\0".to_owned());
    comes_back(vec![Wind::Calm, Wind::Breeze(2)]);
    comes_back(Ok::<u8, String>(1));
    comes_back(Err::<u8, String>("no".to_owned()));
    comes_back(HashMap::from([((1, 'a'), vec![()]), ((2, 'b'), vec![])]));
    comes_back(Wrapper(Wrapper(None::<Wind>)));
}

#[test]
fn options_that_cbor_keeps_apart_come_back() {
    comes_back(None::<u8>);
    comes_back(None::<Option<u8>>);
    comes_back(Some(Some(1)));
    comes_back(vec![None::<u8>, Some(1)]);
    comes_back(Some(vec![None::<u8>]));
    comes_back(Some((None::<u8>,)));
    comes_back(Some(Wind::Calm));
    comes_back(Some(Some("x".to_owned())));
}

#[test]
fn options_that_cbor_would_lose_are_refused() {
    is_refused(Some(None::<u8>));
    is_refused(Some(()));
    is_refused(Some(Nothing));
    is_refused(Some(Some(())));
    is_refused(Some(Some(None::<u8>)));
    is_refused(Some(Wrapper(None::<u8>)));
    is_refused(Some(Wrapper(Wrapper(Nothing))));
}

#[test]
fn options_that_cbor_loses_are_refused() {
    let lost = Some(None::<u8>);
    is_refused(vec![lost]);
    is_refused((1, lost));
    is_refused(Wrapper(lost));
    is_refused(HashMap::from([(1, lost)]));
    is_refused(BTreeMap::from([(lost, 1)]));
    is_refused(Ok::<_, ()>(lost));
    #[derive(Serialize)]
    struct Struct {
        lost: Option<Option<u8>>,
    }
    #[derive(Serialize)]
    enum Enum {
        Tuple(u8, Option<Option<u8>>),
        Struct { lost: Option<Option<u8>> },
    }
    #[derive(Serialize)]
    struct Tuple(u8, Option<Option<u8>>);
    is_refused(Struct { lost });
    is_refused(Enum::Tuple(1, lost));
    is_refused(Enum::Struct { lost });
    is_refused(Tuple(1, lost));
}

#[test]
fn values_too_deep_to_read_are_refused() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum Tree {
        Leaf,
        Newtype(Box<Tree>),
        Tuple(Box<Tree>, u8),
        Struct { some: Option<Box<Tree>> },
        List(Vec<Tree>),
    }
    let nest: [fn(Tree) -> Tree; 4] = [
        |tree| Tree::Newtype(Box::new(tree)),
        |tree| Tree::Tuple(Box::new(tree), 1),
        |tree| Tree::Struct {
            some: Some(Box::new(tree)),
        },
        |tree| Tree::List(vec![tree]),
    ];
    for nest in nest {
        let mut tree = Tree::Leaf;
        let mut depth = 0;
        while let Ok(bytes) = encode_value(&tree) {
            // Everything stored can be read, down to the last level.
            assert_eq!(decode_value::<Tree>(&bytes).unwrap(), tree);
            tree = nest(tree);
            depth += 1;
        }
        assert!((60..=128).contains(&depth), "{depth}");
    }
}

/// Like many identifiers: text in human-readable formats, bytes otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Id([u8; 4]);

impl Serialize for Id {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            return serializer.collect_str(&u32::from_be_bytes(self.0));
        }
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = String::deserialize(deserializer)?;
            let number: u32 = text.parse().map_err(serde::de::Error::custom)?;
            return Ok(Self(number.to_be_bytes()));
        }
        <[u8; 4]>::deserialize(deserializer).map(Self)
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Addresses {
    ip: IpAddr,
    v6: Ipv6Addr,
    socket: SocketAddr,
    some: Option<IpAddr>,
    none: Option<IpAddr>,
    list: Vec<Ipv4Addr>,
    map: BTreeMap<IpAddr, Id>,
    id: Id,
    unit: (),
    short: f64,
    range: std::ops::Range<u8>,
    time: (Duration, SystemTime),
}

fn addresses() -> Addresses {
    let v6 = Ipv6Addr::LOCALHOST;
    Addresses {
        ip: Ipv4Addr::LOCALHOST.into(),
        v6,
        socket: SocketAddr::from((v6, 8080)),
        some: Some(v6.into()),
        none: None,
        list: vec![Ipv4Addr::BROADCAST],
        map: BTreeMap::from([(v6.into(), Id([7; 4]))]),
        id: Id([1, 2, 3, 4]),
        unit: (),
        short: 1.5,
        range: 1..3,
        time: (
            Duration::from_millis(1),
            SystemTime::UNIX_EPOCH + Duration::from_secs(3),
        ),
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind")]
enum Tagged {
    Unit,
    Struct {
        ip: IpAddr,
        id: Id,
        unit: (),
        none: Option<u8>,
    },
    Newtype(Addresses),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "content")]
enum Adjacent {
    Unit,
    Newtype(IpAddr),
    Tuple(SocketAddr, Id),
    Struct { ip: Ipv6Addr },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Unit,
    Ip(IpAddr),
    Socket(SocketAddr),
    Tagged(Tagged),
    Struct { address: Option<IpAddr>, id: Id },
    Tuple(IpAddr, f32),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Flattened {
    name: String,
    #[serde(flatten)]
    addresses: Addresses,
    #[serde(flatten)]
    tagged: Adjacent,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Rest {
    ip: IpAddr,
    #[serde(flatten)]
    rest: HashMap<String, IpAddr>,
}

#[test]
fn compact_forms_in_tagged_types_come_back() {
    let (ip, id) = (Ipv4Addr::LOCALHOST.into(), Id([0; 4]));
    comes_back(addresses());
    comes_back(vec![
        Tagged::Unit,
        Tagged::Struct {
            ip,
            id,
            unit: (),
            none: None,
        },
        Tagged::Newtype(addresses()),
    ]);
    let v6 = Ipv6Addr::UNSPECIFIED;
    comes_back(vec![
        Adjacent::Unit,
        Adjacent::Newtype(ip),
        Adjacent::Tuple((v6, 1).into(), id),
        Adjacent::Struct { ip: v6 },
    ]);
}

#[test]
fn compact_forms_in_untagged_types_come_back() {
    let (ip, id) = (Ipv4Addr::LOCALHOST.into(), Id([0; 4]));
    comes_back(vec![
        Untagged::Unit,
        Untagged::Ip(ip),
        Untagged::Socket((ip, 1).into()),
        Untagged::Struct { address: None, id },
        Untagged::Struct {
            address: Some(ip),
            id,
        },
        Untagged::Tuple(ip, 0.5),
        Untagged::Tagged(Tagged::Newtype(addresses())),
    ]);
    comes_back(Some(Untagged::Ip(ip)));
}

#[test]
fn compact_forms_in_flattened_types_come_back() {
    let ip: IpAddr = Ipv4Addr::LOCALHOST.into();
    for tagged in [Adjacent::Unit, Adjacent::Tuple((ip, 1).into(), Id([0; 4]))] {
        comes_back(Flattened {
            name: "name".to_owned(),
            addresses: addresses(),
            tagged,
        });
    }
    comes_back(Rest {
        ip,
        rest: HashMap::from([("v6".to_owned(), Ipv6Addr::LOCALHOST.into())]),
    });
}

/// serde's buffers take no wider numbers, and no type that reads from them requests one.
#[test]
fn wide_numbers_in_buffered_types_are_an_error() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(tag = "kind")]
    enum Wide {
        Signed { number: i128 },
        Unsigned { number: u128 },
    }
    for number in [0, 7, i64::MAX.into(), i128::MAX] {
        let signed = encode_value(&Wide::Signed { number: -number }).unwrap();
        does_not_decode::<Wide>(&signed);
        let number = number.unsigned_abs();
        does_not_decode::<Wide>(&encode_value(&Wide::Unsigned { number }).unwrap());
    }
}

/// Wide numbers are presented as narrower ones to types that take both.
#[test]
fn wide_numbers_that_fit_are_presented_narrow() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(untagged)]
    enum Number {
        Natural(u64),
        Integer(i64),
    }
    let written = encode_value(&(u128::from(u64::MAX), i128::from(i64::MIN))).unwrap();
    let read: (Number, Number) = decode_value(&written).unwrap();
    assert_eq!(read, (Number::Natural(u64::MAX), Number::Integer(i64::MIN)));
}

#[test]
fn raw_json_is_refused() {
    #[derive(Serialize)]
    #[serde(rename = "$serde_json::private::RawValue")]
    struct RawValue {
        #[serde(rename = "$serde_json::private::RawValue")]
        json: &'static str,
    }
    let raw = || RawValue { json: "[1]" };
    for error in [encode_value(&raw()), encode_value(&Some([raw()]))] {
        let error = error.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Codec);
        assert!(format!("{error:#}").contains("raw JSON"), "{error:#}");
    }
    assert!(measure(&raw()).is_ok(), "in memory it is kept as it is");
}

#[test]
fn values_that_stay_in_memory_may_be_unreadable() {
    let lost = Some(None::<u8>);
    // A null each.
    assert_eq!(measure(&lost).unwrap(), 1);
    assert_eq!(measure(&[lost]).unwrap(), 2);
    assert_eq!(measure(&Some(Wrapper([Some(())]))).unwrap(), 2);
}

#[test]
fn borrowed_bytes_roundtrip_or_fail() {
    #[derive(Debug, PartialEq)]
    struct Borrowed(Vec<u8>);
    impl<'de> Deserialize<'de> for Borrowed {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            <&[u8]>::deserialize(deserializer).map(|bytes| Self(bytes.to_vec()))
        }
    }
    let written = [&[0x44][..], b"byte"].concat();
    assert_eq!(
        decode_value::<Borrowed>(&written).unwrap(),
        Borrowed(b"byte".to_vec())
    );
    does_not_decode::<Borrowed>(&encode_value(b"byte").unwrap());
}

#[test]
fn old_values_lack_added_default_fields() {
    #[derive(Serialize)]
    struct Old {
        a: u8,
        gone: u8,
    }
    #[derive(Debug, PartialEq, Deserialize)]
    struct New {
        a: u8,
        #[serde(default)]
        b: Option<u8>,
    }
    let old = encode_value(&Old { a: 1, gone: 2 }).unwrap();
    let new: New = decode_value(&old).unwrap();
    assert_eq!(new, New { a: 1, b: None });
}

#[test]
fn values_of_another_type_do_not_decode() {
    does_not_decode::<u8>(&encode_value(&256).unwrap());
    does_not_decode::<u8>(&encode_value("1").unwrap());
    does_not_decode::<Forecast>(&encode_value(&(1, 2)).unwrap());
    does_not_decode::<Wind>(&encode_value("Hurricane").unwrap());
}

#[test]
fn what_follows_a_value_is_refused() {
    does_not_decode::<u8>(b"");
    does_not_decode::<u8>(&[1, 2]);
    does_not_decode::<(u8, u8)>(&[0x82, 1, 2, 3]);
}

#[test]
fn hostile_lengths_allocate_nothing_much() {
    // An array, a map, a text and bytes that claim 2^62 elements and have one.
    for head in [0x9b, 0xbb, 0x7b, 0x5b] {
        let hostile = [&[head][..], &(1u64 << 62).to_be_bytes(), &[1]].concat();
        does_not_decode::<Vec<u64>>(&hostile);
        does_not_decode::<String>(&hostile);
        does_not_decode::<HashMap<u64, [u64; 32]>>(&hostile);
        does_not_decode::<serde_json::Value>(&hostile);
        does_not_decode::<Box<[()]>>(&hostile);
    }
}

#[test]
fn hostile_nesting_does_not_exhaust_the_stack() {
    // Arrays, tags, arrays and texts of indefinite length.
    for head in [0x81, 0xc6, 0x9f, 0x7f] {
        let deep = vec![head; 1_000_000];
        does_not_decode::<serde_json::Value>(&deep);
        does_not_decode::<String>(&deep);
        does_not_decode::<Vec<u8>>(&deep);
    }
}

#[test]
fn a_hundred_thousand_mutations_end() {
    let value = Forecast {
        city: "Oslo".to_owned(),
        days: vec![1.5, -0.0],
        wind: Some(Wind::Storm {
            force: u64::MAX,
            from: ('N', true),
        }),
        notes: BTreeMap::from([("n".to_owned(), Some(i128::MIN)), ("m".to_owned(), None)]),
    };
    let whole = encode_value(&value).unwrap();
    let mut random = Random(1);
    for _ in 0..100_000 {
        let mut bytes = whole.clone();
        for _ in 0..=random.below(4) {
            let place = random.below(bytes.len());
            bytes[place] = random.next() as u8;
        }
        bytes.truncate(random.below(bytes.len() + 1));
        let _ = decode_value::<Forecast>(&bytes);
        let _ = decode_value::<serde_json::Value>(&bytes);
    }
}

fn any_options() -> impl Strategy<Value = Vec<Option<Option<Option<u8>>>>> {
    any::<Vec<Option<Option<Option<u8>>>>>()
}

proptest! {
    #[test]
    fn options_come_back_or_are_refused(value in any_options()) {
        if let Ok(bytes) = encode_value(&value) {
            prop_assert_eq!(decode_value::<Vec<Option<Option<Option<u8>>>>>(&bytes).unwrap(), value);
        }
    }

    #[test]
    fn noise_does_not_panic(noise: Vec<u8>) {
        let _ = decode_value::<Forecast>(&noise);
        let _ = decode_value::<serde_json::Value>(&noise);
        let _ = decode_value::<Vec<Option<String>>>(&noise);
    }
}

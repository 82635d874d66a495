//! Values as CBOR.

use serde::Serialize;
use serde::de::{Deserialize, DeserializeOwned, Deserializer};

use super::lossless::Lossless;
use super::readable::Readable;
use super::slice;
use crate::depth::MAX_LEVELS;
use crate::error::{Error, ErrorKind, Operation};

/// Encodes a value as CBOR in serde's human-readable form: an `IpAddr` is text.
///
/// # Errors
/// [`ErrorKind::Codec`] for a value that fails to serialize, or would not roundtrip: CBOR writes `Some(None)` and
/// `Some(())` like `None`, nesting of more than 128 levels is not read, and raw JSON of `serde_json` can be read by
/// `serde_json` only.
///
/// Not every value that would not roundtrip is detected. 128-bit numbers in tagged, untagged and flattened types are
/// written, and then fail in [`decode_value`]: serde does not read them there, in any format.
///
/// ```
/// use cachier_backends::entry::encode_value;
///
/// assert!(encode_value(&Some(Some(1))).is_ok());
/// assert!(encode_value(&Some(None::<u32>)).is_err());
/// ```
pub fn encode_value<V: Serialize + ?Sized>(value: &V) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    ciborium::into_writer(&Lossless::new(value), &mut bytes).map_err(|source| {
        let message = "the value cannot be serialized, so it is not stored";
        Error::new(ErrorKind::Codec, Operation::Store, message).with_source(source)
    })?;
    Ok(bytes)
}

/// Decodes a value from all of `bytes`.
///
/// ```
/// use cachier_backends::entry::{decode_value, encode_value};
///
/// let bytes = encode_value(&("Oslo", 3))?;
/// assert_eq!(decode_value::<(String, u32)>(&bytes)?, ("Oslo".to_owned(), 3));
/// assert!(decode_value::<bool>(&bytes).is_err());
/// # Ok::<(), cachier_backends::Error>(())
/// ```
///
/// # Errors
/// [`ErrorKind::Codec`] for bytes that are not exactly one such value: common where versions of a program with
/// different types share a store. Memory is allocated only for what is there, whatever the bytes claim, as far as the
/// type's `Deserialize` adheres to that, as serde's own do.
pub fn decode_value<V: DeserializeOwned>(bytes: &[u8]) -> Result<V, Error> {
    slice::read(bytes, MAX_LEVELS).map_or_else(|| decode_anything(bytes), Ok)
}

/// The same with ciborium.
#[cold]
pub(super) fn decode_anything<V: DeserializeOwned>(mut bytes: &[u8]) -> Result<V, Error> {
    let value: Read<V> = ciborium::de::from_reader_with_recursion_limit(&mut bytes, MAX_LEVELS)
        .map_err(|source| undecodable("the stored value is not of the type").with_source(source))?;
    if bytes.is_empty() {
        Ok(value.0)
    } else {
        Err(undecodable("something follows the stored value"))
    }
}

/// A value read in the human-readable form, which ciborium applies only through the type's own `Deserialize`.
struct Read<V>(V);

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Read<V> {
    fn deserialize<D: Deserializer<'de>>(inner: D) -> Result<Self, D::Error> {
        V::deserialize(Readable::new(inner)).map(Self)
    }
}

fn undecodable(message: &'static str) -> Error {
    Error::new(ErrorKind::Codec, Operation::Load, message)
}

#[cfg(test)]
#[path = "value_tests.rs"]
mod tests;

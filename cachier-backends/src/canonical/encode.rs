//! The bytes and the hash of a value, and the error of one that has none.

use std::borrow::Cow;

use serde::Serialize;

use super::error::SerializeError;
#[cfg(feature = "persistent")]
use super::hash_sink::HashSink;
use super::serializer;
use crate::depth::Depth;
use crate::error::{Error, ErrorKind, Operation};

/// The canonical serialization of a value.
///
/// ```
/// use cachier_backends::canonical;
///
/// assert_eq!(canonical::to_vec(&1u8)?, canonical::to_vec(&1i64)?);
/// assert_ne!(canonical::to_vec(&("ab", "c"))?, canonical::to_vec(&("a", "bc"))?);
/// # Ok::<(), cachier_backends::Error>(())
/// ```
///
/// # Errors
/// [`ErrorKind::Codec`] for a value that fails to serialize, or is nested more than 128 levels deep in a tuple of
/// arguments.
pub fn to_vec<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    serializer::write(value, &mut bytes, Depth::ARGUMENTS).map_err(unserializable)?;
    Ok(bytes)
}

/// The BLAKE3 hash of a value's canonical serialization, computed without building that.
#[cfg(feature = "persistent")]
pub(crate) fn hash<T: Serialize + ?Sized>(
    value: &T,
    key: Option<&[u8; 32]>,
) -> Result<[u8; 32], Error> {
    hash_named(value, "", key)
}

/// The attribute's name for a key computed from all arguments; no argument has this name.
const OWN_KEY: &str = "key = ..";

/// The same, for a tuple whose elements have these names, separated by `, `.
#[cfg(feature = "persistent")]
pub(crate) fn hash_named<T: Serialize + ?Sized>(
    value: &T,
    names: &str,
    key: Option<&[u8; 32]>,
) -> Result<[u8; 32], Error> {
    let mut sink = HashSink::new(key);
    serializer::write(value, &mut sink, Depth::ARGUMENTS)
        .map_err(|error| unserializable_argument(error, names))?;
    Ok(sink.finish())
}

fn unserializable(error: SerializeError) -> Error {
    unserializable_argument(error, "")
}

fn unserializable_argument(error: SerializeError, names: &str) -> Error {
    let name = |element| names.split(", ").nth(element);
    let what = match error.element().and_then(name) {
        Some(OWN_KEY) => Cow::from("what `key = ..` gives"),
        Some(name) if !name.is_empty() => format!("the argument `{name}`").into(),
        _ => Cow::from("the arguments"),
    };
    let hint = match names {
        OWN_KEY => "let it give something that can be: numbers, text, a path, or a tuple of these",
        _ => "give the function a `key` of its own, or `skip` the argument",
    };
    let message = format!("{what} cannot be serialized, so the call has no key");
    Error::new(ErrorKind::Codec, Operation::Load, message)
        .with_source(error)
        .with_hint(hint)
}

//! The canonical serialization of arguments, from which keys are hashed.
//!
//! Its bytes are never stored or read back: what matters is that equal arguments give equal bytes everywhere, and
//! unequal arguments unequal bytes. So every piece is tagged and self-delimiting, and:
//!
//! | argument | how it counts |
//! |---|---|
//! | integers | by value, whatever their width and sign: `1u8` is `1i128` |
//! | floats | by value: `0.5f32` is `0.5f64`; every NaN is the same, `-0.0` is not `0.0`, `1.0` is not `1` |
//! | options | `Some` is tagged: `Some(None)` is not `None`, `Some(1)` is not `1` |
//! | maps | entries in the order of their encoded keys, whatever order they come in |
//! | sequences | in their order; those inside [`Unordered`] in the order of their encoded elements |
//! | structs and enums | with their names and those of their fields and variants |
//!
//! Types with a human-readable and a machine form use the latter, which keeps keys small; the encoding of values is
//! unrelated.
//!
//! Nesting of more than 128 levels has no canonical serialization, as it might exhaust the stack.
//!
//! To serde sets look like sequences, so a `HashSet` must be wrapped in [`Unordered`], or be a `BTreeSet`.

mod error;
#[cfg(feature = "persistent")]
mod hash_sink;
mod serializer;
mod sink;

use std::borrow::Cow;

use serde::{Serialize, Serializer};

use crate::depth::Depth;
use crate::error::{Error, ErrorKind, Operation};
use error::SerializeError;
#[cfg(feature = "persistent")]
use hash_sink::HashSink;

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

/// A sequence whose order is irrelevant, such as a `HashSet`.
///
/// Duplicates count. Any other serializer sees the plain value.
///
/// ```
/// use cachier_backends::canonical::{self, Unordered};
///
/// assert_eq!(
///     canonical::to_vec(&Unordered(&[1, 2, 3]))?,
///     canonical::to_vec(&Unordered(&[3, 1, 2]))?,
/// );
/// # Ok::<(), cachier_backends::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Unordered<'a, T: ?Sized>(pub &'a T);

impl<T: Serialize + ?Sized> Serialize for Unordered<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(serializer::UNORDERED, self.0)
    }
}

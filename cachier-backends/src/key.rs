//! Keys of entries.

use std::fmt;
use std::sync::Arc;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;

use crate::canonical;
use crate::error::Error;
pub(crate) use crate::version::Version;

/// The key of an entry: a function, the version of its code, and a hash of the arguments.
///
/// `Display` gives its name in every store, `cachier/2/{namespace}/{function}/{version}/{hash}`: ASCII, about 500 bytes
/// at most, and without the arguments.
///
/// ```
/// use std::sync::Arc;
/// use cachier_backends::{Key, KeyHash, Scope, Version};
///
/// let scope = Arc::new(Scope::new("default", "weather::forecast"));
/// let key = Key::new(scope, Version::Number(2), KeyHash::of(&("Oslo", 3), None)?);
/// assert!(key.to_string().starts_with("cachier/2/default/weather::forecast/2/"));
/// # Ok::<(), cachier_backends::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    scope: Arc<Scope>,
    version: Version,
    hash: KeyHash,
}

/// A function in a namespace, with all versions of its entries.
///
/// ```
/// use cachier_backends::Scope;
///
/// let scope = Scope::new("staging", "weather::forecast");
/// assert_eq!(scope.to_string(), "cachier/2/staging/weather::forecast");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Scope {
    namespace: Box<str>,
    function: Box<str>,
    /// The text of `Display`, encoded once, as it is part of every key.
    path: Arc<str>,
}

/// The hash of a call's arguments.
///
/// ```
/// use cachier_backends::KeyHash;
///
/// let hash = KeyHash::of(&("Oslo", 3_u8), None)?;
/// assert_eq!(hash, KeyHash::of(&("Oslo".to_owned(), 3_i64), None)?);
/// assert_ne!(hash, KeyHash::of(&("Oslo", 4), None)?);
/// # Ok::<(), cachier_backends::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyHash([u8; 32]);

/// A secret that keys the hash of arguments, so that nobody without it can guess them from a key.
///
/// ```
/// use cachier_backends::{KeyHash, KeySecret};
///
/// let secret = KeySecret::new(b"not in the repository");
/// assert_ne!(KeyHash::of("Oslo", Some(&secret))?, KeyHash::of("Oslo", None)?);
/// # Ok::<(), cachier_backends::Error>(())
/// ```
#[derive(Clone)]
pub struct KeySecret([u8; 32]);

impl Key {
    /// The key of one entry.
    #[must_use]
    pub fn new(scope: Arc<Scope>, version: Version, hash: KeyHash) -> Self {
        Self {
            scope,
            version,
            hash,
        }
    }

    /// The function whose entry this is.
    #[must_use]
    pub fn scope(&self) -> &Arc<Scope> {
        &self.scope
    }

    /// The version of the function's code.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// The hash of the arguments.
    #[must_use]
    pub fn hash(&self) -> KeyHash {
        self.hash
    }
}

impl Scope {
    /// The entries of `function` in `namespace`. Any text will do, an empty one included.
    pub fn new(namespace: impl Into<Box<str>>, function: impl Into<Box<str>>) -> Self {
        let (namespace, function) = (namespace.into(), function.into());
        let path = format!("cachier/2/{}/{}", encoded(&namespace), encoded(&function));
        Self {
            namespace,
            function,
            path: path.into(),
        }
    }

    /// The namespace, as it was given.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The function's identity, as it was given.
    #[must_use]
    pub fn function(&self) -> &str {
        &self.function
    }

    /// The text of `Display`.
    #[cfg(any(feature = "redis", feature = "_sql"))]
    pub(crate) fn path(&self) -> &Arc<str> {
        &self.path
    }
}

impl KeyHash {
    /// The hash of `arguments`: BLAKE3 of their [`canonical`] serialization, keyed with the `secret`
    /// if there is one.
    ///
    /// Equal arguments give equal hashes in every process, on every platform; unequal ones do not.
    ///
    /// # Errors
    /// [`ErrorKind::Codec`](crate::ErrorKind::Codec) for arguments that refuse to be serialized, or are nested more
    /// than 128 levels deep.
    pub fn of<T: Serialize + ?Sized>(
        arguments: &T,
        secret: Option<&KeySecret>,
    ) -> Result<Self, Error> {
        canonical::hash(arguments, secret.map(|secret| &secret.0)).map(Self)
    }

    /// The hash of a tuple of arguments, as [`of`](Self::of) makes it. An error says which of them it is,
    /// by its name in `names`, which have `, ` between them.
    ///
    /// # Errors
    /// [`ErrorKind::Codec`](crate::ErrorKind::Codec) for arguments that refuse to be serialized, or are nested more
    /// than 128 levels deep.
    pub fn of_arguments<T: Serialize + ?Sized>(
        arguments: &T,
        names: &str,
        secret: Option<&KeySecret>,
    ) -> Result<Self, Error> {
        let secret = secret.map(|secret| &secret.0);
        canonical::hash_named(arguments, names, secret).map(Self)
    }

    /// A hash that was made elsewhere.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The hash that 64 hexadecimal digits stand for, as `Display` shows it.
    #[cfg(feature = "_notifications")]
    pub(crate) fn parse(digits: &str) -> Option<Self> {
        let hash = blake3::Hash::from_hex(digits).ok()?;
        Some(Self(*hash.as_bytes()))
    }

    /// The hash itself.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The text of `Display`.
    #[cfg(feature = "redis")]
    pub(crate) fn to_hex(self) -> impl std::ops::Deref<Target = str> {
        blake3::Hash::from_bytes(self.0).to_hex()
    }
}

impl KeySecret {
    /// A secret made from text of any length, such as the value of an environment variable.
    #[must_use]
    pub fn new(secret: &[u8]) -> Self {
        Self(blake3::derive_key("cachier 1 key secret", secret))
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.scope, self.version, self.hash)
    }
}

/// `cachier/2/{namespace}/{function}`, the common beginning of a function's keys.
impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)
    }
}

/// 64 hexadecimal digits.
impl fmt::Display for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&blake3::Hash::from_bytes(self.0).to_hex())
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyHash({self})")
    }
}

impl fmt::Debug for KeySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeySecret(..)")
    }
}

/// Characters that are escaped in a key: all but letters, digits and others that need no escape in a path segment.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b':');

/// The longest encoded name that is kept whole, in bytes.
const MAX_NAME_BYTES: usize = 180;

/// A name as a segment of a key: percent-encoded, never empty, never `.` or `..`, and bounded: of a
/// longer name the beginning stays, and after a `~`, which no encoded name holds, its hash.
fn encoded(name: &str) -> String {
    bounded(name, utf8_percent_encode(name, ESCAPED).to_string())
}

/// See [`encoded`].
fn bounded(name: &str, mut encoded: String) -> String {
    if encoded.bytes().all(|byte| byte == b'.') {
        // Empty, or a name by which a path would leave its folder.
        encoded.push('~');
    }
    if encoded.len() > MAX_NAME_BYTES {
        let hash = blake3::hash(name.as_bytes()).to_hex();
        encoded.truncate(MAX_NAME_BYTES - 33);
        encoded.push('~');
        encoded.push_str(&hash[..32]);
    }
    encoded
}

#[cfg(test)]
#[path = "key_tests.rs"]
mod tests;
